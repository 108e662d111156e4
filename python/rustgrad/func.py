"""Transforms of functions of tensors: ``jvp``, ``vjp``, ``grad``, ``vmap``. They nest in any order."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from . import _core
from ._core import Tensor
from ._tree import flatten, unflatten

__all__ = ["grad", "grad_and_value", "jvp", "vjp", "vmap"]


def _tensors(leaves: list[Any], function: str) -> list[Tensor]:
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise TypeError(
                f"{function}: expected tensors, got a {type(leaf).__name__}; wrap numbers in rustgrad.tensor"
            )
    return leaves


def jvp(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """The value of ``func`` at ``primals`` and its derivative along ``tangents``, in one forward pass.

    >>> import rustgrad as rg
    >>> rg.func.jvp(rg.sin, (rg.tensor(0.0),), (rg.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise TypeError("jvp: primals and tangents must be tuples, e.g. jvp(f, (x,), (t,))")
    xs, structure = flatten(primals)
    ts, other = flatten(tangents)
    if structure != other or not xs:
        raise ValueError("jvp: primals and tangents must be nested alike and not be empty")
    _tensors(xs, "jvp")
    _tensors(ts, "jvp")
    level = _core.Level("jvp")
    try:
        duals = [level.make_dual(x, t) for x, t in zip(xs, ts, strict=True)]
        out = func(*unflatten(structure, duals))
        out, aux = _split_aux(out, has_aux, "jvp")
        ys, shape = flatten(out)
        pairs = [level.unpack_dual(y) for y in _tensors(ys, "jvp")]
        if strict and any(t is None for _, t in pairs):
            raise RuntimeError("jvp: an output does not depend on the inputs, and strict=True forbids that")
        values = unflatten(shape, [p for p, _ in pairs])
        slopes = unflatten(shape, [_core.zeros_like(p) if t is None else t for p, t in pairs])
        if has_aux:
            aux_leaves, aux_shape = flatten(aux)
            aux = unflatten(aux_shape, [level.unpack_dual(a)[0] if isinstance(a, Tensor) else a for a in aux_leaves])
            return values, slopes, aux
        return values, slopes
    finally:
        level.exit()


def _split_aux(out: Any, has_aux: bool, function: str) -> tuple[Any, Any]:
    if not has_aux:
        return out, None
    if not isinstance(out, tuple) or len(out) != 2:
        raise ValueError(f"{function}: with has_aux=True the function must return a pair (output, aux)")
    return out


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of ``func`` and a function that pulls cotangents of the output back to the inputs.

    Inputs and outputs are tensors of float dtypes, or tuples, lists and dicts of them; the pullback takes cotangents
    nested like the output and returns a tuple nested like the inputs. With ``has_aux`` the function returns a pair,
    whose second part comes back third. Raises TypeError for other things than tensors, ValueError for another nesting.

    Derivative: value and pullback may be differentiated again, in either mode.

    >>> import rustgrad as rg
    >>> y, pull = rg.func.vjp(rg.sin, rg.tensor(0.0))
    >>> pull(rg.tensor(2.0))
    (tensor(2.),)
    """
    xs, structure = flatten(primals)
    if not xs:
        raise ValueError("vjp: give at least one input")
    _tensors(xs, "vjp")
    level = _core.Level("vjp")
    try:
        inputs = [level.watch(x) for x in xs]
        out = func(*unflatten(structure, inputs))
        out, aux = _split_aux(out, has_aux, "vjp")
        ys, shape = flatten(out)
        _tensors(ys, "vjp")
        values = unflatten(shape, [level.unwatch(y) for y in ys])
        if has_aux:
            aux_leaves, aux_shape = flatten(aux)
            aux = unflatten(aux_shape, [level.unwatch(a) if isinstance(a, Tensor) else a for a in aux_leaves])
    finally:
        level.exit()

    def pull(cotangents: Any, retain_graph: bool = True) -> Any:
        gs, given = flatten(cotangents)
        if given != shape:
            raise ValueError("vjp: the cotangents must be nested like the output of the function")
        found = level.pull(ys, _tensors(gs, "vjp"), inputs, retain_graph)
        return unflatten(structure, [_core.zeros_like(x) if g is None else g for x, g in zip(xs, found, strict=True)])

    return (values, pull, aux) if has_aux else (values, pull)


def grad_and_value(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns the gradient of ``func``, which returns a single number, and its value.

    ``argnums`` names the positional arguments to differentiate by: a number, or several for a tuple of gradients, each
    of its argument's shape and dtype. With ``has_aux`` the function returns a pair, and the value becomes (value, aux).
    Raises ValueError if the result is not a 0-d tensor, IndexError for an argument that is not there.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.grad_and_value(lambda x: (x * x).sum())(rg.tensor([1.0, 2.0]))
    (tensor([2., 4.]), tensor(5.))
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        for n in chosen:
            if not -len(args) <= n < len(args):
                raise IndexError(f"grad: argnums={n} but there are {len(args)} positional arguments")
        chosen_at = [n % len(args) for n in chosen]

        def of_chosen(*selected: Any) -> Any:
            full = list(args)
            for n, value in zip(chosen_at, selected, strict=True):
                full[n] = value
            out = func(*full, **kwargs)
            y, aux = _split_aux(out, has_aux, "grad")
            if not isinstance(y, Tensor) or y.numel() != 1 or y.ndim != 0:
                shape = list(y.shape) if isinstance(y, Tensor) else type(y).__name__
                raise ValueError(
                    f"grad: the function must return a 0-d tensor, not {shape}; reduce it, e.g. with .sum()"
                )
            return y, aux

        value, pull, aux = vjp(of_chosen, *[args[n] for n in chosen_at], has_aux=True)
        gradients = pull(_core.ones_like(value), retain_graph=False)
        result = gradients[0] if isinstance(argnums, int) else gradients
        return (result, (value, aux)) if has_aux else (result, value)

    return wrapped


def grad(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of ``func``, which returns a single number; arguments as ``grad_and_value``.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.grad(rg.func.grad(lambda x: x**3))(rg.tensor(2.0))
    tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, rest = both(*args, **kwargs)
        return (gradient, rest[1]) if has_aux else gradient

    return wrapped


def vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0) -> Callable[..., Any]:
    """``func`` applied to every slice of its arguments along ``in_dims`` at once (None: the argument is not sliced).

    Shapes: all sliced dimensions have one size, that of ``out_dims`` of the results; raises ValueError otherwise.
    ``in_dims`` and ``out_dims`` are numbers for all, or nested like a prefix of arguments and results.

    Derivative: that of the function, slice by slice, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.vmap(rg.dot)(rg.ones(3, 2), rg.ones(3, 2))
    tensor([2., 2., 2.])
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten(args)
        dims = _dims_of(in_dims, args, "in_dims")
        sizes = set()
        for leaf, dim in zip(leaves, dims, strict=True):
            if dim is None:
                continue
            if not isinstance(leaf, Tensor):
                raise TypeError(
                    f"vmap: in_dims names a {type(leaf).__name__}; give None for arguments that are not tensors"
                )
            if not -leaf.ndim <= dim < leaf.ndim:
                raise ValueError(f"vmap: in_dims={dim} is out of range for a tensor of shape {list(leaf.shape)}")
            sizes.add(leaf.shape[dim])
        if len(sizes) != 1:
            why = "no argument is sliced" if not sizes else f"the sliced dimensions have sizes {sorted(sizes)}"
            raise ValueError(f"vmap: {why}; exactly one size is needed")
        n = sizes.pop()
        level = _core.Level("vmap")
        try:
            inner = [
                leaf if dim is None else level.batch(leaf if dim in (0, -leaf.ndim) else leaf.movedim(dim, 0))
                for leaf, dim in zip(leaves, dims, strict=True)
            ]
            out = func(*unflatten(structure, inner), **kwargs)
            ys, shape = flatten(out)
            stacks = [level.unbatch(y, n) for y in _tensors(ys, "vmap")]
        finally:
            level.exit()
        outs = _dims_of(out_dims, out, "out_dims")
        moved = [y if dim in (0, None) else y.movedim(0, dim) for y, dim in zip(stacks, outs, strict=True)]
        return unflatten(shape, moved)

    return wrapped


def _dims_of(dims: Any, tree: Any, name: str) -> list[int | None]:
    """One dimension per leaf of ``tree``: ``dims`` is a number for all, or nested like a prefix of ``tree``."""
    if dims is None or isinstance(dims, int):
        return [dims] * len(flatten(tree)[0])
    if isinstance(tree, (tuple, list)) and isinstance(dims, (tuple, list)) and len(dims) == len(tree):
        return [d for sub, part in zip(dims, tree, strict=True) for d in _dims_of(sub, part, name)]
    if isinstance(tree, dict) and isinstance(dims, dict) and dims.keys() == tree.keys():
        return [d for key in tree for d in _dims_of(dims[key], tree[key], name)]
    raise ValueError(f"vmap: {name}={dims!r} is not nested like the values it belongs to")
