"""The table of operators and modes in the documentation is what the laws find today."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rustgrad as rg
from samples import BY_NAME, OPS
from sampling import A, Op, S

PATH = Path(__file__).resolve().parents[1] / "tools" / "table.py"


@pytest.fixture(scope="module")
def table():
    spec = importlib.util.spec_from_file_location("table", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_file_in_the_tree_is_current(table):
    assert table.main(["--check"]) == 0, "run python tools/table.py"


def test_every_law_has_a_row_for_every_operator_and_none_fails(table):
    text = table.TARGET.read_text(encoding="utf-8")
    rows = [line for line in text.split("\n") if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [op.name for op in OPS]
    assert all(row.count("|") == len(table.COLUMNS) + 2 for row in rows)
    assert not any(table.FAILS in row for row in rows)


def test_a_file_that_is_not_current_is_noticed(table, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(table, "OPS", [BY_NAME["sin"], BY_NAME["eq"]])
    monkeypatch.setattr(table, "others", lambda: "")
    monkeypatch.setattr(table, "TARGET", tmp_path / "operators.md")
    assert table.main(["--check"]) == 1
    assert table.main([]) == 0 and table.main(["--check"]) == 0
    written = table.TARGET.read_text(encoding="utf-8")
    assert "| `sin` | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | value + derivatives |" in written
    assert "| `eq` | ✓ | – | – | – | ✓ | – | – | – | value |" in written
    table.TARGET.write_text(written.replace("✓", "✗", 1), encoding="utf-8")
    assert table.main(["--check"]) == 1
    assert "run python tools/table.py" in capsys.readouterr().err


def wrong_slope(x):
    return rg.sin(x).detach() + (x - x.detach()) * 1.001 * rg.cos(x)


def loops(x):
    return x * x.sum().item() if x.sum().item() > 0 else -x


@pytest.mark.parametrize(
    "call, reference, wrong",
    [
        (rg.cos, np.sin, {"value"}),
        (wrong_slope, np.sin, {"jvp"}),
        (loops, lambda x: x * x.sum() if x.sum() > 0 else -x, {"vmap", "vmap of derivative"}),
    ],
    ids=["value", "slope", "only a loop batches it"],
)
def test_a_law_that_fails_is_shown_and_told(table, capsys, call, reference, wrong):
    op = Op("planted", reference, (S(A(3)), S(A(2, 3))), call=call)
    cells = {column: table.cell(op, law, column) for column, law in table.COLUMNS.items()}
    assert {column for column in wrong if cells[column] == table.FAILS} == wrong
    told = capsys.readouterr().err
    assert all(f"{column}: planted[" in told for column in wrong)


def test_a_derivative_that_is_refused_is_shown_as_such(table):
    class Refusing(rg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    op = replace(BY_NAME["neg"], name="planted", reference=lambda x: x * 2, call=Refusing.apply)
    assert table.cell(op, table.COLUMNS["value"], "value") == table.PASSES
    assert {table.cell(op, table.COLUMNS[column], column) for column in ("vjp", "jvp", "second order")} == {"raises"}


def test_further_names_are_held_to_the_samples(table, monkeypatch):
    monkeypatch.setattr(table, "ALIASES", {**table.ALIASES, "randn": "sin"})
    with pytest.raises((AssertionError, TypeError)):
        table.others()
