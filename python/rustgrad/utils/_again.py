"""What both ways of computing a function again have in common: errors, warnings, the numbers it draws."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from .. import _core
from .._core import Tensor
from .._warning import warn_once


class CheckpointError(RuntimeError):
    """Raised where a function computes something else the second time."""

    __module__ = "rustgrad.utils.checkpoint"  # where it is found


CAPTURES = "reads a tensor that is differentiated or followed, and is not an argument"
HOOKS = "hooks a tensor"


class PlainCallError(RuntimeError):
    """The function must be called as if there were no checkpoint: why."""


def tell(function: Callable[..., Any], why: str) -> None:
    """Warn that a checkpoint saves no memory, and why."""
    way_out = "pass that tensor as an argument" if why is CAPTURES else "hook outside of the function"
    warn_once(
        "checkpoint",
        function,
        f"checkpoint: inside of a func transform the function {why}, so all that it saves is kept, as without "
        f"checkpoint; {way_out} to save memory",
    )


@contextlib.contextmanager
def replayed(state: Tensor | None) -> Iterator[None]:
    """Draw the random numbers that followed this state once more (None: draw new ones)."""
    if state is None:
        yield
        return
    before = _core.get_rng_state()
    _core.set_rng_state(state)
    try:
        yield
    finally:
        _core.set_rng_state(before)
