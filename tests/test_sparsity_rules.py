"""Patterns of functions with rules of their own: what these read, never less, or dense."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import rustgrad as rg
from hypothesis import given
from hypothesis import strategies as st
from rustgrad.autograd import Function
from rustgrad.autograd.function import once_differentiable
from rustgrad.func import hessian_sparsity, jacobian_sparsity, sparse_hessian, sparse_jacobian
from rustgrad.utils.checkpoint import checkpoint

#: Elements of which every one depending on every other is more than a pattern may hold.
MANY = 40_000


def point(n: int, seed: int = 0):
    return rg.from_numpy(np.random.default_rng(seed).uniform(0.2, 0.8, n))


def entries(f, x, dense=None, mode="reverse"):
    """The number of entries of the pattern, which covers the Jacobian and recovers it."""
    known = jacobian_sparsity(f, x, mode=mode)
    if dense is None:
        dense = (rg.func.jacrev if mode == "reverse" else rg.func.jacfwd)(f)(x)
    dense = dense.reshape(*known.shape).numpy()
    missed = (dense != 0) & ~(known.matrix(np.ones(known.nnz)).toarray() > 0)
    assert not missed.any(), f"entries outside of the pattern at {np.argwhere(missed)[:3].tolist()}"
    np.testing.assert_allclose(sparse_jacobian(f, sparsity=known)(x).toarray(), dense, rtol=1e-12, atol=1e-14)
    return known.nnz


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


class Sine(Function):
    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_forward(*inputs)

    @staticmethod
    def jvp(ctx, t):
        return t * ctx.saved_tensors[0].cos()


@rg.func.custom_jvp
def softplus(x):
    return rg.log1p(rg.exp(x))


@softplus.defjvp
def _(primals, tangents):
    return softplus(*primals), tangents[0] * primals[0].sigmoid()


@rg.func.custom_vjp
def clipped(x):
    return x * 1


clipped.defvjp(lambda x: (x * 1, None), lambda _, g: (g.clamp(-1, 1),))


@rg.func.custom_vjp
def cube(x):
    return x**3


cube.defvjp(lambda x: (x**3, 3 * x**2), lambda slope, g: (g * slope,))

ELEMENTWISE = {
    "backward": Square.apply,
    "jvp": Sine.apply,
    "custom_jvp": softplus,
    "custom_vjp": cube,
    "checkpoint": lambda x: checkpoint(lambda x: x.exp().sin(), x),
    "nested": lambda x: checkpoint(lambda x: Square.apply(softplus(checkpoint(rg.sin, x))), x),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions_are_diagonal(name):
    f = ELEMENTWISE[name]
    assert entries(f, point(5)) == entries(f, point(5), mode="forward") == 5
    assert entries(lambda x: f(x[1:] * x[:-1]).sin(), point(6)) == 10
    assert entries(lambda x: f(f(x.flip(0))), point(6)) == 6


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_hessians_follow_the_derivatives_of_the_rules(name):
    f = ELEMENTWISE[name]
    energy = lambda x: (f(x[1:] * x[:-1]) ** 2 + f(x[1:])).sum()
    x = point(7)
    known = hessian_sparsity(energy, x)
    assert known.nnz <= 3 * 7 - 2
    dense = rg.func.hessian(energy)(x).numpy()
    np.testing.assert_allclose(sparse_hessian(energy, check=True)(x).toarray(), dense, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_large_ones_fit(name):
    f = ELEMENTWISE[name]
    known = jacobian_sparsity(f, point(MANY))
    assert (known.nnz, known.color_count) == (MANY, 1)
    known = hessian_sparsity(lambda x: (f(x) ** 2).sum(), point(MANY))
    assert (known.nnz, known.color_count) == (MANY, 1)


def by_backward(rule, forward=lambda x: x * 1):
    class Made(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(x)

        @staticmethod
        def backward(ctx, g):
            return rule(g, ctx.saved_tensors[0])

    return Made.apply


def by_jvp(rule, forward=lambda x: x * 1):
    class Made(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_forward(x)
            return forward(x)

        @staticmethod
        def jvp(ctx, t):
            return rule(t, ctx.saved_tensors[0])

    return Made.apply


@pytest.mark.parametrize(
    ("rule", "forward", "count"),
    [
        (lambda g, x: g, rg.round, 6),  # the function itself depends on nothing
        (lambda g, x: g, lambda x: (x > 0.5).to(rg.float64), 6),
        (lambda g, x: g.flip(0), lambda x: x * 1, 6),
        (lambda g, x: g + g.roll(1) + g.roll(-1), lambda x: x.round(), 18),
        (lambda g, x: g * x.sum(), lambda x: x * 1, 6),
        (lambda g, x: g.sum() * x, lambda x: x * 1, 36),
        (lambda g, x: rg.where(x > 0.5, g, 2 * g), lambda x: x * 1, 6),
        (lambda g, x: rg.cat([g[:2], rg.zeros(4, dtype=rg.float64)]), lambda x: x.sum() * rg.ones_like(x), 2),
        (lambda g, x: g * x.detach() / x.numpy().sum(), lambda x: x * 1, 6),
        (lambda g, x: None, lambda x: x * 1, 0),
    ],
)
@pytest.mark.parametrize("made", [by_backward, by_jvp])
def test_the_pattern_is_that_of_the_rule(made, rule, forward, count):
    mode = "reverse" if made is by_backward else "forward"
    assert entries(made(rule, forward), point(6), mode=mode) == count


def _written(g, x):
    y = rg.zeros(6, dtype=rg.float64)
    y[:] = g.flip(0)
    return y


@pytest.mark.parametrize(
    "rule",
    [
        lambda g, x: rg.from_numpy(g.detach().numpy()[::-1].copy()),
        lambda g, x: rg.from_numpy(g.numpy(force=True)[::-1].copy()),
        lambda g, x: rg.tensor(g.tolist()[::-1], dtype=rg.float64),
        lambda g, x: rg.stack([rg.full((), g[5 - i]) for i in range(6)]).to(rg.float64),
        lambda g, x: rg.tensor([g[5 - i].item() for i in range(6)], dtype=rg.float64),
        lambda g, x: rg.tensor([g[5 - i] for i in range(6)]),
        lambda g, x: rg.as_tensor(g).detach_().flip(0),
        lambda g, x: copy.deepcopy(g.detach()).flip(0),
        lambda g, x: x.new_tensor(g.flip(0)),
        lambda g, x: g.flip(0).sort()[0] * 0 + g.flip(0).argmax() * x,
        lambda g, x: x.index_select(0, (g.flip(0) * 0).to(rg.int64)),
        lambda g, x: x * float(g.sum()),
        lambda g, x: x * rg.allclose(g, x),
        lambda g, x: g.detach().flip(0),
        lambda g, x: g.data.flip(0),
        lambda g, x: (g > 0).flip(0).to(rg.float64),
        lambda g, x: rg.where(g.flip(0) > 0, 1.0, 0.0).to(rg.float64),
        lambda g, x: g.to(rg.int64).to(rg.float64).flip(0),
        lambda g, x: x if g[0] > 0 else 2 * x,
        lambda g, x: x[g.flip(0).argsort(descending=True)] * 0 + g.flip(0).bool().to(rg.float64),
    ],
)
@pytest.mark.parametrize("made", [by_backward, by_jvp])
def test_rules_that_cannot_be_followed_are_dense(made, rule):
    assert jacobian_sparsity(made(rule), point(6)).nnz == 36
    # Not followed on one way through the rule is not followed at all.
    assert jacobian_sparsity(made(lambda g, x: g + rule(g, x)), point(6)).nnz == 36


def test_writing_in_place_is_followed():
    assert entries(by_backward(_written), point(6)) == 6


@pytest.mark.parametrize("rule", [lambda g, x: 2 * x, lambda g, x: g * x + 1, lambda g, x: rg.cat([g * x[:3], x[3:]])])
def test_losses_that_take_their_cotangent_for_one_lose_no_entries(rule):
    assert entries(by_backward(rule, lambda x: (x**2).sum()), point(6)) == 6
    # Under a longer output none of the rows may be dropped.
    assert jacobian_sparsity(by_backward(lambda g, x: 2 * x), point(6)).nnz == 36


def test_rules_in_numpy_are_dense():
    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return rg.from_numpy(3 * g.numpy() * ctx.saved_tensors[0].numpy() ** 2)

    operator = rg.func.wrap_numpy(lambda x: x**3, vjp=lambda g, x: 3 * g * x**2)
    for f in (Cube.apply, operator):
        assert entries(f, point(4)) == 16


def test_functions_without_rules_are_dense():
    class Bare(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

    assert jacobian_sparsity(Bare.apply, point(4)).nnz == 16


def test_both_rules_count_where_there_are_two():
    class Both(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g.flip(0)

        @staticmethod
        def jvp(ctx, t):
            return t * 1

    assert entries(Both.apply, point(6)) == 12
    assert entries(Both.apply, point(6), mode="forward") == 12


class Mixed(Function):
    """Two arguments of different shapes, one of integers; a constant, an integer and two real outputs."""

    @staticmethod
    def forward(ctx, a, k, b):
        ctx.save_for_backward(a, b)
        constant, positions = a * 1, k + 1
        ctx.mark_non_differentiable(constant)
        return constant, a * b, positions, b.sum(0)

    @staticmethod
    def backward(ctx, _, g, __, h):
        a, b = ctx.saved_tensors
        return g * b, None, g * a + h  # both broadcast: they are added up


def test_several_arguments_and_outputs():
    k = rg.arange(4)

    def f(x):
        constant, product, positions, total = Mixed.apply(x[:4], k, x[4:].reshape(2, 1))
        return rg.cat([constant, product.reshape(-1), total * positions])

    x = point(6)
    assert entries(f, x) == 8 * 2 + 4 * 2
    weighted = lambda x: Mixed.apply(x, k, point(8).reshape(2, 4))[1].reshape(-1)
    assert entries(weighted, point(4)) == 8


def test_arguments_that_are_changed_in_place_depend_on_what_was_written():
    class Mirrored(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            x.copy_(x.flip(0) * 2)
            return x

        @staticmethod
        def backward(ctx, g):
            return 2 * g.flip(0)

    def f(x):
        y = x * 1
        Mirrored.apply(y)
        return y

    known = jacobian_sparsity(f, point(4))
    assert known.indices.tolist() == [3, 2, 1, 0]


class Stopped(Function):
    """A function whose rule says that it depends on nothing."""

    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, g):
        return None


class Beside(Function):
    """A function with results that have no derivative."""

    @staticmethod
    def forward(ctx, x):
        constant = x * 1
        ctx.mark_non_differentiable(constant)
        return x * 1, constant, (x * 4).to(rg.int64)

    @staticmethod
    def backward(ctx, g, _, __):
        return g


@pytest.mark.parametrize(
    "rule",
    [
        lambda g, x: g + Stopped.apply(g.flip(0)),
        lambda g, x: g + Beside.apply(g.flip(0))[1],
        lambda g, x: g + Beside.apply(g.flip(0))[2],
        lambda g, x: g + rg.func.vmap(Stopped.apply)(g.flip(0)),
        lambda g, x: g + rg.func.jvp(Stopped.apply, (g.flip(0),), (g,))[0],
        lambda g, x: g + rg.func.vjp(lambda z: Stopped.apply(z) * z, g.flip(0))[0],
    ],
)
@pytest.mark.parametrize("made", [by_backward, by_jvp])
def test_rules_go_on_with_values_of_functions_whose_derivatives_are_others(made, rule):
    known = jacobian_sparsity(made(rule), point(6))
    inside = known.matrix(np.ones(known.nnz)).toarray() > 0
    for k, unit in enumerate(rg.eye(6, dtype=rg.float64)):
        line = inside[k] if made is by_backward else inside[:, k]
        assert line[rule(unit, point(6)).numpy() != 0].all()


def test_a_rule_that_uses_its_own_function_comes_to_an_end():
    class Mirror(Function):
        @staticmethod
        def forward(ctx, x):
            return x.flip(0)

        @staticmethod
        def backward(ctx, g):
            return Mirror.apply(g)

    assert entries(Mirror.apply, point(4)) == 16
    solve = lambda x: rg.func.custom_linear_solve(lambda v, a: a * v, x, args=(x + 1,))
    assert entries(solve, point(3)) == 9


class Scaled(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, w):
        return x * w

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g * w, g * x


class ScaledForward(Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_forward(x, w)
        return x * w

    @staticmethod
    def jvp(ctx, t, u):
        x, w = ctx.saved_tensors
        return t * w + x * u


@pytest.mark.parametrize("cls", [Scaled, ScaledForward])
def test_lanes(cls):
    rows = lambda x: x.reshape(4, 3)
    alone = lambda x: rg.func.vmap(lambda row: cls.apply(row, rg.ones(3, dtype=rg.float64)))(rows(x)).reshape(-1)
    assert entries(alone, point(12)) == 12
    pairs = lambda x: rg.func.vmap(cls.apply)(rows(x), rows(x.flip(0))).reshape(-1)
    assert entries(pairs, point(12)) == 24
    # All lanes share an argument: more than needed in forward mode, never less.
    shared = lambda x: rg.func.vmap(lambda row: cls.apply(row, x[:3]))(rows(x)).reshape(-1)
    assert 21 <= entries(shared, point(12)) <= 144


def test_checkpoints_in_lanes_and_of_several_arguments():
    f = lambda x: rg.func.vmap(lambda row: checkpoint(rg.cumsum, row, 0))(x.reshape(3, 2)).reshape(-1)
    assert entries(f, point(6)) == 9
    g = lambda x: checkpoint(lambda a, *, b: (a * b["w"], "label"), x[:3], b={"w": x[3:]})[0]
    assert entries(g, point(6)) == 6
    energy = lambda x: (g(x) ** 2).sum()
    assert hessian_sparsity(energy, point(MANY).reshape(2, -1)[0][:6]).nnz == 12
    np.testing.assert_allclose(
        sparse_hessian(energy, check=True)(point(6)).toarray(), rg.func.hessian(energy)(point(6)).numpy(), rtol=1e-9
    )


def test_a_checkpoint_follows_what_it_captures():
    f = lambda x: rg.func.jvp(lambda z: checkpoint(lambda z: z * x.flip(0), z), (x,), (x,))[1]
    np.testing.assert_array_equal(
        jacobian_sparsity(f, point(4)).matrix(np.ones(8)).toarray(), np.eye(4) + np.eye(4)[::-1]
    )

    class Kept:
        pass

    def g(x):
        Kept.x = x
        return rg.func.jvp(lambda z: checkpoint(lambda z: z * Kept.x.flip(0), z), (x,), (x,))[1]

    with pytest.warns(UserWarning, match="is kept, as without checkpoint"):
        found = jacobian_sparsity(g, point(4))
    np.testing.assert_array_equal(found.matrix(np.ones(found.nnz)).toarray(), np.eye(4) + np.eye(4)[::-1])


def test_captured_values_keep_what_they_depend_on():
    class Added(Function):
        @staticmethod
        def forward(ctx, x):
            return x + Added.captured

        @staticmethod
        def backward(ctx, g):
            return g

    def f(x):
        Added.captured = x[4:]
        return Added.apply(x[:4])

    assert jacobian_sparsity(f, point(8)).nnz == 8


def test_random_numbers_of_a_checkpoint_are_drawn_once():
    f = lambda x: checkpoint(lambda x: rg.nn.functional.dropout(x, 0.5), x)
    rg.manual_seed(3)
    jacobian_sparsity(f, point(5))
    after = rg.rand(3)
    rg.manual_seed(3)
    f(point(5))
    assert (rg.rand(3) == after).all()


@given(st.integers(0, 10**6), st.booleans())
def test_random_rules_are_recovered(seed, forward):
    """Rules that gather, add up and move: the pattern is exactly that of the matrix the rule stands for."""
    rng = np.random.default_rng(seed)
    n, m = (int(k) for k in rng.integers(1, 9, 2))
    count = int(rng.integers(1, 12))
    rows, columns = rng.integers(0, m, count), rng.integers(0, n, count)
    weights = rng.uniform(0.5, 1.5, count)
    matrix = np.zeros((m, n))
    np.add.at(matrix, (rows, columns), weights)
    to, source = (
        (rg.from_numpy(rows), rg.from_numpy(columns)) if forward else (rg.from_numpy(columns), rg.from_numpy(rows))
    )

    def rule(slope, _):
        size = m if forward else n
        return rg.zeros(size, dtype=rg.float64).index_add(0, to, slope[source] * rg.from_numpy(weights))

    made = (by_jvp if forward else by_backward)(rule, lambda x: x.sum() * rg.ones(m, dtype=rg.float64))
    inner, outer = rg.from_numpy(rng.permutation(n)), rg.from_numpy(rng.integers(0, m, 5))
    f = lambda x: made(x[inner].sin())[outer]
    wanted = (matrix[:, np.argsort(inner.numpy())] != 0)[outer.numpy()]
    assert entries(f, point(n, seed), mode="forward" if forward else "reverse") == wanted.sum()
