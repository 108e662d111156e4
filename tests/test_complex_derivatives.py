"""Derivatives of complex functions by PyTorch's convention: the gradient is ∂L/∂x + i·∂L/∂y."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg
from rustgrad.autograd import gradcheck, gradgradcheck


def z(*shape: int, real: bool = False, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.4, 1.6, shape)
    return rg.from_numpy(x if real else x + 1j * rng.uniform(0.3, 1.2, shape)).requires_grad_()


OPS = {
    "add": (lambda a, b: a + b, 2),
    "sub": (lambda a, b: a - b, 2),
    "mul": (lambda a, b: a * b, 2),
    "div": (lambda a, b: a / b, 2),
    "a number": (lambda a: (2 + 3j) * a - a / (1 - 2j) + 1.5, 1),
    "neg": (lambda a: -a, 1),
    "square": (lambda a: a.square(), 1),
    "cube": (lambda a: a**3, 1),
    "pow": (lambda a, b: a**b, 2),
    "pow of a number": (lambda a: 2.0**a, 1),
    "power of a half": (lambda a: a**0.5, 1),
    "sqrt": (lambda a: a.sqrt(), 1),
    "reciprocal": (lambda a: a.reciprocal(), 1),
    "exp": (lambda a: a.exp(), 1),
    "log": (lambda a: a.log(), 1),
    "sin": (lambda a: a.sin(), 1),
    "cos": (lambda a: a.cos(), 1),
    "tanh": (lambda a: a.tanh(), 1),
    "abs": (lambda a: a.abs(), 1),
    "angle": (lambda a: a.angle(), 1),
    "real": (lambda a: a.real, 1),
    "imag": (lambda a: a.imag, 1),
    "conj": (lambda a: a.conj(), 1),
    "view_as_real": (lambda a: rg.view_as_real(a), 1),
    "not holomorphic": (lambda a: a.conj() * a.abs() + a.real * 1j, 1),
    "sum": (lambda a: a.sum(0), 1),
    "mean": (lambda a: a.mean(1, keepdim=True), 1),
    "cumsum": (lambda a: a.cumsum(0), 1),
    "cumprod": (lambda a: a.cumprod(0), 1),
    "shapes": (lambda a: rg.cat([a.mT, a.mT.flip(0)]).reshape(-1)[2:9:2], 1),
    "expand": (lambda a: a[:1].expand(3, 3) * 2, 1),
    "index": (lambda a: a[rg.tensor([2, 0, 0])], 1),
    "index_add": (lambda a, b: a.index_add(0, rg.tensor([1, 1, 2]), b), 2),
    "where": (lambda a, b: rg.where(rg.eye(3).bool(), a, b), 2),
    "diagonal": (lambda a: a.diagonal(), 1),
    "tril": (lambda a: a.tril(), 1),
    "matmul": (lambda a, b: a @ b, 2),
    "matrix times vector": (lambda a, b: a @ b[0], 2),
    "einsum": (lambda a, b: rg.einsum("ij,kj->ki", a, b), 2),
    "clone": (lambda a: a.clone(), 1),
}


@pytest.mark.parametrize("name", OPS)
def test_first_derivatives_in_all_modes(name):
    f, count = OPS[name]
    xs = tuple(z(3, 3, seed=i) for i in range(count))
    assert gradcheck(f, xs, check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True)
    assert gradcheck(f, xs, fast_mode=True, check_forward_ad=True)


@pytest.mark.parametrize("name", OPS)
def test_second_derivatives(name):
    f, count = OPS[name]
    xs = tuple(z(3, 3, seed=i) for i in range(count))
    assert gradgradcheck(f, xs, check_fwd_over_rev=True)


def test_a_real_input_gets_a_real_gradient():
    x, w = z(3, real=True), z(3)
    y = (x * w).abs().sum()
    g, gw = rg.autograd.grad(y, (x, w))
    assert g.dtype == rg.float64 and gw.dtype == rg.complex128
    assert gradcheck(lambda x, w: x * w + x.sin(), (x, w), check_forward_ad=True)


def test_complex_from_parts_and_back():
    x, y = z(4, real=True), z(4, real=True, seed=1)
    assert gradcheck(rg.complex, (x, y), check_forward_ad=True)
    assert gradcheck(lambda x: rg.view_as_complex(x), z(3, 2, real=True), check_forward_ad=True)
    assert gradcheck(lambda x: x.to(rg.complex128) * 1j, x, check_forward_ad=True)
    assert gradcheck(lambda a: a.exp().real.sin() + a.imag, z(4), check_forward_ad=True)


def test_the_convention():
    a = rg.tensor(1 + 2j, dtype=rg.complex128, requires_grad=True)
    (a.abs() ** 2).backward()
    assert a.grad.item() == pytest.approx(2 + 4j)
    b = rg.tensor(1 + 2j, dtype=rg.complex128, requires_grad=True)
    (b * b).real.backward()  # the conjugate of the slope 2b
    assert b.grad.item() == pytest.approx(2 - 4j)


def test_descent_along_the_gradient_goes_down():
    target = rg.tensor([1 - 1j, 0.5j], dtype=rg.complex128)
    w = rg.zeros(2, dtype=rg.complex128)
    loss = lambda w: ((w * w - target).abs() ** 2).sum()
    w = w + (0.3 + 0.2j)
    for _ in range(300):
        w = w - 0.05 * rg.func.grad(loss)(w)
    assert loss(w).item() < 1e-10


def test_complex_values_travel_through_the_transforms():
    a, t = z(3).detach(), z(3, seed=1).detach()
    f = lambda a: a.exp() * a
    _, slope = rg.func.jvp(f, (a,), (t,))
    np.testing.assert_allclose(slope.numpy(), (np.exp(a) * (1 + a.numpy())) * t.numpy())
    _, pull = rg.func.vjp(f, a)
    np.testing.assert_allclose(pull(t)[0].numpy(), np.conj(np.exp(a) * (1 + a.numpy())) * t.numpy())
    _, push = rg.func.linearize(f, a)
    np.testing.assert_allclose(push(t).numpy(), slope.numpy())
    np.testing.assert_allclose(rg.func.vmap(f)(a).numpy(), f(a).numpy())
    coefficients = rg.func.taylor(rg.exp, a, t, 4)
    for k, c in enumerate(coefficients):
        np.testing.assert_allclose(c.numpy(), np.exp(a.numpy()) * t.numpy() ** k / [1, 1, 2, 6, 24][k])


def test_writes_through_parts_keep_history():
    a = z(3)
    b = a * 1
    b.imag.mul_(2)
    g = rg.autograd.grad(b.imag.sum() + b.real.sum(), a)[0]
    np.testing.assert_allclose(g.numpy(), np.full(3, 1 + 2j))
    c = a * 1
    rg.view_as_real(c)[:, 0] = 5.0
    np.testing.assert_allclose(c.real.detach().numpy(), 5.0)
    np.testing.assert_allclose(rg.autograd.grad((c.real + c.imag).sum(), a)[0].numpy(), np.full(3, 1j))


@pytest.mark.parametrize(
    "f", [lambda a: a.prod(), lambda a: rg.logsumexp(a, 0), lambda a: a.var(0)], ids=["prod", "logsumexp", "var"]
)
def test_other_operators_refuse(f):
    try:
        f(z(3).detach())
    except TypeError:
        return  # not even a value
    for call in (lambda: f(z(3)), lambda: rg.func.jvp(f, (z(3).detach(),), (z(3).detach(),))):
        with pytest.raises(
            rg.NotDifferentiableError, match=r"(reverse|forward) mode does not know .*test_complex_deri"
        ):
            call()


def test_a_complex_output_needs_its_gradient():
    with pytest.raises(RuntimeError, match=r"a complex output has no gradient to start from by itself; pass gradient="):
        (z(1)[0] * 2).backward()
    with pytest.raises(TypeError, match=r"grad: .*real"):
        rg.func.grad(lambda a: a * 1)(rg.tensor(1j))
    for matrix in (rg.func.jacrev, rg.func.jacfwd, rg.func.hessian):
        with pytest.raises(rg.NotDifferentiableError, match="complex"):
            matrix(lambda a: (a * a).abs().sum() if matrix is rg.func.hessian else a * a)(z(2).detach())


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize(
    "shapes", [((20, 17), (17, 30)), ((3, 20, 17), (3, 17, 30)), ((3, 9, 9), (9, 9)), ((9, 9), (3, 9, 9))]
)
def test_products_of_complex_matrices_by_their_parts(dtype, shapes):
    rng = np.random.default_rng(7)
    a, b = ((rng.normal(size=s) + 1j * rng.normal(size=s)).astype(dtype) for s in shapes)
    bound = 1e-4 if dtype == "complex64" else 1e-12
    np.testing.assert_allclose((rg.tensor(a) @ rg.tensor(b)).numpy(), a @ b, atol=bound)
    turned = rg.tensor(b).transpose(-1, -2) @ rg.tensor(a).transpose(-1, -2)
    np.testing.assert_allclose(turned.numpy(), (a @ b).swapaxes(-1, -2), atol=bound)
