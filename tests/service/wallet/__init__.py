"""What providers are promised about bets and money, by calls to a whole installation."""
