"""Memory for time: what a function saved for its derivatives is computed again when the sweep asks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import _core
from .._core import Tensor
from .._tree import flatten, unflatten
from ..autograd._rules import differentiated
from ..autograd.function import Function, FunctionCtx, listed
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
    must be passed as arguments; captured ones raise RuntimeError.

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
            return call() if kind in ("series", "sets") else _followed(function, args, kwargs)
    region = _Region(call, found, again, preserve_rng_state, determinism_check == "default")
    with first, saved_tensors_hooks(region.pack, region.unpack):
        return call()


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

    def pack(self, tensor: Tensor) -> int:
        self._shapes.append((tuple(tensor.shape), tensor.dtype))
        return len(self._shapes) - 1

    def unpack(self, number: int) -> Tensor:
        if number not in self._values:
            self._compute()
        return self._values.pop(number)

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
        values: dict[int, Tensor] = {}
        versions: list[int] = []
        last = len(self._shapes)

        def pack(tensor: Tensor) -> Tensor:
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

        state = _core.get_rng_state()
        try:
            if self._state is not None:
                _core.set_rng_state(self._state)
            with self._context, enable_grad(), saved_tensors_hooks(pack, _same):
                self._call()
        except _Stop:
            pass
        finally:
            if self._state is not None:
                _core.set_rng_state(state)
        if len(values) != last:
            raise CheckpointError(
                f"checkpoint: the second run saved {len(values)} tensors and the first {last}; "
                "the function must do the same both times"
            )
        return values, {n for n, version in enumerate(versions) if values[n]._version != version}


def _same(tensor: Tensor) -> Tensor:
    """What the second run saves is there as long as it runs: it may differentiate itself."""
    return tensor


class _Followed(Function):
    """A function as an operator whose rules run it again: the way inside of func transforms."""

    @staticmethod
    def forward(ctx: FunctionCtx, call: Callable[..., Any], *leaves: Tensor) -> Any:
        ctx.save_for_backward(*leaves)
        ctx.save_for_forward(*leaves)
        ctx.call = call  # type: ignore[attr-defined]
        with enable_grad():
            ys = call(*[x.detach() for x in leaves])
        if differentiated(ys):
            raise RuntimeError(
                "checkpoint: the function reads a tensor that is being differentiated and is not an argument; "
                "pass it as an argument"
            )
        return tuple(y.detach() for y in ys)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        leaves = ctx.saved_tensors
        floating = [i for i, x in enumerate(leaves) if x.dtype.is_floating_point]
        _, pull = vjp(_of_some(ctx.call, leaves, floating), *[leaves[i] for i in floating])
        found = dict(zip(floating, pull(tuple(cotangents), retain_graph=False), strict=True))
        return (None, *(found.get(i) for i in range(len(leaves))))

    @staticmethod
    def jvp(ctx: Any, _: Any, *tangents: Any) -> Any:
        leaves = ctx.saved_tensors
        floating = [i for i, x in enumerate(leaves) if x.dtype.is_floating_point]
        given = tuple(tangents[i] for i in floating)
        return jvp(_of_some(ctx.call, leaves, floating), tuple(leaves[i] for i in floating), given)[1]


def _of_some(call: Callable[..., Any], leaves: Sequence[Tensor], chosen: list[int]) -> Callable[..., Any]:
    def of_chosen(*values: Tensor) -> Any:
        full = list(leaves)
        for i, value in zip(chosen, values, strict=True):
            full[i] = value
        return call(*full)

    return of_chosen


def _followed(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    leaves, structure = flatten((args, kwargs))
    places = [i for i, x in enumerate(leaves) if isinstance(x, Tensor)]
    nested: list[Any] = []

    def call(*tensors: Tensor) -> tuple[Tensor, ...]:
        full = list(leaves)
        for i, x in zip(places, tensors, strict=True):
            full[i] = x
        new_args, new_kwargs = unflatten(structure, full)
        ys, outer = flatten(function(*new_args, **new_kwargs))
        nested[:] = [outer]
        return tuple(ys)

    ys = listed(_Followed.apply(call, *[leaves[i] for i in places]))
    return unflatten(nested[0], ys)


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
