"""The tests, in folders by what they need: nothing, real servers, processes to kill, a browser."""
