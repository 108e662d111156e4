"""Memory for time: what a function saved for its derivatives is computed again when the sweep asks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from .. import _core
from .._core import Tensor
from .._tree import flatten
from ..autograd.graph import saved_tensors_hooks
from ._again import CheckpointError, PlainCallError, tell
from ._closures import Opened
from ._followed import Again, followed
from ._regions import Region, recording

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential"]


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

    Derivative: that of the function, in either mode and to any order. Inside func transforms the differentiated tensors
    should be arguments, or found in closures, defaults and partials; with those from elsewhere (attributes, globals),
    and with hooks on tensors, all is kept as without checkpoint, after a second run and with a warning. Writing to an
    argument in place raises CheckpointError there, and so does writing to other tensors from outside if it shows.

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
    tensors = [x for x in found if isinstance(x, Tensor)]
    level, kind = _core._innermost(tensors)
    inside = level is not None or (recording() and _core._any_active())
    if inside:
        opened = Opened(function)
        level, kind = _core._innermost([*tensors, *opened.tensors])
    if level is not None:
        with first:
            # Series and patterns go forward and save nothing: they follow the function itself.
            if kind in ("series", "sets"):
                return call()
            state = _core.get_rng_state()
            try:
                return followed(opened, args, kwargs, Again(context_fn, preserve_rng_state))
            except PlainCallError as refused:
                tell(function, refused.args[0])
                _core.set_rng_state(state)
                return call()
    if not recording():
        # Nothing of this run is kept, and a second one would not do the same.
        with first:
            return call()
    region = Region(call, found, again, preserve_rng_state, determinism_check == "default", inside)
    with first, saved_tensors_hooks(region.pack, region.unpack):
        result = call()
    region.settle(result, function)
    return result


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
