"""Under anomaly detection: errors that a rule written in Python raises name the lines that called its function."""

from __future__ import annotations

import functools
import linecache
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from .. import _core

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
#: How many of the user's calls are shown, as the core does for its operators.
_CALLS_SHOWN = 5


def naming_origin(rule: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The rule itself, or where anomalies are looked for, one whose errors get the lines of this call as a note."""
    if not _core.is_anomaly_enabled():
        return rule
    place = "\n".join(_users_calls())

    @functools.wraps(rule)
    def wrapped(*args: Any) -> Any:
        try:
            return rule(*args)
        except Exception as error:
            error.add_note(f"{name}: the function whose rule raised this was called here:\n{place}")
            raise

    return wrapped


def _users_calls() -> list[str]:
    """The innermost calls outside of this package, outermost first."""
    found: list[str] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and len(found) < _CALLS_SHOWN:
        file, line = frame.f_code.co_filename, frame.f_lineno
        if not file.startswith(_HOME):
            found.append(f"{file}:{line}, in {frame.f_code.co_name}: {linecache.getline(file, line).strip()}")
        frame = frame.f_back
    return found[::-1]
