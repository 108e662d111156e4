"""A function with its own rules along a curve: its Taylor coefficients by forward mode, nested once per order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import _core
from .._core import Level, Tensor
from ._rules import Outcome, Rules
from ._values import floating

Interpret = Callable[[Rules, tuple[Any, ...]], Outcome]


def along_curve(rules: Rules, args: tuple[Any, ...], level: Level, interpret: Interpret) -> Outcome:
    """The function of arguments that travel with the higher coefficients of a curve."""
    with _core._Rewind() as generators:
        return _along(rules, args, level, interpret, generators)


def _along(
    rules: Rules, args: tuple[Any, ...], level: Level, interpret: Interpret, generators: _core._Rewind
) -> Outcome:
    curves = [level.unpack_series(a) if isinstance(a, Tensor) else (a, []) for a in args]
    inner = interpret(rules, tuple(start for start, _ in curves))

    def outputs(t: Tensor) -> list[Any]:
        return interpret(rules, tuple(_at(t, *curve) for curve in curves)).outputs

    order = max(len(terms) for _, terms in curves)
    coefficients: list[list[Any]] = []
    derivative: Callable[[Tensor], list[Any]] = outputs
    start = _core.zeros((), dtype=_core.float64)
    for k in range(1, order + 1):
        generators.rewind()  # every order runs the function again, which is to draw the same numbers
        derivative = _derivative(derivative)
        coefficients.append([y / math.factorial(k) if floating(y) else None for y in derivative(start)])
    return inner.passed_up(
        [
            level.make_series(y, [terms[j] for terms in coefficients]) if floating(y) and j not in inner.constant else y
            for j, y in enumerate(inner.outputs)
        ]
    )


def _at(t: Tensor, start: Any, terms: list[Tensor | None]) -> Any:
    """The point of a curve, by Horner's scheme."""
    if not floating(start):
        return start
    rest: Any = None
    for c in reversed(terms):
        rest = c if rest is None else rest * t.to(start.dtype) if c is None else rest * t.to(start.dtype) + c
    return start if rest is None else start + rest * t.to(start.dtype)


def _derivative(f: Callable[[Tensor], list[Any]]) -> Callable[[Tensor], list[Any]]:
    """The derivative by the one number that moves; None for outputs without one."""

    def slope(t: Tensor) -> list[Any]:
        level = Level("jvp")
        try:
            ys = f(level.make_dual(t, _core.ones_like(t)))
            pairs = [level.unpack_dual(y) if floating(y) else (None, None) for y in ys]
        finally:
            level.exit()
        return [None if y is None else _core.zeros_like(y) if s is None else s for y, s in pairs]

    return slope
