"""Work in chunks: how many rows at a time, within which memory, where they go, and a bar that shows how far it is."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from .. import _core
from .._core import Tensor


def positive(function: str, name: str, value: Any) -> int | None:
    """A number of lanes or bytes, or None where there is no limit."""
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{function}: {name} must be an int or None, but is {value!r}; write int(…) around a number")
    if value < 1:
        raise ValueError(f"{function}: {name} must be positive, but is {value}")
    return operator.index(value)


@dataclass
class Budget:
    """What the user allows a matrix of derivatives to take."""

    function: str
    chunk_size: int | None
    max_bytes: int | None
    progress: bool
    result_bytes: int = 0
    #: The most bytes that were in use up to the end of the last chunk's work.
    peak: int = 0

    def __post_init__(self) -> None:
        self.chunk_size = positive(self.function, "chunk_size", self.chunk_size)
        self.max_bytes = positive(self.function, "max_bytes", self.max_bytes)

    def check_result(self, size: int) -> None:
        """Refuse a result that cannot fit, before anything is computed."""
        self.result_bytes = size
        if self.max_bytes is not None and size > self.max_bytes:
            raise MemoryError(
                f"{self.function}: the result takes {size} bytes and max_bytes is {self.max_bytes}; "
                "use products with it (func.hvp, func.jvp) or func.sparse_jacobian and func.sparse_hessian"
            )

    def chunk_done(self) -> None:
        """To be called when a chunk is computed, before its rows are put away, if that takes memory as well."""
        self.peak = _core._memory(False)[1]


def chunks(total: int, budget: Budget, redraw: bool = False) -> Iterator[tuple[int, int]]:
    """(start, stop) of each chunk; the memory of one row, measured first, decides how many fit.

    All chunks draw the same random numbers, as if they were one, unless they are to ``redraw``.
    """
    with _core._Rewind() as generators:
        for start, stop in _pieces(total, budget):
            if not redraw:
                generators.rewind()
            yield start, stop


def _pieces(total: int, budget: Budget) -> Iterator[tuple[int, int]]:
    """Chunks of one row and of as many as that allows tell what is needed once, and what for each row."""
    most = total if budget.chunk_size is None else min(budget.chunk_size, total)
    limit = budget.max_bytes if most > 1 else None
    size = most if limit is None else 1
    start, first, known = 0, 0, limit is None
    base = 0 if known else _core._memory(False)[0]
    with _Bar(total, budget.function, budget.progress) as bar:
        while start < total:
            stop = min(start + size, total)
            before, budget.peak = 0 if known else _core._memory(True)[0], 0
            yield start, stop
            bar.advance(stop - start)
            if not known and limit is not None:
                took = max((budget.peak or _core._memory(False)[1]) - before, 1)
                # The results lie where the first chunk put them, or will have to.
                room = limit - max(_core._memory(False)[0] - base, budget.result_bytes)
                if start == 0:
                    first, size = took, room // took
                elif size > 1:
                    # Not trusting a lucky chunk too far; memory comes in steps of up to a quarter.
                    size = 1 + int(0.8 * (room - first) / max((took - first) / (size - 1), took / size / 8))
                    known = True
                size = max(1, min(size, most))
            start = stop


class Rows:
    """Rows of several matrices as they come, at once in their places where nobody differentiates them."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._wholes: list[Tensor] | None = None
        self._parts: list[list[Tensor]] = []

    def add(self, start: int, parts: list[Tensor]) -> None:
        """The next rows of each matrix, number ``start`` and following."""
        count = parts[0].shape[0] if parts else self._total
        if not start and count < self._total and not any(y._watchers for y in parts):
            self._wholes = [_core.empty(self._total, *y.shape[1:], dtype=y.dtype) for y in parts]
        if self._wholes is None:
            self._parts.append(parts)
            return
        for whole, y in zip(self._wholes, parts, strict=True):
            whole[start : start + count] = y

    def matrices(self, out_of: list[Tensor]) -> list[Tensor]:
        """All rows; without any, matrices whose rows would be like ``out_of``."""
        if self._wholes is not None:
            return self._wholes
        if not self._parts:
            return [_core.zeros((0, *x.shape), dtype=x.dtype) for x in out_of]
        return self._parts[0] if len(self._parts) == 1 else [_core.cat(part) for part in zip(*self._parts, strict=True)]


class _Bar:
    """``tqdm`` where it is installed, else a line of our own; nothing unless it is wanted."""

    def __init__(self, total: int, name: str, wanted: bool) -> None:
        self._total, self._name, self._wanted, self._done = total, name, wanted, 0
        self._tqdm: Any = None

    def __enter__(self) -> _Bar:
        if self._wanted:
            try:
                from tqdm import tqdm
            except ImportError:
                return self
            self._tqdm = tqdm(total=self._total, desc=self._name, unit="row")
        return self

    def advance(self, count: int) -> None:
        self._done += count
        if self._tqdm is not None:
            self._tqdm.update(count)
        elif self._wanted:
            end = "\n" if self._done == self._total else ""
            print(f"\r{self._name}: {self._done} of {self._total} rows", end=end, file=sys.stderr, flush=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tqdm is not None:
            self._tqdm.close()
