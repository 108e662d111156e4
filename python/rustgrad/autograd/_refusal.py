"""Refusals to differentiate, made in Python: like those of the core, they end with the user's line."""

from __future__ import annotations

import linecache
import os
import sys

from .._core import NotDifferentiableError

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def not_differentiable(message: str) -> NotDifferentiableError:
    """The exception, with the innermost line of the program that is not this package's."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not os.path.abspath(code.co_filename).startswith(_HOME):
            text = linecache.getline(code.co_filename, frame.f_lineno).strip()
            shown = f": {text}" if text else ""
            return NotDifferentiableError(f"{message} ({code.co_filename}:{frame.f_lineno}, in {code.co_name}{shown})")
        frame = frame.f_back  # type: ignore[assignment]
    return NotDifferentiableError(message)
