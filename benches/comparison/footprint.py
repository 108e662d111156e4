"""What one process's clock does not show: memory per recorded op, time per node at every length, wheel, import."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .measure import Figure

ROOT = Path(__file__).resolve().parents[2]

# Runs in a fresh process: argv is the library, how many ops, and which; prints bytes and seconds per op as JSON.
GRAPH = r"""
import importlib, json, os, sys, time

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

xp = importlib.import_module(sys.argv[1])
count, saving = int(sys.argv[2]), sys.argv[3] == "mul"
x = xp.tensor(1.0, requires_grad=True)

def record(count):
    y = x
    if saving:
        for _ in range(count):
            y = y * x
    else:
        for _ in range(count):
            y = y + x
    return y

for _ in range(3):
    record(1000).backward()
x.grad = None
repeats = max(1, 100_000 // count)
times = []
for _ in range(3 if count <= 1_000_000 else 1):
    before = resident() if os.path.exists("/proc/self/statm") else 0
    start = time.perf_counter()
    for _ in range(repeats):
        y = record(count)
        if repeats == 1:
            recorded = time.perf_counter()
            grown = resident() - before if before else 0
            start += time.perf_counter() - recorded
        y.backward()
        del y
    times.append((time.perf_counter() - start) / (repeats * count))
    if len(times) == 1:
        memory = grown / count if repeats == 1 and before else None
    x.grad = None
print(json.dumps({"bytes": memory, "seconds": min(times)}))
"""

IMPORT = """
import numpy, time
start = time.perf_counter()
import rustgrad
print(time.perf_counter() - start)
"""


def child(*arguments: str, bytecode: str | None = None) -> Any:
    """What a fresh Python prints, read as JSON; None where it fails, with its complaint passed on.

    ``bytecode`` is a folder for compiled files, which an installed package has and a source tree may not.
    """
    environment = dict(os.environ)
    if bytecode is not None:
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = bytecode
    command = [sys.executable, "-c", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        print(done.stderr.strip().splitlines()[-1:], file=sys.stderr)
        return None
    return json.loads(done.stdout)


def here(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def memory() -> Iterator[Figure]:
    """Growth of the resident memory over 10⁶ recorded ops. ``y + x`` saves nothing; ``y * x`` saves both operands."""
    for op, limit in (("add", 128.0), ("mul", None)):
        values: dict[str, float | None] = {}
        for name in ("rustgrad", "torch"):
            found = child(GRAPH, name, "1000000", op) if here(name) else None
            values[name] = found["bytes"] if found else None
        saves = "which saves nothing" if op == "add" else "with what it saves"
        title = f"memory per recorded {op}, {saves}"
        yield Figure("graph", title, None, "B", values, values["rustgrad"], None, limit, False)


def nodes(largest: int) -> Iterator[Figure]:
    """Recording, sweep and release of chains of 10³ to 10⁷ ops: the time per op must not depend on the length."""
    first = None
    for power in range(3, largest + 1):
        values: dict[str, float | None] = {}
        for name in ("rustgrad", "torch"):
            # A chain of 10⁷ takes PyTorch several GB.
            wanted = here(name) and (name == "rustgrad" or power <= 6)
            found = child(GRAPH, name, str(10**power), "add") if wanted else None
            values[name] = found["seconds"] if found else None
        ours = values["rustgrad"]
        first = first or ours
        ratio = ours / first if ours and first else None
        title = f"time per node, chain of 10^{power}"
        yield Figure("graph", title, None, "s", values, ratio, None, 1.5 if power > 3 else None, False, "of 10^3")


def wheel(path: Path | None) -> Iterator[Figure]:
    wheels = [path] if path else sorted((ROOT / "dist").glob("*.whl"), key=lambda p: p.stat().st_mtime)[-1:]
    size = wheels[0].stat().st_size / 1e6 if wheels else None
    note = "" if wheels else "make wheel builds it"
    yield Figure("package", "wheel", None, "MB", {"rustgrad": size}, size, None, 6.0, False, note)


def imports() -> Iterator[Figure]:
    """The least of several fresh processes: import rustgrad after numpy, both compiled as installers leave them."""
    with tempfile.TemporaryDirectory() as folder:
        found = [child(IMPORT, bytecode=folder) for _ in range(8)] if here("rustgrad") else []
    seconds = min((s for s in found if s is not None), default=None)
    milliseconds = seconds * 1e3 if seconds is not None else None
    title = "import rustgrad after numpy"
    yield Figure("package", title, None, "ms", {"rustgrad": milliseconds}, milliseconds, None, 40.0, False)
