"""The benchmark: our queue against its rivals, in one run on one machine."""
