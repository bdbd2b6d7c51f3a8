"""What game providers call: the signed calls about bets, balances and states."""
