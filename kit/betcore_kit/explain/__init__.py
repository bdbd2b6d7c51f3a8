"""Why a signature does not match: what was signed, found by trying what people get wrong."""
