"""Runs of functions under the bottom tape that keep numbers in place of what they save, and run again for it."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

from .. import _core
from .._core import Tensor
from .._tree import flatten
from ..autograd.grad_mode import enable_grad
from ..autograd.graph import saved_tensors_hooks
from ._again import CAPTURES, CheckpointError, replayed, tell

_PROBE = _core.ones(()).requires_grad_(True)


def recording() -> bool:
    """Whether tensors that require a gradient are recorded: sweeps under transforms switch that off on their own."""
    return (_PROBE * 1.0).requires_grad


class _Stop(BaseException):
    """All that is needed was computed; not an Exception, so that the function does not catch it."""


class _Slot:
    """A saved tensor by its number; the tensor itself only where the second run would come too late."""

    def __init__(self, number: int, tensor: Tensor | None) -> None:
        self.number, self.tensor = number, tensor


class Region:
    """One run of a function, and what it saved, by number."""

    def __init__(
        self, call: Callable[[], Any], leaves: list[Any], context: Any, preserve: bool, check: bool, keep: bool
    ) -> None:
        self._call, self._context, self._check = call, context, check
        self._state = _core.get_rng_state() if preserve else None
        self._arguments = [(x, x._version) for x in leaves if isinstance(x, Tensor)]
        self._shapes: list[tuple[Any, Any]] = []
        self._values: dict[int, Tensor] = {}
        # Numbers of what the function overwrites after it was saved.
        self._overwritten: set[int] = set()
        # Under transforms all is kept until the result shows whether they follow it.
        self._kept: list[_Slot] | None = [] if keep else None

    def pack(self, tensor: Tensor) -> _Slot | Tensor:
        if not _plain(tensor):
            return tensor
        self._shapes.append((tuple(tensor.shape), tensor.dtype))
        slot = _Slot(len(self._shapes) - 1, None if self._kept is None else tensor)
        if self._kept is not None:
            self._kept.append(slot)
        return slot

    def unpack(self, slot: _Slot | Tensor) -> Tensor:
        if isinstance(slot, Tensor):
            return slot
        if slot.tensor is not None:
            return slot.tensor
        if slot.number not in self._values:
            self._compute()
        return self._values.pop(slot.number)

    def settle(self, result: Any, function: Callable[..., Any]) -> None:
        """Drop what was kept for want of knowing, unless a transform follows the result: that ends before a sweep."""
        kept, self._kept = self._kept, None
        if kept is None:
            return
        if _core._innermost([y for y in flatten(result)[0] if isinstance(y, Tensor)])[0] is None:
            for slot in kept:
                slot.tensor = None
        elif kept:
            tell(function, CAPTURES)

    def _compute(self) -> None:
        if self._check and any(x._version != version for x, version in self._arguments):
            raise CheckpointError(
                "checkpoint: an argument was changed in place since the first run, so that the second would compute "
                "something else; pass a clone() of it"
            )
        values, changed = self._recorded_run()
        if changed:
            # Known now: the next run copies these before they are overwritten.
            self._overwritten |= changed
            values, _ = self._recorded_run()
        self._values = values

    def _recorded_run(self) -> tuple[dict[int, Tensor], set[int]]:
        """The second run where it is recorded: not on this thread if a sweep under a transform silences the tape."""
        with enable_grad():
            if recording():
                return self._second_run()
        return _on_a_thread(self._second_run)

    def _second_run(self) -> tuple[dict[int, Tensor], set[int]]:
        """What the function saves, by number, and which of it does not hold its numbers any more."""
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
            with replayed(self._state), self._context, enable_grad(), saved_tensors_hooks(pack, _same):
                self._call()
        except _Stop:
            pass
        if len(values) != last:
            raise CheckpointError(
                f"checkpoint: the second run saved {len(values)} tensors and the first {last}; "
                "the function must do the same both times"
            )
        return values, {n for n, version in enumerate(versions) if values[n]._version != version}


def _on_a_thread(f: Callable[[], Any]) -> Any:
    """``f()`` on a thread of its own, where no transform is active; with the context variables of this one."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.extend((f(), None))
        except BaseException as error:
            outcome.extend((None, error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,))
    thread.start()
    thread.join()
    result, error = outcome
    if error is not None:
        raise error
    return result


def _plain(tensor: Tensor) -> bool:
    """Whether this can wait for the second run: what transforms inside of the function follow ends before."""
    kind: str = _core._innermost([tensor])[1]
    return kind == "plain"


def _same(tensor: Tensor) -> Tensor:
    """What the second run saves is there as long as it runs: it may differentiate itself."""
    return tensor
