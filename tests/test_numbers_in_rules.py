"""Rules of functions that compute with NumPy: under lanes one by one, and never differentiated to zero in silence."""

import numpy as np
import pytest
import rustgrad as rg
from rustgrad.autograd import Function, forward_ad
from rustgrad.autograd.function import once_differentiable

F64 = rg.float64
func = rg.func
slow = pytest.mark.filterwarnings("ignore:.*which is slow")


class Square(Function):
    """x², whose rules are computed by NumPy and say nothing of it."""

    @staticmethod
    def forward(x):
        return rg.tensor(x.detach().numpy() ** 2)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return rg.tensor(2 * x.detach().numpy() * g.detach().numpy())

    @staticmethod
    def jvp(ctx, t):
        (x,) = ctx.saved_tensors
        return rg.tensor(2 * x.detach().numpy() * t.detach().numpy())


def points():
    return rg.tensor([1.0, 2.0, 3.0], dtype=F64)


WANTED = np.diag([2.0, 4.0, 6.0])


@slow
@pytest.mark.parametrize("jacobian", [func.jacrev, func.jacfwd, lambda f: func.jacfwd(f, chunk_size=2)])
def test_jacobians_go_one_by_one(jacobian):
    np.testing.assert_array_equal(jacobian(Square.apply)(points()).numpy(), WANTED)


def test_one_by_one_is_said_once():
    f = lambda x: Square.apply(x)
    with pytest.warns(UserWarning, match="jacfwd: a rule called by <lambda> asks for plain numbers"):
        func.jacfwd(f)(points())


@slow
def test_batched_gradients_go_lane_by_lane():
    x = points().requires_grad_()
    y = Square.apply(x)
    (rows,) = rg.autograd.grad(y, x, rg.eye(3, dtype=F64), is_grads_batched=True)
    np.testing.assert_array_equal(rows.numpy(), WANTED)
    with pytest.raises(RuntimeError, match="retain_graph"):
        rg.autograd.grad(y, x, rg.ones(3, dtype=F64))


