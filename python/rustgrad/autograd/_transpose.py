"""One rule from the other: the transpose of a linear map that is written in differentiable operations."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from .. import _core
from .._core import Level, NotDifferentiableError, Tensor
from ._refusal import not_differentiable

# Rules whose transpose was compared with themselves once.
_proven: weakref.WeakSet[Any] = weakref.WeakSet()


def transposed(
    linear: Callable[..., list[Any]],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Any],
    name: str,
    known: str,
    missing: str,
    owner: Any,
) -> list[Any]:
    """Cotangents of ``inputs`` under a map that is linear in them; None where nothing depends on one.

    Raises NotDifferentiableError where the map leaves the recorded operations (NumPy, ``detach``) or is not linear:
    a rule that cannot be transposed must not pass for zero.
    """
    level = Level("vjp")
    try:
        watched = [level.watch(x) for x in inputs]
        try:
            outputs = linear(*watched)
        except RuntimeError as refused:
            if "being differentiated" not in str(refused):
                raise
            raise _cannot(name, known, missing, "it leaves the recorded operations") from refused
    finally:
        level.exit()
    pairs = [
        (y, g)
        for y, g in zip(outputs, cotangents, strict=False)
        if isinstance(y, Tensor) and g is not None and y.dtype.is_floating_point
    ]
    found: list[Any] = [None] * len(inputs)
    if pairs:
        found = level.pull([y for y, _ in pairs], [g for _, g in pairs], watched, True)
    if owner not in _proven and _core._innermost([*inputs, *(g for _, g in pairs)])[1] == "plain":
        _prove(linear, inputs, list(cotangents), found, name, known, missing)
        _proven.add(owner)
    return found


def _cannot(name: str, known: str, missing: str, why: str) -> NotDifferentiableError:
    return not_differentiable(
        f"{name}: {missing} is not defined and cannot be derived from {known} by transposition ({why}); "
        f"define {missing}"
    )


def _prove(
    linear: Callable[..., list[Any]],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Any],
    found: Sequence[Any],
    name: str,
    known: str,
    missing: str,
) -> None:
    """Compare ⟨cotangents, L·p⟩ with ⟨Lᵀ·cotangents, p⟩ at a probe p, once per rule."""
    probes = [_probe(x) for x in inputs]
    image = linear(*probes)
    left = _inner(zip(image, cotangents, strict=False))
    right = _inner(zip(probes, found, strict=True))
    size = sum(float((y.abs() * g.abs()).sum()) for y, g in zip(image, cotangents, strict=False) if _both(y, g))
    if left != left or right != right:
        return  # numbers that are none prove nothing
    single = any(x.dtype == _core.float32 for x in inputs)
    if abs(left - right) > (1e-3 if single else 1e-7) * max(size, abs(left), abs(right), 1e-30):
        raise _cannot(name, known, missing, "it is not linear, or leaves the recorded operations")


def _probe(x: Tensor) -> Tensor:
    """Numbers without symmetry, the same each time."""
    steps = _core.arange(1, x.numel() + 1, dtype=_core.float64)
    return (steps * 0.7548776662466927).frac().add(0.1).to(x.dtype).reshape(*x.shape)


def _both(a: Any, b: Any) -> bool:
    return isinstance(a, Tensor) and isinstance(b, Tensor) and a.dtype.is_floating_point


def _inner(pairs: Any) -> float:
    return sum(float((a.detach() * b.detach()).sum()) for a, b in pairs if _both(a, b))
