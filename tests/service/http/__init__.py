"""Requests as bytes on a connection: bodies, paths, slow clients, connections that end."""
