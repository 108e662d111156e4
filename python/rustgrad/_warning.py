"""Warnings that point at the user's line, however deep in this package they arise."""

from __future__ import annotations

import inspect
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from ._callers import users_frames

_told: weakref.WeakKeyDictionary[Any, set[str]] = weakref.WeakKeyDictionary()


def warn(message: str) -> None:
    """Warn at the innermost call that is not this package's own."""
    frame = next(users_frames(), None)
    if frame is None:
        warnings.warn(message, stacklevel=2)
        return
    about = frame.f_globals
    registry = about.setdefault("__warningregistry__", {})
    file, module = frame.f_code.co_filename, about.get("__name__")
    warnings.warn_explicit(message, UserWarning, file, frame.f_lineno, module, registry)


def warn_once(transform: str, func: Callable[..., Any], message: str) -> None:
    """Warn of a function, once for each transform that it is given to."""
    # What transforms make of a function shares its key: `grad(f)` is told of once, and not for `grad(g)` as well.
    key = inspect.unwrap(func)
    if inspect.ismethod(key) and isinstance(key.__self__, type):
        key = key.__self__  # `apply` is one function for all classes of rules
    key = getattr(key, "__code__", key)
    try:
        if transform in _told.setdefault(key, set()):
            return
        _told[key].add(transform)
    except TypeError:
        pass  # what cannot be remembered is told every time
    warn(message)
