"""`autograd.Function` in both styles: every method of ctx, second derivatives, batching, mistakes of the user."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import func
from rustgrad.autograd import Function, grad

F64 = rg.float64


def leaf(values):
    return rg.tensor(values, dtype=F64, requires_grad=True)


class Scaled(Function):
    @staticmethod
    def forward(ctx, x, k):
        ctx.save_for_backward(x)
        ctx.k = k
        return x * x * k

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g * ctx.k, None


class Two(Function):
    """The product and the sum, in the style with setup_context."""

    generate_vmap_rule = True
    needs: list[tuple[bool, ...]] = []

    @staticmethod
    def forward(x, y):
        return x * y, x + y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)
        Two.needs.append(tuple(ctx.needs_input_grad))

    @staticmethod
    def backward(ctx, a, b):
        x, y = ctx.saved_tensors
        return a * y + b, a * x + b

    @staticmethod
    def jvp(ctx, tx, ty):
        x, y = ctx.saved_tensors
        return tx * y + x * ty, tx + ty


def test_forward_with_ctx_to_second_order():
    x = leaf([1.0, 2.0])
    (g,) = grad(Scaled.apply(x, 3.0).sum(), x, create_graph=True)
    assert g.tolist() == [6.0, 12.0] and grad(g.sum(), x)[0].tolist() == [6.0, 6.0]


def test_setup_context_in_every_mode():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    assert [g.tolist() for g in grad(sum(o.sum() for o in Two.apply(x, y)), (x, y))] == [[4.0, 5.0], [2.0, 3.0]]
    x, y = x.detach(), y.detach()
    (product, total), (dp, dt) = func.jvp(Two.apply, (x, y), (x, y))
    assert dp.tolist() == [6.0, 16.0] and dt.tolist() == [4.0, 6.0] == total.tolist() and product.tolist() == [3.0, 8.0]
    square = lambda x: (Two.apply(x, y)[0] ** 2).sum()
    assert np.allclose(func.hessian(square)(x).numpy(), np.diag([18.0, 32.0]))


def test_needs_input_grad():
    Two.needs.clear()
    Two.apply(leaf([1.0]), rg.tensor([1.0], dtype=F64))
    assert Two.needs[-1] == (True, False)


def test_a_generated_rule_for_vmap():
    x, y = rg.tensor([1.0, 2.0], dtype=F64), rg.tensor([3.0, 4.0], dtype=F64)
    product, total = func.vmap(Two.apply, in_dims=(0, None))(x, y)
    assert product.tolist() == [[3.0, 4.0], [6.0, 8.0]] and total.tolist() == [[4.0, 5.0], [5.0, 6.0]]
    both = func.vmap(func.grad(lambda x, y: Two.apply(x, y)[0].sum(), argnums=(0, 1)), in_dims=(0, None))(x, y)
    assert [g.tolist() for g in both] == [[7.0, 7.0], [[1.0, 1.0], [2.0, 2.0]]]


class Sine(Function):
    seen: list[tuple[int, str]] = []

    @staticmethod
    def forward(x):
        return rg.from_numpy(np.sin(x.numpy()))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()

    @staticmethod
    def vmap(info, in_dims, x):
        Sine.seen.append((info.batch_size, info.randomness))
        return Sine.apply(x), in_dims[0]


def test_a_rule_for_vmap():
    m = rg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=F64)
    Sine.seen.clear()
    assert np.allclose(func.vmap(Sine.apply, in_dims=1)(m).numpy(), np.sin(m.numpy()).T)
    assert Sine.seen == [(2, "error")]
    assert np.allclose(func.vmap(func.grad(lambda x: Sine.apply(x).sum()))(m).numpy(), np.cos(m.numpy()))
    assert np.allclose(func.grad(lambda m: func.vmap(Sine.apply)(m).sum())(m).numpy(), np.cos(m.numpy()))


def test_mark_non_differentiable_and_materialize():
    class Sorted(Function):
        given: list[bool] = []

        @staticmethod
        def forward(ctx, x):
            values, places = x.sort()
            ctx.mark_non_differentiable(places)
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(places)
            return values, places, 2 * x

        @staticmethod
        def backward(ctx, g, of_places, unused):
            Sorted.given += [g is None, of_places is None, unused is None]
            return rg.zeros(3, dtype=F64).scatter(0, ctx.saved_tensors[0], g)

    x = leaf([3.0, 1.0, 2.0])
    values, places, _ = Sorted.apply(x)
    assert values.requires_grad and not places.requires_grad
    weights = rg.tensor([1.0, 10.0, 100.0], dtype=F64)
    assert grad((values * weights).sum(), x)[0].tolist() == [100.0, 1.0, 10.0]
    assert Sorted.given == [False, True, True]


def test_mark_dirty():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = leaf([1.0, 2.0])
    y = x * 3
    assert Double.apply(y) is y and y.tolist() == [6.0, 12.0]
    assert grad((y * y).sum(), x)[0].tolist() == [72.0, 144.0]
    with pytest.raises(RuntimeError, match="Double: cannot change argument 0, a leaf"):
        Double.apply(x)
    y = x * 3
    Double.apply(y[:1])
    assert rg.autograd.grad(y.sum(), x)[0].ravel()[0].item() == 6.0


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda ctx, g: g, "returned 1 gradients for 2 arguments"),
        (lambda ctx, g: (g.sum(), g), r"argument 0 has shape \[\] but the argument has shape \[2\]"),
        (lambda ctx, g: (g, g, g), "returned 3 gradients for 2 arguments"),
    ],
)
def test_mistakes_in_a_rule_are_named(rule, message):
    body = {"forward": staticmethod(lambda ctx, x, y: x * y), "backward": staticmethod(rule)}
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    with pytest.raises(RuntimeError, match=message):
        grad(type("Wrong", (Function,), body).apply(x, y).sum(), (x, y))


def test_a_saved_tensor_that_changed_is_noticed():
    y = leaf([1.0, 2.0]) * 1
    z = Scaled.apply(y, 1.0)
    y.mul_(2)
    with pytest.raises(RuntimeError, match=r"modified|changed|overwritten|in place"):
        z.sum().backward()


class Power(Function):
    @staticmethod
    def forward(x, n=3, *, scale=1.0):
        return scale * x**n

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.n = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * ctx.n * x ** (ctx.n - 1), None


class PowerWithCtx(Function):
    @staticmethod
    def forward(ctx, x, n=3, *, scale=1.0):
        ctx.save_for_backward(x)
        ctx.n, ctx.scale = n, scale
        return scale * x**n

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        nothing = [None] * (len(ctx.needs_input_grad) - 1)
        return g * ctx.scale * ctx.n * x ** (ctx.n - 1), *nothing


@pytest.mark.parametrize("function", [Power, PowerWithCtx])
@pytest.mark.parametrize(
    ("call", "n"),
    [
        (lambda f, x: f(x), 3),
        (lambda f, x: f(x, n=2), 2),
        (lambda f, x: f(x=x, n=2), 2),
        (lambda f, x: f(n=4, x=x), 4),
        (lambda f, x: f(x, 5), 5),
    ],
)
def test_arguments_by_name_and_defaults(function, call, n):
    f = lambda x: call(function.apply, x)
    x, wanted = leaf([1.0, 2.0]), n * np.array([1.0, 2.0]) ** (n - 1)
    f(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), wanted)
    x = x.detach()
    np.testing.assert_allclose(func.grad(lambda x: f(x).sum())(x).numpy(), wanted)
    np.testing.assert_allclose(func.vmap(func.grad(f))(x).numpy(), wanted)
    np.testing.assert_allclose(func.jvp(f, (x,), (rg.ones_like(x),))[1].numpy(), wanted)


def test_defaults_of_a_decorated_forward():
    def decorated(f):
        return functools.wraps(f)(lambda *args: f(*args))

    class Decorated(Power):
        forward = staticmethod(decorated(Power.forward))

    x = leaf([1.0, 2.0])
    Decorated.apply(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [3.0, 12.0])


def test_arguments_that_have_no_place():
    x = leaf([1.0, 2.0])
    PowerWithCtx.apply(x, scale=2.0).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [6.0, 24.0])
    with pytest.raises(TypeError, match="Power: scale= has no place among the inputs"):
        Power.apply(x, scale=2.0)
    with pytest.raises(TypeError, match="PowerWithCtx: scale= has no place among the inputs"):
        PowerWithCtx.apply(x, scale=x)
    for function in (Power, PowerWithCtx):
        with pytest.raises(TypeError, match=f"{function.__name__}: got an unexpected keyword argument 'm'"):
            function.apply(x, m=1)
        with pytest.raises(TypeError, match=f"{function.__name__}: missing a required argument: 'x'"):
            function.apply(n=1)


def test_a_rule_for_vmap_and_a_generated_one_exclude_each_other():
    class Both(Sine):
        generate_vmap_rule = True

    with pytest.raises(RuntimeError, match=r"Both: has vmap\(\) and generate_vmap_rule=True"):
        func.vmap(Both.apply)(rg.ones(2, dtype=F64))
