"""vmap: one program run for many lanes at once, and lane by lane where it asks for plain numbers."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn

from .. import _core
from .._core import DataDependentError, Tensor
from .._tree import alike, described, flatten, map_leaves, spread, unflatten
from .._warning import warn_once
from ._arguments import name_of
from ._chunks import positive

Randomness = Literal["error", "different", "same"]


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
    arguments are not sliced. ``out_dims=None`` returns once what is the same in all lanes, and raises if it is not.
    ``randomness`` says what random operators do: raise RuntimeError, draw ``"different"`` numbers in each lane, or the
    ``"same"`` ones. ``chunk_size`` lanes at a time bound the memory. A function that asks for plain numbers (``if t:``,
    ``.item()``, a boolean mask) runs lane by lane, with one warning, also if it catches the refusal;
    ``fallback="error"`` refuses it.

    In-place operations on an argument change the caller's tensor: a shared one at once; a sliced one when the function
    has returned or raised, as a single write. Refused are writes to a leaf that requires a gradient, unless under
    ``no_grad``, to an expanded tensor, and to an argument that shares memory with another. A refusal of numbers leaves
    sliced arguments as they were. Where the function returns the argument itself, the result is the caller's tensor.

    Derivative: that of the function, slice by slice, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.vmap(rg.dot)(rg.ones(3, 2), rg.ones(3, 2))
    tensor([2., 2., 2.])
    """
    chunk_size = positive("vmap", "chunk_size", chunk_size)
    if fallback not in ("loop", "error"):
        raise ValueError(f'vmap: fallback={fallback!r} is not one of "loop", "error"')

    direct = chunk_size is None and type(out_dims) is int and out_dims == 0 and fallback == "loop"
    finish = lambda level, out, n: map_leaves(lambda y: level.unbatch(y, n), _tensors(out, func))

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        refused = None
        if direct:  # nearly always: all of what follows in one call
            found = _core._over_lanes(func, args, kwargs, in_dims, randomness, finish)
            if found is not None:
                refused, rest = found
                if refused is None:
                    return rest
        leaves, structure = flatten(args)
        dims = spread(in_dims, args, "vmap: in_dims")
        # What is given twice stays one tensor, so that writing one is writing the other.
        views: dict[tuple[int, int], Tensor] = {}
        for leaf, dim in zip(leaves, dims, strict=True):
            if dim is not None and (id(leaf), dim) not in views:
                views[id(leaf), dim] = _leading(leaf, dim)
        stacks = [leaf if dim is None else views[id(leaf), dim] for leaf, dim in zip(leaves, dims, strict=True)]
        sliced = [dim is not None for dim in dims]
        n = _lanes([x for x, is_sliced in zip(stacks, sliced, strict=True) if is_sliced])
        program = _Program(func, structure, kwargs, sliced, out_dims, randomness, fallback)
        if refused is not None:
            return program.run_refused(stacks, n, rest, str(refused)).tree(func)
        if chunk_size is None or n <= chunk_size:
            return program.run(stacks, n).tree(func)
        return program.run_in_chunks(stacks, n, chunk_size).tree(func)

    return wrapped


def _tensors(out: Any, func: Callable[..., Any]) -> Any:
    """What a function returned, whose leaves must be tensors."""
    for y in flatten(out)[0]:
        if not isinstance(y, Tensor):
            raise TypeError(
                f"vmap: {name_of(func)} must return tensors, but returns a {type(y).__name__}; "
                "wrap numbers in rustgrad.tensor"
            )
    return out


def _shared(level: _core.Level, x: Any) -> Any:
    """An argument that is not sliced; the level is to know of it."""
    return level.lend(x, x) if isinstance(x, Tensor) else x


def _leading(leaf: Any, dim: int) -> Tensor:
    if not isinstance(leaf, Tensor):
        raise TypeError(
            f"vmap: in_dims names a {type(leaf).__name__}; give None for arguments that are not tensors, "
            "or wrap numbers in rustgrad.tensor"
        )
    if not -leaf.ndim <= dim < leaf.ndim:
        raise ValueError(
            f"vmap: in_dims={dim} is out of range for a tensor of shape {list(leaf.shape)}; "
            f"give {-leaf.ndim}…{leaf.ndim - 1}, or None for an argument that is not sliced"
            if leaf.ndim
            else f"vmap: in_dims={dim} names a 0-d tensor, which has no dimension to slice; give None for it"
        )
    return leaf if dim in (0, -leaf.ndim) else leaf.movedim(dim, 0)


