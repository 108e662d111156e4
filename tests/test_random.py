"""Random numbers: reproducible from a seed, the same for any number of threads, and distributed as promised."""

# ruff: noqa: E501 (the rows of tables stay rows)
from __future__ import annotations

import copy
import pickle

import laws
import numpy as np
import pytest
import rustgrad as rg
from scipy import stats

N = 200_000
DRAWS = {
    "rand": lambda n, **k: rg.rand(n, **k),
    "randn": lambda n, **k: rg.randn(n, **k),
    "randint": lambda n, **k: rg.randint(-5, 20, (n,), **k),
    "randperm": lambda n, **k: rg.randperm(n, **k),
    "bernoulli": lambda n, **k: rg.bernoulli(rg.full((n,), 0.3), **k),
    "normal": lambda n, **k: rg.normal(2.0, 3.0, (n,), **k),
    "normal of tensors": lambda n, **k: rg.normal(rg.zeros(n), rg.ones(n), **k),
    "uniform_": lambda n, **k: rg.empty(n).uniform_(-1, 3, **k),
    "normal_": lambda n, **k: rg.empty(n, dtype=rg.float64).normal_(1, 2, **k),
    "bernoulli_": lambda n, **k: rg.empty(n).bernoulli_(0.25, **k),
    "exponential_": lambda n, **k: rg.empty(n).exponential_(2.0, **k),
    "random_": lambda n, **k: rg.empty(n, dtype=rg.int64).random_(0, 10, **k),
    "multinomial": lambda n, **k: rg.multinomial(rg.tensor([0.2, 0.5, 0.3]), n, replacement=True, **k),
}
LIKE = {
    "rand_like": lambda n: rg.rand_like(rg.empty(n)),
    "randn_like": lambda n: rg.randn_like(rg.empty(n)),
    "randint_like": lambda n: rg.randint_like(rg.empty(n), 0, 9),
    "dropout": lambda n: rg.nn.functional.dropout(rg.ones(n), 0.4),
}
every = pytest.mark.parametrize("draw", [*DRAWS.values(), *LIKE.values()], ids=[*DRAWS, *LIKE])


@every
def test_a_seed_repeats_and_another_does_not(draw):
    rg.manual_seed(7)
    first, second = draw(100), draw(100)
    rg.manual_seed(7)
    assert draw(100).tolist() == first.tolist() and draw(100).tolist() == second.tolist()
    assert first.tolist() != second.tolist()
    rg.manual_seed(8)
    assert draw(100).tolist() != first.tolist()


@every
def test_threads_do_not_matter(draw):
    def numbers():
        rg.manual_seed(3)
        return [draw(n).numpy() for n in (1, 7, N, 13)]

    laws.check_threads(numbers)


@pytest.mark.parametrize("name", DRAWS)
def test_generators_are_independent(name):
    one, two = rg.Generator(), rg.Generator()
    one.manual_seed(5)
    two.manual_seed(5)
    rg.manual_seed(11)
    before = rg.rand(5).tolist()
    rg.manual_seed(11)
    a = DRAWS[name](50, generator=one)
    assert rg.rand(5).tolist() == before, "a generator of its own leaves the global one alone"
    assert DRAWS[name](50, generator=two).tolist() == a.tolist()
    assert DRAWS[name](50, generator=one).tolist() != a.tolist()


def test_state_is_saved_and_restored():
    g = rg.Generator().manual_seed(1)
    assert g.initial_seed() == 1
    rg.randn(5, generator=g)
    state = g.get_state()
    a = rg.randn(7, generator=g)
    g.set_state(state)
    assert rg.randn(7, generator=g).tolist() == a.tolist()
    state = rg.get_rng_state()
    b = rg.rand(3)
    rg.set_rng_state(state)
    assert rg.rand(3).tolist() == b.tolist()
    assert isinstance(rg.seed(), int) and isinstance(rg.initial_seed(), int)


