"""Commands of `betcore` that operators type, and what each of them changes or shows."""
