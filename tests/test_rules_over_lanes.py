"""Functions with rules of their own over the lanes of vmap: random numbers, captured tensors."""

from __future__ import annotations

import pytest
import rustgrad as rg
from rustgrad import func
from rustgrad.autograd import Function
from rustgrad.utils.checkpoint import checkpoint

F64 = rg.float64


def at(values):
    return rg.tensor(values, dtype=F64)


class Noisy(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x + rg.rand(4, dtype=F64)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, g):
        return g


class NoisySlope(Noisy):
    @staticmethod
    def forward(x):
        return x * 1

    @staticmethod
    def backward(ctx, g):
        return g + rg.rand(4, dtype=F64)


SOURCES = {
    "forward": Noisy.apply,
    "backward": func.grad(lambda x: NoisySlope.apply(x).sum()),
    "checkpoint": lambda x: checkpoint(lambda x: x + rg.rand(4, dtype=F64), x),
}


@pytest.mark.parametrize("name", SOURCES)
def test_randomness_holds_inside_of_rules(name):
    f, x = SOURCES[name], rg.zeros(3, 4, dtype=F64)
    with pytest.raises(RuntimeError, match="randomness"):
        func.vmap(f)(x)
    same = func.vmap(f, randomness="same")(x).tolist()
    assert same[0] == same[1] == same[2]
    different = func.vmap(f, randomness="different")(x).tolist()
    assert different[0] != different[1] != different[2]


def test_the_rule_of_vmap_is_told_about_randomness():
    told = []

    class Asked(Noisy):
        generate_vmap_rule = False

        @staticmethod
        def vmap(info, in_dims, x):
            told.append(info.randomness)
            return x, in_dims[0]

    for randomness in ("error", "different", "same"):
        func.vmap(Asked.apply, randomness=randomness)(rg.zeros(3, 4))
    assert told == ["error", "different", "same"]


def by_function(x, a):
    class Product(Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x * a

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, g):
            return g * a

    return Product.apply(x)


def by_custom_jvp(x, a):
    f = func.custom_jvp(lambda x: x * a)
    f.defjvp(lambda p, t: (p[0] * a, t[0] * a))
    return f(x)


def by_root(x, a):
    return func.custom_root(lambda y, x: y - x * a)(lambda y, x: x * a)(at(0.0), x)


CAPTURING = {
    "function": by_function,
    "custom_jvp": by_custom_jvp,
    "custom_root": by_root,
    "custom_linear_solve": lambda x, a: func.custom_linear_solve(lambda y: y / a, x),
    "checkpoint": lambda x, a: checkpoint(lambda x: x * a, x),
}


@pytest.mark.parametrize("name", CAPTURING)
def test_rules_may_capture_what_the_same_vmap_batches(name):
    f, x, a = CAPTURING[name], at([1.0, 2.0]), at([3.0, 4.0])
    assert func.vmap(f)(x, a).tolist() == pytest.approx([3.0, 8.0])
    assert func.vmap(func.grad(f))(x, a).tolist() == pytest.approx([3.0, 4.0])
    slopes = func.jacfwd(lambda x: func.vmap(f)(x, a))(x)
    assert slopes.reshape(-1).tolist() == pytest.approx([3.0, 0.0, 0.0, 4.0])


