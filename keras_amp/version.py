"""The version of the package, free of imports so that packaging can read it."""

__version__ = "0.2.0"
