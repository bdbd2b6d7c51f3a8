"""The kit: its client, `sign` and `explain`, and conformance against a server with faults."""