@slow
def test_batched_gradients_lane_by_lane_keep_the_graph_and_unused_inputs():
    x, z = points().requires_grad_(), rg.ones(2, dtype=F64, requires_grad=True)
    y = Square.apply(x)
    gs = rg.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=F64)
    for _ in range(2):
        rows, unused = rg.autograd.grad(
            y, (x, z), gs, is_grads_batched=True, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        np.testing.assert_array_equal(rows.numpy(), WANTED[[0, 2]])
        np.testing.assert_array_equal(unused.numpy(), np.zeros((2, 2)))
    (none,) = rg.autograd.grad(y, z, gs, is_grads_batched=True, retain_graph=True, allow_unused=True)
    assert none is None


def test_batched_gradients_release_the_graph_as_others_do():
    x = points().requires_grad_()
    y = x.exp()
    rg.autograd.grad(y, x, rg.eye(3, dtype=F64), is_grads_batched=True)
    with pytest.raises(RuntimeError, match="retain_graph"):
        rg.autograd.grad(y, x, rg.ones(3, dtype=F64))


@slow
@pytest.mark.parametrize(
    "second",
    [
        lambda f, x: func.hessian(f)(x),
        lambda f, x: func.jvp(func.grad(f), (x,), (rg.ones_like(x),)),
        lambda f, x: func.grad(lambda x: func.grad(f)(x).sum())(x),
        lambda f, x: func.jvp(lambda x: func.jvp(f, (x,), (rg.ones_like(x),))[1], (x,), (rg.ones_like(x),)),
        lambda f, x: func.vmap(func.hessian(f))(rg.stack([x, x])),
        lambda f, x: func.taylor(f, x, rg.ones_like(x), order=2),
    ],
)
def test_a_second_derivative_is_refused(second):
    with pytest.raises(rg.NotDifferentiableError, match=r"Square: .*once_differentiable.*test_numbers_in_rules"):
        second(lambda x: Square.apply(x).sum(), points())


def test_recorded_gradients_are_refused():
    x = points().requires_grad_()
    with pytest.raises(rg.NotDifferentiableError, match="Square: its rule reads the plain numbers"):
        rg.autograd.grad(Square.apply(x).sum(), x, create_graph=True)


@pytest.mark.parametrize(
    "read",
    [lambda t: t.tolist(), lambda t: t[0].item(), lambda t: float(t[1]), lambda t: np.asarray(t), np.from_dlpack],
)
def test_every_way_to_numbers_is_seen(read):
    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            assert "tensor" in f"{x.detach()!r} {x.detach()}"  # looking is allowed
            assert x.detach().is_contiguous()
            read(x.detach())
            return g * 3 * x**2

    func.grad(lambda x: Cube.apply(x).sum())(points())
    with pytest.raises(rg.NotDifferentiableError, match="Cube"):
        func.hessian(lambda x: Cube.apply(x).sum())(points())


def test_numbers_of_other_tensors_and_of_inner_functions_are_free():
    class Inner(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return rg.tensor(np.exp(x.detach().numpy()))

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * Inner.apply(x)

    class Outer(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.exp()

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            factor = float(rg.tensor([1.0]).detach().numpy()[0])
            masked = (x.detach() > 0).numpy()
            assert masked.all()
            return factor * g * Inner.apply(x)

    f = lambda x: Outer.apply(x).sum()
    np.testing.assert_allclose(func.hessian(f)(points()).numpy(), np.diag(np.exp([1.0, 2.0, 3.0])))


def test_once_differentiable_reads_what_it_likes():
    class Quad(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**4

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return rg.tensor(4 * x.detach().numpy() ** 3 * g.detach().numpy())

    f = lambda x: Quad.apply(x).sum()
    x = points().requires_grad_()
    (slope,) = rg.autograd.grad(f(x), x, create_graph=True)
    np.testing.assert_array_equal(slope.detach().numpy(), [4.0, 32.0, 108.0])
    with pytest.raises(rg.NotDifferentiableError, match="once_differentiable"):
        rg.autograd.grad(slope.sum(), x)


def test_columns_that_write_to_an_argument_run_once_only():
    def f(x, seen):
        seen.add_(1.0)
        return x * seen

    ones = rg.ones(3, dtype=F64)
    np.testing.assert_array_equal(func.jacfwd(f)(points(), ones).numpy(), 2 * np.eye(3))
    with pytest.raises(RuntimeError, match=r"jacfwd: f changes a tensor from outside in place.*clone"):
        func.jacfwd(f, chunk_size=2)(points(), ones)


class TestOpenDualLevels:
    """Dual levels that are entered inside a transform and not left, or outside of it and used inside."""

    @staticmethod
    def left_open(x):
        forward_ad.enter_dual_level()
        return forward_ad.make_dual(x * x, rg.ones_like(x)) * x

    @pytest.fixture(autouse=True)
    def closed(self):
        yield
        while forward_ad._active.levels:
            forward_ad.exit_dual_level()

    def test_jvp_reaches_underneath(self):
        value, slope = func.jvp(self.left_open, (points(),), (rg.ones(3, dtype=F64),))
        inside = forward_ad.unpack_dual(slope)
        np.testing.assert_array_equal(inside.primal.numpy(), [3.0, 12.0, 27.0])
        np.testing.assert_array_equal(inside.tangent.numpy(), np.ones(3))
        np.testing.assert_array_equal(forward_ad.unpack_dual(value).tangent.numpy(), [1.0, 2.0, 3.0])

    @pytest.mark.parametrize(
        "transform",
        [
            lambda f, x: func.grad(lambda x: f(x).sum())(x),
            lambda f, x: func.vjp(f, x),
            lambda f, x: func.vmap(f)(x),
            lambda f, x: func.jacrev(f)(x),
            lambda f, x: func.jacfwd(f)(x),
            lambda f, x: func.linearize(f, x),
            lambda f, x: func.taylor(f, x, rg.ones_like(x), order=2),
            lambda f, x: func.sparse_jacobian(f)(x),
        ],
    )
    def test_others_refuse(self, transform):
        with pytest.raises(RuntimeError, match="held by dual_level, which was entered later and is not over; unpack"):
            transform(self.left_open, points())

    def test_a_level_from_outside_reaches_into_forward_mode_and_lanes(self):
        f = lambda x: forward_ad.make_dual(x * x, rg.ones_like(x)) * x
        with forward_ad.dual_level():
            _, slope = func.jvp(f, (points(),), (rg.ones(3, dtype=F64),))
            np.testing.assert_array_equal(forward_ad.unpack_dual(slope).primal.numpy(), [3.0, 12.0, 27.0])
            np.testing.assert_array_equal(forward_ad.unpack_dual(slope).tangent.numpy(), np.ones(3))
            lanes = forward_ad.unpack_dual(func.vmap(f)(points()))
            np.testing.assert_array_equal(lanes.primal.numpy(), [1.0, 8.0, 27.0])
            np.testing.assert_array_equal(lanes.tangent.numpy(), [1.0, 2.0, 3.0])
            columns = forward_ad.unpack_dual(func.jacfwd(f)(points()))
            np.testing.assert_array_equal(columns.primal.numpy(), np.diag([3.0, 12.0, 27.0]))
            np.testing.assert_array_equal(columns.tangent.numpy(), np.eye(3))
            with pytest.raises(RuntimeError, match=r"make_dual: .*enter the dual level inside of it"):
                func.grad(lambda x: f(x).sum())(points())

    def test_an_outer_level_is_unpacked_underneath_an_inner_one(self):
        with forward_ad.dual_level():
            a = forward_ad.make_dual(rg.tensor(3.0), rg.tensor(1.0))
            with forward_ad.dual_level():
                b = forward_ad.make_dual(a, rg.tensor(10.0))
                slope = forward_ad.unpack_dual(b**3, level=0).tangent
                assert forward_ad.unpack_dual(slope).primal.item() == 27.0
                assert forward_ad.unpack_dual(slope).tangent.item() == 180.0  # 6·b times 10


class TestSameNumbersFromAnyGenerator:
    """`randomness="same"`: chunks, lanes one by one, and columns draw the same from a generator of the user's."""

    @staticmethod
    def noisy(generator):
        return lambda x: x * rg.rand(2, generator=generator, dtype=F64)

    @pytest.mark.parametrize("own", [True, False])
    @pytest.mark.parametrize("chunk_size", [None, 1, 2])
    def test_chunks(self, own, chunk_size):
        generator = rg.Generator().manual_seed(3) if own else None
        x = rg.ones(5, 2, dtype=F64)
        found = func.vmap(self.noisy(generator), randomness="same", chunk_size=chunk_size)(x).numpy()
        assert (found == found[0]).all()
        different = func.vmap(self.noisy(generator), randomness="different", chunk_size=chunk_size)(x).numpy()
        assert len(np.unique(different)) == 10

    @slow
    @pytest.mark.parametrize("own", [True, False])
    def test_lane_by_lane(self, own):
        generator = rg.Generator().manual_seed(3) if own else None

        def f(x):
            return self.noisy(generator)(x) if x.sum() > 0 else x

        found = func.vmap(f, randomness="same")(rg.ones(4, 2, dtype=F64)).numpy()
        assert (found == found[0]).all() and found[0, 0] != found[0, 1]
        assert len(np.unique(func.vmap(f, randomness="different")(rg.ones(4, 2, dtype=F64)).numpy())) == 8

    @slow
    def test_columns_one_by_one(self):
        generator = rg.Generator()
        f = lambda x: Square.apply(x) * rg.rand(3, generator=generator, dtype=F64)
        for jacobian in (func.jacfwd(f), func.jacfwd(f, chunk_size=1)):
            generator.manual_seed(3)
            matrix = jacobian(points()).numpy()
            factors = rg.rand(3, generator=generator.manual_seed(3), dtype=F64).numpy()
            np.testing.assert_array_equal(matrix, np.diag([2.0, 4.0, 6.0] * factors))

    def test_functions_that_seed(self):
        generator = rg.Generator().manual_seed(1)

        def f(x):
            first = rg.rand(2, generator=generator, dtype=F64)
            generator.manual_seed(9)
            return x * first * rg.rand(2, generator=generator, dtype=F64)

        found = func.vmap(f, randomness="same", chunk_size=1)(rg.ones(3, 2, dtype=F64)).numpy()
        assert (found == found[0]).all()

    def test_columns_in_chunks_belong_to_one_function(self):
        generator = rg.Generator().manual_seed(5)
        f = lambda x: x.sum() * rg.rand(2, generator=generator, dtype=F64)
        matrix = func.jacfwd(f, chunk_size=1)(points()).numpy()
        assert (matrix == matrix[:, :1]).all()
        generator.manual_seed(5)
        np.testing.assert_array_equal(matrix[:, 0], rg.rand(2, generator=generator, dtype=F64).numpy())

    @slow
    def test_errors_stay_errors_column_by_column(self):
        f = lambda x: Square.apply(x) * rg.rand(3, dtype=F64)
        with pytest.raises(RuntimeError, match="randomness"):
            func.jacfwd(f, randomness="error")(points())
