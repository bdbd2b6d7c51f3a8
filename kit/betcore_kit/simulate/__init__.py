"""A provider in a box: plays rounds for many players, with faults, and compares the books."""
