"""t2t: one text-to-text model for every language task."""

__version__ = "0.1.0"
