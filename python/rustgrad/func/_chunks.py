"""Work in chunks: how many rows at a time, within which memory, and a bar that shows how far it is."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from .. import _core


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
    size = total if budget.chunk_size is None else min(budget.chunk_size, total)
    with _Bar(total, budget.function, budget.progress) as bar:
        start = 0
        if budget.max_bytes is not None and size > 1:
            before = _core._memory(True)[0]
            yield 0, 1
            bar.advance(1)
            start = 1
            row = max(_core._memory(False)[1] - before, 1)
            size = max(1, min(size, (budget.max_bytes - budget.result_bytes) // row))
        while start < total:
            stop = min(start + size, total)
            yield start, stop
            bar.advance(stop - start)
            start = stop


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
