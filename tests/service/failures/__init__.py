"""Processes, servers and networks that break under load: no bet is lost or doubled."""
