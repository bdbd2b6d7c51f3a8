"""The API for game providers: signed calls about bets, balances and states of bets."""
