"""The promises to providers about bets and money, tested on a whole installation."""
