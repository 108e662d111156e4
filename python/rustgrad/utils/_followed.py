"""A function as an operator whose rules run it again: the way of checkpoints inside of func transforms."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .. import _core
from .._core import DataDependentError, Tensor
from .._tree import flatten, unflatten
from ..autograd._lanes import equal
from ..autograd._rules import differentiated, floating
from ..autograd._values import bare, depended_on
from ..autograd.function import Function, listed
from ..autograd.grad_mode import enable_grad
from ..func.forward import jvp
from ..func.reverse import vjp
from ._again import CAPTURES, HOOKS, CheckpointError, PlainCallError, replayed
from ._closures import Opened


class Again:
    """How the rules run a function once more: the second context, and the random numbers of the first run."""

    def __init__(self, context_fn: Callable[[], tuple[Any, Any]] | None, preserve: bool) -> None:
        self._context_fn, self.preserve = context_fn, preserve
        #: The outermost tape that the arguments are on: its rule runs when all levels inside of it have ended.
        self.lowest: float = 0

    @contextlib.contextmanager
    def run(self, state: Tensor | None) -> Iterator[None]:
        # Rules run any number of times, contexts perhaps only once: each run asks for its own.
        context = contextlib.nullcontext() if self._context_fn is None else self._context_fn()[1]
        with replayed(state), context:
            yield


def _levels(tensors: Iterable[Any], kinds: str | tuple[str, ...] = "") -> set[int]:
    """The numbers of the levels that watch any of the tensors in that way; 0 for the bottom tape."""
    names = [name.partition("@") for x in tensors if isinstance(x, Tensor) for name in x._watchers]
    return {int(number or 0) for kind, _, number in names if kind.startswith(kinds)}


def _reached_from_elsewhere(ys: Sequence[Tensor], given: list[Tensor], lowest: float) -> bool:
    """Whether results depend on more than the arguments, or belong to levels that end before a rule of these runs."""
    return differentiated(ys) or depended_on(ys) or any(level > lowest for level in _levels(ys) - _levels(given))


class _First:
    """The numbers that a function gave which writes to tensors from outside: it may give others when it runs again."""

    def __init__(self, ys: list[Tensor]) -> None:
        self._numbers = [bare(y).clone() for y in ys if floating(y)]

    def compare(self, ys: Sequence[Tensor]) -> None:
        for y, before in zip(map(bare, ys), self._numbers, strict=True):
            # As far apart as rounding can take them: the second run may take other kernels.
            off = y.shape != before.shape or (y - before).abs().sum() > 1e-3 * before.abs().sum()
            if off:
                raise CheckpointError(
                    "checkpoint: the second run gave other numbers than the first, because the function writes to a "
                    "tensor from outside in place and reads it; let it change a clone() and return that"
                )


_WRITES = (
    "checkpoint: the function changes an argument in place, so that a second run would compute something else; let it "
    "change a clone() and return that"
)


class _Followed(Function):
    """A function of tensors alone, with rules that call it."""

    _runs_again = True

    @staticmethod
    def forward(ctx: Any, call: Callable[..., Any], again: Again, *leaves: Tensor) -> Any:
        ctx.save_for_backward(*leaves)
        ctx.save_for_forward(*leaves)
        ctx.call, ctx.again, ctx.state = call, again, _core.get_rng_state() if again.preserve else None
        given = [x.detach() for x in leaves]
        before = [_core._Contents(x) for x in given]
        with enable_grad():
            watch = _core.Level("vjp")
            try:
                ys = call(*given)
                why = CAPTURES if _reached_from_elsewhere(ys, given, again.lowest) else None
            except PlainCallError as refused:
                ys, why = (), refused.args[0]
            except RuntimeError as refused:
                reason = getattr(refused, "reason", None)
                if reason == "detached":
                    raise CheckpointError(_WRITES) from None
                # Nothing is recorded here that could be hooked.
                if reason != "hook":
                    raise
                ys, why = (), HOOKS
            finally:
                watch.exit()
        if any(contents.changed for contents in before):
            raise CheckpointError(_WRITES)
        if why is not None:
            if watch.wrote_outside:
                raise CheckpointError(
                    f"checkpoint: inside of a func transform the function {why}, and writes to a tensor from outside "
                    "in place, which a further run would do again; let it change a clone(), or call it without "
                    "checkpoint"
                )
            raise PlainCallError(why)
        if not ys:
            raise TypeError(
                "checkpoint: inside of a func transform the function must return a tensor, alone or among other "
                "things; call it without checkpoint"
            )
        ctx.carrying = [floating(y) for y in ys]
        ctx.first = _First(ys) if watch.wrote_outside else None
        return tuple(y.detach() for y in ys)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        leaves = ctx.saved_tensors
        moving = [i for i, x in enumerate(leaves) if floating(x)]
        with ctx.again.run(ctx.state):
            value, pull = vjp(_of_some(ctx.call, leaves, moving), *[leaves[i] for i in moving])
        if ctx.first is not None:
            ctx.first.compare(value)
        found = dict(zip(moving, pull(tuple(g for g in cotangents if floating(g)), retain_graph=False), strict=True))
        return (None, None, *(found.get(i) for i in range(len(leaves))))

    @staticmethod
    def jvp(ctx: Any, _: Any, __: Any, *tangents: Any) -> Any:
        leaves = ctx.saved_tensors
        moving = [i for i, x in enumerate(leaves) if floating(x)]
        given = tuple(tangents[i] for i in moving)
        with ctx.again.run(ctx.state):
            value, pushed = jvp(_of_some(ctx.call, leaves, moving), tuple(leaves[i] for i in moving), given)
        if ctx.first is not None:
            ctx.first.compare(value)
        slopes = iter(pushed)
        return tuple(next(slopes) if carries else None for carries in ctx.carrying)


# The name that errors and nodes of the graph show.
_Followed.__name__ = "checkpoint"


def _of_some(call: Callable[..., Any], leaves: Sequence[Tensor], chosen: list[int]) -> Callable[..., Any]:
    """The function of those leaves alone, and of its results those that have derivatives."""

    def of_chosen(*values: Tensor) -> Any:
        full = list(leaves)
        for i, value in zip(chosen, values, strict=True):
            full[i] = value
        return tuple(y for y in call(*full) if floating(y))

    return of_chosen


def followed(opened: Opened, args: tuple[Any, ...], kwargs: dict[str, Any], again: Again) -> Any:
    """The checkpointed call of a function whose arguments, or captured tensors, a transform follows."""
    leaves, structure = flatten((args, kwargs))
    count = len(leaves)
    leaves = [*leaves, *opened.tensors]
    again.lowest = min(_levels(leaves, "tape"), default=math.inf)
    places = [i for i, x in enumerate(leaves) if isinstance(x, Tensor)]
    nested: list[Any] = []
    beside: list[list[Any]] = []  # what is no tensor, of each run

    def call(*tensors: Tensor) -> tuple[Tensor, ...]:
        """The function of its tensors alone; ``nested`` tells where the results belong among others."""
        full = list(leaves)
        for i, x in zip(places, tensors, strict=True):
            full[i] = x
        new_args, new_kwargs = unflatten(structure, full[:count])
        function, untouched = opened.having(full[count:])
        ys, outer = flatten(function(*new_args, **new_kwargs))
        if not untouched():
            raise PlainCallError(CAPTURES)
        nested[:] = [outer, ys]
        beside.append([y for y in ys if not isinstance(y, Tensor)])
        return tuple(y for y in ys if isinstance(y, Tensor))

    found = iter(listed(_Followed.apply(call, again, *[leaves[i] for i in places])))
    outer, ys = nested
    if not all(equal(others, beside[0]) for others in beside):
        error = DataDependentError(
            "checkpoint: the function returns something other than a tensor that differs from lane to lane"
        )
        watchers = [name for i in places for name in leaves[i]._watchers]
        error.level = next(int(n.partition("@")[2]) for n in watchers if n.startswith("batch"))  # type: ignore[attr-defined]
        raise error
    return unflatten(outer, [next(found) if isinstance(y, Tensor) else y for y in ys])
