"""Processes, servers and networks that fail under load: no bet is lost or applied twice."""
