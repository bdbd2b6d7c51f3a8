"""From a listening socket to the ASGI app, for every web process of ours; knows no app."""
