"""The same statement in several libraries, timed in turns (A B C A B C …) so that a slow moment meets all of them."""

from __future__ import annotations

import gc
import importlib
import math
import time
import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Threads of the library that ran before look for more work for some milliseconds: nobody begins beside them.
REST = 0.02


@dataclass
class Library:
    """A library that can be imported here."""

    name: str
    module: Any

    def set_threads(self, threads: int) -> None:
        if hasattr(self.module, "set_num_threads"):
            self.module.set_num_threads(threads)


def installed(names: tuple[str, ...] = ("rustgrad", "torch", "numpy", "jax")) -> dict[str, Library]:
    """The libraries of ``names`` that are here."""
    found = {}
    for name in names:
        try:
            found[name] = Library(name, importlib.import_module(name))
        except ImportError:
            continue
    return found


@dataclass
class Code:
    """A statement and the names it uses."""

    statement: str
    names: dict[str, Any]

    def timer(self) -> timeit.Timer:
        return timeit.Timer(self.statement, globals=self.names)


@dataclass
class Case:
    """One line of the table: how to prepare each library, and what rustgrad must reach."""

    group: str
    name: str
    make: Mapping[str, Callable[[Any], Code]]
    threads: int = 1
    against: str = "torch"
    at_least: float | None = None

    @property
    def title(self) -> str:
        return f"{self.group}: {self.name}"


@dataclass
class Figure:
    """A measured line: a number per library, the ratio that counts and its limit."""

    group: str
    name: str
    threads: int | None
    unit: str
    values: dict[str, float | None]
    ratio: float | None = None
    against: str | None = None
    limit: float | None = None
    higher_is_better: bool = True
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the limit is kept; None where there is none or nothing to hold against it."""
        if self.limit is None or self.ratio is None:
            return None
        return self.ratio >= self.limit if self.higher_is_better else self.ratio <= self.limit


def loops(timer: timeit.Timer, wanted: float) -> int:
    """How often to run a statement in one sample so that the sample lasts about ``wanted`` seconds."""
    timer.timeit(1)  # the first run may import, compile and meet fresh memory
    count = 1
    while True:
        seconds = timer.timeit(count)
        if seconds >= wanted / 4 or count >= 10_000_000:
            return max(1, math.ceil(count * wanted / max(seconds, 1e-9))) if seconds < wanted else count
        count *= 4


def least(codes: list[Code], rounds: int, sample: float = 0.02) -> list[float]:
    """The least time per run of each statement, in turns."""
    timers = [code.timer() for code in codes]
    counts = [loops(timer, sample) if sample else 1 for timer in timers]
    best = [math.inf] * len(codes)
    for _ in range(rounds):
        for i, timer in enumerate(timers):
            best[i] = min(best[i], timer.timeit(counts[i]) / counts[i])
    return best


def measure(case: Case, libraries: dict[str, Library], rounds: int, sample: float, longest: float) -> Figure:
    """The least time per run of every library; garbage collection waits meanwhile, as in ``timeit``."""
    timers = {}
    for name, make in case.make.items():
        if name in libraries:
            libraries[name].set_threads(case.threads)
            timers[name] = make(libraries[name].module).timer()
    counts = {name: loops(timer, sample) for name, timer in timers.items()}
    best: dict[str, float | None] = dict.fromkeys(("rustgrad", "torch", "numpy", "jax"))
    start = timeit.default_timer()
    for turn in range(rounds):
        for name, timer in timers.items():
            if case.threads > 1:
                time.sleep(REST)
            seconds = timer.timeit(counts[name]) / counts[name]
            known = best[name]
            best[name] = seconds if known is None else min(known, seconds)
        if turn >= 2 and timeit.default_timer() - start > longest:
            break
    gc.collect()
    ours, theirs = best["rustgrad"], best[case.against]
    ratio = theirs / ours if ours and theirs else None
    return Figure(case.group, case.name, case.threads, "s", best, ratio, case.against, case.at_least)
