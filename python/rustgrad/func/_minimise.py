"""SciPy's BFGS as a solver of functions of nested tensors, with our gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core
from .._tree import flatten, unflatten
from ..autograd._values import differentiated
from ._arguments import name_of, tensors
from .reverse import grad_and_value


def by_bfgs(objective: Callable[..., Any]) -> Callable[..., Any]:
    """A solver ``(init, *args)`` for the minimum of an objective of nested tensors."""
    value_and_gradient = grad_and_value(objective)

    def solver(init: Any, *args: Any) -> Any:
        from scipy.optimize import minimize

        leaves, structure = flatten(init)
        shapes = [tuple(x.shape) for x in tensors(leaves, "argmin")]
        if not any(x.numel() for x in leaves):
            return init  # there is nothing to choose, and SciPy takes no empty vectors
        dtype = leaves[0].dtype

        def tree(v: Any) -> Any:
            parts, start = [], 0
            for shape in shapes:
                size = int(np.prod(shape, dtype=np.int64))
                parts.append(_core.from_numpy(v[start : start + size].reshape(shape).copy()).to(dtype))
                start += size
            return unflatten(structure, parts)

        def value_and_slope(v: Any) -> tuple[float, Any]:
            slope, value = value_and_gradient(tree(v), *args)
            slopes = flatten(slope)[0]
            if differentiated([value, *slopes]):
                raise RuntimeError(
                    f"argmin: {name_of(objective)} reads a tensor that is being differentiated and is not an argument, "
                    "so its derivative would be lost; pass it as an argument"
                )
            flat = np.concatenate([g.numpy().reshape(-1) for g in slopes])
            return float(value.item()), flat.astype(np.float64)

        start = np.concatenate([x.numpy().reshape(-1) for x in leaves]).astype(np.float64)
        single = dtype == _core.float32
        found = minimize(value_and_slope, start, jac=True, method="BFGS", options={"gtol": 1e-5 if single else 1e-10})
        slope = np.abs(found.jac).max(initial=0.0)
        if not found.success and slope > (1e-3 if single else 1e-6):
            raise RuntimeError(
                f"argmin: BFGS did not find the minimum of {name_of(objective)} ({found.message}); pass solver="
            )
        return tree(found.x)

    return solver
