"""Loops for ordinary numbers: a piece that holds others as well is computed again, in every mode and place."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import func

#: In pieces of hundreds, each of these is among ordinary numbers.
STRANGE = [np.nan, np.inf, -np.inf, 0.0, -0.0, -1.5, 5e-324, 1e-310, -745.0, -708.5, 709.0, 1e13, -1e300, 1e300]


def numbers(dtype):
    x = np.linspace(0.3, 2.0, 5 * 512 + 77)
    for k, number in enumerate(STRANGE):
        x[100 + 97 * k] = number
    with np.errstate(over="ignore"):
        return x.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["exp", "log", "sigmoid", "sin", "cos", "tan"])
def test_strange_numbers_among_ordinary_ones(name, dtype):
    f, x = getattr(rg, name), numbers(dtype)
    tangents = np.cos(np.arange(x.size)).astype(dtype)
    one_by_one = [f(rg.tensor([n], dtype=getattr(rg, dtype))).item() for n in x]
    np.testing.assert_array_equal(f(rg.tensor(x)).numpy(), np.array(one_by_one, dtype))
    value, forward = func.jvp(f, (rg.tensor(x),), (rg.tensor(tangents),))
    np.testing.assert_array_equal(value.numpy(), np.array(one_by_one, dtype))
    slopes = [func.grad(f)(rg.tensor(n, dtype=getattr(rg, dtype))).item() for n in x]
    wanted = np.array(slopes, dtype) * tangents
    np.testing.assert_allclose(forward.numpy(), wanted, rtol=1e-6 if dtype == "float32" else 1e-14)
    leaf = rg.tensor(x, requires_grad=True)
    f(leaf).backward(rg.tensor(tangents))
    np.testing.assert_allclose(leaf.grad.numpy(), wanted, rtol=1e-6 if dtype == "float32" else 1e-14)


def test_the_tangent_of_tan_at_huge_angles():
    x = rg.linspace(1e13, 2e13, 1000, dtype=rg.float64)
    (value, slope) = func.jvp(rg.tan, (x,), (rg.ones_like(x),))
    np.testing.assert_allclose(slope.numpy(), 1 + value.numpy() ** 2, rtol=1e-14)
