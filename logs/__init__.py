"""How every process of ours writes its log; knows nothing of bets."""
