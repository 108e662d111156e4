"""Arguments of the transforms: random numbers in chunks, tied weights, outputs without slopes, forms of out_dims."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import func

F64 = rg.float64
X = rg.tensor([1.0, 2.0, 3.0], dtype=F64)


def noisy(x):
    return x.sum() ** 2 * rg.rand((), dtype=F64)


@pytest.mark.parametrize("limit", [{"chunk_size": 1}, {"chunk_size": 2}, {"max_bytes": 400}])
def test_chunks_are_those_of_one_function_whatever_it_draws(limit):
    whole = func.hessian(noisy)(X)
    assert len(set(whole.ravel().tolist())) == 1
    for matrix in (func.hessian(noisy, **limit)(X), func.hess_diag(noisy, **limit)(X)):
        assert len(set(matrix.ravel().tolist())) == 1
    columns = func.jacfwd(lambda x: x.sum() * rg.rand(2, dtype=F64), **limit)(X)
    assert len({tuple(column) for column in columns.T.tolist()}) == 1


def test_the_gauss_newton_matrix_is_that_of_one_function():
    f = lambda x: x * rg.rand(3, dtype=F64)
    rows = [func.ggnvp(f, lambda y: (y * y).sum() / 2, (X,), (unit,))[0] for unit in rg.eye(3, dtype=F64)]
    assert all(value >= 0 for value in rg.stack(rows).diagonal().tolist())
    rg.manual_seed(3)
    (product,) = func.ggnvp(f, lambda y: (y * y).sum() / 2, (X,), (rg.ones(3, dtype=F64),))
    rg.manual_seed(3)
    np.testing.assert_allclose(product.numpy(), (rg.rand(3, dtype=F64) ** 2).numpy(), rtol=1e-12)


def test_columns_of_jacfwd_draw_as_they_are_told():
    f = lambda x: x.sum() * rg.rand(2, dtype=F64)
    different = func.jacfwd(f, randomness="different")(X).T.tolist()
    assert len({tuple(column) for column in different}) == 3
    with pytest.raises(RuntimeError, match="random numbers"):
        func.jacfwd(f, randomness="error")(X)
    with pytest.raises(ValueError, match="randomness='bogus'"):
        func.jacfwd(f, randomness="bogus")(X)


class Tied:
    def __init__(self):
        self.a = rg.tensor(2.0, requires_grad=True)
        self.b = self.a

    def __call__(self, x):
        return self.a * self.b * x


def test_tied_weights_stay_tied():
    call = lambda p: func.functional_call(Tied(), p, rg.tensor(1.0))
    assert call({"a": rg.tensor(3.0)}).item() == 9.0 and call({"b": rg.tensor(3.0)}).item() == 9.0
    assert func.grad(call)({"a": rg.tensor(3.0)})["a"].item() == 6.0
    assert func.functional_call(Tied(), {"a": rg.tensor(3.0)}, rg.tensor(1.0), tie_weights=False).item() == 6.0
    with pytest.raises(ValueError, match=r"\['a', 'b'\] are one tensor"):
        call({"a": rg.tensor(3.0), "b": rg.tensor(4.0)})
    assert list(func.stack_module_state([Tied(), Tied()])[0]) == ["a"]


def test_linearize_passes_by_outputs_without_slopes():
    value, push = func.linearize(lambda x: (2 * x, x.argmax()), X)
    assert value[1].item() == 2
    slope, none = push(rg.ones(3, dtype=F64))
    assert slope.tolist() == [2.0, 2.0, 2.0] and none.item() == 0 and none.dtype == rg.int64


@pytest.mark.parametrize("create_graph", [True, False, None])
def test_pullbacks_take_create_graph_and_stay_differentiable(create_graph):
    def slope(x):
        _, pull = func.vjp(lambda z: z**3, x)
        return pull(rg.ones_like(x), retain_graph=True, create_graph=create_graph)[0].sum()

    assert func.grad(slope)(X).tolist() == [6.0, 12.0, 18.0]


def test_out_dims_as_a_tuple_of_one():
    assert func.vmap(lambda a: a, out_dims=(1,))(rg.ones(4, 3)).shape == (3, 4)


def branches(x):
    return x * 2 if x > 0 else x


def also(x):
    return x * 3 if x > 0 else x


def test_running_lane_by_lane_warns_once_per_function_at_the_line_of_the_call():
    x = rg.tensor([[1.0, -1.0]])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        func.vmap(func.vmap(branches))(x)
        func.vmap(func.vmap(branches))(x)
        func.vmap(func.grad(also))(x[0])
    told = [w for w in seen if "lane by lane" in str(w.message)]
    assert [name in str(w.message) for w, name in zip(told, ("branches", "also"), strict=True)] == [True, True]
    assert [w.filename for w in told] == [__file__, __file__]


class Branching(rg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g if bool(g.abs().sum() > 0) else rg.zeros_like(x)


class Noisy(Branching):
    @staticmethod
    def backward(ctx, g):
        return Branching.backward(ctx, g) * rg.rand((), dtype=F64)


@pytest.mark.parametrize("limit", [{}, {"chunk_size": 2}, {"max_bytes": 400}])
@pytest.mark.filterwarnings("ignore:.*row by row")
def test_rows_of_rules_that_branch_on_numbers_go_one_by_one(limit):
    jacobian = func.jacrev(Branching.apply, **limit)
    np.testing.assert_array_equal(jacobian(X).numpy(), np.diag([2.0, 4.0, 6.0]))
    both = func.jacrev(lambda p: {"a": Branching.apply(p[0]), "b": p[1].sum()}, **limit)((X, X))
    np.testing.assert_array_equal(both["a"][0].numpy(), np.diag([2.0, 4.0, 6.0]))
    assert both["a"][1].abs().sum() == 0 and both["b"][0].abs().sum() == 0 and both["b"][1].tolist() == [1.0] * 3
    curvature = func.jacrev(jacobian, **limit)(X).numpy()
    np.testing.assert_array_equal(curvature, 2 * np.einsum("ij,jk->ijk", np.eye(3), np.eye(3)))
    lanes = func.vmap(jacobian)(rg.stack([X, 2 * X])).numpy()
    np.testing.assert_array_equal(lanes[1], np.diag([4.0, 8.0, 12.0]))
    diagonal = func.jacrev(Noisy.apply, **limit)(X).numpy().diagonal() / [2.0, 4.0, 6.0]
    assert np.ptp(diagonal) < 1e-15 < diagonal[0]


def test_rows_one_by_one_warn_once_for_each_class_at_the_line_of_the_call():
    apart = [type(name, (Branching,), {}) for name in ("First", "Second")]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for rule in (*apart, *apart):
            func.jacrev(rule.apply, chunk_size=2)(X)
    assert ["jacrev" in str(w.message) and w.filename == __file__ for w in seen] == [True, True]


class BranchingForward(Branching):
    @staticmethod
    def jvp(ctx, t):
        return t if bool(t.sum() > 0) else -t


def test_a_function_that_would_run_again_is_refused():
    shared = rg.zeros(3, dtype=F64)
    with pytest.raises(RuntimeError, match=r"jacfwd: <lambda> changes a tensor from outside in place.*clone\(\)"):
        func.jacfwd(lambda x: shared.add_(1.0) * BranchingForward.apply(x))(X)


class Bag:
    pass


def total(x):
    return x.sum()


ONE, TWO, EITHER = rg.ones(1, dtype=F64), rg.ones(2, dtype=F64), lambda a: (a, a) if a > 1 else a


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: func.grad(total)(2.0), TypeError, "^grad: expected tensors, got a float; wrap numbers"),
        (lambda: func.jacrev(total)((X, 3)), TypeError, "^jacrev: expected tensors, got a int; wrap numbers"),
        (lambda: func.jacobian(total)(2.0), TypeError, "^jacobian: expected tensors, got a float"),
        (
            lambda: func.hessian(total)(Bag()),
            TypeError,
            "^hessian: expected tensors, got a Bag; .*register_pytree_node",
        ),
        (lambda: func.hessian(total, max_bytes=8)(X), MemoryError, "^hessian: the result takes"),
        (lambda: func.hvp(total, (TWO,), (ONE,)), ValueError, r"^hvp: the vector .*float64 \[1\] does .*float64 \[2\]"),
        (
            lambda: func.vhp(total, (TWO,), (ONE,)),
            ValueError,
            r"^vhp: the vector .*\[1\] does .*; shapes must be equal",
        ),
        (lambda: func.ggnvp(total, total, (TWO,), (TWO.float(),)), ValueError, "^ggnvp: .* shape and dtype must be"),
        (lambda: func.hvp(total, (TWO,), (2.0,)), TypeError, "^hvp: expected tensors, got a float"),
        (lambda: func.hvp(total, (), ()), ValueError, "^hvp: give at least one primal"),
        (
            lambda: func.linearize(total, TWO)[1](ONE),
            ValueError,
            r"^linearize: the tangent of shape \[1\] .*\[2\]; they",
        ),
        (lambda: func.linearize(total, TWO)[1](1.0), TypeError, "^linearize: expected tensors, got a float"),
        (lambda: func.linearize(total, TWO)[1]((TWO,)), ValueError, r"primals, \(\*,\), but are \(\(\*,\),\)$"),
        (lambda: func.vhp(total, (TWO,), ([TWO],)), ValueError, r"primals, \(\*,\), but are \(\[\*\],\)$"),
        (lambda: func.jvp(total, (X,), ((X, X),)), ValueError, r"are \(\*,\) and \(\(\*, \*\),\)$"),
        (lambda: func.vjp(total, X)[1]((X, X)), ValueError, r"of the function, \*, but are \(\*, \*\)$"),
        (
            lambda: func.vmap(EITHER)(X),
            ValueError,
            r"<lambda> returns \* in lane 0 and \(\*, \*\) in lane 1; return one",
        ),
        (
            lambda: func.vmap(total, out_dims=5)(TWO),
            IndexError,
            r"^vmap: out_dims=5 .*of total, .*\[2\] .*; give -1…0",
        ),
        (lambda: func.vmap(total, chunk_size=2.5), TypeError, r"^vmap: chunk_size must be an int or None, but is 2\.5"),
        (
            lambda: func.jacrev(total, chunk_size="a"),
            TypeError,
            "^jacrev: chunk_size must be an int or None, but is 'a'",
        ),
        (lambda: func.hessian(total, max_bytes=True), TypeError, "^hessian: max_bytes must be an int or None"),
        (lambda: func.hess_diag(total, max_bytes=8)(X), MemoryError, "^hess_diag: the result takes"),
        (lambda: func.laplacian(lambda x: x * x, max_bytes=8)(X), MemoryError, "^laplacian: the result takes"),
        (lambda: func.grad(total, argnums=1.5)(X), TypeError, "^grad: argnums takes positions and names, not a float"),
        (lambda: func.hessian(total, argnums=None)(X), TypeError, "^hessian: argnums takes .* not a NoneType"),
        (lambda: func.laplacian(total, max_bytes=2.5), TypeError, "^laplacian: max_bytes must be an int or None"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*lane by lane")
def test_sentences_name_the_function_that_was_called_and_show_what_does_not_fit(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()


def test_limits_and_positions_may_be_integers_of_numpy():
    assert func.jacrev(lambda x: x * 2, chunk_size=np.int64(2), max_bytes=np.int64(10**6))(X).sum() == 6
    f = lambda a, b: (a * b * b).sum()
    for transform in (func.grad, func.jacrev, func.jacfwd, func.jacobian):
        assert (transform(f, argnums=np.int64(1))(X, X) == 2 * X * X).all()
        for several in ((np.int64(1), "a"), [1, 0], range(1, -1, -1), np.array([1, 0])):
            assert (transform(f, argnums=several)(X, X)[1] == X * X).all()


@pytest.mark.parametrize("limit", [{"chunk_size": 3}, {"max_bytes": 1 << 16}])
def test_a_laplacian_adds_up_chunk_by_chunk(limit):
    from rustgrad import _core

    x = rg.rand(3000, dtype=F64)
    f = lambda x: {"cubes": (x**3).sum(), "pair": x[:2] ** 2 * x[2]}
    before = _core._memory(True)[0]
    found = func.laplacian(f, **limit)(x)
    assert _core._memory(False)[1] - before < 1 << 19
    np.testing.assert_allclose(found["cubes"].numpy(), 6 * x.sum().item(), rtol=1e-12)
    np.testing.assert_allclose(found["pair"].numpy(), np.full(2, 2 * x[2].item()), rtol=1e-12)


@pytest.mark.parametrize(
    "transform", [func.jacrev, func.jacfwd, lambda f, **how: func.hessian(lambda x: f(x).sum(), **how)]
)
@pytest.mark.parametrize("factor", [1.5, 3.0, 8.0])
def test_result_and_work_stay_within_max_bytes(transform, factor):
    from rustgrad import _core

    w, x = rg.rand(300, 200, dtype=F64), rg.rand(200, dtype=F64)

    def f(x):
        y = w @ x
        for _ in range(5):
            y = (y * y).sin()
        return y

    whole = transform(f)(x)
    limit = int(factor * whole.numel() * 8)
    del whole
    before = _core._memory(True)[0]
    found = transform(f, max_bytes=limit)(x)
    # Memory comes in blocks that are up to a quarter larger than what is asked for.
    assert _core._memory(False)[1] - before <= 1.1 * limit
    np.testing.assert_allclose(found.numpy(), transform(f)(x).numpy(), rtol=1e-10)
