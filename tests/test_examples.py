"""The examples run from start to end, as `make demo` runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def options(example: Path, folder: Path) -> list[str]:
    """Flags that keep the files of the example in a scratch folder."""
    if "argparse" not in example.read_text(encoding="utf-8"):
        return []
    usage = run(example, "--help", folder=folder).stdout
    chosen: list[str] = []
    for flag in ("--output", "--out", "--output-dir"):
        if re.search(rf"{flag}(?![\w-])", usage):
            chosen += [flag, str(folder)]
            break
    return chosen


def run(example: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, str(example), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, cwd=folder)
    assert done.returncode == 0, f"{example.name} {arguments}\n{done.stdout}\n{done.stderr}"
    return done


def test_the_examples_are_there():
    wanted = {"digits.py", "autograd.py", "newton_logistic.py", "per_sample_gradients.py"}
    wanted |= {"sparse_hessian.py", "implicit_layer.py"}
    assert wanted <= {example.name for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_make_demo_runs_it(example):
    assert f"examples/{example.name}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_example_runs(example, tmp_path):
    done = run(example, *options(example, tmp_path), folder=tmp_path)
    assert done.stdout.strip(), "an example says something"
    assert "nan" not in done.stdout.lower().split(), "an example prints numbers that are numbers"


def test_the_classic_example_prints_its_gradients(tmp_path):
    out = run(ROOT / "examples" / "autograd.py", folder=tmp_path).stdout
    assert re.search(r"\b3\.?0*\b", out) and re.search(r"\b8\.?0*\b", out)


def test_digits_reach_the_promised_accuracy(tmp_path):
    example = ROOT / "examples" / "digits.py"
    arguments = options(example, tmp_path)
    out = run(example, *arguments, folder=tmp_path).stdout
    found = [float(p) for p in re.findall(r"(\d+(?:\.\d+)?)\s*%", out)]
    assert found and found[-1] >= 97.0, out


def test_newton_converges_quadratically_to_the_reference(tmp_path):
    example = ROOT / "examples" / "newton_logistic.py"
    out = run(example, "--output", str(tmp_path / "newton.png"), folder=tmp_path).stdout
    norms = [float(row[1]) for row in re.findall(r"^\s+(\d+)\s+[\d.]+\s+(\S+e\S+)", out, re.MULTILINE)]
    assert len(norms) <= 15 and norms[-1] < 1e-9 and norms[-1] < norms[-2] ** 2
    apart = re.search(r"at most (\S+);", out)
    assert apart and float(apart[1]) < 1e-6, out
    assert (tmp_path / "newton.png").stat().st_size > 10_000


def test_gradients_of_single_samples_find_the_wrong_labels(tmp_path):
    example = ROOT / "examples" / "per_sample_gradients.py"
    out = run(example, "--output", str(tmp_path / "samples.png"), folder=tmp_path).stdout
    precision = re.search(r"(\d+\.\d)% belong to wrong labels", out)
    assert precision and float(precision[1]) >= 80.0, out
    assert (tmp_path / "samples.png").stat().st_size > 10_000


def test_the_chain_holds_together(tmp_path):
    example = ROOT / "examples" / "sparse_hessian.py"
    out = run(example, "--output", str(tmp_path / "chain.png"), folder=tmp_path).stdout
    off = re.search(r"links off by (\S+)", out)
    assert off and float(off[1]) < 1e-6, out
    assert (tmp_path / "chain.png").stat().st_size > 10_000


def test_the_implicit_layer_learns_with_the_gradient_of_its_rounds(tmp_path):
    example = ROOT / "examples" / "implicit_layer.py"
    out = run(example, "--output", str(tmp_path / "layer.png"), folder=tmp_path).stdout
    apart = re.search(r"recorded rounds by at most (\S+)", out)
    right = re.search(r"(\d+\.\d)% of \d+ new digits", out)
    assert apart and float(apart[1]) < 1e-8 and right and float(right[1]) >= 93.0, out
    assert (tmp_path / "layer.png").stat().st_size > 10_000
