"""Refusals to differentiate, made in Python: like those of the core, they end with the user's line."""

from __future__ import annotations

from .._callers import shown, users_frames
from .._core import NotDifferentiableError


def not_differentiable(message: str) -> NotDifferentiableError:
    """The exception, with the innermost line of the program that is not this package's."""
    frame = next(users_frames(), None)
    return NotDifferentiableError(message if frame is None else f"{message} ({shown(frame)})")