def _lanes(stacks: list[Tensor]) -> int:
    sizes = {x.shape[0] for x in stacks}
    if len(sizes) == 1:
        return sizes.pop()
    why = "no argument is sliced" if not sizes else f"the sliced dimensions have sizes {sorted(sizes)}"
    raise ValueError(f"vmap: {why}; give in_dims that name dimensions of one size")


class _Results(NamedTuple):
    """Outputs with the lanes in front, where they go (None: the same for all lanes, kept once), how they are nested."""

    leaves: list[Tensor]
    dims: list[Any]
    structure: Any

    def tree(self, func: Callable[..., Any]) -> Any:
        pairs = zip(self.leaves, self.dims, strict=True)
        return unflatten(self.structure, [y if dim in (0, None) else _placed(y, dim, func) for y, dim in pairs])


def _placed(y: Tensor, dim: int, func: Callable[..., Any]) -> Tensor:
    if not -y.ndim <= dim < y.ndim:
        raise IndexError(
            f"vmap: out_dims={dim} is out of range for an output of {name_of(func)}, which has shape {list(y.shape)} "
            f"with the lanes in front; give {-y.ndim}…{y.ndim - 1}"
        )
    return y.movedim(0, dim)


class _Program:
    """A function and its fixed arguments, run over stacks of the sliced ones."""

    def __init__(
        self,
        func: Callable[..., Any],
        structure: Any,
        kwargs: dict[str, Any],
        sliced: list[bool],
        out_dims: Any,
        randomness: Randomness,
        fallback: str,
    ) -> None:
        self._func, self._structure, self._kwargs, self._out_dims = func, structure, kwargs, out_dims
        self._sliced, self._randomness, self._fallback = sliced, randomness, fallback
        self._wrote_outside = False

    def _call(self, inputs: list[Any]) -> tuple[list[Tensor], list[Any], Any]:
        """Outputs of one run, their ``out_dims``, and how they are nested."""
        ys, shape = flatten(_tensors(self._func(*unflatten(self._structure, inputs), **self._kwargs), self._func))
        out_dims = self._out_dims
        if shape is None and isinstance(out_dims, (tuple, list)) and len(out_dims) == 1:
            out_dims = out_dims[0]  # as PyTorch takes it for a single output
        dims = [0] * len(ys) if out_dims == 0 else spread(out_dims, unflatten(shape, ys), "vmap: out_dims")
        return ys, dims, shape

    def _differs(self) -> ValueError:
        return ValueError(
            f"vmap: out_dims=None names an output of {name_of(self._func)} that differs from lane to lane; "
            "give the dimension where the lanes are to be stacked"
        )

    def run(self, stacks: list[Any], n: int) -> _Results:
        """All lanes at once."""
        level = _core.Level("vmap", n, self._randomness, self._fallback == "error")
        reason = None
        try:
            given = zip(stacks, self._sliced, strict=True)
            ys, dims, shape = self._call([level.lend(x) if sliced else _shared(level, x) for x, sliced in given])
            if level.refused:
                self._refuse_catching()
                reason = "it catches the refusal"
                level.exit()
            else:
                if any(dim is None and level.is_batched(y) for y, dim in zip(ys, dims, strict=True)):
                    raise self._differs()
                leaves = [y if d is None else level.unbatch(y, n) for y, d in zip(ys, dims, strict=True)]
        except DataDependentError as refused:
            level.exit()
            if getattr(refused, "level", None) != level.id or self._fallback == "error":
                raise
            reason = str(refused)
        except BaseException:
            self._settle_on_the_way(level)
            raise
        finally:
            self._wrote_outside = level.wrote_outside
        if reason is not None:
            return self.run_refused(stacks, n, level, reason)
        level.settle()
        return _Results(leaves, dims, shape)

    def _refuse_catching(self) -> None:
        """Where nothing may run lane by lane, what was computed without the numbers must not pass for the result."""
        if self._fallback == "error":
            raise DataDependentError(
                f"vmap: {name_of(self._func)} asks for plain numbers and catches the refusal; "
                "let DataDependentError pass, or do without the numbers"
            )

    @staticmethod
    def _settle_on_the_way(level: _core.Level) -> None:
        """As in PyTorch, what was written before an exception stays; the exception tells more than what comes of it."""
        with contextlib.suppress(Exception):
            level.settle()

    def run_refused(self, stacks: list[Any], n: int, level: _core.Level, reason: str) -> _Results:
        """Lane by lane, after all lanes at once asked for plain numbers at a level, which is over."""
        if level.wrote_outside:
            self._refuse_writes("lane by lane")
        self._warn(reason)
        return self._run_each(stacks, n)

    def _refuse_writes(self, how: str) -> NoReturn:
        """One run's write to a tensor that all share would reach the next."""
        raise RuntimeError(
            f"vmap: {name_of(self._func)} runs {how} and changes a tensor that all lanes share in place; "
            "clone() it inside the function"
        )

    def run_in_chunks(self, stacks: list[Any], n: int, size: int) -> _Results:
        parts = []
        with _core._Rewind() as generators:
            for start in range(0, n, size):
                stop = min(start + size, n)
                if self._randomness == "same":
                    generators.rewind()
                parts.append(self.run(self._each(stacks, slice(start, stop)), stop - start))
                if self._wrote_outside and stop < n:
                    self._refuse_writes("in chunks")
        dims, shape = parts[0].dims, parts[0].structure
        leaves = zip(*(part.leaves for part in parts), strict=True)
        return _Results(
            [_core.cat(y) if d is not None else y[0] for y, d in zip(leaves, dims, strict=True)], dims, shape
        )

    def _run_lane(self, stacks: list[Any], lane: int) -> tuple[list[Tensor], list[Any], Any]:
        # The level sees writes to what all share, and is there to refuse random numbers, if they are to be refused.
        level = _core.Level("vmap", *((1, "error") if self._randomness == "error" else ()))
        own = self._each(stacks, lane)
        try:
            # Copies: a level outside may refuse this lane, and run it again.
            given = zip(stacks, own, self._sliced, strict=True)
            results = self._call(
                [level.lend(part, part.clone(), x) if sliced else _shared(level, x) for x, part, sliced in given]
            )
        except DataDependentError:
            level.exit()
            raise
        except BaseException:
            self._settle_on_the_way(level)
            raise
        wrote_outside = level.wrote_outside
        level.settle()
        if wrote_outside:
            self._refuse_writes("lane by lane")
        return results

    def _each(self, stacks: list[Any], index: Any) -> list[Any]:
        """Arguments of which the sliced ones are parts of what they were; what was one tensor stays one."""
        parts = {id(x): x[index] for x, sliced in zip(stacks, self._sliced, strict=True) if sliced}
        return [parts[id(x)] if sliced else x for x, sliced in zip(stacks, self._sliced, strict=True)]

    def _run_each(self, stacks: list[Any], n: int) -> _Results:
        if n == 0:
            raise ValueError(
                f"vmap: {name_of(self._func)} runs lane by lane, and there are no lanes to learn its shape"
            )
        results: list[list[Tensor]] = []
        first, dims = None, list[Any]()
        with _core._Rewind() as generators:
            for lane in range(n):
                if self._randomness == "same":
                    generators.rewind()
                ys, dims, shape = self._run_lane(stacks, lane)
                if lane and not alike(shape, first):
                    raise ValueError(
                        f"vmap: {name_of(self._func)} returns {described(first)} in lane 0 and {described(shape)} in "
                        f"lane {lane}; return one structure for all lanes"
                    )
                first = shape
                results.append(ys)
        stacked = []
        for lanes, dim in zip(zip(*results, strict=True), dims, strict=True):
            if dim is None:
                # Nobody followed the lanes here: equal numbers must do.
                if any(y.shape != lanes[0].shape or not _core.allclose(y, lanes[0], 0, 0, True) for y in lanes):
                    raise self._differs()
                stacked.append(lanes[0])
                continue
            shapes = {tuple(y.shape) for y in lanes}
            if len(shapes) != 1:
                raise ValueError(
                    f"vmap: the lanes of {name_of(self._func)} return shapes {sorted(map(list, shapes))}, "
                    "which cannot be stacked; make them equal, e.g. with where() instead of a mask"
                )
            stacked.append(_core.stack(list(lanes)))
        return _Results(stacked, dims, first)

    def _warn(self, reason: str) -> None:
        name = name_of(self._func)
        warn_once(
            "vmap", self._func, f"vmap: {name} asks for plain numbers and runs lane by lane, which is slow ({reason})"
        )
