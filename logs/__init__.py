"""How every process of betcore writes its log. This package knows nothing of bets."""
