"""One rule from the other: the transpose of a linear map that is written in differentiable operations."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from .. import _core
from .._core import Level, NotDifferentiableError, Tensor, _Pull
from ._refusal import not_differentiable
from ._values import bare, floating

#: Rules whose transpose was compared with themselves, and for which of their arguments.
_proven: weakref.WeakKeyDictionary[Any, set[tuple[int, ...]]] = weakref.WeakKeyDictionary()
#: How much larger than the first, and opposite to it, the second probe is: what is linear is so at every scale.
_SCALE = -997.0
#: The dtypes in which rounding is small enough to tell.
_WIDE = {_core.float32: _core.float64, _core.complex64: _core.complex128}


class Derived:
    """How a missing rule is spoken of: the function, the rule it has, the one it lacks, and its class."""

    def __init__(self, name: str, known: str, missing: str, owner: Any) -> None:
        self.name, self.missing, self.owner, self._known = name, missing, owner, known

    def refused(self, why: str) -> NotDifferentiableError:
        return not_differentiable(
            f"{self.name}: {self.missing} is not defined and cannot be derived from {self._known} by transposition "
            f"({why}); define {self.missing}"
        )


def transposed(
    linear: Callable[..., list[Any]],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Any],
    moving: Sequence[int],
    rule: Derived,
) -> list[Any]:
    """Cotangents of ``inputs`` under a map that is linear in them; None where nothing depends on one.

    ``moving``: the numbers of the inputs among the function's arguments or results. Raises NotDifferentiableError where
    the map leaves the recorded operations (NumPy, ``detach``) or is not linear: a rule that cannot be transposed must
    not pass for zero.
    """
    outputs, pull = _recorded(linear, inputs, rule)
    found = pull(cotangents)
    proven = tuple(moving) in _proven.get(rule.owner, ())
    # Rules may branch: a derivative that is nothing at all is looked at every time.
    if not proven or all(g is None for g in found):
        if _shown(linear, inputs, outputs, pull, rule):
            _proven.setdefault(rule.owner, set()).add(tuple(moving))
    return found


def _recorded(
    linear: Callable[..., list[Any]], inputs: Sequence[Tensor], rule: Derived
) -> tuple[list[Any], Callable[[Sequence[Any]], list[Any]]]:
    """The outputs of a map, and the function that pulls cotangents of these back to the inputs."""
    level = Level("vjp")
    try:
        moving, watched = level.watch(list(inputs))
        try:
            outputs = linear(*moving)
        except RuntimeError as refused:
            if getattr(refused, "reason", None) != "numbers":
                raise
            raise rule.refused("it leaves the recorded operations") from refused
    finally:
        level.exit()

    def pull(slopes: Sequence[Any]) -> list[Any]:
        pairs = [(y, g) for y, g in zip(outputs, slopes, strict=True) if floating(y) and g is not None]
        if not pairs:
            return [None] * len(inputs)
        return _Pull(level, [y for y, _ in pairs], watched)([g for _, g in pairs])

    return outputs, pull


def _shown(
    linear: Callable[..., list[Any]],
    inputs: Sequence[Tensor],
    outputs: Sequence[Any],
    pull: Callable[[Sequence[Any]], list[Any]],
    rule: Derived,
) -> bool:
    """Whether the transpose holds; in float64 where that of float32 does not: rounding must not decide."""
    try:
        return _holds(linear, inputs, outputs, pull, rule)
    except NotDifferentiableError:
        wide = [x.to(_WIDE.get(x.dtype, x.dtype)) for x in inputs]
        if all(x.dtype == y.dtype for x, y in zip(wide, inputs, strict=True)):
            raise
        try:
            return _holds(linear, wide, *_recorded(linear, wide, rule), rule)
        except (RuntimeError, TypeError, ValueError):
            pass  # not linear in float64 either, or a rule for float32 alone
        raise


def _holds(
    linear: Callable[..., list[Any]],
    inputs: Sequence[Tensor],
    outputs: Sequence[Any],
    pull: Callable[[Sequence[Any]], list[Any]],
    rule: Derived,
) -> bool:
    """Whether ⟨c, L·p⟩ is ⟨Lᵀ·c, p⟩ for probes c and p, of two scales.

    False where the numbers of this call do not show it; raises where they show the opposite.
    """
    single = any(x.dtype in (_core.float32, _core.complex64) for x in inputs)
    slopes = [_probe(y, 0.41) if floating(y) else None for y in outputs]
    found = pull(slopes)
    shown = True
    for scale in (1.0, _SCALE):
        probes = [_probe(x) * scale for x in inputs]
        image = linear(*probes)
        left, size = _inner(image, slopes)
        right, _ = _inner(probes, found)
        left, right, size = bare(left), bare(right), bare(size)
        if all(g is None for g in found) and bool((size != 0).any()):
            raise rule.refused("it leaves the recorded operations")
        usable = left.isfinite() & right.isfinite() & (size > 0)
        shown = shown and bool(usable.any())
        allowed = (1e-3 if single else 1e-7) * _largest(size, left.abs(), right.abs())
        if bool(((left - right).abs() > allowed).logical_and(usable).any()):
            raise rule.refused("it is not linear, or leaves the recorded operations")
    return shown


def _largest(a: Tensor, *others: Tensor) -> Tensor:
    for other in others:
        a = _core.maximum(a, other)
    return a


def _probe(x: Tensor, start: float = 0.1) -> Tensor:
    """Numbers without symmetry, the same each time."""
    steps = _core.arange(1, x.numel() + 1, dtype=_core.float64)
    numbers = (steps * 0.7548776662466927).frac().add(start).reshape(*x.shape)
    return (numbers * (1 + 0.6j)).to(x.dtype) if x.dtype.is_complex else numbers.to(x.dtype)


def _inner(a: Sequence[Any], b: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """The real inner product Re Σ a·conj(b), and the sum of the sizes of its terms."""
    total = size = _core.zeros((), dtype=_core.float64)
    for x, y in zip(a, b, strict=True):
        if floating(x) and floating(y):
            z = x.detach().to(_core.complex128) * y.detach().to(_core.complex128).conj()
            total, size = total + z.real.sum(), size + z.abs().sum()
    return total, size
