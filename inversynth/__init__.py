"""The application: from a sound to the synthesizer settings that make it, and everything a user touches."""

from generators import __version__

__all__ = ["__version__"]
