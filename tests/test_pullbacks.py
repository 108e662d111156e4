"""What `func.vjp` returns: pullbacks of every nesting, their errors, pullbacks that are differentiated."""

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import _core, func


def both(f):
    """The function with a lone result, and with the same result in a tuple: two ways through the library."""
    return [(f, lambda pull, g, **k: pull(g, **k)), (lambda *a: (f(*a),), lambda pull, g, **k: pull((g,), **k))]


@pytest.mark.parametrize("n", [1, 3, 5000])
@pytest.mark.parametrize("way", [0, 1])
def test_arithmetic_of_every_size(n, way):
    x, c, t = (np.random.default_rng(i).uniform(0.5, 2.0, n) for i in range(3))
    f, pull_back = both(lambda x, c: ((x * x + x) * x - c) / (x + 1.0) + (c - x) / c)[way]
    _, pull = func.vjp(f, rg.tensor(x), rg.tensor(c))
    by_x, by_c = pull_back(pull, rg.tensor(t))
    p, v = x**3 + x**2 - c, x + 1
    np.testing.assert_allclose(by_x.numpy(), t * ((3 * x**2 + 2 * x) / v - p / v**2 - 1 / c), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(by_c.numpy(), t * (-1 / v + 1 / c - (c - x) / c**2), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("way", [0, 1])
def test_saved_values_are_freed_on_request(way):
    f, pull_back = both(lambda x: x * x)[way]
    _, pull = func.vjp(f, rg.tensor([3.0]))
    assert pull_back(pull, rg.tensor([1.0]))[0].tolist() == [6.0]
    assert pull_back(pull, rg.tensor([2.0]), retain_graph=False)[0].tolist() == [12.0]
    with pytest.raises(RuntimeError, match="a second time"):
        pull_back(pull, rg.tensor([1.0]))


@pytest.mark.parametrize("way", [0, 1])
def test_results_without_dependence_give_zeros(way):
    f, pull_back = both(lambda x, y: y.detach() * 2.0 + x)[way]
    _, pull = func.vjp(f, rg.ones(2), rg.ones(2, dtype=rg.float64))
    by_x, by_y = pull_back(pull, rg.ones(2, dtype=rg.float64))
    assert by_x.tolist() == [1.0, 1.0] and by_y.tolist() == [0.0, 0.0] and by_y.dtype == rg.float64
    _, pull = func.vjp(lambda x: rg.ones(3), rg.ones(2))
    assert pull(rg.ones(3))[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("cotangents", "error", "sentence"),
    [
        (1.0, TypeError, "vjp: expected tensors, got a float; wrap numbers in rustgrad.tensor"),
        (np.ones(2), TypeError, "vjp: expected tensors, got a ndarray"),
        (lambda: (rg.ones(2),), ValueError, "must be nested like the output of the function"),
        (lambda: {"y": rg.ones(2)}, ValueError, "must be nested like the output of the function"),
        (lambda: rg.ones(3), ValueError, r"shape \[3\] but the output it belongs to has shape \[2\]"),
    ],
)
def test_cotangents_that_do_not_fit(cotangents, error, sentence):
    _, pull = func.vjp(rg.sin, rg.ones(2))
    with pytest.raises(error, match=sentence):
        pull(cotangents() if callable(cotangents) else cotangents)


def test_cotangents_take_the_dtype_of_the_output():
    _, pull = func.vjp(lambda x: x * 2.0, rg.ones(2, dtype=rg.float64))
    assert pull(rg.ones(2))[0].dtype == rg.float64


@pytest.mark.parametrize("n", [2, 5000])
def test_pullbacks_are_differentiated(n):
    x, t, v = (rg.tensor(np.random.default_rng(i).uniform(0.5, 2.0, n)) for i in range(3))
    f = lambda x: x / (x + 1.0) - (1.0 - x).sin() * x
    slope = lambda x, t: func.vjp(f, x)[1](t)[0]
    exact = lambda x, t: func.jvp(f, (x,), (t,))[1]  # the Jacobian is diagonal
    for other in (slope, exact):
        np.testing.assert_allclose(other(x, t).numpy(), exact(x, t).numpy(), rtol=1e-12, atol=1e-13)
    changes = [func.jvp(g, (x, t), (v, v))[1].numpy() for g in (slope, exact)]
    np.testing.assert_allclose(changes[0], changes[1], rtol=1e-12, atol=1e-13)
    gradients = [func.grad(lambda x, g=g: (g(x, t) * v).sum())(x).numpy() for g in (slope, exact)]
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-12, atol=1e-13)


def test_a_tape_under_requires_grad_records_both():
    """The level's tape and the bottom one meet in one operation: neither may be left out."""
    w = rg.tensor([2.0, 3.0], requires_grad=True)
    y, pull = func.vjp(lambda x: x * w + w * w, rg.tensor([5.0, 7.0]))
    (by_x,) = pull(rg.ones(2))
    assert by_x.tolist() == [2.0, 3.0]
    (y.sum() + (by_x * by_x).sum()).backward()
    assert w.grad.tolist() == [5.0 + 4.0 + 4.0, 7.0 + 6.0 + 6.0]


def test_no_grad_inside_silences_the_level():
    def f(x):
        with rg.no_grad():
            y = x * x
        return y + x

    _, pull = func.vjp(f, rg.tensor([3.0]))
    assert pull(rg.ones(1))[0].tolist() == [1.0]


def test_escaped_tensors_are_refused():
    kept = []

    def f(x):
        kept.append(x)
        return x * 1.0

    func.vjp(f, rg.ones(2))
    for use in (lambda x: x + x, lambda x: x * 2.0, lambda x: x.exp()):
        with pytest.raises(RuntimeError, match="used after it ended"):
            use(kept[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slopes_by_divisors_of_every_size(dtype):
    """The large loop takes one division, where that is right: it agrees with the small one, which takes two."""
    tiny, huge = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    sizes = [0.0, tiny * 2**-20, tiny / 2, tiny, tiny * 3, 1e-3, 1.0, 7.0, 1e3, huge / 8, huge, np.inf, np.nan]
    signed = np.array([s * v for v in sizes for s in (1.0, -1.0)], dtype)
    a, b = (m.ravel() for m in np.meshgrid(signed, signed))
    for repeat in (1, 2048 // a.size + 1):
        for divisor in (b, np.where(np.abs(b) < tiny, dtype(1.0), b)):
            x, y = (rg.tensor(np.tile(v, repeat)) for v in (a, divisor))
            _, pull = func.vjp(lambda x, y: x / y, x, y)
            found = pull(rg.ones_like(x))[1].numpy()
            with np.errstate(all="ignore"):
                exact = -(x.numpy() / y.numpy()) / y.numpy()
            eps = np.finfo(dtype).eps
            np.testing.assert_allclose(found, exact, rtol=4 * eps, atol=4 * tiny * eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents_by_divisors_of_every_size(dtype):
    """The loop for value and tangent takes one division fewer where that is right, 1,024 divisors at a time."""
    tiny, huge = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    sizes = [0.0, tiny * 2**-20, tiny / 2, tiny, tiny * 3, 1e-3, 1.0, 7.0, 1e3, huge / 8, huge, np.inf, np.nan]
    a, b = (m.ravel() for m in np.meshgrid(*[np.array([s * v for v in sizes for s in (1.0, -1.0)], dtype)] * 2))
    normal = np.where(np.abs(b) < tiny, dtype(1.0), b)
    divisors = np.concatenate([b, np.tile(normal, 4)])  # pieces with and without subnormal numbers
    x, y = rg.tensor(np.tile(a, 5)), rg.tensor(divisors)
    value, found = func.jvp(lambda x, y: x / y, (x, y), (rg.zeros_like(x), rg.ones_like(y)))
    with np.errstate(all="ignore"):
        exact = -(x.numpy() / divisors) / divisors
        np.testing.assert_array_equal(value.numpy(), x.numpy() / divisors)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(found.numpy(), exact, rtol=4 * eps, atol=4 * tiny * eps)


@pytest.mark.parametrize("way", [0, 1])
def test_a_pullback_holds_only_what_rules_read(way):
    """A sum saves nothing, so neither its output nor its inputs live on with the pullback."""
    f, pull_back = both(lambda x, y: x + y)[way]
    before, _ = _core._memory(False)
    pull = func.vjp(f, rg.ones(100_000), rg.ones(100_000))[1]
    assert _core._memory(False)[0] - before < 100_000
    by_x, by_y = pull_back(pull, rg.full((100_000,), 3.0))
    assert by_x.sum() == by_y.sum() == 300_000
