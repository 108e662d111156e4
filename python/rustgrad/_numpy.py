"""NumPy functions on tensors: ``np.sin(x)`` calls the operator of that name, so it differentiates."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from ._core import Tensor

RENAMED = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "divide": "div",
    "equal": "eq",
    "greater": "gt",
    "greater_equal": "ge",
    "invert": "bitwise_not",
    "less": "lt",
    "less_equal": "le",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "power": "pow",
    "rint": "round",
    "subtract": "sub",
    "true_divide": "div",
}
# Functions that take tensors only, where NumPy's also take numbers.
TENSORS_ONLY = {"atan2", "hypot", "logaddexp", "logical_and", "logical_or", "logical_xor", "maximum", "minimum"}


def array_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    """What NumPy calls for a ufunc with a tensor among its arguments."""
    name = RENAMED.get(ufunc.__name__, ufunc.__name__)
    function = getattr(_core, name, None)
    if method != "__call__" or kwargs or function is None:
        return NotImplemented
    first, *rest = inputs
    if not isinstance(first, Tensor):
        first = _core.as_tensor(first)
    if name in TENSORS_ONLY:
        rest = [_core.as_tensor(x) for x in rest]
    return function(first, *rest)


class Capsule:
    """Gives a bare DLPack capsule the protocol that NumPy asks for."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)
