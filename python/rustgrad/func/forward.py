"""Forward mode: tangents travel along in one pass; and linear maps that remember the point they were taken at."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import _core
from .._core import NotDifferentiableError, Tensor
from .._tree import alike, described, flatten, map_leaves, unflatten
from ._arguments import refuse_integers, split_aux, tensors
from .reverse import _pullback, vjp


def jvp(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """The value of ``func`` at ``primals`` and its derivative along ``tangents``, in one forward pass.

    Shapes and dtypes: tangents are nested like the primals and have their shapes and float dtypes; both results are
    nested like the output of ``func``. With ``has_aux`` the function returns a pair, and its second part comes third.
    Raises TypeError for other things than tensors, ValueError for another nesting or shape, and with ``strict``
    RuntimeError for an output that does not depend on the inputs. In-place operations on the inputs change the
    function's own; the caller's primals and tangents, which PyTorch changes too, stay as they are.

    Derivative: both results may be differentiated again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.jvp(rg.sin, (rg.tensor(0.0),), (rg.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise TypeError("jvp: primals and tangents must be tuples, e.g. jvp(f, (x,), (t,))")
    return _pushed_forward("jvp", func, primals, tangents, strict, has_aux)


def _pushed_forward(
    function: str,
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """``jvp`` under the name of the function that the user called."""
    unpack = _unpack if function == "jvp" else functools.partial(_unpack, function=function)
    try:
        pair = None if strict or has_aux else _core._push(func, primals, tangents, unpack)
    except NotDifferentiableError:
        refuse_integers(flatten(primals)[0], function)
        raise
    if pair is not None:
        return pair
    xs, structure = flatten(primals)
    ts, other = flatten(tangents)
    tensors(xs, function)
    tensors(ts, function)
    refuse_integers(xs, function)
    if not xs or not alike(structure, other):
        raise ValueError(
            f"{function}: primals and tangents must be nested alike and not be empty, "
            f"but are {described(structure)} and {described(other)}"
        )
    level = _core.Level("jvp")
    try:
        duals = [level.make_dual(x, t) for x, t in zip(xs, ts, strict=True)]
        out = func(*unflatten(structure, duals))
        out, aux = split_aux(out, has_aux, function)
        values, slopes = _unpack(level, out, strict, function)
        if has_aux:
            return values, slopes, map_leaves(lambda a: level.strip(a) if isinstance(a, Tensor) else a, aux)
        return values, slopes
    finally:
        level.exit()


def _unpack(level: _core.Level, out: Any, strict: bool = False, function: str = "jvp") -> tuple[Any, Any]:
    """Values and tangents of an output, each nested like it."""
    ys, shape = flatten(out)
    pairs = [level.unpack_dual(y) for y in tensors(ys, function)]
    if strict and any(t is None for _, t in pairs):
        raise RuntimeError("jvp: an output does not depend on the inputs, and strict=True forbids that")
    slopes = [_core.zeros_like(p) if t is None else t for p, t in pairs]
    return unflatten(shape, [p for p, _ in pairs]), unflatten(shape, slopes)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of ``func`` at ``primals``, and the linear map from tangents to the derivative along them.

    Shapes: the map takes tangents nested like the primals and returns a result nested like the output. It never calls
    ``func`` again: it is the transpose of the transpose of what was recorded, so use it for many tangents at one point.

    Derivative: value and map may be differentiated again.

    >>> import rustgrad as rg
    >>> y, push = rg.func.linearize(rg.exp, rg.tensor(0.0))
    >>> y, push(rg.tensor(3.0))
    (tensor(1.), tensor(3.))
    """
    value, pull = _pullback("linearize", func, primals)
    ys, outer = flatten(value)
    zeros = [_core.zeros_like(y) for y in ys]
    moving = [j for j, y in enumerate(ys) if y.dtype.is_floating_point or y.dtype.is_complex]

    def with_moving(leaves: Any) -> Any:
        """An output with these leaves where there are slopes, and zeros where there are none (integers)."""
        full = list(zeros)
        for j, leaf in zip(moving, leaves, strict=True):
            full[j] = leaf
        return unflatten(outer, full)

    # The pullback is linear in its cotangent, so any point will do to transpose it.
    _, push = vjp(lambda gs: pull(with_moving(gs)), [zeros[j] for j in moving]) if moving else (None, None)
    xs, structure = flatten(primals)
    shapes = [x.shape for x in xs]

    def tangent_map(*tangents: Any) -> Any:
        ts, given = flatten(tangents)
        if not alike(given, structure):
            raise ValueError(
                f"linearize: the tangents must be nested like the primals, {described(structure)}, "
                f"but are {described(given)}"
            )
        try:
            return with_moving([] if push is None else push(tangents)[0])
        except (TypeError, ValueError):
            # Looked for only here, so that the map stays as fast as it is.
            for t, shape in zip(tensors(ts, "linearize"), shapes, strict=True):
                if t.shape != shape:
                    raise ValueError(
                        f"linearize: the tangent of shape {list(t.shape)} does not fit the primal of shape "
                        f"{list(shape)}; they must be equal"
                    ) from None
            raise

    return value, tangent_map
