"""A mode derived from a rule of one's own: the right numbers or a refusal, never a zero."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import func
from rustgrad.autograd import Function

F64, C128, INF = rg.float64, rg.complex128, float("inf")


def at(values, dtype=F64):
    return rg.tensor(values, dtype=dtype)


def square():
    """z², with a forward rule alone and with a reverse rule alone."""
    by_jvp = func.custom_jvp(lambda z: z * z)
    by_jvp.defjvp(lambda p, t: (p[0] * p[0], 2 * p[0] * t[0]))
    by_vjp = func.custom_vjp(lambda z: z * z)
    by_vjp.defvjp(lambda z: (z * z, z), lambda z, g: (g * (2 * z).conj(),))
    return by_jvp, by_vjp


class Square(Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z * z

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g * (2 * z).conj()


@pytest.mark.parametrize("rule", [0, 1, 2])
def test_complex_numbers_in_reverse_mode(rule):
    f = (*square(), Square.apply)[rule]
    z = at([1 + 2j, 3 - 1j], C128)
    plain = func.grad(lambda z: (z * z).real.sum())(z)
    assert func.grad(lambda z: f(z).real.sum())(z).tolist() == plain.tolist()


@pytest.mark.parametrize("rule", [0, 1, 2])
def test_complex_numbers_in_forward_mode(rule):
    f = (*square(), Square.apply)[rule]
    z, t = at([1 + 2j, 3 - 1j], C128), at([1j, 2 + 1j], C128)
    assert func.jvp(f, (z,), (t,))[1].tolist() == (2 * z * t).tolist()


def test_rules_between_real_and_complex_numbers():
    f = func.custom_jvp(lambda z: z.real**2)
    f.defjvp(lambda p, t: (p[0].real ** 2, 2 * p[0].real * t[0].real))
    z = at([1 + 2j, 3 - 1j], C128)
    assert func.grad(lambda z: f(z).sum())(z).tolist() == [2 + 0j, 6 + 0j]

    class Pair(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return rg.complex(x, x * x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g.real + 2 * x * g.imag

    x = at([1.0, 2.0])
    assert func.jvp(Pair.apply, (x,), (at([1.0, 1.0]),))[1].tolist() == [1 + 2j, 1 + 4j]


def cut(mode):
    """x², whose rule leaves the recorded operations."""
    if mode == "forward rule":
        f = func.custom_jvp(lambda x: x * x)
        f.defjvp(lambda p, t: (p[0] * p[0], 2 * p[0] * t[0].detach()))
        return f
    f = func.custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (x * x, x), lambda x, g: (2 * x * g.detach(),))
    return f


@pytest.mark.parametrize(
    ("mode", "transform"),
    [
        ("forward rule", func.jacrev),
        ("forward rule", lambda f: func.sparse_jacobian(f, mode="reverse")),
        ("reverse rule", func.jacfwd),
        ("reverse rule", lambda f: func.sparse_jacobian(f, mode="forward")),
    ],
)
def test_a_rule_that_cannot_be_transposed_is_no_zero_under_batched_slopes(mode, transform):
    with pytest.raises(rg.NotDifferentiableError, match="transposition"):
        transform(cut(mode))(at([2.0, 3.0]))


def test_a_rule_is_proven_for_every_argument():
    f = func.custom_jvp(lambda x, y: x * y)
    f.defjvp(lambda p, t: (p[0] * p[1], t[0] * p[1] + t[1].detach() * p[0]))
    assert func.grad(f, argnums=0)(at(2.0), at(3.0)).item() == 3.0
    with pytest.raises(rg.NotDifferentiableError, match="transposition"):
        func.grad(f, argnums=1)(at(2.0), at(3.0))


def test_a_rule_that_is_linear_only_for_small_slopes_is_refused():
    f = func.custom_vjp(lambda x: x * 1)
    f.defvjp(lambda x: (x * 1, None), lambda _, g: (g.clamp(-1, 1),))
    with pytest.raises(rg.NotDifferentiableError, match="not linear"):
        func.jvp(f, (at(3.0),), (at(5.0),))


def test_the_tangent_of_a_plain_number_is_no_number():
    f = func.custom_jvp(lambda x, y: x * y)
    f.defjvp(lambda p, t: (p[0] * p[1], t[0] * p[1] + p[0] * t[1]))
    assert func.jvp(lambda x: f(x, 3.0), (at(2.0),), (at(1.0),))[1].item() == 3.0
    assert func.grad(lambda x: f(x, 3.0))(at(2.0)).item() == 3.0


def test_too_few_tangents_are_named_in_the_derived_mode():
    class Two(Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x, 3 * x

        @staticmethod
        def jvp(ctx, t):
            return 2 * t

    with pytest.raises(RuntimeError, match="Two: jvp returned 1 tangents for 2 outputs"):
        func.grad(lambda x: Two.apply(x)[1].sum())(at([1.0, 2.0]))


@pytest.mark.parametrize("decorator", ["custom_jvp", "custom_vjp"])
def test_captured_tensors_are_no_constants(decorator):
    def h(a):
        f = getattr(func, decorator)(lambda x: x * a)
        if decorator == "custom_jvp":
            f.defjvp(lambda p, t: (p[0] * a, t[0] * a))
        else:
            f.defvjp(lambda x: (x * a, a), lambda a, g: (g * a,))
        return f(at(3.0))

    with pytest.raises(RuntimeError, match="is not an argument"):
        func.grad(h)(at(2.0))


def test_once_differentiable_with_attributes():
    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.x = x
            return x**3

        @staticmethod
        @rg.autograd.function.once_differentiable
        def backward(ctx, g):
            return rg.as_tensor(3 * g.numpy() * ctx.x.detach().numpy() ** 2)

    x = at(2.0)
    assert func.grad(Cube.apply)(x).item() == 12.0
    with pytest.raises(rg.NotDifferentiableError, match="once_differentiable"):
        func.grad(func.grad(Cube.apply))(x)


class Once(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @rg.autograd.function.once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return rg.as_tensor(3 * g.numpy() * x.numpy() ** 2)


@pytest.mark.parametrize("f", [Once.apply, func.wrap_numpy(lambda x: x**3, vjp=lambda g, x: 3 * g * x**2)])
def test_rules_of_numpy_under_batched_cotangents(f):
    x = rg.tensor([2.0, 3.0], dtype=F64, requires_grad=True)
    wanted = [[12.0, 0.0], [0.0, 27.0]]
    assert func.jacrev(f)(x.detach()).tolist() == wanted
    (found,) = rg.autograd.grad(f(x), x, rg.eye(2, dtype=F64), is_grads_batched=True)
    assert found.tolist() == wanted


def test_save_for_forward_alone():
    class Product(Function):
        @staticmethod
        def forward(x, y):
            return x * y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_forward(*inputs)

        @staticmethod
        def jvp(ctx, s, t):
            x, y = ctx.saved_tensors
            return s * y + x * t

    f, x, y = Product.apply, at([1.0, 2.0]), at([3.0, 4.0])
    assert func.jvp(f, (x, y), (y, x))[1].tolist() == [10.0, 20.0]
    assert func.grad(lambda x: f(x, y).sum())(x).tolist() == [3.0, 4.0]
    assert func.vmap(func.grad(f, argnums=1))(x, y).tolist() == [1.0, 2.0]
    assert func.vmap(func.grad(f), in_dims=(0, None))(x, y[0]).tolist() == [3.0, 3.0]
    assert func.hessian(lambda v: f(v[0], v[1]))(x).tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_save_for_forward_beside_save_for_backward():
    class Product(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(y, x)
            ctx.save_for_forward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, g):
            y, x = ctx.saved_tensors
            return g * y, g * x

        @staticmethod
        def jvp(ctx, s, t):
            x, y = ctx.saved_tensors
            return s * y + x * t

    x, y = at(2.0), at(3.0)
    assert func.jvp(Product.apply, (x, y), (at(1.0), at(10.0)))[1].item() == 23.0
    assert [g.item() for g in func.grad(Product.apply, argnums=(0, 1))(x, y)] == [3.0, 2.0]


@pytest.mark.filterwarnings("ignore:.*lane by lane")
def test_wrapped_numpy_with_several_results():
    f = func.wrap_numpy(
        lambda x, y: (x * y, x + y),
        vjp=lambda g, x, y: (g[0] * y + g[1], g[0] * x + g[1]),
        jvp=lambda t, x, y: (t[0] * y + x * t[1], t[0] + t[1]),
    )
    x, y = at([2.0, 1.0]), at([3.0, 5.0])
    loss = lambda f: lambda x, y: (lambda p, s: (p * s.sin()).sum())(*f(x, y))
    plain = lambda x, y: (x * y, x + y)
    for i in (0, 1):
        found, wanted = func.grad(loss(f), argnums=i)(x, y), func.grad(loss(plain), argnums=i)(x, y)
        assert np.allclose(found.numpy(), wanted.numpy())
    assert func.grad(lambda x: f(x, y)[1].sum())(x).tolist() == [1.0, 1.0]
    found, wanted = (func.jvp(g, (x, y), (y, x))[1] for g in (f, plain))
    assert [t.tolist() for t in found] == [t.tolist() for t in wanted]
    assert [t.tolist() for t in func.vmap(f)(x, y)] == [[6.0, 5.0], [5.0, 6.0]]


def test_wrapped_numpy_with_several_results_refuses_a_mode_without_a_rule():
    f = func.wrap_numpy(lambda x: (x, 2 * x), vjp=lambda g, x: g[0] + 2 * g[1])
    with pytest.raises(rg.NotDifferentiableError, match=r"jvp\(\) is not defined"):
        func.jvp(f, (at([1.0]),), (at([1.0]),))
    g = func.wrap_numpy(lambda x: (x, 2 * x), jvp=lambda t, x: (t[0], 2 * t[0]))
    with pytest.raises(rg.NotDifferentiableError, match=r"backward\(\) is not defined"):
        func.grad(lambda x: g(x)[1].sum())(at([1.0]))


def test_the_jvp_of_wrapped_numpy_may_be_wrapped_numpy():
    slope = func.wrap_numpy(lambda t, x: 3 * x**2 * t, vjp=lambda g, t, x: (3 * x**2 * g, 6 * x * t * g))
    cube = func.wrap_numpy(lambda x: x**3, jvp=slope)
    assert func.jvp(cube, (at(2.0),), (at(1.0),))[1].item() == 12.0
    assert func.grad(lambda x: func.jvp(cube, (x,), (at(1.0),))[1])(at(2.0)).item() == 12.0


def test_the_pattern_of_a_rule_of_numpy_is_not_empty():
    f = func.wrap_numpy(lambda x: x**3, vjp=lambda g, x: 3 * g * x**2)
    try:
        found = func.hessian_sparsity(lambda x: f(x).sum(), at([2.0, 3.0]))
    except (rg.NotDifferentiableError, RuntimeError):
        return
    assert found.nnz >= 2


VACUOUS = [([0.0, 0.0], [1.0, 1.0]), ([4.0, 1.0], [0.0, 0.0]), ([], []), ([INF, 1.0], [1.0, 1.0])]


@pytest.mark.parametrize("first", VACUOUS)
def test_a_call_that_shows_nothing_proves_nothing(first):
    f = cut("reverse rule")
    try:
        func.jvp(f, (at(first[0]),), (at(first[1]),))
    except rg.NotDifferentiableError:
        pass
    with pytest.raises(rg.NotDifferentiableError, match="transposition"):
        func.jvp(f, (at([4.0, 1.0]),), (at([1.0, 1.0]),))


def test_series_of_rules_by_nesting():
    f, x = Square.apply, at([1.0, 2.0])
    total = lambda x: (f(x) * x).sum()
    assert func.hess_diag(total)(x).tolist() == [6.0, 12.0]
    assert func.laplacian(total)(x).item() == 18.0
    value, terms = func.jet(lambda x: f(x).sum(), (x,), ([at([1.0, 1.0]), at([0.0, 0.0])],))
    assert (value.item(), [t.item() for t in terms]) == (5.0, [6.0, 4.0])


def test_tangents_that_are_no_tensors_are_no_zeros():
    class Total(Function):
        @staticmethod
        def forward(ctx, x):
            return x.sum()

        @staticmethod
        def jvp(ctx, t):
            return 3.0

    x = at([1.0, 2.0])
    for call in (lambda: func.grad(Total.apply)(x), lambda: func.jvp(Total.apply, (x,), (x,))):
        with pytest.raises(TypeError, match="Total: jvp returned a float as the tangent of output 0"):
            call()


def test_a_rule_that_leaves_recording_in_one_branch_is_no_zero():
    f = func.custom_jvp(lambda x, k: x * k)
    f.defjvp(lambda p, t: (p[0] * p[1], (t[0] if p[1] > 0 else t[0].detach()) * p[1]))
    assert func.grad(lambda x: f(x, 2.0))(at(1.0)).item() == 2.0
    with pytest.raises(rg.NotDifferentiableError, match="transposition"):
        func.grad(lambda x: f(x, -2.0))(at(1.0))


def cancelling(up):
    """A map of float32 whose terms cancel, with ``up`` for the transpose of cumsum."""
    w = 0.999999
    f = func.custom_vjp(lambda x: x.cumsum(0) - x.cumsum(0) * w)
    f.defvjp(lambda x: (x.cumsum(0) - x.cumsum(0) * w, None), lambda _, g: (up(g) - up(g) * w,))
    return f


def test_rounding_does_not_make_a_rule_of_float32_nonlinear():
    x = rg.arange(1.0, 1001.0)
    slope = func.jvp(cancelling(lambda g: g.flip(0).cumsum(0).flip(0)), (x,), (x,))[1]
    assert slope.dtype == rg.float32 and np.allclose(slope.numpy(), 1e-6 * x.cumsum(0).numpy(), atol=0.1)
    with pytest.raises(rg.NotDifferentiableError, match="not linear"):
        func.jvp(cancelling(lambda g: g.abs().cumsum(0)), (x,), (x,))
