"""Sparse Jacobians and Hessians: patterns that miss nothing, colourings that recover every entry, errors."""

from __future__ import annotations

import time

import numpy as np
import pytest
import rustgrad as rg
from hypothesis import given
from hypothesis import strategies as st
from rustgrad.func import hessian_sparsity, jacobian_sparsity, sparse_hessian, sparse_jacobian
from samples import OPS
from sampling import Op, tensors

DIFFERENTIABLE = [op for op in OPS if op.differentiable]


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def point(n: int, seed: int = 0):
    return rg.from_numpy(np.random.default_rng(seed).uniform(0.2, 0.8, n))


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_the_pattern_of_every_operator_covers_its_jacobian(op: Op):
    for case in op.cases():
        f, xs = case.function(floats=True), tensors(case.xs)
        for i, x in enumerate(xs):
            outputs = range(len(f(*xs)))
            for k in outputs:
                of_x = lambda z, i=i, k=k: f(*[z if j == i else other for j, other in enumerate(xs)])[k]
                known = jacobian_sparsity(of_x, x)
                dense = rg.func.jacrev(of_x)(x).reshape(*known.shape).numpy()
                inside = known.matrix(np.ones(known.nnz)).toarray() > 0
                missed = (dense != 0) & ~inside
                assert not missed.any(), f"{case}: entries outside of the pattern at {np.argwhere(missed)[:3].tolist()}"
                found = sparse_jacobian(of_x, sparsity=known)(x).toarray()
                np.testing.assert_allclose(found, dense, rtol=1e-9, atol=1e-9, err_msg=str(case))


@pytest.mark.parametrize(
    ("f", "entries"),
    [
        (lambda x: x.sin() * x, 12),
        (lambda x: x[1:] - x[:-1], 22),
        (lambda x: x.reshape(3, 4).sum(1), 12),
        (lambda x: x.reshape(3, 4).softmax(1).reshape(-1), 48),
        (lambda x: x.flip(0)[::2], 6),
        (lambda x: rg.cat([x[:2], x[5:]]) ** 2, 9),
        (lambda x: x[rg.tensor([3, 3, 1])], 3),
        (lambda x: rg.where(x > 0.5, x, x.flip(0)), 24),
        (lambda x: (x.reshape(3, 4) @ rg.ones(4, 2, dtype=rg.float64)).reshape(-1), 24),
        (lambda x: x.detach() * 2, 0),
        (lambda x: rg.ones(2, dtype=rg.float64), 0),
        (lambda x: rg.zeros(5, dtype=rg.float64).index_add(0, rg.tensor([0, 1, 1]), x[:3]), 3),
        (lambda x: rg.func.vmap(lambda row: row.sum() * row)(x.reshape(3, 4)).reshape(-1), 48),
    ],
)
def test_patterns_are_tight(f, entries):
    assert jacobian_sparsity(f, point(12)).nnz == entries


def test_a_branch_of_where_does_not_change_the_pattern():
    f = lambda x: rg.where(x > 0.5, x[:1] * x, x).sum()
    low, high = hessian_sparsity(f, rg.zeros(4, dtype=rg.float64)), hessian_sparsity(f, rg.ones(4, dtype=rg.float64))
    assert (low.indices == high.indices).all() and (low.offsets == high.offsets).all()


@pytest.mark.parametrize("n", [1, 2, 3, 10, 57])
def test_the_hessian_of_rosenbrock(n):
    x = point(n)
    dense = rg.func.hessian(rosenbrock)(x).numpy()
    found = sparse_hessian(rosenbrock, check=True)(x)
    assert found.format == "csr" and found.shape == (n, n)
    np.testing.assert_allclose(found.toarray(), dense, rtol=1e-12)


def test_an_arrow_needs_two_colours():
    known = hessian_sparsity(lambda x: (x * x[0]).sum() + (x**3).sum(), point(50))
    assert known.color_count == 2
    assert known.nnz == 50 + 2 * 49


def test_tridiagonal_at_a_million_needs_three():
    known = hessian_sparsity(rosenbrock, point(1_000_000))
    assert known.color_count == 3 and known.nnz == 3 * 1_000_000 - 2
    found = sparse_hessian(rosenbrock, sparsity=known)(point(1_000_000))
    x = point(1_000_000).numpy()
    np.testing.assert_allclose(found.diagonal(1), -400 * x[:-1], rtol=1e-12)


@pytest.mark.parametrize("mode", ["forward", "reverse", "auto"])
def test_both_modes_give_the_jacobian(mode):
    f = lambda x: rg.cat([x[1:] * x[:-1], x.sin(), x[:3].sum(0, keepdim=True)])
    x = point(9)
    found = sparse_jacobian(f, mode=mode, check=True)(x)
    np.testing.assert_allclose(found.toarray(), rg.func.jacrev(f)(x).numpy(), rtol=1e-12)


