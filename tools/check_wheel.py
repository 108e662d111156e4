"""Install a wheel as a user would and run the main job: small, needs NumPy alone, works away from the source tree.

python tools/check_wheel.py dist/rustgrad-*.whl
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MB = 6.0
EXAMPLES = ("autograd.py", "digits.py")

# Runs with nothing but NumPy installed.
IMPORT_CHECK = """
import importlib.metadata as metadata, pathlib, sys
import rustgrad as rg
installed = {d.name.lower() for d in metadata.distributions()} - {"pip", "setuptools"}
assert installed == {"numpy", "rustgrad"}, f"more is installed than NumPy: {sorted(installed)}"
assert pathlib.Path(rg.__file__).is_relative_to(sys.prefix), f"imported from {rg.__file__}"
assert rg.__version__ == metadata.version("rustgrad"), "rustgrad.__version__ and the wheel's version differ"
x = rg.tensor(2.0, requires_grad=True)
y = rg.tensor(3.0, requires_grad=True)
(x * y + y**2).backward()
assert (x.grad.item(), y.grad.item()) == (3.0, 8.0), "wrong gradient"
print(f"rustgrad {rg.__version__} works with NumPy alone")
"""


def run(*command: str | Path, cwd: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    environment |= {"MPLBACKEND": "Agg", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    print("+", *command, flush=True)
    subprocess.run([str(part) for part in command], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, check=True)


def check(wheel: Path) -> None:
    size = wheel.stat().st_size / 1e6
    print(f"{wheel.name}: {size:.2f} MB, at most {LIMIT_MB:g} allowed")
    if size > LIMIT_MB:
        raise SystemExit(f"the wheel is too large: {size:.2f} MB")
    with tempfile.TemporaryDirectory(prefix="rustgrad-wheel-") as folder:
        work = Path(folder)
        venv.create(work / "venv", with_pip=True)
        python = work / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        run(python, "-m", "pip", "install", "--quiet", wheel, cwd=work)
        (work / "import_check.py").write_text(IMPORT_CHECK, encoding="utf-8")
        run(python, "import_check.py", cwd=work)
        run(python, "-m", "pip", "install", "--quiet", f"{wheel}[examples]", cwd=work)
        run(python, "-m", "pip", "check", cwd=work)
        for example in EXAMPLES:
            shutil.copy(ROOT / "examples" / example, work)
            run(python, example, "--output", f"{Path(example).stem}.png", cwd=work)
            if not (work / f"{Path(example).stem}.png").stat().st_size:
                raise SystemExit(f"{example} drew nothing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel.resolve()
    if not wheel.is_file():
        raise SystemExit(f"{wheel} is not a file; build it with make wheel")
    try:
        check(wheel)
    except subprocess.CalledProcessError as error:
        print(f"failed: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
