"""Questions about values whatever transforms are active: what they carry, and the plain numbers behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .. import _core
from .._core import Level, Tensor


def floating(x: Any) -> bool:
    """Whether something is a tensor that can carry a derivative."""
    return isinstance(x, Tensor) and (x.dtype.is_floating_point or x.dtype.is_complex)


def differentiated(tensors: Iterable[Any]) -> bool:
    """Whether any of them is being differentiated, at whatever level: lanes may hide the levels outside of them."""
    kinds = (kind for t in tensors if isinstance(t, Tensor) for kind in t._watchers)
    return any(kind.startswith(("tape", "dual", "series")) for kind in kinds)


def depended_on(tensors: Iterable[Tensor]) -> bool:
    """Whether any of them travels with the inputs it depends on."""
    return any(kind.startswith("sets") for t in tensors for kind in t._watchers)


def contained(value: Any) -> Iterator[Tensor]:
    """The tensors in lists, tuples and dicts, nested or not."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from contained(part)


def bare(t: Tensor) -> Tensor:
    """The plain numbers of a tensor, for all lanes it stands for."""
    while True:
        level, kind = _core._innermost([t])
        if level is None:
            return t.detach()
        t = level.unpack_dual(t)[0] if kind == "dual" else level.strip(t)


def each_lane(f: Callable[[list[Any]], list[Any]], values: Sequence[Any]) -> list[Any]:
    """``f`` of values, lane by lane where they stand for many: for rules that compute with NumPy."""
    level, kind = _core._innermost([t for t in values if isinstance(t, Tensor)])
    if kind != "batch" or level is None:
        return f(list(values))
    lanes = [isinstance(t, Tensor) and level.is_batched(t) for t in values]
    stacks = [level.strip(t) if yes else t for t, yes in zip(values, lanes, strict=True)]
    count = next(t.shape[0] for t, yes in zip(stacks, lanes, strict=True) if yes)
    if count == 0:
        raise ValueError("vmap: there are no lanes from which the shape of a rule's results could be learned")
    found = [each_lane(f, [t[k] if yes else t for t, yes in zip(stacks, lanes, strict=True)]) for k in range(count)]
    return [_stacked(level, list(parts)) for parts in zip(*found, strict=True)]


def _stacked(level: Level, parts: list[Any]) -> Any:
    return level.batch(_core.stack(parts)) if isinstance(parts[0], Tensor) else parts[0]
