"""Products with matrices of derivatives that are never built, and the diagonals of Hessians."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import _core
from .._core import Tensor
from .._tree import alike, described, flatten, unflatten
from ..autograd._values import floating
from ._arguments import by_leaf, real, refuse_integers, tensors
from ._chunks import Budget, Rows, chunks
from .forward import _pushed_forward
from .reverse import _Gradient, _pullback

Function = Callable[..., Any]


def _gradient(function: str, func: Function, count: int) -> Function:
    return _Gradient(func, tuple(range(count)), function=function).alone


def _pair(function: str, primals: Any, vectors: Any, same_dtype: bool = True) -> None:
    if not isinstance(primals, tuple) or not isinstance(vectors, tuple):
        raise TypeError(f"{function}: primals and vectors must be tuples, e.g. {function}(f, (x,), (v,))")
    xs, structure = flatten(primals)
    vs, given = flatten(vectors)
    if not xs:
        raise ValueError(f"{function}: give at least one primal")
    if not alike(structure, given):
        raise ValueError(
            f"{function}: the vectors must be nested like the primals, {described(structure)}, "
            f"but are {described(given)}"
        )
    for x, v in zip(tensors(xs, function), tensors(vs, function), strict=True):
        if x.shape != v.shape or (same_dtype and x.dtype != v.dtype):
            raise ValueError(
                f"{function}: the vector {v.dtype} {list(v.shape)} does not fit the primal {x.dtype} {list(x.shape)}; "
                f"{'shape and dtype' if same_dtype else 'shapes'} must be equal"
            )


def hvp(func: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """The Hessian of ``func``, a single number, at ``primals`` times ``tangents``: forward over reverse, no matrix.

    Shapes and dtypes: tangents are nested like the primals, and so is the product. Costs a few gradients.
    Raises TypeError for other things than tuples of tensors, ValueError for another nesting or shape.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.hvp(lambda x: (x**3).sum(), (rg.tensor([1.0, 2.0]),), (rg.tensor([1.0, 1.0]),))
    (tensor([ 6., 12.]),)
    """
    _pair("hvp", primals, tangents)
    return _hessian_product("hvp", func, primals, tangents)


def _hessian_product(function: str, func: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """``hvp`` under the name of the function that the user called."""
    return _pushed_forward(function, _gradient(function, func, len(primals)), primals, tangents)[1]


def vhp(func: Function, primals: tuple[Any, ...], cotangents: tuple[Any, ...]) -> Any:
    """``cotangents`` times the Hessian of ``func`` at ``primals``: reverse over reverse, no matrix.

    Shapes, dtypes and errors: those of ``hvp``; the Hessian is symmetric, so the numbers are the same.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.vhp(lambda x: (x**3).sum(), (rg.tensor([1.0, 2.0]),), (rg.tensor([1.0, 1.0]),))
    (tensor([ 6., 12.]),)
    """
    _pair("vhp", primals, cotangents, same_dtype=False)
    _, pull = _pullback("vhp", _gradient("vhp", func, len(primals)), primals)
    return pull(cotangents, retain_graph=False)


def ggnvp(func: Function, loss: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """The Gauss–Newton matrix Jᵀ·H·J times ``tangents``: J of ``func`` at ``primals``, H of ``loss`` at its output.

    ``func`` maps the primals to an output of any nesting, ``loss`` maps that to a single number. For losses that are
    convex in the output the matrix is positive semidefinite, unlike the Hessian (Schraudolph 2002).
    Shapes, dtypes and errors: those of ``hvp``.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> f, loss = lambda x: x**2, lambda y: (y**2).sum() / 2
    >>> rg.func.ggnvp(f, loss, (rg.tensor([1.0, 2.0]),), (rg.tensor([1.0, 1.0]),))
    (tensor([ 4., 16.]),)
    """
    _pair("ggnvp", primals, tangents)
    state = _core.get_rng_state()
    value, along = _pushed_forward("ggnvp", func, primals, tangents)
    _core.set_rng_state(state)  # both Jacobians are those of one function, whatever it draws
    _, pull = _pullback("ggnvp", func, primals)
    (curved,) = _hessian_product("ggnvp", loss, (value,), (along,))
    return pull(curved, retain_graph=False)


def hess_diag(
    func: Function, *, chunk_size: int | None = None, max_bytes: int | None = None, progress: bool = False
) -> Function:
    """A function that returns the second derivatives of ``func`` by each element of its first argument alone.

    Shapes: the argument may be nested; for an output of shape (…) each of its tensors, of shape (…′), gives (…, …′);
    zeros for integers. Options: those of ``jacrev``. Series of order 2 along all unit vectors, by forward mode alone:
    nothing is recorded.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.hess_diag(lambda x: (x**3).sum())(rg.tensor([1.0, 2.0]))
    tensor([ 6., 12.])
    """
    budget = Budget("hess_diag", chunk_size, max_bytes, progress)

    @functools.wraps(func)
    def wrapped(x: Any, *args: Any, **kwargs: Any) -> Any:
        xs, structure = flatten(x)
        lanes, shape = _second_derivatives(func, xs, structure, args, kwargs, budget)
        return unflatten(shape, [unflatten(structure, by_leaf(columns, xs)) for columns in lanes])

    return wrapped


def laplacian(
    func: Function, *, chunk_size: int | None = None, max_bytes: int | None = None, progress: bool = False
) -> Function:
    """A function that returns the sum of the second derivatives of ``func`` by all elements of its first argument.

    Shapes: that of the output. Options and method: those of ``hess_diag``.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.laplacian(lambda x: (x**3).sum())(rg.tensor([1.0, 2.0]))
    tensor(18.)
    """
    budget = Budget("laplacian", chunk_size, max_bytes, progress)

    @functools.wraps(func)
    def wrapped(x: Any, *args: Any, **kwargs: Any) -> Any:
        xs, structure = flatten(x)
        sums, shape = _second_derivatives(func, xs, structure, args, kwargs, budget, summed=True)
        return unflatten(shape, [one.squeeze(0) for one in sums])

    return wrapped


def _second_derivatives(
    func: Function, xs: list[Any], structure: Any, args: Any, kwargs: Any, budget: Budget, summed: bool = False
) -> tuple[list[Tensor], Any]:
    """Second derivatives along every unit vector, in rows, or their sum as one row, for each output; then how outputs
    are nested."""
    from .matrices import _unit_vectors

    real(tensors(xs, budget.function), budget.function)
    total = sum(x.numel() for x in xs)
    if not xs:
        raise ValueError(f"{budget.function}: the argument holds no tensors; give at least one")
    refuse_integers(xs, budget.function)
    rows, sums = Rows(total), None
    shape: Any = None
    # Without elements the function still has to say what it returns: no lanes see it.
    for start, stop in chunks(total, budget) if total else [(0, 0)]:
        count = stop - start
        lanes = _core.Level("vmap", count, "same")
        curve = _core.Level("taylor")
        try:
            moving, offset = [], 0
            for x in xs:
                unit = lanes.batch(_unit_vectors(x, start - offset, count))
                moving.append(curve.make_series(x, [unit, None]))
                offset += x.numel()
            ys, shape = flatten(func(unflatten(structure, moving), *args, **kwargs))
            if start == 0:
                sizes = sum(y.numel() * y.element_size() for y in tensors(ys, budget.function))
                budget.check_result(sizes if summed else total * sizes)
            seconds = []
            for y in ys:
                value, terms = curve.unpack_series(y)
                second = terms[1] if terms else None
                # An integer does not move, and is no dtype for derivatives.
                dtype = y.dtype if floating(y) else xs[0].dtype
                seconds.append(_core.zeros_like(value, dtype=dtype) if second is None else 2 * second)
            found = [lanes.unbatch(y, count) for y in seconds]
        finally:
            curve.exit()
            lanes.exit()
        if total:
            budget.chunk_done()
        if summed:
            found = [y.sum(0, keepdim=True) for y in found]
            sums = found if sums is None else [a + b for a, b in zip(sums, found, strict=True)]
        else:
            rows.add(start, found)
    return rows.matrices(xs) if sums is None else sums, shape
