"""Tests that need real PostgreSQL and Redis servers."""