def test_auto_takes_the_mode_with_fewer_colours():
    tall, wide = (lambda x: x[0] * rg.ones(20, dtype=rg.float64) + x.sum()), (lambda x: x.sum(0, keepdim=True))
    assert jacobian_sparsity(tall, point(2)).mode == "forward"
    assert jacobian_sparsity(wide, point(20)).mode == "reverse"


def test_a_sparsity_is_reused_at_other_points():
    known = hessian_sparsity(rosenbrock, point(20))
    calls = []

    def counted(x):
        calls.append(1)
        return rosenbrock(x)

    hessian = sparse_hessian(counted, sparsity=known)
    for seed in range(3):
        x = point(20, seed)
        np.testing.assert_allclose(hessian(x).toarray(), rg.func.hessian(rosenbrock)(x).numpy(), rtol=1e-12)
    assert len(calls) == 3


def test_check_finds_a_pattern_that_does_not_fit():
    known = hessian_sparsity(lambda x: (x**2).sum(), point(6))
    with pytest.raises(
        RuntimeError, match=r"sparse_hessian: the pattern does not fit rosenbrock at this point: row \d"
    ):
        sparse_hessian(rosenbrock, sparsity=known, check=True)(point(6))
    narrow = jacobian_sparsity(lambda x: x.sin(), point(6))
    with pytest.raises(RuntimeError, match="sparse_jacobian: the pattern does not fit"):
        sparse_jacobian(lambda x: x * x.sum(), sparsity=narrow, check=True)(point(6))


def test_chunks_give_the_same_matrix():
    x = point(30)
    whole = sparse_hessian(rosenbrock)(x).toarray()
    assert (sparse_hessian(rosenbrock, chunk_size=1)(x).toarray() == whole).all()
    assert (sparse_hessian(rosenbrock, max_bytes=5000)(x).toarray() == whole).all()


def test_more_dimensions_are_flattened():
    f = lambda x: (x[1:] * x[:-1]).sin()
    x = point(12).reshape(4, 3)
    found = sparse_jacobian(f, check=True)(x)
    assert found.shape == (9, 12)
    np.testing.assert_allclose(found.toarray(), rg.func.jacrev(f)(x).reshape(9, 12).numpy(), rtol=1e-12)


def test_further_arguments_pass_through():
    found = sparse_hessian(lambda x, a, *, b: a * (x**3).sum() * b)(point(3), 2.0, b=0.5).toarray()
    np.testing.assert_allclose(found, np.diag(6 * point(3).numpy()), rtol=1e-12)


COMPLEX = {
    "parts": lambda z: z.real * z.imag,
    "abs": lambda z: z.abs(),
    "angle": lambda z: z.angle(),
    "product": lambda z: (z * z.conj() * 1j).imag,
    "quotient": lambda z: (1 / z).real,
    "exp": lambda z: (z * 1j).exp().real,
    "power": lambda z: (z**2.5).imag,
    "joined": lambda z: rg.complex(z.imag, z.real * 2).abs(),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_operators_are_followed_element_by_element(name):
    f = lambda x: COMPLEX[name](x * (1 + 2j) + 0.3j)
    x = point(5)
    known = jacobian_sparsity(f, x)
    assert known.nnz == 5
    np.testing.assert_allclose(
        sparse_jacobian(f, sparsity=known)(x).toarray(), rg.func.jacrev(f)(x).numpy(), rtol=1e-9, atol=1e-12
    )
    wide = point(40_000)
    assert jacobian_sparsity(f, wide).color_count == 1
    energy = lambda x: (f(x[1:]) * f(x[:-1])).sum()
    assert hessian_sparsity(energy, wide).nnz == 3 * 40_000 - 2
    dense = rg.func.hessian(energy)(x).numpy()
    np.testing.assert_allclose(sparse_hessian(energy, check=True)(x).toarray(), dense, rtol=1e-8, atol=1e-10)


def test_pairs_are_views_of_complex_numbers():
    pairs = lambda x: rg.view_as_real(rg.view_as_complex(x.reshape(3, 2)) * 1j).reshape(-1)
    assert jacobian_sparsity(pairs, point(6)).nnz == 12
    np.testing.assert_allclose(sparse_jacobian(pairs)(point(6)).toarray(), rg.func.jacrev(pairs)(point(6)).numpy())
    rows = lambda x: (x + 1j).reshape(3, 2).sum(1).abs()
    assert jacobian_sparsity(rows, point(6)).nnz == 6


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_scans_are_triangles(axis):
    shape = (2, 3, 4)
    length = shape[axis]
    for f in (rg.cumsum, rg.cumprod):
        scan = lambda x, f=f: f(x.reshape(*shape), axis).reshape(-1)
        known = jacobian_sparsity(scan, point(24))
        assert known.nnz == 24 // length * length * (length + 1) // 2
        dense = rg.func.jacrev(scan)(point(24)).numpy()
        assert ((known.matrix(np.ones(known.nnz)).toarray() > 0) == (dense != 0)).all()
    # Its transpose runs from the end.
    pulled = lambda x: rg.func.vjp(lambda z: rg.cumsum(z.reshape(*shape), axis), point(24))[1](x.reshape(*shape))[0]
    known = jacobian_sparsity(pulled, point(24))
    dense = rg.func.jacrev(pulled)(point(24)).numpy()
    assert ((known.matrix(np.ones(known.nnz)).toarray() > 0) == (dense != 0)).all()
    assert jacobian_sparsity(lambda x: rg.cumsum(x[:0].reshape(2, 0), 1).reshape(-1), point(3)).nnz == 0


def test_a_line_that_is_nearly_full_does_not_slow_auto_down():
    n = 200_000
    column = lambda x: x[2:] * x[0] + x[1] * 0 + rg.cat([x[3:], x[:1]])
    start = time.perf_counter()
    known = jacobian_sparsity(column, point(n))
    assert known.mode == "forward" and known.color_count == 4
    row = lambda x: rg.cat([x[1:], x[:-3].sum(0, keepdim=True)])
    known = jacobian_sparsity(row, point(n))
    assert known.mode == "reverse" and known.color_count == 2
    # Tries of all colours for each line took minutes.
    assert time.perf_counter() - start < 20


@given(st.integers(0, 10**6))
def test_auto_takes_no_more_colours_than_either_mode(seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 9)), int(rng.integers(1, 9))
    at = rg.from_numpy(rng.integers(0, n, (m, int(rng.integers(1, 4)))))
    f = lambda x: x[at.reshape(-1)].reshape(*at.shape).sum(1)
    found = {mode: jacobian_sparsity(f, point(n), mode=mode) for mode in ("auto", "forward", "reverse")}
    assert found["auto"].color_count == min(found["forward"].color_count, found["reverse"].color_count)
    if found["forward"].color_count <= found["reverse"].color_count:
        assert found["auto"].mode == "forward"


