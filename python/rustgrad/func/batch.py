"""vmap: one program run for many lanes at once, and lane by lane where it asks for plain numbers."""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Callable
from typing import Any, Literal

from .. import _core
from .._core import DataDependentError, Tensor
from .._tree import alike, flatten, spread, unflatten
from ._arguments import name_of, tensors

Randomness = Literal["error", "different", "same"]
_warned: weakref.WeakSet[Any] = weakref.WeakSet()


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: Randomness = "error",
    *,
    chunk_size: int | None = None,
    fallback: Literal["loop", "error"] = "loop",
) -> Callable[..., Any]:
    """``func`` applied to every slice of its arguments along ``in_dims`` at once (None: the argument is not sliced).

    Shapes: all sliced dimensions have one size, that of ``out_dims`` of the results; raises ValueError otherwise.
    ``in_dims`` and ``out_dims`` are numbers for all, or nested like a prefix of arguments and results; keyword
    arguments are not sliced. ``randomness`` says what random operators do: raise RuntimeError, draw ``"different"``
    numbers in each lane, or the ``"same"`` ones. ``chunk_size`` lanes at a time bound the memory. A function that asks
    for plain numbers (``if t:``, ``.item()``, a boolean mask) runs lane by lane, with one warning;
    ``fallback="error"`` refuses it.

    Derivative: that of the function, slice by slice, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.vmap(rg.dot)(rg.ones(3, 2), rg.ones(3, 2))
    tensor([2., 2., 2.])
    """
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"vmap: chunk_size must be positive, but is {chunk_size}")
    if fallback not in ("loop", "error"):
        raise ValueError(f'vmap: fallback={fallback!r} is not one of "loop", "error"')

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten(args)
        dims = spread(in_dims, args, "vmap: in_dims")
        stacks = [leaf if dim is None else _leading(leaf, dim) for leaf, dim in zip(leaves, dims, strict=True)]
        sliced = [dim is not None for dim in dims]
        n = _lanes([x for x, is_sliced in zip(stacks, sliced, strict=True) if is_sliced])
        program = _Program(func, structure, kwargs, sliced, randomness, fallback)
        if chunk_size is None or n <= chunk_size:
            ys, shape = program.run(stacks, n)
        else:
            ys, shape = program.run_in_chunks(stacks, n, chunk_size)
        outs = [0] * len(ys) if out_dims == 0 else spread(out_dims, unflatten(shape, ys), "vmap: out_dims")
        moved = [y if dim in (0, None) else y.movedim(0, dim) for y, dim in zip(ys, outs, strict=True)]
        return unflatten(shape, moved)

    return wrapped


def _leading(leaf: Any, dim: int) -> Tensor:
    if not isinstance(leaf, Tensor):
        raise TypeError(
            f"vmap: in_dims names a {type(leaf).__name__}; give None for arguments that are not tensors, "
            "or wrap numbers in rustgrad.tensor"
        )
    if not -leaf.ndim <= dim < leaf.ndim:
        raise ValueError(f"vmap: in_dims={dim} is out of range for a tensor of shape {list(leaf.shape)}")
    return leaf if dim in (0, -leaf.ndim) else leaf.movedim(dim, 0)


def _lanes(stacks: list[Tensor]) -> int:
    sizes = {x.shape[0] for x in stacks}
    if len(sizes) == 1:
        return sizes.pop()
    why = "no argument is sliced" if not sizes else f"the sliced dimensions have sizes {sorted(sizes)}"
    raise ValueError(f"vmap: {why}; exactly one size is needed")


class _Program:
    """A function and its fixed arguments, run over stacks of the sliced ones."""

    def __init__(
        self,
        func: Callable[..., Any],
        structure: Any,
        kwargs: dict[str, Any],
        sliced: list[bool],
        randomness: Randomness,
        fallback: str,
    ) -> None:
        self._func, self._structure, self._kwargs = func, structure, kwargs
        self._sliced, self._randomness, self._fallback = sliced, randomness, fallback

    def run(self, stacks: list[Any], n: int) -> tuple[list[Tensor], Any]:
        """All lanes at once: results with the lanes in front, and how they are nested."""
        level = _core.Level("vmap", n, self._randomness)
        try:
            inner = [level.batch(x) if sliced else x for x, sliced in zip(stacks, self._sliced, strict=True)]
            ys, shape = flatten(self._func(*unflatten(self._structure, inner), **self._kwargs))
            return [level.unbatch(y, n) for y in tensors(ys, "vmap")], shape
        except DataDependentError as refused:
            if getattr(refused, "level", None) != level.id or self._fallback == "error":
                raise
            reason = str(refused)
        finally:
            level.exit()
        self._warn(reason)
        return self._run_each(stacks, n)

    def run_in_chunks(self, stacks: list[Any], n: int, size: int) -> tuple[list[Tensor], Any]:
        parts, shape = [], None
        state = _core.get_rng_state() if self._randomness == "same" else None
        for start in range(0, n, size):
            stop = min(start + size, n)
            if state is not None:
                _core.set_rng_state(state)
            piece = [x[start:stop] if sliced else x for x, sliced in zip(stacks, self._sliced, strict=True)]
            ys, shape = self.run(piece, stop - start)
            parts.append(ys)
        return [_core.cat(part) for part in zip(*parts, strict=True)], shape

    def _run_each(self, stacks: list[Any], n: int) -> tuple[list[Tensor], Any]:
        if n == 0:
            raise ValueError(
                f"vmap: {name_of(self._func)} runs lane by lane, and there are no lanes to learn its shape"
            )
        state = _core.get_rng_state() if self._randomness == "same" else None
        results, first = [], None
        for lane in range(n):
            if state is not None:
                _core.set_rng_state(state)
            # The level is there to refuse random numbers, if they are to be refused.
            level = _core.Level("vmap", 1, "error") if self._randomness == "error" else None
            try:
                inner = [x[lane] if sliced else x for x, sliced in zip(stacks, self._sliced, strict=True)]
                ys, shape = flatten(self._func(*unflatten(self._structure, inner), **self._kwargs))
            finally:
                if level is not None:
                    level.exit()
            if lane and not alike(shape, first):
                raise ValueError(f"vmap: {name_of(self._func)} returns other structures in lane 0 and lane {lane}")
            first = shape
            results.append(tensors(ys, "vmap"))
        stacked = []
        for lanes in zip(*results, strict=True):
            shapes = {tuple(y.shape) for y in lanes}
            if len(shapes) != 1:
                raise ValueError(
                    f"vmap: the lanes of {name_of(self._func)} return shapes {sorted(map(list, shapes))}, "
                    "which cannot be stacked; make them equal, e.g. with where() instead of a mask"
                )
            stacked.append(_core.stack(list(lanes)))
        return stacked, first

    def _warn(self, reason: str) -> None:
        key = getattr(self._func, "__code__", self._func)
        try:
            if key in _warned:
                return
            _warned.add(key)
        except TypeError:
            pass  # what cannot be remembered is told every time
        warnings.warn(
            f"vmap: {name_of(self._func)} asks for plain numbers and runs lane by lane, which is slow ({reason})",
            stacklevel=4,
        )