class Attribute(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        return x**3

    @staticmethod
    def backward(ctx, g):
        return 3 * g * ctx.x**2


class AttributeApart(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        (ctx.x,) = inputs

    backward = Attribute.backward


NESTINGS = {
    "forward over reverse": func.hessian,
    "reverse over reverse": lambda f: func.jacrev(func.jacrev(f)),
    "forward over forward": lambda f: func.jacfwd(func.jacfwd(f)),
}


@pytest.mark.parametrize("nesting", NESTINGS)
@pytest.mark.parametrize("rule", [Attribute, AttributeApart])
def test_attributes_keep_their_history_over_lanes(rule, nesting):
    f = lambda x: func.vmap(rule.apply)(x).sum()
    assert NESTINGS[nesting](f)(at([1.0, 2.0])).tolist() == [[6.0, 0.0], [0.0, 12.0]]


def test_attributes_without_lanes_of_their_own():
    class Product(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.x, ctx.y = x, y
            return x * y * y

        @staticmethod
        def backward(ctx, g):
            return g * ctx.y**2, 2 * g * ctx.x * ctx.y

    x = at([1.0, 2.0])
    f = lambda y: func.vmap(Product.apply, (0, None))(x, y).sum()
    assert func.hessian(f)(at(3.0)).item() == 6.0
    twice = lambda y: func.vmap(func.vmap(Product.apply, (0, None)), (None, 0))(x, y).sum()
    assert func.grad(twice)(x).tolist() == [6.0, 12.0]


class Attribute(Function):
    """Keeps what it computed as an attribute."""

    @staticmethod
    def forward(ctx, x):
        ctx.slope = x.cos()
        return x.sin()

    @staticmethod
    def backward(ctx, g):
        return g * ctx.slope


class Containers(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.kept = [x.cos(), {"shared": rg.ones((), dtype=F64), "none": None}, 2]
        return x.sin()

    @staticmethod
    def backward(ctx, g):
        slope, others, two = ctx.kept
        return g * slope * others["shared"] * two / 2


class Argument(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.kept = (x, 1)
        return x.sin()

    @staticmethod
    def backward(ctx, g):
        return g * ctx.kept[0].cos()


def with_residuals(residuals, slope):
    rule = func.custom_vjp(lambda x: x.sin())
    rule.defvjp(lambda x: (x.sin(), residuals(x)), lambda r, g: (g * slope(r),))
    return rule


SINES = {
    "attribute": Attribute.apply,
    "containers": Containers.apply,
    "an argument in a container": Argument.apply,
    "computed residual": with_residuals(lambda x: {"slope": [x.cos()]}, lambda r: r["slope"][0]),
    "the argument as residual": with_residuals(lambda x: x, lambda r: r.cos()),
}
NESTS = {
    "vmap": lambda f: func.vmap(f),
    "vmap of vmap": lambda f: func.vmap(func.vmap(f)),
    "three": lambda f: lambda x: func.vmap(func.vmap(func.vmap(f)))(x[:, None]),
    "other axes": lambda f: func.vmap(func.vmap(f), 1, 1),
    "captured lanes": lambda f: func.vmap(lambda row: func.vmap(lambda u: f(u) * row[0])(row)),
}


@pytest.mark.parametrize("nest", NESTS)
@pytest.mark.parametrize("sine", SINES)
def test_what_a_rule_keeps_follows_lanes_at_any_depth(sine, nest):
    x = at([[0.4, 0.9], [1.0, 2.0]])

    def derivatives(f):
        g = NESTS[nest](f)
        leaf = x.clone().requires_grad_()
        g(leaf).sum().backward()
        forward = func.jvp(g, (x,), (x,))[1].reshape(2, 2)
        return [func.grad(lambda x: g(x).sum())(x), func.jacrev(g)(x).reshape(4, 4), leaf.grad, forward]

    for found, wanted in zip(derivatives(SINES[sine]), derivatives(rg.sin), strict=True):
        assert (found - wanted).abs().max() < 1e-15


@pytest.mark.parametrize("sine", ["computed residual", "the argument as residual"])
def test_second_derivatives_under_nested_lanes(sine):
    x = at([[0.4, 0.9], [1.0, 2.0]])

    def curved(f):
        g = lambda x: func.vmap(func.vmap(lambda u: f(u) ** 2))(x).sum()
        outer = lambda x: func.vmap(func.grad(lambda w: func.vmap(lambda u: f(u) ** 2)(rg.stack([w, w + 1])).sum()))(x)
        return func.jacrev(func.grad(g))(x), func.grad(lambda x: outer(x).sum())(x[0])

    for found, wanted in zip(curved(SINES[sine]), curved(rg.sin), strict=True):
        assert (found - wanted).abs().max() < 1e-14
