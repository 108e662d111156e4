"""An unused branch's infinities stay out of every derivative, in every mode and order."""

from __future__ import annotations

import math

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import func

F64 = rg.float64
INF = float("inf")


def at(values):
    return rg.tensor(values, dtype=F64)


FIRST = {
    "grad": lambda f: func.grad(f),
    "jacfwd": lambda f: func.jacfwd(f),
    "vmap of vjp": lambda f: func.jacrev(f),
}
SECOND = {
    "forward over reverse": func.hessian,
    "reverse over reverse": lambda f: func.jacrev(func.jacrev(f)),
    "forward over forward": lambda f: func.jacfwd(func.jacfwd(f)),
    "reverse over forward": lambda f: func.jacrev(func.jacfwd(f)),
    "hvp": lambda f: lambda x: func.hvp(f, (x,), (rg.ones_like(x),))[0],
    "sparse": lambda f: lambda x: rg.from_numpy(func.sparse_hessian(f)(x).toarray()),
}
# Each has a branch that is not used at the first element and is not finite there.
BRANCHES = {
    "sqrt": (lambda x: rg.where(x > 0, x.sqrt(), 0.0), [0.0, 4.0]),
    "x log x": (lambda x: rg.where(x > 0, x * x.log(), 0 * x), [0.0, 4.0]),
    "softplus": (lambda x: rg.where(x < 20, (1 + x.exp()).log(), x), [1000.0, 1.0]),
    "index": (lambda x: x.log()[1:], [0.0, 4.0]),
    "mask": (lambda x: x.sqrt().masked_fill(x <= 0, 0.0), [0.0, 4.0]),
    "clamp": (lambda x: (1 / x).clamp(max=5.0), [0.0, 4.0]),
    "sort": (lambda x: x.log().sort()[0][1:], [0.0, 4.0]),
    "row of a matrix product": (lambda x: ((1 / x).reshape(2, 1) @ x.reshape(1, 2))[1, 1:], [0.0, 4.0]),
    "row of a softmax": (lambda x: (x.log()[:, None] * at([[1.0, 2.0]])).softmax(1)[1, :1], [0.0, 4.0]),
    "relu": (lambda x: x.log().relu(), [0.0, 4.0]),
    "maximum": (lambda x: rg.maximum(x.log(), x), [0.0, 4.0]),
    "max": (lambda x: x.log().max(), [0.0, 4.0]),
}


@pytest.mark.parametrize("mode", FIRST)
@pytest.mark.parametrize("name", BRANCHES)
def test_first_derivatives(name, mode):
    f, x = BRANCHES[name]
    assert np.isfinite(FIRST[mode](lambda x: f(x).sum())(at(x)).numpy()).all()


@pytest.mark.parametrize("mode", SECOND)
@pytest.mark.parametrize("name", BRANCHES)
def test_second_derivatives(name, mode):
    f, x = BRANCHES[name]
    assert np.isfinite(SECOND[mode](lambda x: f(x).sum())(at(x)).numpy()).all()


def test_the_way_out_holds_for_second_derivatives():
    f = lambda x: rg.where(x > 0, x.sqrt(), 0.0).sum()
    with rg.autograd.set_strong_zeros(False):
        assert math.isnan(func.hessian(f)(at([0.0, 4.0]))[0, 0].item())
