"""The user's calls among those on the stack, for sentences that name a line of the program."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterator
from types import FrameType

_HOME = os.path.dirname(os.path.abspath(__file__)) + os.sep


def users_frames() -> Iterator[FrameType]:
    """The calls that are not this package's, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if not os.path.abspath(frame.f_code.co_filename).startswith(_HOME):
            yield frame
        frame = frame.f_back


def shown(frame: FrameType) -> str:
    """File, line and function of a call, and what stands there."""
    file, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(file, line).strip()
    return f"{file}:{line}, in {frame.f_code.co_name}" + (f": {text}" if text else "")
