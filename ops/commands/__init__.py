"""The commands of `betcore`, one module per group."""
