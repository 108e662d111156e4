"""Dense Jacobians and Hessians: all unit vectors at once, or in chunks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from .. import _core
from .._core import DataDependentError, Tensor
from .._tree import flatten, unflatten
from .._warning import warn_once
from ..autograd._values import floating
from ._arguments import Argnums, Selection, by_leaf, name_of, real, split_aux
from ._chunks import Budget, Rows, chunks
from .batch import Randomness
from .forward import _pushed_forward
from .reverse import _pullback

Function = Callable[..., Any]


def jacrev(
    func: Function,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    max_bytes: int | None = None,
    progress: bool = False,
) -> Function:
    """A function that returns the Jacobian of ``func`` by reverse mode: one row for every element of the output.

    Shapes: for an output of shape (…) and an input of shape (…′), (…, …′); nested like the output, inside like
    ``argnums``. ``chunk_size`` rows are computed at a time, or as many (but at least one) as keep result and working
    memory together below ``max_bytes``; ``progress`` shows how far it is. Raises MemoryError where the result alone
    exceeds ``max_bytes``. Where a rule of a ``Function`` asks for plain numbers, rows are computed one by one, with one
    warning. Outputs that are integers or bools have zeros of the inputs' dtypes.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.jacrev(lambda x: x**2)(rg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    return _by_rows(func, argnums, has_aux, Budget("jacrev", chunk_size, max_bytes, progress))


def _by_rows(func: Function, argnums: Argnums, has_aux: bool, budget: Budget) -> Function:
    """``jacrev`` under the name of the function that the user called."""

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = Selection(budget.function, func, argnums, args, kwargs)
        value, pull, aux = _recorded(chosen, has_aux, budget.function)
        result = _rows(chosen, value, pull, budget)
        return (result, aux) if has_aux else result

    return wrapped


def _recorded(chosen: Selection, has_aux: bool, function: str) -> Any:
    return _pullback(function, lambda *xs: split_aux(chosen.call(*xs), has_aux, function), chosen.values, has_aux=True)


def _rows(chosen: Selection, value: Any, pull: Function, budget: Budget) -> Any:
    """The Jacobian from a pullback, row by row."""
    ys, outer = flatten(value)
    xs, inner = chosen.flat()
    real([*ys, *xs], budget.function)
    total = sum(y.numel() for y in ys)
    if total == 1:
        # A single number has one row: no lanes are needed.
        rows = [x.unsqueeze(0) for x in flatten(pull(unflatten(outer, [_core.ones_like(y) for y in ys])))[0]]
    else:
        of_units = lambda units: flatten(pull(unflatten(outer, units)))[0]
        rows = _in_chunks(of_units, ys, xs, total, sum(x.numel() for x in xs), budget, chosen.func)
    blocks, start = [], 0
    for y in ys:
        parts = [r[start : start + y.numel()].reshape(*y.shape, *x.shape) for r, x in zip(rows, xs, strict=True)]
        blocks.append(_nested(chosen, inner, parts))
        start += y.numel()
    return unflatten(outer, blocks)


def _nested(chosen: Selection, structure: Any, parts: list[Tensor]) -> Any:
    tree = unflatten(structure, parts)
    return tree[0] if chosen.single else tree


