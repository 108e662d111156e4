"""Numbers that derivatives are checked against: real coordinates, central differences, the worst of two arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor

Array = np.ndarray[Any, Any]
Values = Callable[[], list[Array]]


class GradcheckError(RuntimeError):
    """A derivative is not what central differences, or another mode, say it is."""

    __module__ = "rustgrad.autograd"


def numbers(tensor: Tensor) -> Array:
    """The memory of a tensor, without its derivatives."""
    return tensor.detach().numpy()


def coordinates(values: Array) -> Array:
    """A new flat float64 vector of the elements, a complex one as its real and then its imaginary part.

    In these coordinates the derivatives of complex functions are real Jacobians, and the conjugate Wirtinger gradient
    is the product of the transposed one with the coordinates of the cotangent.
    """
    flat = np.array(values).reshape(-1)
    if np.iscomplexobj(flat):
        return flat.astype(np.complex128).view(np.float64)
    return flat.astype(np.float64)


def from_coordinates(vector: Array, like: Array) -> Array:
    """A new array of the shape and dtype of ``like`` that has these coordinates."""
    if np.iscomplexobj(like):
        vector = np.array(vector, dtype=np.float64).view(np.complex128)
    return vector.astype(like.dtype).reshape(like.shape)


def units(like: Array) -> Array:
    """One row per coordinate of ``like``, 1 there and 0 elsewhere."""
    return np.eye(like.size * (2 if np.iscomplexobj(like) else 1))


def tensor_along(vector: Array, like: Array) -> Tensor:
    """The tensor of the shape and dtype of ``like`` that has these coordinates."""
    return _core.from_numpy(from_coordinates(vector, like))


def place(coordinate: int, like: Array) -> str:
    """The index of the element that a coordinate belongs to, as it is shown in messages."""
    parts = 2 if np.iscomplexobj(like) else 1
    index = str([int(i) for i in np.unravel_index(coordinate // parts, like.shape)])
    return index if parts == 1 else f"{index} ({'real' if coordinate % 2 == 0 else 'imaginary'} part)"


def central_difference(values: Values, memory: Array, where: Any, step: Any, eps: float) -> list[Array]:
    """What ``values`` change by when ``memory[where]`` moves by ``step`` either way, divided by ``2 eps``.

    The memory itself is moved, so that functions which reach a tensor in another way than as an argument see it too.
    """
    kept = np.copy(memory[where])
    try:
        memory[where] = kept + step
        above = values()
        memory[where] = kept - step
        below = values()
    finally:
        memory[where] = kept
    if [a.shape for a in above] != [b.shape for b in below]:
        raise GradcheckError(
            "central differences: the outputs change their number or shapes when an input moves by eps; "
            "check the function at a point where they do not"
        )
    # Infinite and NaN values are reported by the comparison, with their place.
    with np.errstate(invalid="ignore", over="ignore"):
        return [(a - b) / (2 * eps) for a, b in zip(above, below, strict=True)]


def numerical_jacobians(values: Values, memory: Array, eps: float) -> list[Array]:
    """For each array that ``values`` returns, its derivatives (rows) by the coordinates of ``memory`` (columns)."""
    directions = (eps, eps * 1j) if np.iscomplexobj(memory) else (eps,)
    columns = [
        central_difference(values, memory, index, step, eps)
        for index in np.ndindex(memory.shape)
        for step in directions
    ]
    if not columns:
        return [np.zeros((y.size, 0)) for y in values()]
    return [np.stack(column, axis=1) for column in zip(*columns, strict=True)]


def numerical_product(values: Values, memory: Array, direction: Array, eps: float) -> list[Array]:
    """For each array that ``values`` returns, its derivative along one direction in coordinates of ``memory``."""
    step = eps * from_coordinates(direction, memory)
    return central_difference(values, memory, ..., step, eps)


def worst(
    found: Array, wanted: Array, atol: float, rtol: float, equal_nan: bool = False
) -> tuple[tuple[int, ...], float, float] | None:
    """Index and both values where ``found`` exceeds its tolerance by the largest factor; None if it nowhere does."""
    bad = ~np.isclose(found, wanted, rtol=rtol, atol=atol, equal_nan=equal_nan)
    if not bad.any():
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.abs(found - wanted) / (atol + rtol * np.abs(wanted))
    factor = np.where(np.isnan(factor), np.inf, factor)
    index = np.unravel_index(int(np.argmax(np.where(bad, factor, -1.0))), found.shape)
    at = tuple(int(i) for i in index)
    return at, float(found[at]), float(wanted[at])
