"""Tests that need nothing but Python: no server, no process, no file."""
