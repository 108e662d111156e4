"""Taylor mode: the coefficients of a function along a curve, to any order, in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

from .. import _core
from .._core import Tensor
from .._tree import alike, flatten, unflatten
from ..autograd._refusal import not_differentiable
from ._arguments import name_of, tensors
from .forward import jvp

Function = Callable[..., Any]


def jet(func: Function, primals: tuple[Any, ...], series: tuple[Sequence[Any], ...]) -> tuple[Any, list[Any]]:
    """The value and the derivatives of ``func`` along a curve, from the derivatives of the curve, in one pass.

    ``series`` holds for each primal the list [x′, x″, …] of derivatives of the curve x(t) at t = 0, all of one length;
    the result is y(0) and the list [y′, y″, …] of that length, as in ``jax.experimental.jet``.
    Shapes and dtypes: derivatives are nested like their primal, and those of the output like the output. Raises
    ValueError for lists of different lengths or another nesting.

    Operators that are linear apply to each coefficient, products convolve, all others follow from their forward rule
    read with series for numbers (Griewank and Walther, Evaluating Derivatives, 2008, chapter 13).

    Derivative: all results may be differentiated again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.jet(rg.exp, (rg.tensor(0.0),), ([rg.tensor(1.0), rg.tensor(0.0)],))
    (tensor(1.), [tensor(1.), tensor(1.)])
    """
    if not isinstance(primals, tuple) or not isinstance(series, (tuple, list)) or len(primals) != len(series):
        raise TypeError("jet: primals is a tuple, and series has a list of derivatives for each of them")
    xs, structure = flatten(primals)
    _movable(xs, "jet")
    orders = {len(derivatives) for derivatives in series}
    if len(orders) != 1:
        raise ValueError(f"jet: the lists of derivatives have lengths {sorted(orders)}; they must be equal")
    order = orders.pop()
    by_order: list[list[Tensor | None]] = []
    for k in range(order):
        leaves, given = flatten(tuple(derivatives[k] for derivatives in series))
        if not alike(given, structure):
            raise ValueError("jet: the derivatives must be nested like the primals")
        _fitting(xs, leaves, "jet")
        factor = math.factorial(k + 1)
        by_order.append([leaf if factor == 1 else leaf / factor for leaf in leaves])
    value, coefficients = _propagate(func, xs, structure, by_order)
    outer = flatten(value)[1]
    derivatives = [
        unflatten(outer, [leaf if k < 2 else leaf * math.factorial(k) for leaf in leaves])
        for k, leaves in enumerate(coefficients, start=1)
    ]
    return value, derivatives


def _movable(xs: list[Any], function: str) -> None:
    """Points at which a curve can start."""
    if not xs:
        raise ValueError(f"{function}: there is no tensor to move along; give at least one")
    for x in tensors(xs, function):
        if _whole(x):
            raise not_differentiable(
                f"{function}: a {x.dtype} tensor has no derivatives; convert it to a float dtype first"
            )


def _fitting(xs: list[Tensor], ts: list[Any], function: str) -> None:
    for x, t in zip(xs, tensors(ts, function), strict=True):
        if x.shape != t.shape or x.dtype != t.dtype:
            raise ValueError(
                f"{function}: a direction of shape {list(t.shape)} and dtype {t.dtype} does not fit a tensor of shape "
                f"{list(x.shape)} and dtype {x.dtype}; shape and dtype must be equal"
            )


def _propagate(
    func: Function, xs: list[Tensor], structure: Any, by_order: Sequence[list[Tensor | None]]
) -> tuple[Any, list[list[Tensor]]]:
    """The value of ``func`` and, for each order, the coefficients of its leaves."""
    level = _core.Level("taylor")
    try:
        moving = [level.make_series(x, [terms[i] for terms in by_order]) for i, x in enumerate(xs)]
        ys, outer = flatten(func(*unflatten(structure, moving)))
        parts = [level.unpack_series(y) for y in tensors(ys, "taylor")]
    finally:
        level.exit()
    coefficients = []
    for k in range(len(by_order)):
        found = [terms[k] if terms else None for _, terms in parts]
        coefficients.append([_core.zeros_like(p) if c is None else c for c, (p, _) in zip(found, parts, strict=True)])
    return unflatten(outer, [p for p, _ in parts]), coefficients


def taylor(func: Function, x: Any, v: Any, order: int, *, method: str = "auto") -> list[Any]:
    """The coefficients c₀, …, c_order of ``func(x + t·v)`` as a polynomial in t: cₖ is the k-th derivative over k!.

    Shapes and dtypes: ``v`` is nested like ``x``, each coefficient like the output. ``method="pass"`` propagates the
    series in one pass, at a cost that grows with the square of the order for most operators; ``"nested"`` nests forward
    mode ``order`` times, at a cost that doubles with each; ``"auto"`` takes the pass, in which functions with rules of
    their own (``autograd.Function``) nest for themselves, and nesting where that has no rule. Raises ValueError for a
    negative order, another nesting or shape.

    Derivative: the coefficients may be differentiated again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.taylor(rg.exp, rg.tensor(0.0), rg.tensor(1.0), 3)
    [tensor(1.), tensor(1.), tensor(0.5000), tensor(0.1667)]
    """
    if not isinstance(order, SupportsIndex):
        raise TypeError(f"taylor: order must be an integer, not a {type(order).__name__}")
    if order < 0:
        raise ValueError(f"taylor: order must not be negative, but is {order}")
    if method not in ("auto", "pass", "nested"):
        raise ValueError(f'taylor: method={method!r} is not one of "auto", "pass", "nested"')
    xs, structure = flatten((x,))
    vs, given = flatten((v,))
    _movable(xs, "taylor")
    if not alike(structure, given):
        raise ValueError("taylor: x and v must be nested alike")
    _fitting(xs, vs, "taylor")
    if order == 0:
        value = func(x)
        tensors(flatten(value)[0], "taylor")
        return [value]
    with _core._Rewind() as generators:
        if method != "nested":
            try:
                rest: list[list[Tensor | None]] = [[None] * len(xs)] * (order - 1)
                value, coefficients = _propagate(func, xs, structure, [list(vs), *rest])
                outer = flatten(value)[1]
                return [value, *(unflatten(outer, leaves) for leaves in coefficients)]
            except _core.NotDifferentiableError:
                if method == "pass":
                    raise
                generators.rewind()
        return _nested(func, x, v, order, generators)


def _nested(func: Function, x: Any, v: Any, order: int, generators: _core._Rewind) -> list[Any]:
    """The same coefficients from forward mode nested ``order`` times, all of which draw the same random numbers."""
    level = _core.Level("taylor")
    try:
        found: list[Any] = [func(x)]
    finally:
        level.exit()
    if level.wrote_outside:
        raise RuntimeError(
            f"taylor: {name_of(func)} changes a tensor from outside in place, and runs again for each order; "
            "clone() it inside the function"
        )
    derivative = func
    for k in range(1, order + 1):
        generators.rewind()
        derivative = _along(derivative, v)
        leaves, outer = flatten(derivative(x))
        # Integers have no slope: their zeros stay integers.
        found.append(unflatten(outer, [_core.zeros_like(y) if _whole(y) else y / math.factorial(k) for y in leaves]))
    return found


def _whole(y: Tensor) -> bool:
    return not (y.dtype.is_floating_point or y.dtype.is_complex)


def _along(func: Function, v: Any) -> Function:
    return lambda x: jvp(func, (x,), (v,))[1]
