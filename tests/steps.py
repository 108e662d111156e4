"""The operators of random programs: what each does to shapes, in the library, and in NumPy on stacks of arrays.

They are smooth where programs go, and keep numbers near one. Stacks carry one dimension in front of the operator's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rustgrad as rg
from scipy import special

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operator:
    """One step: the shape of its result (None where it does not fit), and how the library and NumPy compute it."""

    name: str
    shape: Callable[..., Shape | None]
    run: Callable[..., Any]
    reference: Callable[..., np.ndarray]
    arguments: int = 1


def stacked(x: np.ndarray, shape: Shape) -> np.ndarray:
    """The stack with ones in front of each of its slices, so that they have as many dimensions as ``shape``."""
    return x.reshape(len(x), *(1,) * (len(shape) - x.ndim + 1), *x.shape[1:])


def joint(a: Shape, b: Shape) -> Shape | None:
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


def elementwise(name: str, run: Callable[..., Any], reference: Callable[..., np.ndarray]) -> Operator:
    return Operator(name, lambda s: s, run, reference)


def pairwise(name: str, run: Callable[..., Any], reference: Callable[..., np.ndarray] | None = None) -> Operator:
    def of_stacks(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        rank = max(a.shape[1:], b.shape[1:], key=len)
        return (reference or run)(stacked(a, rank), stacked(b, rank))

    return Operator(name, joint, run, of_stacks, 2)


def rows(name: str, shape: Callable[[Shape], Shape], run: Callable[..., Any], reference: Any) -> Operator:
    """An operator on tensors with at least one dimension."""
    return Operator(name, lambda s: shape(s) if s else None, run, reference)


def matrices(name: str, shape: Callable[[Shape], Shape], run: Callable[..., Any], reference: Any) -> Operator:
    return Operator(name, lambda s: shape(s) if len(s) == 2 else None, run, reference)


def product_shape(a: Shape, b: Shape) -> Shape | None:
    if not 0 < len(a) < 3 or not 0 < len(b) < 3 or a[-1] != b[-2 if len(b) > 1 else 0]:
        return None
    return (np.ones(a) @ np.ones(b)).shape


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    left = a if a.ndim > 2 else a[:, None, :]
    right = b if b.ndim > 2 else b[:, :, None]
    both = left @ right
    both = both if b.ndim > 2 else both[..., 0]
    return both if a.ndim > 2 else both[:, 0] if b.ndim > 2 else both[..., 0]


def every_second(shape: Sequence[int]) -> np.ndarray:
    return np.arange(math.prod(shape)).reshape(shape) % 2 == 0


def chosen(a: Any, b: Any) -> Any:
    return rg.where(rg.from_numpy(every_second(a.shape[-1:] or (1,))).reshape(*a.shape[-1:]), a, b)


# What follows writes into intermediates of its own, whole or through views; NumPy's copies do the same.


def scaled_in_place(a: Any) -> Any:
    z = a * 1.0
    z.mul_(a).sin_().add_(0.5)
    return z


def first_written(a: Any, b: Any) -> Any:
    z = a.clone()
    z[0] = b.sum()
    return z * z


def first_written_in_numpy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    z = a.copy()
    z[:, 0] = b.reshape(len(b), -1).sum(1).reshape(-1, *(1,) * (a.ndim - 2))
    return z * z


def written_through_a_view(a: Any) -> Any:
    z = a * 1.0
    last = z[..., -1]
    last.mul_(a[..., 0])
    z.reshape(-1)[0:1].add_(a.sum())
    return z + last.unsqueeze(-1)


def written_through_a_view_in_numpy(a: np.ndarray) -> np.ndarray:
    z = a.copy()
    z[..., -1] *= a[..., 0]
    z.reshape(len(z), -1)[:, 0] += a.reshape(len(a), -1).sum(1)
    return z + z[..., -1:]


def recurrence(a: Any) -> Any:
    z = rg.zeros(a.shape, dtype=rg.float64)
    z[0] = a[0]
    for k in range(1, a.shape[0]):
        z[k] = a[k] * z[k - 1].clone() + 0.5
    return z


def recurrence_in_numpy(a: np.ndarray) -> np.ndarray:
    z = np.zeros_like(a)
    z[:, 0] = a[:, 0]
    for k in range(1, a.shape[1]):
        z[:, k] = a[:, k] * z[:, k - 1] + 0.5
    return z


def numpy_sum(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1).sum(1)


OPERATORS = [
    elementwise("cos", rg.cos, np.cos),
    elementwise("tanh", rg.tanh, np.tanh),
    elementwise("sigmoid", rg.sigmoid, special.expit),
    elementwise("erf", rg.erf, special.erf),
    elementwise("atan", rg.atan, np.arctan),
    elementwise("softplus", rg.nn.functional.softplus, lambda x: np.logaddexp(0, x)),
    elementwise("exp∘tanh", lambda x: x.tanh().exp(), lambda x: np.exp(np.tanh(x))),
    elementwise("x/(2+x²)", lambda x: x / (2 + x * x), lambda x: x / (2 + x * x)),
    elementwise("sqrt(2+x²)", lambda x: (x**2 + 2).sqrt(), lambda x: np.sqrt(2 + x * x)),
    elementwise("log(2+x²)", lambda x: rg.log(x.square() + 2), lambda x: np.log(2 + x * x)),
    elementwise("own intermediate", scaled_in_place, lambda a: np.sin(a * a) + 0.5),
    Operator("sum", lambda s: (), rg.sum, numpy_sum),
    Operator("mean", lambda s: (), rg.mean, lambda x: numpy_sum(x) / math.prod(x.shape[1:])),
    Operator("unsqueeze", lambda s: (*s, 1), lambda x: x.unsqueeze(-1), lambda x: x[..., None]),
    Operator("flatten", lambda s: (math.prod(s),), lambda x: x.reshape(-1), lambda x: x.reshape(len(x), -1)),
    Operator("expand", lambda s: (2, *s), lambda x: x.expand(2, *x.shape), lambda x: np.stack([x, x], 1)),
    Operator("stack", lambda s: (2, *s), lambda x: rg.stack([x, x * x]), lambda x: np.stack([x, x * x], 1)),
    rows("softmax", lambda s: s, lambda x: x.softmax(-1), lambda x: special.softmax(x, -1)),
    rows("logsumexp", lambda s: s[:-1], lambda x: x.logsumexp(-1), lambda x: special.logsumexp(x, -1)),
    rows("cumsum", lambda s: s, lambda x: x.cumsum(-1), lambda x: np.cumsum(x, -1)),
    rows("prod", lambda s: s[:-1], lambda x: x.prod(-1), lambda x: np.prod(x, -1)),
    rows("var", lambda s: s[:-1], lambda x: x.var(-1, correction=0), lambda x: np.var(x, -1)),
    rows("first", lambda s: s[1:], lambda x: x[0], lambda x: x[:, 0]),
    rows("backwards", lambda s: s, lambda x: x.flip(-1), lambda x: x[..., ::-1]),
    rows("every second", lambda s: (*s[:-1], (s[-1] + 1) // 2), lambda x: x[..., ::2], lambda x: x[..., ::2]),
    rows("gather", lambda s: (*s[:-1], 3), lambda x: x[..., rg.tensor([0, -1, 0])], lambda x: x[..., [0, -1, 0]]),
    rows("cat", lambda s: (*s[:-1], 2 * s[-1]), lambda x: rg.cat([x, x * x], -1), lambda x: np.append(x, x * x, -1)),
    rows("view written", lambda s: s, written_through_a_view, written_through_a_view_in_numpy),
    rows("recurrence", lambda s: s, recurrence, recurrence_in_numpy),
    matrices("t", lambda s: s[::-1], lambda x: x.t(), lambda x: np.swapaxes(x, -1, -2)),
    matrices("gram", lambda s: s[:1] * 2, lambda x: x @ x.t(), lambda x: x @ np.swapaxes(x, -1, -2)),
    matrices("diagonal", lambda s: (min(s),), lambda x: x.diagonal(), lambda x: np.diagonal(x, 0, 1, 2)),
    matrices("tril", lambda s: s, rg.tril, np.tril),
    pairwise("add", lambda a, b: a + b),
    pairwise("sub", lambda a, b: a - 0.5 * b),
    pairwise("mul", lambda a, b: a * b),
    pairwise("div", lambda a, b: a / (b * b + 1.5)),
    pairwise("hypot", lambda a, b: rg.hypot(a, b + 3), lambda a, b: np.hypot(a, b + 3)),
    pairwise("where", chosen, lambda a, b: np.where(every_second(a.shape[-1:] if a.ndim > 1 else (1,)), a, b)),
    Operator("matmul", product_shape, lambda a, b: a @ b, product, 2),
    Operator("first written", lambda a, b: a or None, first_written, first_written_in_numpy, 2),
]  # fmt: skip
