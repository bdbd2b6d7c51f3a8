"""Every setting (fields.py), and how it is read from the environment (reading.py)."""

from settings.fields import Settings, is_of_a_service, variable
from settings.reading import (
    FILE,
    BadSettings,
    known,
    misspelt,
    settings,
    texts,
    variables,
    with_files,
)

__all__ = [
    "FILE",
    "BadSettings",
    "Settings",
    "is_of_a_service",
    "known",
    "misspelt",
    "settings",
    "texts",
    "variable",
    "variables",
    "with_files",
]
