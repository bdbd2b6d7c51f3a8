"""The commands of `betcore`, a module for each group."""
