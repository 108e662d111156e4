"""Under anomaly detection: errors that a rule written in Python raises name the lines that called its function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import islice
from typing import Any

from .. import _core
from .._callers import shown, users_frames

#: How many of the user's calls are shown, as the core does for its operators.
_CALLS_SHOWN = 5


def naming_origin(rule: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The rule itself, or where anomalies are looked for, one whose errors get the lines of this call as a note."""
    if not _core.is_anomaly_enabled():
        return rule
    place = "\n".join(shown(frame) for frame in [*islice(users_frames(), _CALLS_SHOWN)][::-1])

    @functools.wraps(rule)
    def wrapped(*args: Any) -> Any:
        try:
            return rule(*args)
        except Exception as error:
            error.add_note(f"{name}: the function whose rule raised this was called here:\n{place}")
            raise

    return wrapped
