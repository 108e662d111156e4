"""Memory for time: what a function saved for its derivatives is computed again when the sweep asks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .. import _core
from .._core import DataDependentError, Tensor
from .._tree import flatten, unflatten
from ..autograd._lanes import equal
from ..autograd._rules import differentiated, floating
from ..autograd._values import depended_on
from ..autograd.function import Function, listed
from ..autograd.grad_mode import enable_grad
from ..autograd.graph import saved_tensors_hooks
from ..func.forward import jvp
from ..func.reverse import vjp

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential"]


class CheckpointError(RuntimeError):
    """Raised where a function computes something else the second time."""


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    determinism_check: str = "default",
    context_fn: Callable[[], tuple[Any, Any]] | None = None,
    debug: bool = False,
    **kwargs: Any,
) -> Any:
    """``function(*args, **kwargs)``, keeping its arguments instead of what it saves for its derivatives.

    The sweep runs the function again, with the same random numbers if ``preserve_rng_state``. It must do the same both
    times: other numbers of saved tensors, shapes or dtypes, and arguments that were written to in between, raise
    CheckpointError (unless ``determinism_check="none"``). What it writes to in place itself is computed once more.
    ``context_fn`` gives two context managers, for the first and for the second run. ``use_reentrant`` and ``debug`` are
    accepted: there is one way here, which takes keyword arguments, nested outputs and captured tensors.

    Derivative: that of the function, in either mode and to any order. Inside func transforms, tensors that they follow
    must be passed as arguments; captured ones raise RuntimeError, and so does writing to an argument in place.

    >>> import rustgrad as rg
    >>> from rustgrad.utils.checkpoint import checkpoint
    >>> x = rg.tensor(2.0, requires_grad=True)
    >>> checkpoint(lambda x: x.exp().sin(), x).backward()
    >>> x.grad
    tensor(3.3129)
    """
    if determinism_check not in ("default", "none"):
        raise ValueError(f'checkpoint: determinism_check={determinism_check!r} is not one of "default", "none"')
    first, again = (contextlib.nullcontext(), contextlib.nullcontext()) if context_fn is None else context_fn()
    call = lambda: function(*args, **kwargs)
    found = flatten((args, kwargs))[0] if args or kwargs else []
    level, kind = _core._innermost([x for x in found if isinstance(x, Tensor)])
    if level is not None:
        with first:
            # Series and patterns go forward and save nothing: they follow the function itself.
            if kind in ("series", "sets"):
                return call()
            return _followed(function, args, kwargs, _Again(context_fn, preserve_rng_state))
    if not _recording():
        # Nothing of this run is kept, and a second one would not do the same.
        with first:
            return call()
    region = _Region(call, found, again, preserve_rng_state, determinism_check == "default")
    with first, saved_tensors_hooks(region.pack, region.unpack):
        result = call()
    region.refuse_captured(result)
    return result


_PROBE = _core.ones(()).requires_grad_(True)


def _recording() -> bool:
    """Whether tensors that require a gradient are recorded: sweeps under transforms switch that off on their own."""
    return (_PROBE * 1.0).requires_grad


class _Stop(BaseException):
    """All that is needed was computed; not an Exception, so that the function does not catch it."""


class _Region:
    """One run of a function, and what it saved, by number."""

    def __init__(self, call: Callable[[], Any], leaves: list[Any], context: Any, preserve: bool, check: bool) -> None:
        self._call, self._context, self._check = call, context, check
        self._state = _core.get_rng_state() if preserve else None
        self._arguments = [(x, x._version) for x in leaves if isinstance(x, Tensor)]
        self._shapes: list[tuple[Any, Any]] = []
        self._values: dict[int, Tensor] = {}
        # Numbers of what the function overwrites after it was saved.
        self._overwritten: set[int] = set()

    def pack(self, tensor: Tensor) -> int | Tensor:
        if not _plain(tensor):
            return tensor
        self._shapes.append((tuple(tensor.shape), tensor.dtype))
        return len(self._shapes) - 1

    def unpack(self, number: int | Tensor) -> Tensor:
        if isinstance(number, Tensor):
            return number
        if number not in self._values:
            self._compute()
        return self._values.pop(number)

    def refuse_captured(self, result: Any) -> None:
        """What a transform follows ends with it, so the second run would come too late."""
        if self._shapes and _core._innermost([y for y in flatten(result)[0] if isinstance(y, Tensor)])[0] is not None:
            raise RuntimeError(_CAPTURED)

    def _compute(self) -> None:
        if self._check and any(x._version != version for x, version in self._arguments):
            raise CheckpointError(
                "checkpoint: an argument was changed in place since the first run, so that the second would compute "
                "something else; pass a clone() of it"
            )
        values, changed = self._second_run()
        if changed:
            # Known now: the next run copies these before they are overwritten.
            self._overwritten |= changed
            values, _ = self._second_run()
        self._values = values

    def _second_run(self) -> tuple[dict[int, Tensor], set[int]]:
        """What the function saves, by number, and which of it does not hold its numbers any more."""
        with enable_grad():
            if not _recording():
                raise RuntimeError(
                    "checkpoint: the function cannot be run again here, because nothing is recorded inside of a "
                    "batched sweep (is_grads_batched=True, or one in a func transform); pass create_graph=True to the "
                    "sweep, or take one cotangent at a time"
                )
        values: dict[int, Tensor] = {}
        versions: list[int] = []
        last = len(self._shapes)

        def pack(tensor: Tensor) -> Tensor:
            if not _plain(tensor):
                return tensor
            number = len(values)
            if self._check and (number >= last or self._shapes[number] != (tuple(tensor.shape), tensor.dtype)):
                raise CheckpointError(
                    f"checkpoint: the second run saved {tensor.dtype} {list(tensor.shape)} as number {number}, where "
                    "the first saved something else; the function must do the same both times"
                )
            values[number] = tensor.clone() if number in self._overwritten else tensor
            versions.append(values[number]._version)
            if len(values) == last:
                raise _Stop
            return values[number]

        try:
            with _replayed(self._state), self._context, enable_grad(), saved_tensors_hooks(pack, _same):
                self._call()
        except _Stop:
            pass
        if len(values) != last:
            raise CheckpointError(
                f"checkpoint: the second run saved {len(values)} tensors and the first {last}; "
                "the function must do the same both times"
            )
        return values, {n for n, version in enumerate(versions) if values[n]._version != version}


@contextlib.contextmanager
def _replayed(state: Tensor | None) -> Iterator[None]:
    """Draw the random numbers that followed this state once more (None: draw new ones)."""
    if state is None:
        yield
        return
    before = _core.get_rng_state()
    _core.set_rng_state(state)
    try:
        yield
    finally:
        _core.set_rng_state(before)


def _plain(tensor: Tensor) -> bool:
    """Whether this can wait for the second run: what transforms inside of the function follow ends before."""
    kind: str = _core._innermost([tensor])[1]
    return kind == "plain"


def _same(tensor: Tensor) -> Tensor:
    """What the second run saves is there as long as it runs: it may differentiate itself."""
    return tensor


_CAPTURED = (
    "checkpoint: inside of a func transform the function reads a tensor that requires a gradient, or that a transform "
    "follows, and is not an argument; pass it as an argument, or detach() it"
)


def _contents(x: Tensor) -> tuple[Tensor, int, int]:
    """What tells whether a tensor was written to: batched ones take new memory and count no versions.

    The numbers come along, so that their memory is not given to others in between.
    """
    while (level := _core._innermost([x])[0]) is not None:
        x = level.strip(x)
    return x, x.data_ptr(), x._version


class _Again:
    """How the rules run a function once more: the second context, and the random numbers of the first run."""

    def __init__(self, context_fn: Callable[[], tuple[Any, Any]] | None, preserve: bool) -> None:
        self._context_fn, self.preserve = context_fn, preserve

    @contextlib.contextmanager
    def run(self, state: Tensor | None) -> Iterator[None]:
        # Rules run any number of times, contexts perhaps only once: each run asks for its own.
        context = contextlib.nullcontext() if self._context_fn is None else self._context_fn()[1]
        with _replayed(state), context:
            yield


class _Followed(Function):
    """A function as an operator whose rules run it again: the way inside of func transforms."""

    _runs_again = True

    @staticmethod
    def forward(ctx: Any, call: Callable[..., Any], again: _Again, *leaves: Tensor) -> Any:
        ctx.save_for_backward(*leaves)
        ctx.save_for_forward(*leaves)
        ctx.call, ctx.again, ctx.state = call, again, _core.get_rng_state() if again.preserve else None
        given = [x.detach() for x in leaves]
        before = [_contents(x) for x in given]
        with enable_grad():
            ys = call(*given)
        if any(_contents(x)[1:] != numbers[1:] for x, numbers in zip(given, before, strict=True)):
            raise CheckpointError(
                "checkpoint: the function changes an argument in place, so that a second run would compute something "
                "else; let it change a clone() and return that"
            )
        if differentiated(ys) or depended_on(ys):
            raise RuntimeError(_CAPTURED)
        if not ys:
            raise TypeError(
                "checkpoint: inside of a func transform the function must return a tensor, alone or among other "
                "things; call it without checkpoint"
            )
        ctx.carrying = [floating(y) for y in ys]
        return tuple(y.detach() for y in ys)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        leaves = ctx.saved_tensors
        moving = [i for i, x in enumerate(leaves) if floating(x)]
        with ctx.again.run(ctx.state):
            _, pull = vjp(_of_some(ctx.call, leaves, moving), *[leaves[i] for i in moving])
        found = dict(zip(moving, pull(tuple(g for g in cotangents if floating(g)), retain_graph=False), strict=True))
        return (None, None, *(found.get(i) for i in range(len(leaves))))

    @staticmethod
    def jvp(ctx: Any, _: Any, __: Any, *tangents: Any) -> Any:
        leaves = ctx.saved_tensors
        moving = [i for i, x in enumerate(leaves) if floating(x)]
        given = tuple(tangents[i] for i in moving)
        with ctx.again.run(ctx.state):
            slopes = iter(jvp(_of_some(ctx.call, leaves, moving), tuple(leaves[i] for i in moving), given)[1])
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


def _followed(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], again: _Again) -> Any:
    leaves, structure = flatten((args, kwargs))
    places = [i for i, x in enumerate(leaves) if isinstance(x, Tensor)]
    nested: list[Any] = []
    beside: list[list[Any]] = []  # what is no tensor, of each run

    def call(*tensors: Tensor) -> tuple[Tensor, ...]:
        """The function of its tensors alone; ``nested`` tells where the results belong among others."""
        full = list(leaves)
        for i, x in zip(places, tensors, strict=True):
            full[i] = x
        new_args, new_kwargs = unflatten(structure, full)
        ys, outer = flatten(function(*new_args, **new_kwargs))
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


def checkpoint_sequential(
    functions: Iterable[Callable[..., Any]],
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
) -> Any:
    """The functions one after the other, in ``segments`` parts of which all but the last are checkpointed.

    Raises ValueError unless there are at least as many functions as segments.

    Derivative: that of the chain.

    >>> import rustgrad as rg
    >>> from rustgrad.utils.checkpoint import checkpoint_sequential
    >>> x = rg.tensor(1.0, requires_grad=True)
    >>> checkpoint_sequential([rg.sin, rg.exp, rg.cos, rg.exp], 2, x).backward()
    >>> x.grad
    tensor(-0.4646)
    """
    chain = list(functions)
    if not 1 <= segments <= len(chain):
        raise ValueError(
            f"checkpoint_sequential: {segments} segments of {len(chain)} functions; take 1 to {len(chain)}"
        )
    size = len(chain) // segments

    def run(part: list[Callable[..., Any]]) -> Callable[..., Any]:
        def through(x: Any) -> Any:
            for f in part:
                x = f(x)
            return x

        return through

    for k in range(segments - 1):
        input = checkpoint(run(chain[k * size : (k + 1) * size]), input, preserve_rng_state=preserve_rng_state)
    return run(chain[(segments - 1) * size :])(input)