def test_one_large_draw_is_many_small_ones_of_good_quality():
    rg.manual_seed(0)
    whole = rg.rand(N, dtype=rg.float64).numpy()
    assert abs(np.corrcoef(whole[:-1], whole[1:])[0, 1]) < 0.01
    assert len(np.unique(whole)) > 0.999 * N
    assert whole.min() >= 0.0 and whole.max() < 1.0
    small = np.array([rg.rand(1).item() for _ in range(2000)])
    assert stats.kstest(small, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, distribution", [
    ("rand", stats.uniform()), ("randn", stats.norm()), ("normal", stats.norm(2, 3)), ("normal of tensors", stats.norm()),
    ("uniform_", stats.uniform(-1, 4)), ("normal_", stats.norm(1, 2)), ("exponential_", stats.expon(scale=0.5)),
])  # fmt: skip
def test_continuous_distributions(name, distribution, dtype):
    before = rg.get_default_dtype()
    rg.set_default_dtype(getattr(rg, dtype))
    try:
        x = DRAWS[name](N).numpy().astype(np.float64)
    finally:
        rg.set_default_dtype(before)
    error = 5 / np.sqrt(N)
    scale = distribution.std()
    assert abs(x.mean() - distribution.mean()) < error * scale
    assert abs(x.std() / scale - 1) < 3 * error
    assert abs(stats.skew(x) - distribution.stats("s")) < 20 * error
    assert stats.kstest(x, distribution.cdf).pvalue > 1e-4


@pytest.mark.parametrize("name, values, chances", [
    ("randint", range(-5, 20), [1 / 25] * 25), ("bernoulli", [0, 1], [0.7, 0.3]), ("bernoulli_", [0, 1], [0.75, 0.25]),
    ("random_", range(10), [0.1] * 10), ("multinomial", range(3), [0.2, 0.5, 0.3]),
])  # fmt: skip
def test_discrete_distributions(name, values, chances):
    x = DRAWS[name](N).numpy()
    counts = np.array([(x == v).sum() for v in values])
    assert counts.sum() == N
    assert stats.chisquare(counts, np.array(chances) * N).pvalue > 1e-4


def test_permutations():
    for n in (0, 1, 2, 1000):
        assert sorted(rg.randperm(n).tolist()) == list(range(n))
    firsts = np.array([rg.randperm(5)[0].item() for _ in range(5000)])
    assert stats.chisquare(np.bincount(firsts, minlength=5)).pvalue > 1e-4
    drawn = rg.multinomial(rg.ones(10), 10).tolist()
    assert sorted(drawn) == list(range(10)), "without replacement every index comes once"


def test_shapes_and_dtypes():
    assert tuple(rg.rand(2, 3).shape) == tuple(rg.rand((2, 3)).shape) == (2, 3) and rg.rand(()).ndim == 0
    assert rg.rand(2).dtype is rg.float32 and rg.randn(2, dtype=rg.float64).dtype is rg.float64
    assert rg.randint(3, (2, 2)).dtype is rg.int64 and rg.randperm(3).dtype is rg.int64
    assert rg.rand(0, 3).numel() == 0 and rg.randn(2, requires_grad=True).requires_grad
    assert rg.bernoulli(rg.full((3,), 0.5, dtype=rg.float64)).dtype is rg.float64
    assert rg.rand_like(rg.zeros(2, dtype=rg.float64)).dtype is rg.float64


def test_dropout():
    x = rg.ones(N, requires_grad=True)
    y = rg.nn.functional.dropout(x, 0.25)
    kept = y.detach().numpy() != 0
    assert abs(kept.mean() - 0.75) < 0.01
    np.testing.assert_allclose(y.detach().numpy()[kept], 1 / 0.75, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy() != 0, kept)
    assert rg.nn.functional.dropout(rg.ones(5), 1.0).tolist() == [0.0] * 5
    assert rg.nn.functional.dropout(rg.ones(5), 0.9, training=False).tolist() == [1.0] * 5


@pytest.mark.parametrize("call", [
    lambda: rg.randint(5, 5, (2,)), lambda: rg.randint(3, 1, (2,)), lambda: rg.bernoulli(rg.full((2,), 1.5)), lambda: rg.bernoulli(rg.full((2,), float("nan"))),
    lambda: rg.normal(0.0, -1.0, (2,)), lambda: rg.rand(-1), lambda: rg.randperm(-1), lambda: rg.nn.functional.dropout(rg.ones(2), 1.5),
    lambda: rg.empty(2).exponential_(-1.0), lambda: rg.empty(2).uniform_(3, 1), lambda: rg.multinomial(rg.tensor([-1.0, 2.0]), 1),
    lambda: rg.multinomial(rg.ones(3), 4), lambda: rg.rand(2, generator=3),
])  # fmt: skip
def test_arguments_are_checked(call):
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        call()


def test_copies_of_generators():
    g = rg.Generator().manual_seed(4)
    rg.rand(3, generator=g)
    clone = copy.deepcopy(g) if hasattr(g, "__deepcopy__") else pickle.loads(pickle.dumps(g))
    assert rg.rand(4, generator=clone).tolist() == rg.rand(4, generator=g).tolist()
