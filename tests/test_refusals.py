"""Refusals made in Python name the function, the mode and the user's line, and nothing is a silent zero."""

from __future__ import annotations

import linecache
import re

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import NotDifferentiableError, func

X = rg.tensor([1.0, 2.0], dtype=rg.float64)


class NoRule(rg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2


class Cube(rg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @rg.autograd.function.once_differentiable
    def backward(ctx, g):
        return 3 * ctx.saved_tensors[0] ** 2 * g


def by_rule(rule):
    f = func.custom_vjp(lambda x: x.sin())
    f.defvjp(lambda x: (x.sin(), x), rule)
    return f


def by_slope(rule):
    f = func.custom_jvp(lambda x: x.sin())
    f.defjvp(rule)
    return f


def through_numpy(x):
    return rg.from_numpy(np.cos(x.detach().numpy()))


QUADRATIC = by_rule(lambda x, g: (g * g * x.cos(),))
AFFINE = by_rule(lambda x, g: (g * x.cos() + 1,))
LEAVES = by_rule(lambda x, g: (through_numpy(x) * rg.from_numpy(g.detach().numpy()),))
ABSOLUTE = by_slope(lambda p, t: (p[0].sin(), t[0].abs()))
NUMPY = func.wrap_numpy(np.sin, vjp=lambda g, x: g * np.cos(x))

CASES = {
    "no rule": (lambda: func.grad(lambda x: NoRule.apply(x).sum())(X), "NoRule: .*no reverse mode"),
    "no rule forward": (lambda: func.jvp(NoRule.apply, (X,), (X,)), "NoRule: .*no forward mode"),
    "once, then again": (lambda: func.hessian(lambda x: Cube.apply(x).sum())(X), r"Cube: .*once_differentiable"),
    "once, forward": (lambda: func.jvp(Cube.apply, (X,), (X,)), r"Cube: .*once_differentiable"),
    "quadratic": (lambda: func.jvp(QUADRATIC, (X,), (X,)), r"jvp\(\) is not defined and cannot be derived"),
    "affine": (lambda: func.jvp(AFFINE, (X,), (X,)), r"jvp\(\) is not defined and cannot be derived"),
    "leaves": (lambda: func.jvp(LEAVES, (X,), (X,)), r"jvp\(\) is not defined and cannot be derived"),
    "absolute": (lambda: func.grad(lambda x: ABSOLUTE(x).sum())(X), r"backward\(\) is not defined and cannot be"),
    "numpy forward": (lambda: func.jvp(NUMPY, (X,), (X,)), r"sin: jvp\(\) is not defined"),
    "numpy twice": (lambda: func.hessian(lambda x: NUMPY(x).sum())(X), r"sin: "),
    "no slope": (lambda: func.jvp(func.custom_jvp(lambda x: x), (X,), (X,)), "no forward rule is set"),
}


@pytest.mark.filterwarnings("ignore:.*lane by lane")
@pytest.mark.parametrize("case", CASES)
def test_a_refusal_names_the_function_and_the_line(case):
    call, message = CASES[case]
    with pytest.raises(NotDifferentiableError, match=message) as refused:
        call()
    place = re.search(r"\((\S+test_refusals\.py):(\d+), in \S+: ", str(refused.value))
    assert place, refused.value
    assert linecache.getline(place[1], int(place[2])).strip() in str(refused.value)


@pytest.mark.filterwarnings("ignore:.*lane by lane")
def test_what_may_be_differentiated_once_is():
    assert func.grad(lambda x: Cube.apply(x).sum())(X).tolist() == [3.0, 12.0]
    assert func.vmap(func.grad(Cube.apply))(X).tolist() == [3.0, 12.0]
    assert np.allclose(func.vmap(func.grad(NUMPY))(X).numpy(), np.cos(X.numpy()))


@pytest.mark.parametrize("argnum", [0, 1])
@pytest.mark.parametrize("transform", ["grad", "jvp", "tape"])
@pytest.mark.parametrize("matrix", [func.sparse_jacobian, func.sparse_hessian])
def test_a_sparse_matrix_is_no_silent_constant(matrix, transform, argnum):
    f = (lambda x, w: x * x * w) if matrix is func.sparse_jacobian else (lambda x, w: (x**3 * w).sum())

    def total(z):
        args = (z, X) if argnum == 0 else (X, z)
        return rg.from_numpy(matrix(f)(*args).toarray()).sum()

    if transform == "tape":
        if argnum == 0:
            assert not total(X.clone().requires_grad_()).requires_grad
            return
        call = lambda: total(X.clone().requires_grad_())
    else:
        call = {"grad": lambda: func.grad(total)(X), "jvp": lambda: func.jvp(total, (X,), (X,))}[transform]
    with pytest.raises(RuntimeError, match=r"plain numbers and cannot run inside|is being differentiated"):
        call()


def test_patterns_are_found_under_transforms():
    found = []

    def f(x):
        found.append(func.jacobian_sparsity(lambda x: x * x, x))
        return (x * x).sum()

    assert func.grad(f)(X).tolist() == [2.0, 4.0] and found[0].nnz == 2


def test_an_anomaly_of_complex_numbers_is_named():
    z = rg.tensor([0j, 1 + 1j], requires_grad=True)
    message = r"`mul` gives a gradient with NaN to its input 0(.*\n)+.*test_refusals\.py.*: y = z \*"
    with rg.autograd.detect_anomaly(), pytest.raises(RuntimeError, match=message):
        y = z * rg.tensor([complex("nan"), 1])
        y.real.sum().backward()
