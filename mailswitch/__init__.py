"""mailswitch: turns Plesk's local mail delivery off for domains whose mail lives elsewhere."""

__all__ = ["__version__"]

__version__ = "0.1.0"
