"""Refusals to differentiate, made in Python: like those of the core, they end with the user's line."""

from __future__ import annotations

from .._callers import shown, users_frames
from .._core import NotDifferentiableError


def not_differentiable(message: str, reason: str | None = None) -> NotDifferentiableError:
    """The exception, with the innermost line of the program that is not this package's.

    ``reason``: by which callers tell it from others, as those of the core.
    """
    frame = next(users_frames(), None)
    error = NotDifferentiableError(message if frame is None else f"{message} ({shown(frame)})")
    if reason is not None:
        error.reason = reason  # type: ignore[attr-defined]
    return error
