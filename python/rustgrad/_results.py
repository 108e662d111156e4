"""Named pairs that reductions along a dimension return."""

from __future__ import annotations

from typing import NamedTuple

from ._core import Tensor


class max(NamedTuple):
    """Largest values and their positions."""

    values: Tensor
    indices: Tensor


class min(NamedTuple):
    """Smallest values and their positions."""

    values: Tensor
    indices: Tensor


class sort(NamedTuple):
    """Sorted values and their positions."""

    values: Tensor
    indices: Tensor


class topk(NamedTuple):
    """First values in order and their positions."""

    values: Tensor
    indices: Tensor
