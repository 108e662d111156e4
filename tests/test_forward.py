"""Forward mode: jvp and dual levels, nested with each other and with reverse mode, without confused perturbations."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
import rustgrad as rg
import rustgrad.autograd.forward_ad as fwd


def t(*numbers: float, grad: bool = False):
    values = numbers[0] if len(numbers) == 1 else list(numbers)
    return rg.tensor(values, dtype=rg.float64, requires_grad=grad)


def same(tensor, wanted, rtol=1e-12):
    np.testing.assert_allclose(tensor.detach().numpy(), wanted, rtol=rtol, atol=1e-14)


def d(f):
    """The derivative of a function of one number, by forward mode."""
    return lambda x: rg.func.jvp(f, (x,), (rg.ones_like(x),))[1]


def r(f):
    """The derivative of a function of one number, by reverse mode."""
    return rg.func.grad(f)


def test_jvp():
    y, dy = rg.func.jvp(rg.sin, (t(0.5, 1.0),), (t(1.0, 2.0),))
    same(y, np.sin([0.5, 1.0]))
    same(dy, np.cos([0.5, 1.0]) * [1.0, 2.0])
    assert not y.requires_grad and not dy.requires_grad


def test_jvp_of_several_inputs_and_outputs():
    f = lambda x, y: (x * y, {"sum": x + y, "list": [x]})
    value, tangent = rg.func.jvp(f, (t(2.0), t(3.0)), (t(1.0), t(10.0)))
    same(value[0], 6.0)
    same(tangent[0], 23.0)
    same(tangent[1]["sum"], 11.0)
    same(tangent[1]["list"][0], 1.0)


def test_jvp_of_nested_inputs():
    f = lambda p: p["w"] * p["x"][0] + p["x"][1]
    primals = ({"w": t(2.0), "x": (t(3.0), t(4.0))},)
    tangents = ({"w": t(1.0), "x": (t(0.0), t(5.0))},)
    value, tangent = rg.func.jvp(f, primals, tangents)
    same(value, 10.0)
    same(tangent, 8.0)


def test_tangents_may_be_written():
    """Ops that hand their tangent on as it is must not tie it to that of another tensor."""
    x, dx = t(1.0, 2.0), t(3.0, 4.0)
    _, (a, b, c) = rg.func.jvp(lambda x: (x + 1.0, (y := x * 2.0) + 1.0, y - 1.0), (x,), (dx,))
    a.zero_(), b.zero_()
    same(c, [6.0, 8.0])
    with fwd.dual_level():
        dual = fwd.make_dual(x, dx)
        fwd.unpack_dual(dual + 1.0).tangent.zero_()
        same(fwd.unpack_dual(dual).tangent, [3.0, 4.0])
    same(dx, [3.0, 4.0])


def test_jvp_of_a_constant_is_zero():
    _y, dy = rg.func.jvp(lambda x: rg.ones(2, dtype=rg.float64), (t(1.0),), (t(1.0),))
    same(dy, [0.0, 0.0])
    with pytest.raises(RuntimeError):
        rg.func.jvp(lambda x: rg.ones(2), (t(1.0),), (t(1.0),), strict=True)


def test_jvp_with_aux():
    _y, dy, aux = rg.func.jvp(lambda x: (x * x, x + 1), (t(3.0),), (t(1.0),), has_aux=True)
    same(dy, 6.0)
    same(aux, 4.0)


def test_vjp():
    y, pull = rg.func.vjp(lambda a, c: a * c.sin(), t(2.0), t(0.5))
    same(y, 2 * math.sin(0.5))
    ga, gc = pull(t(3.0))
    same(ga, 3 * math.sin(0.5))
    same(gc, 6 * math.cos(0.5))
    same(pull(t(1.0))[0], math.sin(0.5))


def test_misuse_of_jvp():
    with pytest.raises((RuntimeError, ValueError)):
        rg.func.jvp(rg.sin, (t(1.0, 2.0),), (t(1.0),))
    with pytest.raises((RuntimeError, ValueError)):
        rg.func.jvp(rg.sin, (t(1.0),), (t(1.0), t(1.0)))
    with pytest.raises((TypeError, RuntimeError)):
        rg.func.jvp(rg.sin, (1.0,), (1.0,))
    with pytest.raises(KeyError):
        rg.func.jvp(lambda x: {}["missing"], (t(1.0),), (t(1.0),))
    same(d(rg.sin)(t(0.0)), 1.0)  # the level of the failed call is gone


def test_dual_numbers():
    with fwd.dual_level():
        x = fwd.make_dual(t(2.0), t(1.0))
        y = x**3
        primal, tangent = fwd.unpack_dual(y)
        same(primal, 8.0)
        same(tangent, 12.0)
        assert fwd.unpack_dual(y).tangent is not None and fwd.unpack_dual(t(1.0)).tangent is None
    assert fwd.unpack_dual(y).tangent is None


def test_dual_numbers_need_a_level():
    with pytest.raises(RuntimeError, match=r"(?i)level"):
        fwd.make_dual(t(1.0), t(1.0))
    with fwd.dual_level(), pytest.raises((RuntimeError, ValueError)):
        fwd.make_dual(t(1.0), t(1.0, 2.0))
    with fwd.dual_level(), pytest.raises((RuntimeError, TypeError, ValueError)):
        fwd.make_dual(rg.tensor(1), rg.tensor(1))


def test_levels_end_with_exceptions():
    with pytest.raises(KeyError), fwd.dual_level():
        raise KeyError
    with fwd.dual_level():
        assert fwd.unpack_dual(fwd.make_dual(t(1.0), t(2.0)) * 3).tangent.item() == 6.0


def test_nested_dual_levels():
    with fwd.dual_level():
        x = fwd.make_dual(t(2.0), t(1.0))
        with fwd.dual_level():
            xx = fwd.make_dual(x, t(1.0))
            second = fwd.unpack_dual(fwd.unpack_dual(xx**4).tangent, level=0).tangent
            same(second, 48.0)
        same(fwd.unpack_dual(x * x).tangent, 4.0)


@pytest.mark.parametrize("modes", ["dd", "rr", "dr", "rd", "ddd", "rrr", "drd", "rdr", "ddr", "rrd", "drr", "rdd"])
def test_nesting_of_any_depth(modes):
    f = lambda x: rg.sin(x) * x**2
    x = 0.7
    s, c = math.sin(x), math.cos(x)
    wanted = [x * x * c + 2 * x * s, 4 * x * c + (2 - x * x) * s, (6 - x * x) * c - 6 * x * s]
    for mode in modes:
        f = {"d": d, "r": r}[mode](f)
    same(f(t(x)), wanted[len(modes) - 1])


@pytest.mark.parametrize("modes", ["d", "dd", "r", "rd", "dr"])
def test_recording_outside_transforms(modes):
    f = lambda x: x**5
    for mode in modes:
        f = {"d": d, "r": r}[mode](f)
    x = t(2.0, grad=True)
    y = f(x)
    assert y.requires_grad
    y.backward()
    order = len(modes) + 1
    same(x.grad, math.factorial(5) / math.factorial(5 - order) * 2.0 ** (5 - order))


# Perturbation confusion: Siskind and Pearlmutter, "Nesting forward-mode AD in a functional framework", 2008.
@pytest.mark.parametrize("outer, inner", [(d, d), (d, r), (r, d), (r, r)], ids=["dd", "dr", "rd", "rr"])
def test_perturbations_are_not_confused(outer, inner):
    # d/dx [x * d/dy (x + y)] = 1, not 2.
    same(outer(lambda x: x * inner(lambda y: x + y)(t(1.0)))(t(1.0)), 1.0)
    # d/dx [x * d/dy (x * y)] at x = 3: 2x = 6.
    same(outer(lambda x: x * inner(lambda y: x * y)(t(2.0)))(t(3.0)), 6.0)
    # d/dx [d/dy (x * y²) at y = x] = 4x... the inner variable takes the value of the outer one.
    same(outer(lambda x: inner(lambda y: x * y * y)(x))(t(3.0)), 12.0)


def test_three_perturbations_are_not_confused():
    f = lambda x: x * d(lambda y: y * d(lambda z: x * y * z)(y))(x)
    # inner: x·y; y·(x·y) = x·y²; its slope in y at x: 2x²; times x: 2x³.
    same(d(f)(t(2.0)), 24.0)
    same(r(f)(t(2.0)), 24.0)


def test_a_closure_that_outlives_its_level():
    """Siskind and Pearlmutter's s(u)(f)(x) = f(x + u): a derivative that returns a function."""
    kept = []

    def shifted(u):
        kept.append(u)
        return u * 2

    same(d(shifted)(t(1.0)), 2.0)
    # Outside its level the tensor is a plain number again, or using it is a clear error; never a stray tangent.
    with contextlib.suppress(RuntimeError):
        same(d(lambda x: x * kept[0].detach())(t(5.0)), 1.0)


