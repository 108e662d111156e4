"""Write docs/operators.md: which laws of differentiation and batching each operator keeps, found by running them.

    python tools/table.py [--check]

With --check, tell whether the file in the tree is current, and write nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rustgrad as rg

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import laws  # noqa: E402
from samples import OPS  # noqa: E402
from sampling import Case, Op  # noqa: E402

TARGET = ROOT / "docs" / "operators.md"
PASSES, NONE, FAILS, RAISES = "✓", "–", "✗", "raises"
Law = Callable[[Case], str | None]


def derivative_law(law: Callable[..., None]) -> Law:
    """A law about derivatives: of nothing where results have no slope."""

    def of_case(case: Case) -> str | None:
        if not case.op.differentiable:
            return NONE
        try:
            law(case.function(floats=True), case.xs, case.rng)
        except rg.NotDifferentiableError:
            return RAISES
        return PASSES

    return of_case


def value(case: Case) -> str:
    laws.check_value(case.function(), case.expected(), case.xs)
    return PASSES


def vmap(case: Case) -> str | None:
    """All inputs may be batched, or those with data in them only."""
    laws.check_vmap(case.function(), case.xs)
    if case.op.batched:
        laws.check_vmap(case.whole(), case.arrays)
        return PASSES
    try:
        laws.check_vmap(case.whole(), case.arrays)
    except RuntimeError:
        return f"{PASSES} data, {RAISES} mask" if case.xs else RAISES
    raise AssertionError("the samples say that vmap refuses this operator")


def complex_numbers(case: Case) -> str | None:
    if not case.xs:
        return None
    return laws.check_complex(case.function(), lambda: case.expected(case.zs), case.zs, case.rng)


COLUMNS: dict[str, Law] = {
    "value": value,
    "vjp": derivative_law(laws.check_vjp),
    "jvp": derivative_law(laws.check_jvp),
    "second order": derivative_law(laws.check_second),
    "vmap": vmap,
    "jvp of vjp": derivative_law(laws.check_jvp_of_vjp),
    "vmap of derivative": derivative_law(laws.check_vmap_derivatives),
    "taylor": derivative_law(laws.check_taylor),
    "complex": complex_numbers,
}
HEAD = """# Operators

Written by `python tools/table.py`, which runs the laws of `tests/laws.py` on every sample of `tests/samples.py`; do not
edit. `make test` fails when this file is not what the library does.

- **value**: values, shapes and dtypes are those of NumPy and SciPy. **jvp**: forward mode is the limit of differences.
  **vjp**: reverse mode, recorded and by transform, is the transpose of forward mode.
- **second order**: the Hessian is the same from differences and from every nesting of two modes.
- **jvp of vjp**: forward mode through the reverse rule, with the cotangent moving too, is the limit of differences.
- **vmap**: a batched call gives what a loop gives, without one, whichever inputs are batched, indices and masks among
  them. **vmap of derivative**: so do derivatives, with vmap inside and outside.
- **taylor**: the coefficients from one pass are those of nested forward mode.
- **complex**: on complex128, "value" is NumPy's, and "derivatives" keep all the laws above. Where only the value is
  known every derivative raises NotDifferentiableError, where there is no value TypeError is raised; what depends on
  the arguments is separated by a stroke.

✓ the law holds on all samples, – there is nothing to ask (results without slope, no data), ✗ it fails, "raises" a clear
error says no.
"""


def cell(op: Op, law: Law, column: str) -> str:
    """The outcomes of one law on the samples of an operator."""
    found: list[str] = []
    for case in op.cases():
        try:
            outcome = law(case)
        except Exception as failure:
            first = str(failure).strip().split("\n")[0]
            print(f"{column}: {case}: {type(failure).__name__}: {first}", file=sys.stderr)
            return FAILS
        if outcome is not None and outcome not in found:
            found.append(outcome)
    return " / ".join(sorted(found, reverse=True)) or NONE


def public() -> Iterator[tuple[str, Any]]:
    """Every public function that computes, by the name under which the table would list it."""
    for module, prefix in ((rg, ""), (rg.linalg, "linalg."), (rg.nn.functional, "nn.functional.")):
        for name in sorted(module.__all__):
            thing = getattr(module, name)
            if callable(thing) and not isinstance(thing, (type, types.ModuleType, rg.dtype)):
                yield prefix + name, thing


def others() -> str:
    """The functions without samples: further names of operators, and those that are no operators."""
    listed = {op.name: op for op in OPS}
    same: list[str] = []
    rest: list[str] = []
    for name, thing in public():
        last = name.rsplit(".", 1)[-1]
        same_object = next((o for o in listed if listed[o].call is None and getattr(rg, o, None) is thing), None)
        known = [o for o in (last, f"nn.functional.{last}", ALIASES.get(name), same_object) if o in listed]
        if name in listed:
            continue
        if not known:
            rest.append(f"`{name}`")
            continue
        for case in dataclasses.replace(listed[known[0]], call=thing).cases():
            value(case)
        same.append(f"`{name}` = `{known[0]}`")
    return (
        f"\nFurther names, with the same values: {', '.join(same)}.\n\nWithout samples (creation, conversion, random "
        f"numbers, settings, questions about dtypes and shapes, sweeps; `imag` and the views of complex numbers, which "
        f"real numbers cannot stand for): {', '.join(rest)}.\n"
    )


# Functions of their own that compute what others do.
ALIASES = {
    "moveaxis": "movedim",
    "swapaxes": "transpose",
    "swapdims": "transpose",
}


def text() -> str:
    """The whole file."""
    lines = [HEAD, f"| operator | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    for op in OPS:
        cells = [cell(op, law, column) for column, law in COLUMNS.items()]
        lines.append(f"| `{op.name}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n" + others()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file differs")
    arguments = parser.parse_args(argv)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = text()
    if not arguments.check:
        TARGET.write_text(found, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == found:
        return 0
    print(f"{TARGET.name} is not what the library does; run python tools/table.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
