"""The commands of `betcore-kit`, one module each."""