def test_in_place_inside_jvp():
    def f(x):
        y = x * 1
        y.mul_(x)
        y[1:] += x[:-1] * 3
        y.sin_()
        return y

    a, v = np.array([0.3, 0.5, 0.7]), np.array([1.0, -1.0, 2.0])

    def g(x):
        y = x * x
        y[1:] += x[:-1] * 3
        return np.sin(y)

    y, dy = rg.func.jvp(f, (rg.from_numpy(a.copy()),), (rg.from_numpy(v.copy()),))
    same(y, g(a))
    same(dy, (g(a + 1e-6 * v) - g(a - 1e-6 * v)) / 2e-6, rtol=1e-7)


def test_views_inside_jvp_share_writes():
    def f(x):
        base = x * 1
        row = base.view(2, 2)[0]
        other = base[1:3]
        row.mul_(x[:2])
        return base, row, other

    x, v = t(1.0, 2.0, 3.0, 4.0), t(1.0, 10.0, 100.0, 1000.0)
    (base, _row, _other), (dbase, drow, dother) = rg.func.jvp(f, (x,), (v,))
    same(base, [1.0, 4.0, 3.0, 4.0])
    same(dbase, [2.0, 40.0, 100.0, 1000.0])
    same(drow, [2.0, 40.0])
    same(dother, [40.0, 100.0])
    same(x, [1.0, 2.0, 3.0, 4.0])


