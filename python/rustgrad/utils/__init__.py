"""Tools around training: memory for time."""

from . import checkpoint as checkpoint

__all__ = ["checkpoint"]
