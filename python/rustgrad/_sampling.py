"""Sampling that is a composition: draws from a list of weights, and index and range helpers."""

from __future__ import annotations

from typing import Any

from . import _core
from ._core import Tensor


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: _core.Generator | None = None
) -> Tensor:
    """Positions drawn with the weights in the rows of ``input``, of any positive scale.

    Shape: (n) gives (num_samples), (m, n) gives (m, num_samples). Weights are floats, the result is int64; raises
    RuntimeError for weights below 0, or too few above it.

    Derivative: none, the result is not a float.

    >>> import rustgrad as rg
    >>> rg.multinomial(rg.tensor([0.0, 1.0, 0.0]), 1)
    tensor([1])
    """
    if input.ndim not in (1, 2) or not input.dtype.is_floating_point:
        raise TypeError(
            f"multinomial: needs a float vector or matrix of weights, not {input.dtype} {list(input.shape)}"
        )
    weights = input.detach().double()
    if num_samples <= 0:
        raise ValueError(f"multinomial: num_samples must be positive, but is {num_samples}")
    if bool((weights < 0).any()) or not bool(_core.isfinite(weights).all()) or bool((weights.sum(-1) <= 0).any()):
        raise RuntimeError("multinomial: weights must be finite, at least 0, and not all 0")
    if replacement:
        total = weights.cumsum(-1)
        shape = (*input.shape[:-1], num_samples)
        drawn = _core.rand(*shape, dtype=_core.float64, generator=generator) * total[..., -1:]
        positions: Tensor = (drawn.unsqueeze(-1) >= total.unsqueeze(-2)).sum(-1)
        return positions
    if bool(((weights > 0).sum(-1) < num_samples).any()):
        raise RuntimeError(f"multinomial: cannot draw {num_samples} different positions from so few positive weights")
    # Exponential races: the first to finish are draws without replacement (Efraimidis and Spirakis 2006).
    times = _core.empty_like(weights).exponential_(generator=generator) / weights
    first: Tensor = times.topk(num_samples, dim=-1, largest=False).indices
    return first


def logspace(start: float, end: float, steps: int, base: float = 10.0, *, dtype: Any = None) -> Tensor:
    """``base`` to the power of ``steps`` evenly spaced exponents from ``start`` to ``end``, both included.

    Shape: (steps). The default dtype unless ``dtype`` names one.

    Derivative: none, it is made of plain numbers.

    >>> import rustgrad as rg
    >>> rg.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    exponents = _core.linspace(start, end, steps, dtype=_core.float64)
    result: Tensor = _core.pow(base, exponents).to(_core.get_default_dtype() if dtype is None else dtype)
    return result


def tril_indices(row: int, col: int, offset: int = 0) -> Tensor:
    """Rows and columns of the lower triangle of a ``row`` × ``col`` matrix up to a diagonal, as two rows of int64.

    Derivative: none, the result is not a float.

    >>> import rustgrad as rg
    >>> rg.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    result: Tensor = _core.ones(row, col).tril(offset).nonzero().t().clone()
    return result


def triu_indices(row: int, col: int, offset: int = 0) -> Tensor:
    """Rows and columns of the upper triangle of a ``row`` × ``col`` matrix from a diagonal on, as two rows of int64.

    Derivative: none, the result is not a float.

    >>> import rustgrad as rg
    >>> rg.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    result: Tensor = _core.ones(row, col).triu(offset).nonzero().t().clone()
    return result
