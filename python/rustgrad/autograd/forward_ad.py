"""Forward mode on dual tensors, as ``torch.autograd.forward_ad``; levels may be nested."""

from __future__ import annotations

import threading
from typing import NamedTuple

from .. import _core
from .._core import Tensor


class _Active(threading.local):
    """The levels that this thread has entered, outermost first."""

    def __init__(self) -> None:
        self.levels: list[_core.Level] = []


_active = _Active()


class UnpackedDualTensor(NamedTuple):
    """What a dual tensor is made of; the tangent is None where nothing depends on this level."""

    primal: Tensor
    tangent: Tensor | None


class dual_level:
    """Tangents made inside belong to this level and end with it.

    >>> import rustgrad as rg
    >>> from rustgrad.autograd import forward_ad
    >>> with forward_ad.dual_level():
    ...     x = forward_ad.make_dual(rg.tensor(3.0), rg.tensor(1.0))
    ...     forward_ad.unpack_dual(x * x).tangent
    tensor(6.)
    """

    def __enter__(self) -> int:
        _active.levels.append(_core.Level("dual_level"))
        return len(_active.levels) - 1

    def __exit__(self, *exc: object) -> None:
        _active.levels.pop().exit()


def _level(level: int | None, function: str) -> _core.Level:
    if not _active.levels:
        raise RuntimeError(f"{function}: no dual level is active; use it inside `with forward_ad.dual_level():`")
    index = len(_active.levels) - 1 if level is None else level
    if not 0 <= index < len(_active.levels):
        raise RuntimeError(f"{function}: there is no dual level {level}; {len(_active.levels)} are active")
    return _active.levels[index]


def enter_dual_level() -> int:
    """Begin a level by hand; returns its number.

    Derivative: see ``dual_level``, which does the same for a block.

    >>> import rustgrad as rg
    >>> level = rg.autograd.forward_ad.enter_dual_level()
    >>> rg.autograd.forward_ad.exit_dual_level(level=level)
    """
    return dual_level().__enter__()


def exit_dual_level(*, level: int | None = None) -> None:
    """End the innermost level; raises RuntimeError if ``level`` is another one, or none is active.

    Derivative: the tangents of the level end with it.

    >>> import rustgrad as rg
    >>> level = rg.autograd.forward_ad.enter_dual_level()
    >>> rg.autograd.forward_ad.exit_dual_level()
    """
    if level is not None and level != len(_active.levels) - 1:
        raise RuntimeError(f"exit_dual_level: level {level} is not the innermost; end the inner ones first")
    _level(None, "exit_dual_level")
    _active.levels.pop().exit()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """``tensor`` travelling with ``tangent`` at a level (the innermost unless named).

    Shapes: both the same; raises ValueError otherwise. One float dtype for both; raises TypeError for others,
    RuntimeError outside of any level.

    Derivative: that of the tensor and of the tangent each flow through.

    >>> import rustgrad as rg
    >>> with rg.autograd.forward_ad.dual_level():
    ...     x = rg.autograd.forward_ad.make_dual(rg.tensor(0.0), rg.tensor(2.0))
    ...     rg.autograd.forward_ad.unpack_dual(x.sin())
    UnpackedDualTensor(primal=tensor(0.), tangent=tensor(2.))
    """
    return _level(level, "make_dual").make_dual(tensor, tangent)


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """Primal and tangent of a tensor at a level (the innermost unless named); outside any level the tangent is None.

    Shapes and dtypes: those of the tensor, for both.

    Derivative: each part has its own.

    >>> import rustgrad as rg
    >>> rg.autograd.forward_ad.unpack_dual(rg.tensor(1.0))
    UnpackedDualTensor(primal=tensor(1.), tangent=None)
    """
    if not _active.levels:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(*_level(level, "unpack_dual").unpack_dual(tensor))