def test_a_constant_buffer_filled_inside_jvp():
    def f(x):
        out = rg.zeros(3, dtype=rg.float64)
        for k in range(3):
            out[k] = x ** (k + 1)
        return out

    y, dy = rg.func.jvp(f, (t(2.0),), (t(1.0),))
    same(y, [2.0, 4.0, 8.0])
    same(dy, [1.0, 4.0, 12.0])


def test_hessian_vector_products_agree():
    f = lambda x: (x.sin() * x.roll(1).exp()).sum()
    x, v = t(0.1, 0.5, -0.3), t(1.0, 2.0, 3.0)
    forward_over_reverse = rg.func.jvp(rg.func.grad(f), (x,), (v,))[1]
    reverse_over_forward = rg.func.grad(lambda z: rg.func.jvp(f, (z,), (v,))[1])(x)
    reverse_over_reverse = rg.func.grad(lambda z: rg.dot(rg.func.grad(f)(z), v))(x)
    same(reverse_over_forward, forward_over_reverse.numpy())
    same(reverse_over_reverse, forward_over_reverse.numpy())


def test_vmap_of_jvp_is_a_jacobian():
    f = lambda x: rg.stack([x[0] * x[1], x[1].sin(), x.sum()])
    x = t(2.0, 0.5)
    columns = rg.func.vmap(lambda v: rg.func.jvp(f, (x,), (v,))[1])(rg.eye(2, dtype=rg.float64))
    same(columns.t(), [[0.5, 2.0], [0.0, math.cos(0.5)], [1.0, 1.0]])


def test_forward_mode_of_control_flow():
    def f(x):
        y = x
        while y.item() < 100:
            y = y * x if y.item() < 10 else y * y
        return y

    same(f(t(3.0)), 3.0**6)  # 3, 9, 27, then its square
    same(d(f)(t(3.0)), 6 * 3.0**5)


def test_no_grad_inside_transforms():
    def f(x):
        with rg.no_grad():
            c = x * x
        return x * c.detach()

    same(d(f)(t(3.0)), 9.0)


def test_integers_have_no_tangent():
    _y, dy = rg.func.jvp(lambda x: x[rg.argsort(x)], (t(3.0, 1.0, 2.0),), (t(1.0, 2.0, 3.0),))
    same(dy, [2.0, 3.0, 1.0])


def test_jvp_keeps_float32():
    y, dy = rg.func.jvp(rg.exp, (rg.ones(2),), (rg.ones(2),))
    assert y.dtype == rg.float32 and dy.dtype == rg.float32


def test_backward_inside_a_dual_level():
    """Forward over reverse with plain tensors: gradients carry tangents, here Hessian times direction."""
    a = rg.tensor([0.3, -0.7, 1.1], dtype=rg.float64)
    v = rg.tensor([1.0, 2.0, -0.5], dtype=rg.float64)

    def f(x):
        return (x.sin() * x).sum() ** 2

    hvp = rg.func.jvp(rg.func.grad(f), (a,), (v,))[1]
    wanted = rg.func.grad(f)(a)
    for create_graph in (False, True):
        with fwd.dual_level():
            leaf = a.clone().requires_grad_()
            x = fwd.make_dual(leaf, v)
            (g,) = rg.autograd.grad(f(x), x, create_graph=create_graph)
            primal, tangent = fwd.unpack_dual(g)
            assert primal.requires_grad is tangent.requires_grad is create_graph
        np.testing.assert_allclose(primal.detach().numpy(), wanted.numpy(), rtol=1e-12)
        np.testing.assert_allclose(tangent.detach().numpy(), hvp.numpy(), rtol=1e-12)
    with fwd.dual_level():
        leaf = a.clone().requires_grad_()
        f(fwd.make_dual(leaf, v)).backward()
        primal, tangent = fwd.unpack_dual(leaf.grad)
    np.testing.assert_allclose(primal.numpy(), wanted.numpy(), rtol=1e-12)
    np.testing.assert_allclose(tangent.numpy(), hvp.numpy(), rtol=1e-12)


def test_backward_inside_nested_dual_levels():
    """Third derivatives: two tangents of a gradient."""

    def f(x):
        return x.exp() * x

    x = rg.tensor(0.4, dtype=rg.float64, requires_grad=True)
    one = rg.tensor(1.0, dtype=rg.float64)
    with fwd.dual_level(), fwd.dual_level():
        inner = fwd.make_dual(x, one, level=0)
        y = f(fwd.make_dual(inner, one, level=1))
        (g,) = rg.autograd.grad(y, x)
        third = fwd.unpack_dual(fwd.unpack_dual(g, level=1).tangent, level=0).tangent
    assert third.item() == pytest.approx(np.exp(0.4) * (0.4 + 3), rel=1e-12)
