"""Programs that once gave wrong numbers without a word: each gives the right ones now, or says why it cannot."""

import copy
import pickle

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import func
from rustgrad.autograd import Function, grad
from rustgrad.utils.checkpoint import checkpoint

F64 = rg.float64
ROWS = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
pytestmark = pytest.mark.filterwarnings("ignore:.*which is slow")


def x():
    return rg.tensor(ROWS[0], dtype=F64)


def lanes():
    return rg.tensor(ROWS, dtype=F64)


def leaf():
    return x().requires_grad_()


class KeepsNumbers(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.numbers = x.detach().numpy().copy()
        return x**3

    @staticmethod
    def backward(ctx, g):
        return g * rg.from_numpy(3 * ctx.numbers**2)


@func.custom_vjp
def times_sum(x):
    return x * x.sum()


times_sum.defvjp(lambda x: (x * x.sum(), float(x.sum())), lambda total, g: (g * total,))


class Pair(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2, float(x.sum())

    @staticmethod
    def backward(ctx, g, _):
        return g * 2


class TestLaneByLane:
    def each(self, f):
        np.testing.assert_array_equal(func.vmap(f)(lanes()).numpy(), rg.stack([f(row) for row in lanes()]).numpy())

    def test_what_is_kept_as_plain_numbers_is_each_lanes_own(self):
        self.each(func.grad(lambda z: KeepsNumbers.apply(z).sum()))
        self.each(func.jacrev(KeepsNumbers.apply))
        self.each(func.grad(lambda z: times_sum(z).sum()))
        both = func.grad(lambda z: func.vmap(KeepsNumbers.apply)(z).sum())(lanes())
        np.testing.assert_array_equal(both.numpy(), 3 * lanes().numpy() ** 2)

    def test_what_only_some_lanes_keep_is_their_own(self):
        class Branch(Function):
            @staticmethod
            def forward(ctx, x):
                if bool(x.sum() > 10):
                    ctx.large = True
                ctx.save_for_backward(x)
                return x**2

            @staticmethod
            def backward(ctx, g):
                (x,) = ctx.saved_tensors
                return g * 2 * x * (10.0 if hasattr(ctx, "large") else 1.0)

        class Saves(Function):
            @staticmethod
            def forward(ctx, x):
                y = x**2
                ctx.save_for_backward(y if bool(x.sum() > 10) else x)
                return y

            @staticmethod
            def backward(ctx, g):
                return g * ctx.saved_tensors[0]

        for function in (Branch, Saves):
            self.each(func.grad(lambda z, f=function: f.apply(z).sum()))

    def test_equal_tensors_in_containers_may_move_differently(self):
        class Held(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.held = [x]
                float(x)
                return x**2

            @staticmethod
            def backward(ctx, g):
                return 2 * g * ctx.held[0]

        f = lambda a: func.vmap(func.grad(Held.apply))(rg.stack([a, 2 * a - 1])).sum()
        with pytest.raises(rg.NotDifferentiableError, match="Held"):
            func.grad(f)(rg.tensor(1.0, dtype=F64))

    def test_what_is_returned_beside_tensors_is_each_lanes_own(self):
        product = lambda pair: pair[0] * pair[1]
        self.each(lambda z: product(Pair.apply(z)))
        self.each(lambda z: product(checkpoint(lambda q: (q, float(q.sum())), z)))

    @pytest.mark.parametrize(
        "f", [KeepsNumbers.apply, times_sum, lambda z: checkpoint(lambda q: q * float(q.sum()), z)], ids=str
    )
    def test_is_refused_for_functions_with_rules_as_well(self, f):
        with pytest.raises(rg.DataDependentError):
            func.vmap(f, fallback="error")(lanes())

    def test_a_rule_for_lanes_must_return_all_of_them(self):
        class Short(Function):
            @staticmethod
            def forward(x):
                return x * 1

            @staticmethod
            def setup_context(ctx, inputs, output):
                pass

            @staticmethod
            def vmap(info, in_dims, x):
                return x[:1], 0

        with pytest.raises(RuntimeError, match=r"Short: vmap returned .* 1 lanes along out_dims=0, but there are 2"):
            func.vmap(Short.apply)(lanes())

    def test_a_constant_that_is_nan_is_the_same_in_all_lanes(self):
        f = lambda a: (a if a[0] > 2 else -a, rg.tensor(float("nan")))
        _, constant = func.vmap(f, out_dims=(0, None))(lanes())
        assert constant.isnan()

    def test_chunks_do_not_meet_what_others_wrote(self):
        seen = rg.zeros((), dtype=F64)
        with pytest.raises(RuntimeError, match=r"runs in chunks and changes a tensor that all lanes share.*clone\(\)"):
            func.vmap(lambda a: a * seen.add_(1.0), chunk_size=1)(lanes())


class TestRulesThatReadNumbers:
    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return g * rg.tensor([3 * float(v) ** 2 for v in ctx.saved_tensors[0]], dtype=F64)

    @pytest.mark.parametrize("f", [Cube.apply, times_sum], ids=["item", "residual"])
    def test_are_not_differentiated_to_zero(self, f):
        total = lambda z: f(z).sum()
        func.grad(total)(x())
        for second in (func.hessian(total), func.grad(lambda z: func.grad(total)(z).sum())):
            with pytest.raises(rg.NotDifferentiableError, match=r"reads the plain numbers \(float\)"):
                second(x())

    def test_may_branch(self):
        class Sign(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x.abs()

            @staticmethod
            def backward(ctx, g):
                (x,) = ctx.saved_tensors
                return 2 * g * x if bool(x.sum() > 0) else -2 * g * x

        np.testing.assert_array_equal(func.hessian(lambda z: Sign.apply(z).sum())(x()).numpy(), 2 * np.eye(3))

    def test_functions_that_checkpoints_run_again_read_what_they_like(self):
        def solved(a):
            start = a.detach().numpy() * 2
            return a * rg.from_numpy(start / start)

        assert func.grad(lambda z: checkpoint(solved, z).sum())(x()).tolist() == [1.0] * 3


class TestChangedInPlace:
    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            x.exp_()
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    class Triple(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(3)

        @staticmethod
        def backward(ctx, g):
            return g * 3

    def test_what_is_saved_of_it_is_the_result(self):
        v = leaf()
        (slope,) = grad(self.Exp.apply(v * 1).sum(), v, create_graph=True)
        np.testing.assert_allclose(grad(slope.sum(), v)[0].numpy(), np.exp(ROWS[0]))
        hessian = func.hessian(lambda z: self.Exp.apply(z * 1).sum())(x())
        np.testing.assert_allclose(hessian.numpy(), np.diag(np.exp(ROWS[0])))

    def through_base(self, v):
        b = v * 1
        part = b[1:]
        self.Triple.apply(b)
        return (part**2).sum()

    def through_view(self, v):
        b = v * 1
        self.Triple.apply(b[1:])
        return (b**2).sum()

    def test_views_and_bases_follow(self):
        for f, wanted in ((self.through_base, [0.0, 36.0, 54.0]), (self.through_view, [2.0, 36.0, 54.0])):
            v = leaf()
            assert grad(f(v), v)[0].tolist() == wanted
            assert func.grad(f)(x()).tolist() == wanted

    PROGRAMS = {
        "a view": lambda f, b: f(b[1:]).sum() + (b**2).sum(),
        "a base": lambda f, b: (b[1:] + f(b)[:2]).prod() + b[0] * 3,
        "a reshaped one": lambda f, b: f(b.reshape(1, 3).reshape(3)).sum() * (b**2).sum(),
        "twice": lambda f, b: f(f(b[1:])[:1]).sum() + (b**3).sum(),
        "between": lambda f, b: (b[1:] * (f(b[:2]) ** 2)).sum() + (b * b[0]).sum(),
        "what is not followed": lambda f, b: f(rg.ones(3, dtype=F64)[1:]).sum() * b.sum(),
    }

    @pytest.mark.parametrize("rule", [Exp, Triple])
    @pytest.mark.parametrize("name", PROGRAMS)
    def test_views_under_transforms_are_those_of_the_operator(self, name, rule):
        operator = {self.Exp: lambda b: b.exp_(), self.Triple: lambda b: b.mul_(3)}[rule]
        of = lambda f: lambda v: self.PROGRAMS[name](f, v * 1)
        for transform in (
            func.grad,
            func.hessian,
            lambda f: lambda v: func.jvp(f, (v,), (v.cos(),))[1],
        ):
            found, wanted = transform(of(rule.apply))(x()), transform(of(operator))(x())
            np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-12)

    @pytest.mark.parametrize("make", [func.grad, lambda f: lambda v: grad(f(w := v.clone().requires_grad_()), w)[0]])
    def test_what_was_saved_of_a_base_before_is_noticed(self, make):
        def f(v):
            b = v * 1
            before = (b**2).sum()
            self.Triple.apply(b[1:])
            return before + b.sum()

        with pytest.raises(RuntimeError, match="in place"):
            make(f)(x())

    def test_a_view_of_a_leaf_is_refused(self):
        v = leaf()
        with pytest.raises(RuntimeError, match="mark_dirty: cannot change a leaf"):
            self.Triple.apply(v[1:])

    def test_an_output_does_not_share_memory_with_an_argument(self):
        class Tail(Function):
            @staticmethod
            def forward(ctx, x):
                return x[1:]

            @staticmethod
            def backward(ctx, g):
                return rg.cat([rg.zeros(1, dtype=F64), g])

        for write in (lambda b, y: y.mul_(2), lambda b, y: b.mul_(2)):
            v = leaf()
            b = v * 1
            y = Tail.apply(b)
            write(b, y)
            for found in (b, y):
                (slope,) = grad(found.sum(), v, retain_graph=True)
                assert (slope * x()).sum().item() == found.sum().item()  # both are linear in v


class TestSparse:
    def test_rules_by_cotangents_have_a_pattern(self):
        cube = func.custom_vjp(lambda x: x**3)
        cube.defvjp(lambda x: (x**3, x), lambda r, g: (3 * r**2 * g,))
        for f in (cube, lambda z: checkpoint(cube, z)):
            found = func.sparse_hessian(lambda z, f=f: f(z).sum())(x()).toarray()
            np.testing.assert_array_equal(found, np.diag([6.0, 12.0, 18.0]))

    def test_complex_results_are_refused(self):
        with pytest.raises(rg.NotDifferentiableError, match="sparse_jacobian: a function of complex numbers"):
            func.sparse_jacobian(lambda z: z * 1j)(x())

    def test_the_pattern_of_a_hessian_is_refused(self):
        pattern = func.hessian_sparsity(lambda z: (z * z.roll(1)).sum(), rg.ones(5))
        with pytest.raises(ValueError, match="use jacobian_sparsity"):
            func.sparse_jacobian(lambda z: z.roll(1) * z**2, sparsity=pattern)(rg.rand(5))

    def test_rules_in_numpy_go_colour_by_colour(self):
        class Cube(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x**3

            @staticmethod
            def backward(ctx, g):
                return rg.from_numpy(g.detach().numpy() * 3 * ctx.saved_tensors[0].detach().numpy() ** 2)

        f = lambda z: rg.cat([Cube.apply(z), z])
        found = func.sparse_jacobian(f, mode="reverse")(x()).toarray()
        np.testing.assert_array_equal(found, func.jacrev(f)(x()).numpy())


class TestCopies:
    def test_deep_copies_keep_their_derivative_inside_of_transforms(self):
        f = lambda a: (copy.deepcopy(a) ** 2 * a).sum()
        assert func.grad(f)(x()).tolist() == [3.0, 12.0, 27.0]
        np.testing.assert_array_equal(func.hessian(f)(x()).numpy(), np.diag([6.0, 12.0, 18.0]))
        np.testing.assert_array_equal(func.vmap(func.grad(f))(lanes()).numpy(), 3 * lanes().numpy() ** 2)
        assert not func.grad(f)(x()).requires_grad

    def test_nothing_inside_of_a_transform_is_pickled(self):
        with pytest.raises(RuntimeError, match=r"pickle: .*detach\(\)"):
            func.grad(lambda a: (a * pickle.loads(pickle.dumps(a))).sum())(x())


class TestTaylor:
    def test_all_orders_draw_the_same_numbers(self):
        def noisy(a):
            return a**2 * rg.rand(3, dtype=F64)

        found = []
        for method in ("pass", "nested"):
            rg.manual_seed(0)
            found.append([c.tolist() for c in func.taylor(noisy, x(), x(), 2, method=method)])
        np.testing.assert_allclose(found[0], found[1], rtol=1e-12)

    def test_functions_with_rules_draw_the_same_numbers_for_all_orders(self):
        class Noisy(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.factor = rg.rand(3, dtype=F64)
                ctx.save_for_forward(x)
                return x**2 * ctx.factor

            @staticmethod
            def jvp(ctx, t):
                (x,) = ctx.saved_tensors
                return 2 * x * t * ctx.factor

        value, first, second = (c.numpy() for c in func.taylor(Noisy.apply, x(), rg.ones(3, dtype=F64), 2))
        factor = value / x().numpy() ** 2
        np.testing.assert_allclose(first, 2 * x().numpy() * factor)
        np.testing.assert_allclose(second, factor)

    def test_writes_to_what_is_outside_are_refused(self):
        seen = rg.zeros((), dtype=F64)
        with pytest.raises(RuntimeError, match=r"taylor: <lambda> changes a tensor from outside in place.*clone\(\)"):
            func.taylor(lambda a: a * a * seen.add_(1.0), x(), x(), 2, method="nested")
