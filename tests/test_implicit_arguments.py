"""What solvers take: complex arguments have derivatives, and what is no linear map or no real residual is refused."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import func

F64, C128 = rg.float64, rg.complex128
ONE, B = rg.tensor(1.0, dtype=F64), rg.tensor([1.0, -2.0], dtype=F64)
AREA = lambda z: (z.real * z.imag).sqrt()
ROOT = func.custom_root(lambda x, z: x**2 - z.real * z.imag)(lambda x, z: AREA(z))
FIXED = func.custom_fixed_point(lambda x, z: (x + z.real * z.imag / x) / 2)(lambda x, z: AREA(z))
MINIMUM = func.argmin(lambda x, z: (x - z.real) ** 2 + z.imag * x**2)
SYSTEM = lambda z: func.custom_linear_solve(lambda v, z: v * z.real, 3 * ONE.reshape(1), args=(z,)).sum()
SOLVERS = {
    "custom_root": (lambda z: ROOT(ONE, z), AREA),
    "custom_fixed_point": (lambda z: FIXED(ONE, z), AREA),
    "argmin": (lambda z: MINIMUM(ONE, z), lambda z: z.real / (1 + z.imag)),
    "custom_linear_solve": (SYSTEM, lambda z: 3 / z.real),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_complex_arguments(name):
    z, t = rg.tensor(2 + 8j, dtype=C128), rg.tensor(1 - 3j, dtype=C128)
    push = lambda f: func.jvp(f, (z,), (t,))[1].item()
    found, wanted = ([func.grad(f)(z).item(), push(f), push(func.grad(f))] for f in SOLVERS[name])
    assert found == pytest.approx(wanted, rel=1e-6)


def test_complex_solutions_are_refused_by_name():
    z = rg.tensor(2 + 8j, dtype=C128)
    real = func.custom_root(lambda x, z: x - z)(lambda x, z: z.real)
    with pytest.raises(TypeError, match=r"custom_root: .* real solutions and residuals, not of .*complex128; take"):
        real(ONE, z)
    same = func.custom_root(lambda x, z: x - z)(lambda x, z: z)
    assert same(ONE, z).item() == z.item()
    for transform in (func.grad, lambda f: lambda z: func.jvp(f, (z,), (z,))):
        with pytest.raises(TypeError, match=r"custom_root: .* not of .*complex128"):
            transform(lambda z: same(ONE, z).real)(z)
    with pytest.raises(TypeError, match=r"custom_linear_solve: b must be a tensor of a float dtype, not .*complex128"):
        func.custom_linear_solve(lambda v: v, z.reshape(1))


CURVED = {
    "a square": lambda v: v * v,
    "a cube": lambda v: v**3,
    "a constant term": lambda v: 2 * v + 1,
    "an absolute value": lambda v: v.abs(),
    "in the second place": lambda v: rg.stack([v[0], v[1] * v[1].abs()]),
}
SOLVED = {
    "alone": lambda f: func.custom_linear_solve(f, B),
    "grad": lambda f: func.grad(lambda b: func.custom_linear_solve(f, b).sum())(B),
    "vmap": lambda f: func.vmap(lambda b: func.custom_linear_solve(f, b))(rg.stack([B, B])),
}


@pytest.mark.parametrize("way", SOLVED)
@pytest.mark.parametrize("name", CURVED)
def test_maps_that_are_not_linear(name, way):
    with pytest.raises(ValueError, match=r"custom_linear_solve: matvec is not linear: .* solve other equations with"):
        SOLVED[way](CURVED[name])


def test_one_lane_that_is_not_linear():
    f = lambda a: func.custom_linear_solve(lambda v, a: v + a * v * v, B, args=(a,))
    with pytest.raises(ValueError, match=r"matvec is not linear"):
        func.vmap(f)(rg.tensor([0.0, 2.0], dtype=F64))


@pytest.mark.parametrize("dtype", [rg.float32, F64])
def test_rounding_is_not_taken_for_a_curve(dtype):
    # What is left after the difference is rounding alone.
    f = lambda v: v + (v.cumsum(0) * 1e6 - (v.to(rg.float32) * 1e6).cumsum(0).to(dtype))
    b = rg.ones(1000, dtype=dtype)
    assert func.custom_linear_solve(f, b, lambda f, b: b).shape == (1000,)


def test_maps_to_another_shape():
    with pytest.raises(ValueError, match=r"custom_linear_solve: matvec returns shape \[\] for a vector of shape \[2\]"):
        func.custom_linear_solve(lambda v: v.sum(), B)
    with pytest.raises(ValueError, match=r"custom_linear_solve: matvec returns no tensor \(int\)"):
        func.custom_linear_solve(lambda v: 3, B)


def test_the_map_is_called_once_more_than_it_was():
    calls = []
    func.custom_linear_solve(lambda v: calls.append(v) or v, B, lambda f, b: f(b))
    assert len(calls) == 3
    func.jvp(lambda b: func.custom_linear_solve(lambda v: calls.append(v) or v, b, lambda f, b: f(b)), (B,), (B,))
    assert len(calls) == 3 + 3 + 2


MATRIX = rg.tensor([[2.0, 1.0], [1.5, 3.0]], dtype=F64)
DERIVED = {
    "grad": lambda f, a: func.grad(f)(a),
    "requires_grad": lambda f, a: rg.autograd.grad(f(leaf := a.clone().requires_grad_()), leaf)[0],
    "vmap of grad": lambda f, a: func.vmap(func.grad(f))(rg.stack([a, a + a.mT, a])),
    "grad of vmap": lambda f, a: func.grad(lambda stack: func.vmap(f)(stack).sum())(rg.stack([a + a.mT, a])),
    "forward over reverse": lambda f, a: func.jvp(func.grad(f), (a,), (a,))[1],
    "reverse over forward": lambda f, a: func.grad(lambda a: func.jvp(f, (a,), (a,))[1])(a),
    "reverse over reverse": lambda f, a: func.grad(lambda a: func.grad(f)(a).sin().sum())(a),
}


def of_system(a, symmetric):
    x = func.custom_linear_solve(lambda x, a: a @ x, rg.ones(2, dtype=F64), symmetric=symmetric, args=(a,))
    return (x**3).sum()


@pytest.mark.parametrize("name", DERIVED)
def test_maps_that_are_said_to_be_symmetric(name):
    with pytest.raises(ValueError, match=r"custom_linear_solve: matvec is not symmetric: .* leave symmetric=True out"):
        DERIVED[name](lambda a: of_system(a, True), MATRIX)
    # By the symmetric part, which is what makes both ways agree.
    of_part = lambda symmetric: lambda a: of_system(a + a.mT, symmetric)
    found, wanted = (DERIVED[name](of_part(symmetric), MATRIX).numpy() for symmetric in (True, False))
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_forward_mode_needs_no_symmetry():
    found, wanted = (
        func.jvp(lambda a: of_system(a, symmetric), (MATRIX,), (MATRIX,))[1].item() for symmetric in (True, False)
    )
    assert found == pytest.approx(wanted)


@pytest.mark.parametrize("dtype", [rg.float32, F64])
@pytest.mark.parametrize("n", [3, 300])
def test_symmetry_up_to_rounding(n, dtype):
    rng = np.random.default_rng(0)
    root = rg.from_numpy(rng.normal(size=(n, n))).to(dtype)
    f = lambda a, root: func.custom_linear_solve(
        lambda x, root: root @ (root.mT @ x) + n * x, rg.ones(n, dtype=dtype), symmetric=True, args=(root,)
    )
    assert func.grad(lambda root: f(None, root).sum())(root).isfinite().all()


def test_convolutions_are_not_symmetric():
    n = 200
    shift = lambda x, a: 3 * x + a * rg.cat([x[1:], x[:1]])
    f = lambda a: func.custom_linear_solve(shift, rg.ones(n, dtype=F64), lambda f, b: b, symmetric=True, args=(a,))
    with pytest.raises(ValueError, match=r"matvec is not symmetric"):
        func.grad(lambda a: f(a).sum())(rg.tensor(1.0, dtype=F64))


def by_scaled_system(w, detached=False):
    """The function w is lost in: it scales what `solve` returns."""
    factor = w.detach() if detached else w
    solve = lambda f, b: b / f(rg.ones_like(b)) * factor
    root = func.custom_root(lambda x, a: x**2 - a, solve=solve)(lambda x, a: a.sqrt())
    return lambda a: root(a, a)


def by_scaled_solver(name):
    def of(w, detached=False):
        factor = w.detach() if detached else w
        solver = lambda x, a: a.sqrt() * factor
        if name == "root":
            return lambda a: func.custom_root(lambda x, a: x**2 - a)(solver)(a, a)
        if name == "fixed point":
            return lambda a: func.custom_fixed_point(lambda x, a: (x + a / x) / 2)(solver)(a, a)
        return lambda a: func.argmin(lambda x, a: x**3 / 3 - a * x, solver)(a, a)

    return of


def by_scaled_linear_solve(w, detached=False):
    factor = w.detach() if detached else w
    solve = lambda f, b: b / f(rg.ones_like(b)) * factor
    return lambda a: func.custom_linear_solve(lambda x, a: x * a, rg.ones((), dtype=F64), solve, args=(a,))


CAPTURED = {
    "custom_root: the function solve": by_scaled_system,
    "custom_root: the solver": by_scaled_solver("root"),
    "custom_fixed_point: the solver": by_scaled_solver("fixed point"),
    "argmin: the solver": by_scaled_solver("argmin"),
    "custom_linear_solve: the function solve": by_scaled_linear_solve,
}


@pytest.mark.parametrize("order", ["reverse", "forward", "requires_grad"])
@pytest.mark.parametrize("name", CAPTURED)
def test_what_solvers_capture_is_not_lost(name, order):
    four = rg.tensor(4.0, dtype=F64)

    def derivative(w, **how):
        if order == "requires_grad":
            w, a = w.clone().requires_grad_(), four.clone().requires_grad_()
            return rg.autograd.grad(CAPTURED[name](w, **how)(a), a, create_graph=True)[0]
        slope = lambda w: func.grad(CAPTURED[name](w, **how))(four)
        return func.grad(slope)(w) if order == "reverse" else func.jvp(slope, (w,), (w,))[1]

    with pytest.raises(RuntimeError, match=rf"^{name} reads a tensor .* detach\(\)"):
        derivative(ONE)
    assert derivative(ONE, detached=True).isfinite()


def test_solvers_may_capture_lanes():
    found = func.vmap(lambda w: by_scaled_linear_solve(w)(ONE))(B)
    assert found.tolist() == B.tolist()


def test_the_default_solver_names_a_captured_tensor():
    shifted = lambda q: func.argmin(lambda x: ((x - q) ** 2).sum())(rg.zeros(1, dtype=F64)).sum()
    with pytest.raises(RuntimeError, match=r"argmin: .* is not an argument, .*pass it as an argument"):
        func.grad(shifted)(rg.ones(1, dtype=F64))
    with pytest.raises(RuntimeError, match=r"argmin: .* is not an argument"):
        shifted(rg.ones(1, dtype=F64, requires_grad=True))
