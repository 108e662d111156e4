"""Tensors that a function captures: which of them are watched, and the function with others in their places.

Looked into are closures, default values, ``functools.partial``, and tuples, lists and dicts of tensors therein. Nothing
is written to: other threads may be running the same function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import CellType, FunctionType
from typing import Any

from .._core import Tensor

#: Looking further would take longer than what is found there is likely to be worth: such tensors are not found.
_DEEPEST, _LONGEST = 20, 1000


class Opened:
    """A function, and the watched tensors that it captures."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.tensors: list[Tensor] = []
        _Walk(self._collected).of(function)

    def _collected(self, tensor: Tensor) -> Tensor:
        if tensor._watchers and not any(tensor is known for known in self.tensors):
            self.tensors.append(tensor)
        return tensor

    def having(self, tensors: Sequence[Tensor]) -> tuple[Callable[..., Any], Callable[[], bool]]:
        """The function with these for the captured ones; and whether it left everything that was replaced as it was."""
        new = dict(zip(map(id, self.tensors), tensors, strict=True))
        walk = _Walk(lambda tensor: new.get(id(tensor), tensor))
        return walk.of(self._function), walk.untouched


class _Walk:
    """A function with its tensors replaced: the same one where nothing changes."""

    def __init__(self, replace: Callable[[Tensor], Tensor]) -> None:
        self._replace = replace
        self._seen: dict[int, Any] = {}
        self._depth = 0
        self._checks: list[Callable[[], bool]] = []

    def untouched(self) -> bool:
        return all(check() for check in self._checks)

    def of(self, thing: Any) -> Any:
        if isinstance(thing, Tensor):
            return self._replace(thing)
        if id(thing) not in self._seen:
            self._seen[id(thing)] = thing  # a function that captures itself keeps what it captures
            if self._depth < _DEEPEST:
                self._depth += 1
                self._seen[id(thing)] = self._made(thing)
                self._depth -= 1
        return self._seen[id(thing)]

    def _made(self, thing: Any) -> Any:
        if type(thing) is FunctionType:
            return self._function(thing)
        if type(thing) is functools.partial:
            parts = self.of(thing.func), self._several(thing.args), self._several(thing.keywords)
            same = parts[0] is thing.func and parts[1] is thing.args and parts[2] is thing.keywords
            return thing if same else functools.partial(parts[0], *parts[1], **parts[2])
        return self._several(thing) if type(thing) in (tuple, list, dict) else thing

    def _several(self, things: Any) -> Any:
        """A tuple, list or dict, copied if any of its tensors is replaced."""
        if type(things) not in (tuple, list, dict) or len(things) > _LONGEST:
            return things
        old = list(things.values() if type(things) is dict else things)
        new = [self.of(x) for x in old]
        if all(a is b for a, b in zip(new, old, strict=True)):
            return things
        made = dict(zip(things, new, strict=True)) if type(things) is dict else type(things)(new)

        def check() -> bool:
            left = list(made.values() if type(made) is dict else made)
            return len(left) == len(new) and all(a is b for a, b in zip(left, new, strict=True))

        self._checks.append(check)
        return made

    def _function(self, f: FunctionType) -> FunctionType:
        cells = tuple(map(self._cell, f.__closure__ or ()))
        defaults, named = self._several(f.__defaults__), self._several(f.__kwdefaults__)
        if all(a is b for a, b in zip(cells, f.__closure__ or (), strict=True)) and defaults is f.__defaults__:
            if named is f.__kwdefaults__:
                return f
        made = FunctionType(f.__code__, f.__globals__, f.__name__, defaults, cells or None)
        made.__kwdefaults__, made.__qualname__ = named, f.__qualname__
        made.__dict__.update(f.__dict__)
        return made

    def _cell(self, cell: CellType) -> CellType:
        if id(cell) in self._seen:
            found: CellType = self._seen[id(cell)]
            return found
        self._seen[id(cell)] = cell
        try:
            old = cell.cell_contents
        except ValueError:
            return cell  # not bound yet
        new = self.of(old)
        if new is old:
            return cell
        made = CellType(new)
        self._seen[id(cell)] = made
        self._checks.append(lambda: made.cell_contents is new)
        return made
