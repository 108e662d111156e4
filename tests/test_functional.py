"""Products with Jacobians and Hessians, and the whole matrices: values, nesting, strictness, higher orders, misuse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import rustgrad as rg
from laws import differences, numbers
from rustgrad.autograd import functional
from sampling import tensors

WAYS = [
    {"vectorize": vectorize, "strategy": strategy}
    for vectorize, strategy in itertools.product((False, True), ("reverse-mode", "forward-mode"))
]
IDS = [f"{way['strategy']}{'-vectorized' * way['vectorize']}" for way in WAYS]
every_way = pytest.mark.parametrize("way", WAYS, ids=IDS)
PRODUCTS = [functional.vjp, functional.jvp, functional.vhp, functional.hvp]
EVERY = [*PRODUCTS, functional.jacobian, functional.hessian]
named = lambda f: f.__name__


def t(*numbers: float, grad: bool = False):
    values = numbers[0] if len(numbers) == 1 else list(numbers)
    return rg.tensor(values, dtype=rg.float64, requires_grad=grad)


def same(tensor, wanted, rtol=1e-12):
    np.testing.assert_allclose(tensor.detach().numpy(), wanted, rtol=rtol, atol=1e-12)


def hessian(f, inputs, way, **kwargs):
    return functional.hessian(f, inputs, vectorize=way["vectorize"], outer_jacobian_strategy=way["strategy"], **kwargs)


def shape_of(tree):
    """The nesting, with shapes for tensors."""
    return tuple(shape_of(part) for part in tree) if isinstance(tree, tuple) else list(tree.shape)


def mixed(x, y):
    """Two outputs of two inputs of different shapes, with every second derivative."""
    return (x.sin() @ y).exp(), (x * x).sum() * y.prod()


def mixed_inputs(rng):
    return [rng.uniform(-1, 1, (2, 3)), rng.uniform(0.5, 1.5, 3)]


def number(x, y):
    return (x.sin() @ y).exp().sum() * y.prod()


# Values: closed forms and differences.


def test_vjp():
    y, g = functional.vjp(lambda x: x**2, t(1.0, 2.0, 3.0), t(1.0, 0.5, 2.0))
    same(y, [1.0, 4.0, 9.0])
    same(g, [2.0, 2.0, 12.0])


def test_jvp():
    y, s = functional.jvp(lambda x: x.prod(), t(2.0, 3.0, 5.0), t(1.0, 0.0, 1.0))
    same(y, 30.0)
    same(s, 21.0)


def test_products_fit_each_other_and_differences():
    rng = np.random.default_rng(0)
    xs = mixed_inputs(rng)
    ts = [rng.normal(size=x.shape) for x in xs]
    _, slopes = functional.jvp(mixed, tuple(tensors(xs)), tuple(tensors(ts)))
    wanted = differences(lambda z: numbers(mixed(*tensors(z))), xs, ts)
    for slope, w in zip(slopes, wanted, strict=True):
        same(slope, w, rtol=1e-7)
    gs = [rng.normal(size=w.shape) for w in wanted]
    _, found = functional.vjp(mixed, tuple(tensors(xs)), tuple(tensors(gs)))
    pulled = sum((f.numpy() * s).sum() for f, s in zip(found, ts, strict=True))
    pushed = sum((s.numpy() * g).sum() for s, g in zip(slopes, gs, strict=True))
    np.testing.assert_allclose(pulled, pushed, rtol=1e-12)


@every_way
def test_jacobian_of_closed_forms(way):
    x = t(0.3, -1.2, 2.0)
    same(functional.jacobian(rg.sin, x, **way), np.diag(np.cos(x.numpy())))
    matrix = rg.from_numpy(np.arange(6.0).reshape(2, 3))
    same(functional.jacobian(lambda x: matrix @ x, x, **way), matrix.numpy())
    same(functional.jacobian(lambda x: x.sum(), x, **way), np.ones(3))
    same(functional.jacobian(lambda x: x**3, t(2.0), **way), 12.0)


@every_way
def test_jacobian_against_differences(way):
    rng = np.random.default_rng(1)
    xs = mixed_inputs(rng)
    found = functional.jacobian(mixed, tuple(tensors(xs)), **way)
    for n, x in enumerate(xs):
        for index in np.ndindex(x.shape):
            ts = [np.zeros_like(other) for other in xs]
            ts[n][index] = 1.0
            wanted = differences(lambda z: numbers(mixed(*tensors(z))), xs, ts)
            for row, w in zip(found, wanted, strict=True):
                same(row[n][(..., *index)], w, rtol=1e-6)


@every_way
def test_hessian_of_closed_forms(way):
    x = t(1.0, 2.0)
    same(hessian(lambda x: (x**3).sum(), x, way), np.diag([6.0, 12.0]))
    same(hessian(lambda x: x.prod(), x, way), [[0.0, 1.0], [1.0, 0.0]])
    same(hessian(lambda x: x.sin(), t(0.5), way), -np.sin(0.5))
    same(hessian(lambda x: (x**3).sum().reshape(1, 1), x, way), np.diag([6.0, 12.0]))


@every_way
def test_hessian_against_differences_and_products(way):
    rng = np.random.default_rng(2)
    xs = mixed_inputs(rng)
    ts = [rng.normal(size=x.shape) for x in xs]
    inputs, v = tuple(tensors(xs)), tuple(tensors(ts))
    blocks = hessian(number, inputs, way)
    gradient = lambda z: numbers(functional.vjp(number, tuple(tensors(z)))[1])
    wanted = differences(gradient, xs, ts)
    for product in (functional.vhp, functional.hvp):
        value, found = product(number, inputs, v)
        same(value, number(*inputs).numpy())
        for f, w in zip(found, wanted, strict=True):
            same(f, w, rtol=1e-6)
    for row, w in zip(blocks, wanted, strict=True):
        summed = sum(np.tensordot(b.numpy(), s, axes=s.ndim) for b, s in zip(row, ts, strict=True))
        np.testing.assert_allclose(summed, w, rtol=1e-6)


def test_v_may_be_left_out_for_single_numbers():
    for function in PRODUCTS:
        value, found = function(lambda x: x**3, t(2.0))
        same(value, 8.0)
        same(found, 12.0)
    same(functional.vjp(lambda x: (x**2).sum(), t(1.0, 2.0))[1], [2.0, 4.0])
    same(functional.jvp(lambda x: x * t(1.0, 2.0), rg.ones(1, 1, dtype=rg.float64))[1], [[1.0, 2.0]])


# Nesting, shapes and dtypes.


@every_way
def test_nesting_of_jacobians(way):
    a, b = rg.ones(2), rg.ones(2, 3)
    one, both = [2, 2], ([2, 2], [2, 2, 3])
    row = lambda x, y: x + y.sum(dim=1)
    shapes = lambda f, inputs: shape_of(functional.jacobian(f, inputs, **way))
    assert shapes(lambda x: x * 2, a) == one
    assert shapes(lambda x: x * 2, (a,)) == (one,)
    assert shapes(lambda x: (x * 2,), a) == (one,)
    assert shapes(lambda x: (x * 2,), (a,)) == ((one,),)
    assert shapes(row, (a, b)) == both
    assert shapes(lambda x, y: (row(x, y), y.sum()), (a, b)) == (both, ([2], [2, 3]))


@every_way
def test_nesting_of_hessians(way):
    f = lambda *xs: sum((x * x).sum() for x in xs) * xs[0].sum()
    assert shape_of(hessian(f, rg.ones(2), way)) == [2, 2]
    assert shape_of(hessian(f, (rg.ones(2),), way)) == (([2, 2],),)
    assert shape_of(hessian(f, (rg.ones(2), rg.ones(3)), way)) == (([2, 2], [2, 3]), ([3, 2], [3, 3]))


def test_nesting_of_products():
    x = rg.ones(3)
    for function, output in zip(PRODUCTS, (lambda x: x * 2, lambda x: x * 2, rg.sum, rg.sum), strict=True):
        for inputs in (x, (x,)):
            value, found = function(output, inputs, x)
            assert isinstance(value, rg.Tensor)
            like_input = function is not functional.jvp
            assert isinstance(found, tuple) == (like_input and isinstance(inputs, tuple))
    value, found = functional.jvp(lambda x: (x * 2,), x, x)
    assert shape_of(value) == shape_of(found) == ([3],)


def test_dtypes():
    a, b = rg.ones(2), t(1.0, 2.0)
    f = lambda a, b: (a * a * b).sum()
    for function in (functional.vhp, functional.hvp):
        assert [g.dtype for g in function(f, (a, b), (a, b))[1]] == [rg.float32, rg.float64]
    assert [g.dtype for g in functional.vjp(f, (a, b))[1]] == [rg.float32, rg.float64]
    assert functional.jvp(f, (a, b), (a, b))[1].dtype == rg.float64
    assert [j.dtype for j in functional.jacobian(f, (a, b))] == [rg.float32, rg.float64]
    assert [j.dtype for j in functional.jacobian(f, (a, b), strategy="forward-mode")] == [rg.float64] * 2
    assert functional.jvp(rg.sin, a, b)[1].dtype == rg.float32  # v follows the inputs


@every_way
def test_nothing_in_or_out(way):
    assert shape_of(functional.jacobian(lambda x: x * 2, rg.ones(0), **way)) == [0, 0]
    assert shape_of(functional.jacobian(lambda x: x[:0], rg.ones(2), **way)) == [0, 2]
    assert shape_of(functional.jacobian(lambda x: x.sum(), rg.ones(0, 3), **way)) == [0, 3]


# Independence: zeros, or an error.


def test_independence_gives_zeros():
    x, y = t(1.0, 2.0), t(3.0)
    first = lambda x, y: x.prod()
    for function in PRODUCTS[2:]:
        same(function(first, (x, y), (x, y))[1][1], 0.0)
        same(function(lambda x: rg.ones([]), x, x)[1], [0.0, 0.0])
        same(function(rg.sum, x, x)[1], [0.0, 0.0])
    same(functional.vjp(first, (x, y))[1][1], 0.0)
    value, found = functional.jvp(lambda x: rg.ones(3), x, x)
    same(value, [1.0] * 3)
    same(found, [0.0] * 3)


@every_way
def test_independence_gives_zeros_in_matrices(way):
    x, y = t(1.0, 2.0), t(3.0)
    for block, shape in zip(functional.jacobian(lambda x, y: y * 2, (x, y), **way), [(2,), ()], strict=True):
        same(block, np.full(shape, 0.0 if shape else 2.0))
    same(functional.jacobian(lambda x: rg.ones(3), x, **way), np.zeros((3, 2)))
    same(functional.jacobian(lambda x: x > 0, x, **way), np.zeros((2, 2)))
    same(hessian(rg.sum, x, way), np.zeros((2, 2)))
    same(hessian(lambda x, y: x.prod(), (x, y), way)[1][1], 0.0)


@pytest.mark.parametrize("function", EVERY, ids=named)
def test_strict(function):
    x, y = t(1.0, 2.0), t(3.0)
    v = {} if function in EVERY[4:] else {"v": (x, y)}
    if function is functional.vjp:
        v = {"v": t(1.0)}
    with pytest.raises(RuntimeError, match=rf"{function.__name__}: .*strict"):
        function(lambda x, y: (x**3).sum(), (x, y), strict=True, **v)
    with pytest.raises(RuntimeError, match=rf"{function.__name__}: .*strict"):
        function(lambda x, y: rg.ones([]), (x, y), strict=True, **v)
    function(lambda x, y: (x**3).sum() * y**3, (x, y), strict=True, **v)


@every_way
def test_strict_matrices_need_every_pair(way):
    x, y = t(1.0, 2.0), t(3.0)
    with pytest.raises(RuntimeError, match="output 1 does not depend on input 0"):
        functional.jacobian(lambda x, y: (x * y, y * 2), (x, y), strict=True, **way)
    with pytest.raises(RuntimeError, match="gradient 0 does not depend on input 1"):
        hessian(lambda x, y: (x**2).sum() + y**2, (x, y), way, strict=True)
    with pytest.raises(RuntimeError, match="gradient 0 does not depend on the inputs"):
        hessian(rg.sum, x, way, strict=True)
    same(functional.jacobian(lambda x: x * 2, x, strict=True, **way), 2 * np.eye(2))


def test_strict_products_of_linear_functions():
    for function in (functional.vhp, functional.hvp):
        with pytest.raises(RuntimeError, match="gradient 0 does not depend"):
            function(rg.sum, t(1.0, 2.0), t(1.0, 1.0), strict=True)


def test_strict_with_create_graph_needs_a_result_that_varies():
    x = t(1.0, 2.0, grad=True)
    for call in (functional.vjp, functional.jvp):
        with pytest.raises(RuntimeError, match=r"constant.*strict"):
            call(lambda x: x * 2, x, t(1.0, 1.0), create_graph=True, strict=True)
    with pytest.raises(RuntimeError, match=r"constant.*strict"):
        functional.jacobian(lambda x: x * 2, x, create_graph=True, strict=True)


# What is recorded.


@pytest.mark.parametrize("function", EVERY, ids=named)
def test_results_are_not_recorded_unless_asked(function):
    x, w = t(2.0, grad=True), t(3.0, grad=True)
    for inputs in (x, x.detach(), x * 1):
        result = function(lambda x: w * x**4, inputs)
        for part in result if isinstance(result, tuple) else (result,):
            assert not part.requires_grad
    assert x.grad is None and w.grad is None


def test_products_are_differentiable():
    """For f = x⁴: each product at v is known, and so are its derivatives by x and by v."""
    for order, function in zip((1, 1, 2, 2), PRODUCTS, strict=True):
        x, v = t(2.0, grad=True), t(3.0, grad=True)
        value, found = function(lambda x: x**4, x, v, create_graph=True)
        slope, bend = (32.0, 48.0) if order == 1 else (48.0, 48.0)  # 4x³ and 12x², or 12x² and 24x
        same(found, 3 * slope)
        by_x, by_v = rg.autograd.grad(found, (x, v), retain_graph=True)
        same(by_x, 3 * bend)
        same(by_v, slope)
        same(rg.autograd.grad(value, x)[0], 32.0)


@every_way
def test_matrices_are_differentiable(way):
    x = t(1.0, 2.0, grad=True)
    f = lambda x: (x**4).sum()
    same(rg.autograd.grad(functional.jacobian(f, x, create_graph=True, **way).sum(), x)[0], [12.0, 48.0])
    same(rg.autograd.grad(hessian(f, x, way, create_graph=True).sum(), x)[0], [24.0, 48.0])
    assert x.grad is None


def test_functions_nest():
    f = lambda x: (x**4).sum()
    gradient = lambda x: functional.jacobian(f, x, create_graph=True)
    x, v = t(1.0, 2.0), t(1.0, 1.0)
    same(functional.jacobian(gradient, x), np.diag([12.0, 48.0]))
    same(functional.jvp(gradient, x, v)[1], [12.0, 48.0])
    same(functional.vjp(gradient, x, v)[1], [12.0, 48.0])
    same(functional.jacobian(gradient, x, strategy="forward-mode"), np.diag([12.0, 48.0]))


def test_products_may_be_batched_over_v():
    x, units = t(1.0, 2.0), rg.eye(2, dtype=rg.float64)
    f = lambda x: x.prod() * x[0]
    for function in (functional.vhp, functional.hvp):
        same(rg.func.vmap(lambda v: function(f, x, v)[1])(units), [[4.0, 2.0], [2.0, 0.0]])
    for function in (functional.vjp, functional.jvp):
        same(rg.func.vmap(lambda v: function(rg.sin, x, v)[1])(units), np.diag(np.cos([1.0, 2.0])))


def test_the_grad_mode_outside_does_not_matter():
    with rg.no_grad():
        same(functional.hessian(lambda x: (x**3).sum(), t(1.0, 2.0)), np.diag([6.0, 12.0]))
        same(functional.vjp(lambda x: x**2, t(3.0))[1], 6.0)
        assert not rg.is_grad_enabled()


def test_an_input_may_be_a_constant_of_the_function_too():
    x = t(3.0, grad=True)
    same(functional.jacobian(lambda y: x * y, x), 3.0)
    same(functional.jacobian(lambda a, b: a * b, (x, x))[0], 3.0)


def test_an_exception_of_the_function_ends_the_level():
    def fail(x):
        raise KeyError("from the function")

    for function in EVERY:
        with pytest.raises(KeyError, match="from the function"):
            function(fail, t(1.0))
    same(functional.jvp(rg.sin, t(0.0))[1], 1.0)


# Misuse.


@pytest.mark.parametrize("function", EVERY, ids=named)
def test_misuse(function):
    name = function.__name__
    x = t(1.0, 2.0)
    for wrong, what in ([x], "list"), (2.0, "float"), ((x, 1), "int"), ((x, [x]), "list"):
        with pytest.raises(TypeError, match=rf"{name}: inputs .* {what}"):
            function(lambda *x: x[0].sum(), wrong)
    with pytest.raises(ValueError, match=rf"{name}: inputs .*empty"):
        function(lambda: x, ())
    with pytest.raises(RuntimeError, match=rf"{name}: input 0 of dtype .*int64"):
        function(lambda x: x * 2.0, rg.tensor(1))


@pytest.mark.parametrize("function", PRODUCTS, ids=named)
def test_misuse_of_v(function):
    name = function.__name__
    x = t(1.0, 2.0)
    f = (lambda x: x * 2) if function in PRODUCTS[:2] else rg.sum
    with pytest.raises(ValueError, match=rf"{name}: v is needed .*\[2\]"):
        function(f, x)
    with pytest.raises(ValueError, match=rf"{name}: v\[0\] has shape \[3\].*\[2\]"):
        function(f, x, t(1.0, 2.0, 3.0))
    with pytest.raises(ValueError, match=rf"{name}: v has 2 tensors"):
        function(f, x, (x, x))
    with pytest.raises(TypeError, match=rf"{name}: v .*list"):
        function(f, x, [x])


def test_misuse_of_outputs_and_strategies():
    x = t(1.0, 2.0)
    for function in EVERY[:2] + [functional.jacobian]:
        with pytest.raises(TypeError, match=r"output of the function .* list"):
            function(lambda x: [x], x, *([x] if function in PRODUCTS else []))
    for function in (functional.hessian, functional.vhp, functional.hvp):
        with pytest.raises(ValueError, match=r"single number, not \[2\]"):
            function(lambda x: x * 2, x, *([x] if function in PRODUCTS else []))
        with pytest.raises(ValueError, match="single number, not a tuple"):
            function(lambda x: (x.sum(),), x, *([x] if function in PRODUCTS else []))
    with pytest.raises(ValueError, match="jacobian: there is no strategy 'sideways'"):
        functional.jacobian(rg.sin, x, strategy="sideways")
    with pytest.raises(ValueError, match="hessian: there is no strategy 'sideways'"):
        functional.hessian(rg.sum, x, outer_jacobian_strategy="sideways")
