"""Derivatives of solutions (linear systems, roots, fixed points, minima) in every mode, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import func

F64 = rg.float64
ONE = rg.tensor(1.0, dtype=F64)


@func.custom_root(lambda x, a: x**3 - a)
def cube_root(x, a):
    while abs((x**3 - a).item()) > 1e-13:
        x = x - (x**3 - a) / (3 * x**2)
    return x


@func.custom_fixed_point(lambda x, a: (2 * x + a / x**2) / 3)
def cube_root_again(x, a):
    for _ in range(60):
        x = (2 * x + a / x**2) / 3
    return x


def push(f):
    return lambda a: func.jvp(f, (a,), (ONE,))[1]


SLOPES = [lambda a: a ** (-2 / 3) / 3, lambda a: -2 / 9 * a ** (-5 / 3), lambda a: 10 / 27 * a ** (-8 / 3)]
MINIMUM = func.argmin(lambda x, a: x**4 / 4 - a * x)
SOLVERS = {"root": cube_root, "fixed point": cube_root_again, "argmin": MINIMUM}
TWICE = {
    "reverse": [func.grad],
    "forward": [push],
    "reverse over reverse": [func.grad, func.grad],
    "forward over forward": [push, push],
    "forward over reverse": [func.grad, push],
    "reverse over forward": [push, func.grad],
    "three deep": [func.grad, push, func.grad],
}


@pytest.mark.filterwarnings("ignore:.*lane by lane")
@pytest.mark.parametrize("lanes", [False, True], ids=["alone", "vmap"])
@pytest.mark.parametrize("nesting", TWICE)
@pytest.mark.parametrize("solver", SOLVERS)
def test_solutions_in_every_nesting(solver, nesting, lanes):
    f = lambda a: SOLVERS[solver](ONE * 1.2, a)
    for transform in TWICE[nesting]:
        f = transform(f)
    at = np.array([1.3, 2.0, 3.1])
    exact = SLOPES[len(TWICE[nesting]) - 1](at)
    found = func.vmap(f)(rg.from_numpy(at)) if lanes else rg.stack([f(rg.tensor(a, dtype=F64)) for a in at])
    # BFGS stops at its own tolerance.
    assert np.allclose(found.numpy(), exact, rtol=1e-3 if solver == "argmin" else 1e-9)


def systems():
    rng = np.random.default_rng(0)
    return rg.from_numpy(rng.normal(size=(4, 3, 3)) + 3 * np.eye(3)), rg.from_numpy(rng.normal(size=(4, 3)))


def of_solution(a, b):
    return (func.custom_linear_solve(lambda x, a: a @ x, b, args=(a,)) ** 3).sum()


def test_the_gradient_of_a_linear_solution():
    a, b = (t[0] for t in systems())
    x = np.linalg.solve(a.numpy(), b.numpy())
    w = np.linalg.solve(a.numpy().T, 3 * x**2)
    by_a, by_b = func.grad(of_solution, argnums=(0, 1))(a, b)
    assert np.allclose(by_b.numpy(), w) and np.allclose(by_a.numpy(), -np.outer(w, x))
    assert np.allclose(func.jacfwd(of_solution)(a, b).numpy(), by_a.numpy())
    leaf = a.clone().requires_grad_()
    of_solution(leaf, b).backward()
    assert np.allclose(leaf.grad.numpy(), by_a.numpy())


@pytest.mark.parametrize("argnum", [0, 1])
def test_second_derivatives_of_linear_solutions(argnum):
    a, b = systems()
    forward, reverse = func.jacfwd, func.jacrev
    nestings = [(i, o) for i in (forward, reverse) for o in (forward, reverse)]
    found = [outer(inner(of_solution, argnums=argnum), argnums=argnum)(a[0], b[0]).numpy() for inner, outer in nestings]
    slope = lambda x: func.grad(of_solution, argnums=argnum)(*((x, b[0]) if argnum == 0 else (a[0], x))).numpy()
    at = (a[0], b[0])[argnum].numpy()
    for place in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[place] = 1e-5
        difference = (slope(rg.from_numpy(at + step)) - slope(rg.from_numpy(at - step))) / 2e-5
        assert all(np.allclose(h[(..., *place)], difference, atol=1e-7) for h in found)
    alone = np.stack([func.hessian(of_solution, argnums=argnum)(*lane).numpy() for lane in zip(a, b, strict=True)])
    assert np.allclose(func.vmap(func.hessian(of_solution, argnums=argnum))(a, b).numpy(), alone)


def test_what_would_be_lost_is_refused():
    a, b = (t[0] for t in systems())
    with pytest.raises(RuntimeError, match=r"custom_linear_solve: the function reads a tensor .* pass it as an arg"):
        func.grad(lambda a: func.custom_linear_solve(lambda x: a @ x, b).sum())(a)
    with pytest.raises(RuntimeError, match=r"custom_root: the solver reads a tensor .* pass it as an arg"):
        func.jvp(lambda a: func.custom_root(lambda x: x - a)(lambda x: a)(ONE), (ONE,), (ONE,))
    with pytest.raises(RuntimeError, match=r"custom_linear_solve: the 3 × 3 system is singular"):
        func.custom_linear_solve(lambda x: x * 0, b)
