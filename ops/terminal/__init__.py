"""How a command speaks: options, documents, failures, progress."""
