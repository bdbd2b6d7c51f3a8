"""From a listening socket to the ASGI app, for each of our web processes. Imports no app."""
