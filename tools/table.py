"""Write docs/operators.md: which laws of differentiation and batching each operator keeps, found by running them.

    python tools/table.py [--check]

With --check, tell whether the file in the tree is current, and write nothing.
"""

from __future__ import annotations

import argparse
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
PASSES, NONE, FAILS, REFUSES = "✓", "–", "✗", "error"
Law = Callable[[Case], None]


def complex_value(case: Case) -> None:
    """The sample with complex numbers of the same domain in place of real ones."""
    zs = [x + 1j * np.roll(x.ravel(), 1).reshape(x.shape) for x in case.xs]
    f = case.function()
    f(*[rg.from_numpy(z) for z in zs])  # what the operator does not take is refused before NumPy is asked
    laws.check_complex(f, case.expected(zs), zs)


# Whether the column is about derivatives, and the law.
COLUMNS: dict[str, tuple[bool, Law]] = {
    "value": (False, lambda c: laws.check_value(c.function(), c.expected(), c.xs)),
    "jvp": (True, lambda c: laws.check_jvp(c.function(floats=True), c.xs, c.rng)),
    "vjp": (True, lambda c: laws.check_vjp(c.function(floats=True), c.xs, c.rng)),
    "second order": (True, lambda c: laws.check_second(c.function(floats=True), c.xs, c.rng)),
    "vmap": (False, lambda c: laws.check_vmap(c.function(), c.xs)),
    "jvp of vjp": (True, lambda c: laws.check_jvp_of_vjp(c.function(floats=True), c.xs, c.rng)),
    "vmap of derivative": (True, lambda c: laws.check_vmap_derivatives(c.function(floats=True), c.xs, c.rng)),
    "taylor": (True, lambda c: laws.check_taylor(c.function(floats=True), c.xs, c.rng)),
    "complex": (False, complex_value),
}
HEAD = """# Operators

Written by `python tools/table.py`, which runs the laws of `tests/laws.py` on every sample of `tests/samples.py`; do not
edit. `make test` fails when this file is not what the library does.

- **value**: values, shapes and dtypes are those of NumPy and SciPy. **jvp**: forward mode is the limit of differences.
  **vjp**: reverse mode, recorded and by transform, is the transpose of forward mode.
- **second order**: the Hessian is the same from differences and from every nesting of two modes. **jvp of vjp**: forward
  mode through the reverse rule, with the cotangent moving as well, is the limit of differences.
- **vmap**: a batched call is a loop, whichever inputs are batched. **vmap of derivative**: so are derivatives, with vmap
  inside and outside. **taylor**: the coefficients from one pass are those of nested forward mode.
- **complex**: values on complex128 are NumPy's; derivatives of complex tensors are refused with a clear error.

✓ the law holds on all samples, – there is nothing to ask (results without slope, no floating-point input), ✗ it fails,
"error" the library refuses with a clear NotDifferentiableError or TypeError.
"""


def cell(op: Op, about_derivatives: bool, law: Law, column: str) -> str:
    """The outcome of one law on all samples of an operator."""
    if about_derivatives and not op.differentiable:
        return NONE
    cases = [case for case in op.cases() if column == "value" or case.xs]
    if not cases:
        return NONE
    for case in cases:
        try:
            law(case)
        except (rg.NotDifferentiableError, TypeError):
            return REFUSES
        except Exception as failure:
            first = str(failure).strip().split("\n")[0]
            print(f"{column}: {case}: {type(failure).__name__}: {first}", file=sys.stderr)
            return FAILS
    return PASSES


def public() -> Iterator[tuple[str, Any]]:
    """Every public function that computes, by the name under which the table would list it."""
    for module, prefix in ((rg, ""), (rg.linalg, "linalg."), (rg.nn.functional, "nn.functional.")):
        for name in sorted(module.__all__):
            thing = getattr(module, name)
            if callable(thing) and not isinstance(thing, (type, types.ModuleType, rg.dtype)):
                yield prefix + name, thing


def others() -> str:
    """The functions without samples: further names of operators, and those that are no operators."""
    listed = {op.name for op in OPS}
    same: list[str] = []
    rest: list[str] = []
    for name, thing in public():
        if name in listed:
            continue
        last = name.rsplit(".", 1)[-1]
        for other in (last, f"nn.functional.{last}", ALIASES.get(name, "")):
            if other in listed and other != name:
                same.append(f"`{name}` = `{other}`")
                break
        else:
            rest.append(f"`{name}`")
    return (
        f"\nFurther names: {', '.join(same)}.\n\nNo operators, or without samples (creation, random numbers, settings, "
        f"questions about dtypes and shapes, sweeps): {', '.join(rest)}.\n"
    )


# The module gives these the same implementation under another name.
ALIASES = {
    "absolute": "abs",
    "clip": "clamp",
    "concat": "cat",
    "concatenate": "cat",
    "divide": "div",
    "moveaxis": "movedim",
    "multiply": "mul",
    "negative": "neg",
    "subtract": "sub",
    "swapaxes": "transpose",
    "swapdims": "transpose",
}


def text() -> str:
    """The whole file."""
    lines = [HEAD, f"| operator | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    for op in OPS:
        cells = [cell(op, about, law, column) for column, (about, law) in COLUMNS.items()]
        lines.append(f"| `{op.name}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n" + others()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file differs")
    arguments = parser.parse_args()
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
