"""The same code on rustgrad, PyTorch and NumPy, where they are installed, side by side in one process.

    python benches/compare.py [--only PATTERN] [--quick] [--json FILE] [--threads 1 2]

Every line shows the least time of several rounds in which the libraries take turns. The ratio is how many times faster
rustgrad is than the library named under "wanted"; for memory, sizes and lengths of chains it is what the line says.
Ratios travel between machines, times do not. Memory and time per node are measured in fresh processes.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from comparison import cases, footprint, table, transforms
from comparison.measure import Figure, installed, measure


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="PATTERN", default="", help="regular expression on 'group: name'")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller sizes, for a first look")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures to FILE")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="thread counts to measure at")
    parser.add_argument("--wheel", type=Path, help="the wheel to weigh; otherwise the newest in dist/")
    return parser.parse_args()


def graph_and_package(args: argparse.Namespace, wanted: Callable[[str], bool]) -> Iterator[Figure]:
    if wanted("graph: memory per recorded op"):
        yield from footprint.memory()
    if wanted("graph: time per node"):
        yield from footprint.nodes(5 if args.quick else 7)
    if wanted("package: wheel"):
        yield from footprint.wheel(args.wheel)
    if wanted("package: import"):
        yield from footprint.imports()


def figures(args: argparse.Namespace) -> Iterator[Figure]:
    libraries = installed()
    pattern = re.compile(args.only, re.IGNORECASE)

    def wanted(title: str) -> bool:
        return bool(pattern.search(title))

    rounds, sample, longest = (5, 0.01, 2.0) if args.quick else (21, 0.02, 10.0)
    for case in itertools.chain(cases.every(args.threads, args.quick), transforms.every(args.threads)):
        if wanted(case.title):
            try:
                yield measure(case, libraries, rounds, sample, longest)
            except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
                note = f"{type(error).__name__}: {error}"
                values: dict[str, float | None] = {}
                yield Figure(
                    case.group, case.name, case.threads, "s", values, None, case.against, case.at_least, note=note
                )
    if wanted("transform: cost"):
        yield from transforms.costs(args.threads, 5 if args.quick else 41)
    yield from graph_and_package(args, wanted)


def environment() -> dict[str, Any]:
    versions = {name: str(library.module.__version__) for name, library in installed().items()}
    return {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count(), **versions}


def main() -> int:
    args = arguments()
    if min(args.threads) < 1:
        raise SystemExit("--threads: thread counts start at 1")
    about = environment()
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(table.heading())
    done: list[Figure] = []
    for figure in figures(args):
        if not done or done[-1].group != figure.group:
            print(f"\n{figure.group}")
        print(table.line(table.cells(figure)), flush=True)
        if figure.note.partition(":")[0].endswith("Error"):
            print(f"    {figure.note}")
        done.append(figure)
    print(f"\n{table.summary(done)}")
    if args.json:
        rows = [dataclasses.asdict(figure) | {"met": figure.met} for figure in done]
        args.json.write_text(json.dumps({"environment": about, "figures": rows}, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