@given(st.integers(0, 10**6))
def test_random_wiring_is_recovered(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 12))
    picks = [rg.from_numpy(rng.integers(0, n, int(rng.integers(1, 8)))) for _ in range(3)]
    x = point(n, seed)

    def f(x):
        parts = [x[p].sin() * x[p.flip(0)] for p in picks]
        return sum((part**2).sum() for part in parts) + (x[: n // 2].sum() ** 2)

    dense = rg.func.hessian(f)(x).numpy()
    np.testing.assert_allclose(sparse_hessian(f, check=True)(x).toarray(), dense, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: sparse_hessian(rosenbrock)(np.ones(3)), TypeError, "sparse_hessian: the argument must be a tensor"),
        (lambda: sparse_hessian(rosenbrock)(rg.ones(3, dtype=rg.int64)), TypeError, "must be of a float dtype"),
        (lambda: sparse_jacobian(lambda x: (x, x))(rg.ones(3)), TypeError, "the function must return a tensor"),
        (lambda: sparse_jacobian(rosenbrock, mode="both")(rg.ones(3)), ValueError, "mode='both' is not one of"),
        (
            lambda: sparse_hessian(rosenbrock, sparsity=hessian_sparsity(rosenbrock, point(4)))(point(5)),
            ValueError,
            r"of shape \(4, 4\), but the matrix has shape \(5, 5\)",
        ),
        (
            lambda: rg.func.vmap(lambda x: sparse_hessian(rosenbrock)(x))(rg.ones(2, 3)),
            RuntimeError,
            "another transform",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_dense_function_is_refused():
    with pytest.raises(MemoryError, match=r"this function is dense, use func\.jacobian"):
        jacobian_sparsity(lambda x: x * x.sum(), rg.ones(40_000))


ROUNDING = {
    "a Hessian of zeros": lambda x: sparse_hessian(lambda x: x.softmax(0).sum(), check=True)(x),
    "single precision inside": lambda x: sparse_jacobian(lambda x: x.to(rg.float32).to(rg.float64) ** 2, check=True)(x),
    "large numbers that cancel": lambda x: sparse_jacobian(lambda x: x * 1e8 + x.sin() - x * 1e8, check=True)(x),
}


@pytest.mark.parametrize("n", [2, 4, 9])
@pytest.mark.parametrize("name", ROUNDING)
def test_check_does_not_take_rounding_for_a_wrong_pattern(name, n):
    for seed in range(5):
        ROUNDING[name](point(n, seed))


def test_check_finds_small_entries_that_were_dropped():
    narrow = jacobian_sparsity(lambda x: x.sin(), point(6))
    with pytest.raises(RuntimeError, match=r"sparse_jacobian: the pattern does not fit"):
        sparse_jacobian(lambda x: x + 1e-7 * x.flip(0), sparsity=narrow, check=True)(point(6))
    x = point(6)
    x[0] = 0.0
    with pytest.raises(RuntimeError, match=r"sparse_jacobian: the pattern does not fit .* row [1-5]"):
        sparse_jacobian(lambda x: x.sqrt() + x.roll(1).detach() * x.roll(-1), sparsity=narrow, check=True)(x)