def _in_chunks(
    of_units: Function,
    into: list[Tensor],
    out_of: list[Tensor],
    total: int,
    width: int,
    budget: Budget,
    func: Function,
    randomness: Randomness = "same",
    reruns: bool = False,
) -> list[Tensor]:
    """``of_units`` of every unit vector of the space of ``into``, stacked in front.

    Unit vectors go one by one where a rule called by ``func`` asks for their numbers. ``reruns``: each call of
    ``of_units`` runs ``func`` again.
    """
    size = max((x.element_size() for x in out_of), default=8)
    budget.check_result(total * width * size)
    rows = Rows(total)
    for start, stop in chunks(total, budget, redraw=randomness == "different"):
        level = _core.Level("vmap", stop - start, randomness)
        try:
            units, offset = [], 0
            for x in into:
                units.append(level.batch(_unit_vectors(x, start - offset, stop - start)))
                offset += x.numel()
            found: list[Tensor] | None = [level.unbatch(y, stop - start) for y in of_units(units)]
            if level.refused:  # and the refusal was caught: what was found is something else
                found, reason = None, "it catches the refusal"
        except DataDependentError as refused:
            if getattr(refused, "level", None) != level.id:
                raise
            reason = str(refused)
            found = None
        finally:
            level.exit()
        _refuse_reruns(level, reruns and (found is None or stop < total), func, budget)
        if found is None:
            rows = _one_by_one(of_units, into, total, budget, func, randomness, reason, reruns)
            break
        budget.chunk_done()
        if not start:
            budget.check_result(total * sum(y.numel() // stop * y.element_size() for y in found))
        rows.add(start, found)
        del found, units  # not to be there beside the next
    return rows.matrices(out_of)


def _one_by_one(
    of_units: Function,
    into: list[Tensor],
    total: int,
    budget: Budget,
    func: Function,
    randomness: Randomness,
    reason: str,
    reruns: bool,
) -> Rows:
    """``of_units`` of every unit vector without lanes: chunks of one, with the same random numbers if so for lanes."""
    name = f"{budget.function}: a rule called by {name_of(func)}"
    warn_once(
        budget.function,
        func,
        f"{name} asks for plain numbers and runs derivative by derivative, which is slow ({reason})",
    )
    rows = Rows(total)  # one row at a time takes the least memory there is
    for start, _ in chunks(total, replace(budget, chunk_size=1, max_bytes=None), redraw=randomness == "different"):
        units, offset = [], 0
        for x in into:
            units.append(_unit_vectors(x, start - offset, 1)[0])
            offset += x.numel()
        # The level sees writes to what all share, and refuses random numbers as lanes would.
        level = _core.Level("vmap", *((1, "error") if randomness == "error" else ()))
        try:
            found = [y.unsqueeze(0) for y in of_units(units)]
        finally:
            level.exit()
        _refuse_reruns(level, reruns and start + 1 < total, func, budget)
        rows.add(start, found)
    return rows


def _refuse_reruns(level: _core.Level, reruns: bool, func: Function, budget: Budget) -> None:
    """A function that runs again must not meet what it wrote before."""
    if reruns and level.wrote_outside:
        raise RuntimeError(
            f"{budget.function}: {name_of(func)} changes a tensor from outside in place, and runs again for further "
            "columns; clone() it inside the function"
        )


def _unit_vectors(like: Tensor, first: int, count: int) -> Tensor:
    """Unit vectors number ``first``, … of the space of ``like``, as rows; zero where the number is none of its."""
    n = like.numel()
    if first == 0 and count == n:
        units = _core.eye(n, dtype=like.dtype)
    else:
        units = _core.zeros(count, n, dtype=like.dtype)
        low, high = max(first, 0), min(first + count, n)
        if low < high:
            places = _core.arange(low, high)
            units[places - first, places] = 1.0
    return units.reshape(count, *like.shape)


def jacfwd(
    func: Function,
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: Randomness = "same",
    chunk_size: int | None = None,
    max_bytes: int | None = None,
    progress: bool = False,
) -> Function:
    """A function that returns the Jacobian of ``func`` by forward mode: one column for every element of the input.

    Shapes and options: those of ``jacrev``. ``randomness`` says what random operators do in the columns: draw the
    ``"same"`` numbers, so that all belong to one function, ``"different"`` ones, or raise RuntimeError (``"error"``).

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.jacfwd(lambda x: x**2)(rg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    return _by_columns(func, argnums, has_aux, Budget("jacfwd", chunk_size, max_bytes, progress), randomness)


def _by_columns(
    func: Function, argnums: Argnums, has_aux: bool, budget: Budget, randomness: Randomness = "same"
) -> Function:
    """``jacfwd`` under the name of the function that the user called."""
    function = budget.function

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = Selection(function, func, argnums, args, kwargs)
        xs, inner = chosen.flat()
        real(xs, function)
        seen: dict[str, Any] = {}
        if randomness not in ("error", "different", "same"):
            raise ValueError(f'{function}: randomness={randomness!r} is not one of "error", "different", "same"')

        def columns(units: list[Tensor]) -> list[Tensor]:
            tangents = unflatten(inner, units)
            value, slopes, seen["aux"] = _pushed_forward(
                function,
                lambda *xs: split_aux(chosen.call(*xs), has_aux, function),
                chosen.values,
                tangents,
                has_aux=True,
            )
            seen["ys"], seen["outer"] = flatten(value)
            real(seen["ys"], function)
            return flatten(slopes)[0]

        total = sum(x.numel() for x in xs)
        if total == 0:
            # Without columns the function still has to say what it returns.
            columns([_core.zeros_like(x) for x in xs])
        found = _in_chunks(columns, xs, seen.get("ys", xs), total, 1, budget, func, randomness, reruns=True)
        if total == 0:
            found = [_core.zeros((0, *y.shape), dtype=y.dtype) for y in seen["ys"]]
        # Integers have no slopes: zeros of the inputs' dtypes, as by rows.
        blocks = [
            by_leaf(slopes, xs)
            if floating(slopes)
            else [_core.zeros(*slopes.shape[1:], *x.shape, dtype=x.dtype) for x in xs]
            for slopes in found
        ]
        result = unflatten(seen["outer"], [_nested(chosen, inner, parts) for parts in blocks])
        return (result, seen["aux"]) if has_aux else result

    return wrapped


def jacobian(
    func: Function,
    argnums: Argnums = 0,
    *,
    mode: Literal["auto", "forward", "reverse"] = "auto",
    has_aux: bool = False,
    chunk_size: int | None = None,
    max_bytes: int | None = None,
    progress: bool = False,
) -> Function:
    """A function that returns the Jacobian of ``func``, by the mode that takes fewer passes.

    Shapes and options: those of ``jacrev``. With ``mode="auto"`` reverse mode is taken unless there are fewer inputs
    than outputs.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.jacobian(lambda x: rg.stack([x.sum(), x.prod()]))(rg.tensor([2.0, 3.0]))
    tensor([[1., 1.],
            [3., 2.]])
    """
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f'jacobian: mode={mode!r} is not one of "auto", "forward", "reverse"')
    budget = Budget("jacobian", chunk_size, max_bytes, progress)
    forward = _by_columns(func, argnums, has_aux, budget)
    if mode == "forward":
        return forward

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = Selection("jacobian", func, argnums, args, kwargs)
        value, pull, aux = _recorded(chosen, has_aux, "jacobian")
        size = lambda tree: sum(x.numel() for x in flatten(tree)[0])
        if mode == "auto" and size(chosen.values) < size(value):
            return forward(*args, **kwargs)
        result = _rows(chosen, value, pull, budget)
        return (result, aux) if has_aux else result

    return wrapped


def hessian(
    func: Function,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    max_bytes: int | None = None,
    progress: bool = False,
) -> Function:
    """A function that returns the matrix of second derivatives of ``func``, forward over reverse.

    Shapes: for a single number and an input of shape (…), (…, …); nested like ``argnums`` twice. Options: those of
    ``jacrev``, for the columns.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.hessian(lambda x: x.prod())(rg.tensor([2.0, 3.0]))
    tensor([[0., 1.],
            [1., 0.]])
    """
    inner = _by_rows(func, argnums, has_aux, Budget("hessian", None, None, False))
    return _by_columns(inner, argnums, has_aux, Budget("hessian", chunk_size, max_bytes, progress))
