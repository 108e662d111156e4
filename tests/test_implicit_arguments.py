"""What solvers take: complex arguments have derivatives, and what is no linear map or no real residual is refused."""

from __future__ import annotations

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
