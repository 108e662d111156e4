"""How tensors print: numbers laid out as PyTorch does, then dtype, history and gradient flags."""

from __future__ import annotations

import math
from typing import Any

from . import _core
from ._core import Tensor

PRECISION = 4
EDGE_ITEMS = 3
THRESHOLD = 1000
LINE_WIDTH = 80


class _Numbers:
    """One format for all numbers of a tensor, wide enough for each."""

    def __init__(self, values: list[Any], is_float: bool) -> None:
        self.is_float = is_float
        self.exponent = False
        self.whole = False
        if is_float:
            finite = [abs(v) for v in values if math.isfinite(v) and v != 0]
            if finite:
                top, bottom = max(finite), min(finite)
                self.whole = all(v == math.ceil(v) for v in values if math.isfinite(v))
                if self.whole:
                    self.exponent = top / bottom > 1000.0 or top > 1.0e8
                else:
                    self.exponent = top / bottom > 1000.0 or top > 1.0e8 or bottom < 1.0e-4
            else:
                self.whole = True
            # As in PyTorch, zeros and what is not finite do not widen the columns.
            values = [v for v in values if math.isfinite(v) and v != 0]
        self.width = max((len(self._plain(v)) for v in values), default=1)

    def _plain(self, value: Any) -> str:
        if not self.is_float:
            return str(value)
        if not math.isfinite(value):
            return str(value)
        if self.exponent:
            return f"{value:.{PRECISION}e}"
        if self.whole:
            return f"{value:.0f}."
        return f"{value:.{PRECISION}f}"

    def __call__(self, value: Any) -> str:
        return self._plain(value).rjust(self.width)


class _Complex:
    """Real and imaginary parts, each in its own format."""

    def __init__(self, values: list[complex]) -> None:
        self.real = _Numbers([v.real for v in values], True)
        self.imag = _Numbers([v.imag for v in values], True)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value: complex) -> str:
        imag = self.imag(value.imag).strip()
        sign = "" if imag.startswith("-") else "+"
        return f"{self.real(value.real)}{sign}{imag}j"


def _edges(array: Any) -> Any:
    """Only the outer items of each dimension, for the format of long tensors."""
    import numpy as np

    for axis in range(array.ndim):
        if array.shape[axis] > 2 * EDGE_ITEMS:
            ends = list(range(EDGE_ITEMS)) + list(range(-EDGE_ITEMS, 0))
            array = np.take(array, ends, axis=axis)
    return array


def _lines(array: Any, indent: int, show: Any, cut: bool) -> str:
    if array.ndim == 0:
        return str(show(array.item()))
    count = array.shape[0]
    shortened = cut and count > 2 * EDGE_ITEMS
    keep = [*range(EDGE_ITEMS), None, *range(count - EDGE_ITEMS, count)] if shortened else list(range(count))
    if array.ndim == 1:
        words = [" ..." if i is None else show(array[i].item()) for i in keep]
        per_line = max(1, (LINE_WIDTH - indent) // (show.width + 2))
        rows = [words[i : i + per_line] for i in range(0, len(words), per_line)]
        separator = ",\n" + " " * (indent + 1)
        return "[" + separator.join(", ".join(row) for row in rows) + "]"
    blocks = ["..." if i is None else _lines(array[i], indent + 1, show, cut) for i in keep]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(blocks) + "]"


def _with_notes(text: str, notes: list[str]) -> str:
    """The notes after the numbers, each on a new line where it would not fit."""
    indent = len("tensor(")
    used = len(text) - text.rfind("\n") + 1
    for note in notes:
        if used + len(note) + 2 > LINE_WIDTH:
            text += ",\n" + " " * indent + note
            used = indent + len(note)
        else:
            text += ", " + note
            used += len(note) + 2
    return text


def tensor_repr(tensor: Tensor) -> str:
    """The text ``repr(tensor)`` shows."""
    watchers = tensor._watchers
    if any(w.startswith("batch") for w in watchers):
        return f"tensor(batched by vmap, shape={list(tensor.shape)}, dtype={tensor.dtype})"
    array = tensor.detach().numpy()
    flat = _edges(array).reshape(-1).tolist() if array.size > THRESHOLD else array.reshape(-1).tolist()
    is_float = tensor.dtype.is_floating_point
    show = _Complex(flat) if tensor.dtype.is_complex else _Numbers(flat, is_float)
    body = "[]" if array.size == 0 else _lines(array, len("tensor("), show, array.size > THRESHOLD)
    notes = []
    if array.size == 0 and array.ndim != 1:
        notes.append(f"size={tuple(array.shape)}")
    default = _core.get_default_dtype()
    usual = tensor.dtype == default or (tensor.dtype in (_core.int64, _core.bool) and array.size > 0)
    if tensor.dtype.is_complex and array.size and tensor.dtype.itemsize == 2 * default.itemsize:
        usual = True
    if not usual:
        notes.append(f"dtype={tensor.dtype}")
    if any(w.startswith("dual") for w in watchers):
        notes.append("dual")
    if tensor.grad_fn is not None:
        notes.append(f"grad_fn={tensor.grad_fn!r}")
    elif tensor.requires_grad:
        notes.append("requires_grad=True")
    return _with_notes(f"tensor({body}", notes) + ")"
