"""Taylor mode: curves through every operator, known series, nestings, rules of one's own, errors."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import laws
import mpmath
import numpy as np
import programs
import pytest
import rustgrad as rg
from hypothesis import given, settings
from rustgrad import NotDifferentiableError
from rustgrad.func import custom_jvp, custom_vjp, grad, hessian, jacfwd, jet, jvp, taylor, vjp, vmap
from samples import OPS
from sampling import tensors


def t(*numbers: float) -> Any:
    return rg.tensor(numbers[0] if len(numbers) == 1 else list(numbers), dtype=rg.float64)


def same(found: Any, wanted: Any, rtol: float = 1e-12, atol: float = 1e-13) -> None:
    laws.close(
        [np.asarray(f.detach().numpy()) for f in found], [np.asarray(w) for w in wanted], rtol, atol, "coefficient"
    )


def on_a_curve(f: Any, xs: list[np.ndarray], derivatives: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """The derivatives of f along x + x′t + x″t²/2 + …, by forward mode nested in the number t."""

    def of_time(time: Any) -> Any:
        points = []
        for x, along in zip(tensors(xs), derivatives, strict=True):
            point = x
            for k, d in enumerate(tensors(along), start=1):
                point = point + d * (time**k / math.factorial(k))
            points.append(point)
        return f(*points)

    found = []
    for _ in range(len(derivatives[0]) + 1):
        found.append([y.numpy() for y in of_time(t(0.0))])
        of_time = lambda time, f=of_time: jvp(f, (time,), (t(1.0),))[1]
    return found


@pytest.mark.parametrize("op", [op for op in OPS if op.differentiable], ids=lambda op: op.name)
def test_a_curve_to_order_four_through_every_operator(op):
    """Every input moves on a curve of its own, or only one does: one pass gives what nesting gives."""
    for case in [case for case in op.cases() if case.xs][:2]:
        f = case.function(floats=True)
        whole = [laws.directions(case.rng, case.xs) for _ in range(4)]
        alone = [[d if i == 0 else np.zeros_like(d) for i, d in enumerate(ds)] for ds in whole]
        for by_order in (whole, alone) if len(case.xs) > 1 else (whole,):
            curves = [list(column) for column in zip(*by_order, strict=True)]
            value, found = jet(f, tuple(tensors(case.xs)), tuple(tensors(c) for c in curves))
            for k, (ys, wanted) in enumerate(zip([value, *found], on_a_curve(f, case.xs, curves), strict=True)):
                laws.close(laws.numbers(ys), wanted, 1e-7, 1e-8, f"{case}, derivative {k}")


# Known series, at points where they converge: mpmath differentiates numerically with many digits.
SERIES = {
    "exp": (rg.exp, mpmath.exp, 0.3),
    "sin": (rg.sin, mpmath.sin, -0.7),
    "log1p": (rg.log1p, lambda x: mpmath.log(1 + x), 0.25),
    "log": (rg.log, mpmath.log, 1.4),
    "sqrt": (rg.sqrt, mpmath.sqrt, 0.9),
    "tan": (rg.tan, mpmath.tan, 0.4),
    "atan": (rg.atan, mpmath.atan, 0.6),
    "tanh": (rg.tanh, mpmath.tanh, 0.2),
    "erf": (rg.erf, mpmath.erf, -0.4),
    "lgamma": (rg.lgamma, mpmath.loggamma, 2.3),
    "a power": (lambda x: x**2.5, lambda x: x ** mpmath.mpf(2.5), 1.3),
    "a base": (lambda x: 1.7**x, lambda x: mpmath.mpf(1.7) ** x, 0.5),
    "a rational function": (lambda x: (x**3 - 2 * x) / (1 + x * x), lambda x: (x**3 - 2 * x) / (1 + x * x), 0.3),
    "a composition": (
        lambda x: rg.exp(rg.sin(x) * x) / rg.sqrt(1 + x.cos() ** 2),
        lambda x: mpmath.exp(mpmath.sin(x) * x) / mpmath.sqrt(1 + mpmath.cos(x) ** 2),
        0.4,
    ),
    "a polynomial": (lambda x: 3 * x**4 - x + 2, lambda x: 3 * x**4 - x + 2, -0.5),
    "a reduction": (
        lambda x: rg.stack([x, x.sin(), x * x]).logsumexp(0),
        lambda x: mpmath.log(mpmath.exp(x) + mpmath.exp(mpmath.sin(x)) + mpmath.exp(x * x)),
        0.2,
    ),
    "a product": (lambda x: rg.stack([x, x + 1, x.exp()]).prod(), lambda x: x * (x + 1) * mpmath.exp(x), 0.3),
    "written in place": (
        lambda x: rg.stack([x, x]).masked_fill(rg.tensor([False, True]), 2.0)[0].mul_(x).sin_(),
        lambda x: mpmath.sin(x * x),
        0.8,
    ),
}


@pytest.mark.parametrize("name", SERIES)
def test_the_known_series_of(name):
    f, reference, at = SERIES[name]
    with mpmath.workdps(60):
        wanted = [float(c) for c in mpmath.taylor(reference, mpmath.mpf(at), 10)]
    found = taylor(f, t(at), t(1.0), 10, method="pass")
    same(found, wanted, 1e-9, 1e-11)
    same(taylor(f, t(at), t(1.0), 5, method="nested"), wanted[:6], 1e-9, 1e-11)
    same(taylor(f, t(at), t(-2.0), 10), [c * (-2.0) ** k for k, c in enumerate(wanted)], 1e-9, 1e-8)


def test_high_orders_cost_little():
    """Order forty in one pass; nesting would take 2⁴⁰ programs."""
    same(taylor(rg.exp, t(0.0), t(1.0), 40), [1 / math.factorial(k) for k in range(41)], 1e-9, 0.0)
    inverse = taylor(lambda x: 1 / (1 - x), t(0.0), t(1.0), 40)
    same(inverse, np.ones(41), 1e-9)


# Several inputs, nestings, curves.


def test_several_inputs_in_any_nesting():
    f = lambda p: {"product": p["a"][0] @ p["a"][1], "rest": (p["b"].exp(), p["a"][0].sum() ** 2)}
    rng = np.random.default_rng(1)
    numbers = [rng.normal(size=s) for s in ((2, 3), (3,), (2,))]
    nested = lambda xs: {"a": [xs[0], xs[1]], "b": xs[2]}
    flat = lambda *xs: (lambda out: (out["product"], *out["rest"]))(f(nested(xs)))
    vs = [rng.normal(size=x.shape) for x in numbers]
    found = taylor(f, nested(tensors(numbers)), nested(tensors(vs)), 4)
    wanted = on_a_curve(flat, numbers, [[v, *(np.zeros_like(v),) * 3] for v in vs])
    for k, (ys, ws) in enumerate(zip(found, wanted, strict=True)):
        assert set(ys) == {"product", "rest"} and isinstance(ys["rest"], tuple)
        same([ys["product"], *ys["rest"]], [w / math.factorial(k) for w in ws], 1e-10, 1e-12)
    _, derivatives = jet(f, (nested(tensors(numbers)),), ([nested(tensors(vs)), nested(tensors(vs))],))
    wanted = on_a_curve(flat, numbers, [[v, v] for v in vs])
    for ys, ws in zip(derivatives, wanted[1:], strict=True):
        same([ys["product"], *ys["rest"]], ws, 1e-10, 1e-12)


def test_jet_has_the_chain_rule_of_high_orders():
    """Faà di Bruno: along a curve g, (f∘g)‴ = f‴g′³ + 3f″g′g″ + f′g‴."""
    x, (g1, g2, g3) = t(0.4), (1.3, -0.7, 2.1)
    value, found = jet(rg.sin, (x,), ([t(g1), t(g2), t(g3)],))
    s, c = math.sin(0.4), math.cos(0.4)
    same([value, *found], [s, c * g1, c * g2 - s * g1**2, -c * g1**3 - 3 * s * g1 * g2 + c * g3])
    inner = jet(lambda y: y * y, (x,), ([t(g1), t(g2), t(g3)],))
    whole = jet(lambda y: (y * y).sin(), (x,), ([t(g1), t(g2), t(g3)],))
    composed = jet(rg.sin, (inner[0],), (inner[1],))
    same([composed[0], *composed[1]], [whole[0].item(), *(d.item() for d in whole[1])])


@settings(max_examples=60)
@given(programs.straight(), st.integers(0, 9))
def test_the_series_is_the_program_nearby(p, seed):
    """The polynomial of order eight predicts the program a small step away."""
    xs, rng = programs.point(p, seed), np.random.default_rng(seed)
    vs = laws.directions(rng, xs)
    f = lambda xs: p.run(programs.LIBRARY, *xs)
    found = [c.numpy() for c in taylor(f, tuple(tensors(xs)), tuple(tensors(vs)), 8, method="pass")]
    for step in (0.01, -0.01):
        there = f(tensors([x + step * v for x, v in zip(xs, vs, strict=True)])).numpy()
        size = 1 + np.abs(there)
        # What is left out is of order nine; ten times the last term that is not bounds it for these programs.
        left_out = 10 * np.abs(found[8]) * abs(step) ** 8 + 1e-12 * size
        assert (np.abs(sum(c * step**k for k, c in enumerate(found)) - there) <= left_out).all()


def test_order_zero_is_the_value():
    same(taylor(rg.exp, t(0.3), t(1.0), 0), [math.exp(0.3)])
    value, found = jet(rg.exp, (t(0.3),), ([],))
    same([value], [math.exp(0.3)])
    assert found == []


def test_shapes_dtypes_and_independence():
    x = rg.ones(2, 3)
    found = taylor(lambda x: (x.sum(0), rg.arange(2), x > 0, rg.ones(4)), x, x, 2)
    for method in ("pass", "nested"):
        found = taylor(lambda x: (x.sum(0), rg.arange(2), x > 0, rg.ones(4)), x, x, 2, method=method)
        assert [[y.dtype for y in ys] for ys in found] == [[rg.float32, rg.int64, rg.bool, rg.float32]] * 3
        assert [[tuple(y.shape) for y in ys] for ys in found] == [[(3,), (2,), (2, 3), (4,)]] * 3
        assert not any(y.any().item() for ys in found[1:] for y in ys[1:])
    assert taylor(rg.sin, x[:0], x[:0], 2)[2].shape == (0, 3)
    assert not x.requires_grad and not any(y.requires_grad for y in found[1])


# With other transforms.

f = lambda x: (x.sin() * x.exp() / (1 + x * x)).sum()


def derivative_of_order(k: int) -> Any:
    """The k-th derivative of f along ones, by nested forward mode."""
    g = f
    for _ in range(k):
        g = lambda x, g=g: jvp(g, (x,), (rg.ones_like(x),))[1]
    return g


@pytest.mark.parametrize("k", [1, 2, 3])
def test_coefficients_are_differentiated_in_every_mode(k):
    x, v = t(0.3, -0.5, 0.8), rg.ones(3, dtype=rg.float64)
    coefficient = lambda x: taylor(f, x, v, k, method="pass")[k] * math.factorial(k)
    wanted = grad(derivative_of_order(k))(x)
    same([grad(coefficient)(x)], [wanted.numpy()], 1e-11)
    same([vjp(coefficient, x)[1](t(1.0))[0]], [wanted.numpy()], 1e-11)
    same([jacfwd(coefficient)(x)], [wanted.numpy()], 1e-11)
    same([jvp(coefficient, (x,), (v,))[1]], [derivative_of_order(k + 1)(x).numpy()], 1e-11)
    leaf = x.clone().requires_grad_()
    (swept,) = rg.autograd.grad(coefficient(leaf), leaf, create_graph=True)
    same([swept], [wanted.numpy()], 1e-11)
    again = rg.autograd.grad(swept.sum(), leaf)
    same(again, [grad(lambda x: grad(derivative_of_order(k))(x).sum())(x).numpy()], 1e-10)
    same([hessian(coefficient)(x)], [hessian(derivative_of_order(k))(x).numpy()], 1e-10)
    # By the direction as well: the coefficient is a homogeneous polynomial of degree k in it.
    by_direction = grad(lambda v: taylor(f, x, v, k)[k])(v)
    same([(by_direction * v).sum()], [k * taylor(f, x, v, k)[k].item()], 1e-11)


def test_lanes_and_series_in_either_order():
    xs, vs = t(0.1, 0.5, -0.9), t(1.0, -2.0, 0.5)
    wanted = np.array([[c.item() for c in taylor(rg.atan, x, v, 4)] for x, v in zip(xs, vs, strict=True)]).T
    same(vmap(lambda x, v: tuple(taylor(rg.atan, x, v, 4)))(xs, vs), wanted)
    same(taylor(vmap(rg.atan), xs, vs, 4), wanted)
    same(vmap(lambda v: tuple(taylor(rg.atan, xs[0], v, 3)))(rg.ones(2, dtype=rg.float64)), np.outer(
        [c.item() for c in taylor(rg.atan, xs[0], t(1.0), 3)], np.ones(2)))  # fmt: skip


def test_series_of_derivatives():
    x, v = t(0.3, -0.5), t(1.0, 2.0)
    for inner in (grad(f), hessian(f), lambda x: jvp(f, (x,), (x,))[1], lambda x: vjp(f, x)[1](x.sum())[0]):
        one, other = (taylor(inner, x, v, 3, method=m) for m in ("pass", "nested"))
        same(one, [c.numpy() for c in other], 1e-11)


def test_series_of_series():
    """Coefficients of coefficients: mixed derivatives along two lines, in either order."""
    x, v, w = t(0.3, -0.5), t(1.0, 2.0), t(-0.4, 0.7)
    mixed = lambda a, b: taylor(lambda x: taylor(f, x, a, 2, method="pass")[2], x, b, 1, method="pass")[1]
    third = derivative_along(v, v, w)(x)
    same([mixed(v, w)], [third.item() / 2], 1e-11)
    same([taylor(lambda x: taylor(f, x, w, 1, method="pass")[1], x, v, 2, method="pass")[2]], [third.item() / 2], 1e-11)


def derivative_along(*directions: Any) -> Any:
    g = f
    for d in directions:
        g = lambda x, g=g, d=d: jvp(g, (x,), (d,))[1]
    return g


# Functions with rules of their own.


def ruled() -> dict[str, Any]:
    by_tangent = custom_jvp(lambda x: rg.sin(x))
    by_tangent.defjvp(lambda xs, ts: (by_tangent(*xs), ts[0] * xs[0].cos()))
    by_cotangent = custom_vjp(lambda x: rg.sin(x))
    by_cotangent.defvjp(lambda x: (rg.sin(x), x), lambda x, g: (g * x.cos(),))

    class Sine(rg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            return rg.sin(x)

        @staticmethod
        def jvp(ctx, v):
            return v * ctx.saved_tensors[0].cos()

    return {"custom_jvp": by_tangent, "custom_vjp": by_cotangent, "Function": Sine.apply}


@pytest.mark.parametrize("kind", ruled())
def test_rules_of_ones_own_are_nested(kind):
    sine = ruled()[kind]
    g = lambda x: (sine(x * x) * x).sum()
    x, v = t(0.3, -0.5), t(1.0, 2.0)
    wanted = [c.numpy() for c in taylor(lambda x: ((x * x).sin() * x).sum(), x, v, 4)]
    same(taylor(g, x, v, 4), wanted, 1e-11)
    same(taylor(g, x, v, 4, method="nested"), wanted, 1e-11)
    same([grad(lambda x: taylor(g, x, v, 2)[2])(x)], [grad(lambda x: taylor(lambda x: ((x * x).sin() * x).sum(), x, v, 2)[2])(x).numpy()], 1e-11)  # fmt: skip  # noqa: E501
    # In one pass the function itself goes along the curve by nesting.
    same(taylor(g, x, v, 4, method="pass"), wanted, 1e-11)
    same([jet(g, (x,), ([v],))[1][0]], wanted[1:2], 1e-11)


# Errors.

x = t(0.3, 0.5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: taylor(rg.sin, x, x, -1), ValueError, "^taylor: order must not be negative, but is -1"),
        (lambda: taylor(rg.sin, x, x, 2.0), TypeError, "^taylor: order must be an integer, not a float"),
        (lambda: taylor(rg.sin, x, x, 2, method="fast"), ValueError, "^taylor: method='fast' is not one of"),
        (lambda: taylor(rg.sin, 0.3, x, 2), TypeError, "^taylor: expected tensors, got a float; wrap numbers"),
        (lambda: taylor(rg.sin, x, 1.0, 2), TypeError, "^taylor: expected tensors, got a float; wrap numbers"),
        (lambda: taylor(rg.sin, x, (x,), 2), ValueError, "^taylor: x and v must be nested alike"),
        (lambda: taylor(rg.sin, x, x[:1], 2), ValueError, r"^taylor: a direction of shape \[1\] .* must be equal"),
        (lambda: taylor(rg.sin, x, x.float(), 2), ValueError, "^taylor: a direction .* rustgrad.float32 does not fit"),
        (lambda: taylor(rg.sin, rg.arange(2), rg.arange(2), 2), NotDifferentiableError, "^taylor: .*int64 tensor"),
        (lambda: taylor(lambda z: x, (), (), 2), ValueError, "^taylor: there is no tensor to move along"),
        (lambda: taylor(lambda z: 3.0, x, x, 2), TypeError, "^taylor: expected tensors, got a float"),
        (lambda: taylor(lambda z: 3.0, x, x, 0), TypeError, "^taylor: expected tensors, got a float"),
        (lambda: jet(rg.sin, x, ([x],)), TypeError, "^jet: primals is a tuple, and series has a list"),
        (lambda: jet(rg.mul, (x, x), ([x],)), TypeError, "^jet: primals is a tuple, and series has a list"),
        (lambda: jet(rg.mul, (x, x), ([x], [x, x])), ValueError, r"^jet: .* lengths \[1, 2\]; they must be equal"),
        (lambda: jet(rg.sin, (x,), ([1.0],)), TypeError, "^jet: expected tensors, got a float"),
        (lambda: jet(rg.sin, (x,), ([x[:1]],)), ValueError, r"^jet: a direction of shape \[1\]"),
        (lambda: jet(lambda z: z["a"], ({"a": x},), ([x],)), ValueError, "^jet: the derivatives must be nested like"),
        (lambda: jet(rg.sin, (rg.arange(2),), ([rg.arange(2)],)), NotDifferentiableError, "^jet: .*float dtype first"),
        (lambda: jet(rg.sin, (), ()), ValueError, "^jet: there is no tensor to move along"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_what_escapes_the_series_raises():
    kept: list[Any] = []
    taylor(lambda z: kept.append(z * 2) or z, x, x, 2)
    with pytest.raises(RuntimeError, match=r"from inside func\.taylor is used after it ended; return it"):
        kept[0] + 1
