"""Elementwise ops over large dual numbers are put off and run together: nobody may see it but by the clock."""

from __future__ import annotations

import contextlib
import gc
import operator
import threading
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis.strategies as st
import laws
import numpy as np
import pytest
import rustgrad as rg
from hypothesis import given
from rustgrad import _core
from rustgrad.autograd import forward_ad as fwAD
from samples import OPS

NEVER = 1 << 62
N = 1000


@contextlib.contextmanager
def gathering(from_bytes: int = 0, piece_bytes: int = 64) -> Iterator[None]:
    """Put off everything, and let pieces be so small that every test has several and a rest."""
    before = _core._set_gathering(from_bytes, piece_bytes)
    try:
        yield
    finally:
        _core._set_gathering(*before)


@pytest.fixture
def gathered():
    with gathering():
        yield


def both(run: Callable[[], Any]) -> tuple[Any, Any]:
    """The numbers with and without gathering."""
    with gathering(NEVER):
        plain = run()
    with gathering():
        return run(), plain


def same(found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def owned(*arrays: np.ndarray) -> tuple[Any, ...]:
    """Tensors on memory that nothing else can write."""
    return tuple(rg.tensor(array) for array in arrays)


def points(n: int = N, dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.25, 0.75, n).astype(dtype)


@pytest.mark.parametrize("op", [op for op in OPS if op.differentiable], ids=lambda op: op.name)
def test_every_operator_gives_the_same(op):
    for case in op.cases():
        f = case.function(floats=True)
        ts = laws.directions(np.random.default_rng(1), case.xs)

        def run(f=f, xs=case.xs, ts=ts):
            # A step before and one after, so that there is something to gather.
            g = lambda *xs: tuple(1.0 * y for y in f(*(1.0 * x for x in xs)))
            ys, dys = rg.func.jvp(g, owned(*xs), owned(*ts))
            return laws.numbers((*ys, *dys))

        same(*both(run))


NAMES = ["add", "sub", "mul", "truediv"]


@st.composite
def programs(draw) -> list[tuple[Any, ...]]:
    """Lines that each compute one more value from earlier ones."""
    lines: list[tuple[Any, ...]] = []
    for i in range(draw(st.integers(1, 40))):
        place = st.integers(0, 1 + i)
        kind = draw(st.sampled_from(["binary", "number", "unary", "where", "detach", "half", "drop"]))
        lines.append((kind, draw(st.sampled_from(NAMES)), draw(place), draw(place)))
    return lines


def executed(lines: list[tuple[Any, ...]], x: Any, y: Any) -> list[Any]:
    values = [x, y]
    for kind, name, i, j in lines:
        a, b = values[i], values[j]
        f = getattr(operator, name)
        match kind:
            case "binary":
                new = f(a, b)
            case "number":
                new = f(1.5, a) if i % 2 else f(a, 1.5)
            case "unary":
                new = (a.sin(), a.tanh(), a.exp().log1p(), -a)[j % 4]
            case "where":
                new = rg.where(a > b, a, b)
            case "detach":
                new = a * b.detach()
            case "half":
                new = (a.float() * 2.0).double()
            case _:
                values[i] = new = a + b  # the old value is not held any more
        values.append(new)
    return values[-3:]


@given(programs(), st.sampled_from([1, 7, 100]), st.sampled_from([8, 64, 1 << 15]))
def test_random_programs_give_the_same(lines, n, piece):
    xs = [points(n, seed=seed) for seed in range(4)]

    def run():
        ys, dys = rg.func.jvp(lambda *xs: executed(lines, *xs), owned(*xs[:2]), owned(*xs[2:]))
        return laws.numbers([*ys, *dys])

    with np.errstate(all="ignore"), gathering(NEVER):
        plain = run()
    with gathering(0, piece):
        same(run(), plain)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_large_arrays_give_the_same_as_their_parts(dtype, threads):
    rg.set_num_threads(threads)
    f = lambda x: ((x * x + x) * x - x).sin() / (x + 1.0)
    x, t = points(700_001, dtype), points(700_001, dtype, seed=1)
    whole = laws.numbers(rg.func.jvp(f, owned(x), owned(t)))
    cuts = range(0, len(x), 8192)
    parts = [laws.numbers(rg.func.jvp(f, owned(x[i : i + 8192]), owned(t[i : i + 8192]))) for i in cuts]
    same(whole, [np.concatenate(found) for found in zip(*parts, strict=True)])


def test_nestings_give_the_same():
    x, t, u = (points(seed=seed) for seed in range(3))
    f = lambda x: (x * x + 1.0).log() * x.sin()
    jvp = lambda f, t: lambda x: rg.func.jvp(f, (x,), (t,))[1]

    def run():
        a, b, c = owned(x, t, u)
        once, twice = jvp(f, b), jvp(jvp(f, b), c)
        return laws.numbers(
            [
                twice(a),
                jvp(rg.func.grad(lambda x: f(x).sum()), b)(a),
                rg.func.grad(lambda x: once(x).sum())(a),
                rg.func.vmap(jvp(f, b[:10]))(a.reshape(100, 10)),
                rg.func.jvp(rg.func.vmap(f), (a.reshape(100, 10),), (b.reshape(100, 10),))[1],
                rg.func.jacfwd(f)(a[:20]),
                rg.func.taylor(f, a, b, 3)[2],
            ]
        )

    same(*both(run))


def test_results_are_there_when_the_transform_is_over(gathered):
    seen = []

    def f(x):
        y = x * x
        seen.append(y.detach())
        return y * 2.0

    y, dy = rg.func.jvp(f, owned(points()), owned(points()))
    assert np.array_equal(y.numpy(), 2 * points() ** 2)
    assert np.array_equal(dy.numpy(), 4 * points() ** 2)
    assert np.array_equal(seen[0].numpy(), points() ** 2)


def changed(change: Callable[[Any, Any], None], make: Callable[[np.ndarray], Any]) -> None:
    """Whatever changes an operand after an op does not change what the op gives."""
    array = points()
    w = make(array)
    old = points()

    def f(x):
        y = x * w
        change(w, array)
        return y + x

    y, dy = rg.func.jvp(f, owned(old), owned(old))
    assert not np.array_equal(w.detach().numpy(), old), "the test changes nothing"
    np.testing.assert_array_equal(y.numpy(), old * old + old)
    np.testing.assert_array_equal(dy.numpy(), old * old + old)


WRITES: dict[str, Callable[[Any, Any], None]] = {
    "in place": lambda w, _: w.add_(1.0),
    "through a view": lambda w, _: w[10:].zero_(),
    "an item": lambda w, _: operator.setitem(w, 3, 9.0),
    "through NumPy": lambda w, _: w.numpy().fill(5.0),
    "through DLPack": lambda w, _: np.from_dlpack(w).fill(5.0),
    "data": lambda w, _: w.data.mul_(3.0),
    "out": lambda w, _: rg.add(w, w, out=w),
}


@pytest.mark.parametrize("write", WRITES)
def test_operands_may_be_written_afterwards(write, gathered):
    changed(WRITES[write], rg.tensor)


def test_operands_may_share_memory_with_numpy(gathered):
    changed(lambda w, array: array.fill(7.0), rg.from_numpy)


def test_views_of_numpy_memory_are_not_ours_alone(gathered):
    whole = np.concatenate([points(), points()])
    changed(lambda w, array: whole.fill(7.0), lambda array: rg.from_numpy(whole[:N]))
    import weakref

    kept = points()
    seen = weakref.ref(kept)
    w = rg.from_numpy(kept)
    del kept
    changed(lambda w, array: seen().fill(7.0), lambda array: w)


def test_memory_shown_before_may_be_written_afterwards(gathered):
    w = rg.tensor(points())
    shown = w.numpy()
    changed(lambda w, array: shown.fill(7.0), lambda array: w)
    address = rg.tensor(points())
    import ctypes

    pointer = ctypes.cast(address.data_ptr(), ctypes.POINTER(ctypes.c_double))
    changed(lambda w, array: operator.setitem(pointer, 0, 7.0), lambda array: address)


def test_results_may_be_written(gathered):
    def f(x):
        y = x * 2.0
        z = y + x
        y.mul_(5.0)
        return y, z

    (y, z), (dy, dz) = rg.func.jvp(f, owned(points()), owned(points()))
    np.testing.assert_array_equal(laws.numbers([y, dy]), [10 * points()] * 2)
    np.testing.assert_array_equal(laws.numbers([z, dz]), [3 * points()] * 2)


def test_weak_zeros_hold_where_they_were_asked_for(gathered):
    zero, inf = np.zeros(N), np.full(N, np.inf)
    f = lambda x, y: (x * y) + x

    def late(x, y):
        z = x * y
        with rg.autograd.set_strong_zeros(False):
            return z + 0.0

    def run(f):
        return rg.func.jvp(f, owned(zero, inf), owned(zero, zero))[1].numpy()

    assert not np.isnan(run(f)).any() and not np.isnan(run(late)).any()
    with rg.autograd.set_strong_zeros(False):
        assert np.isnan(run(f)).all()


def test_other_threads_see_what_was_computed(gathered):
    wrong = []

    def work(seed):
        for _ in range(50):
            x, w = points(seed=seed), rg.tensor(points(seed=seed + 1))
            old = w.numpy().copy()
            w = rg.tensor(old)
            f = lambda x, w=w: (y := x * w, w.zero_(), y * y)[-1]
            y, dy = rg.func.jvp(f, owned(x), owned(x))
            good = np.array_equal(y.numpy(), (x * old) ** 2) and np.allclose(dy.numpy(), 2 * (x * old) ** 2)
            if not good:
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_write_by_another_thread_comes_after(gathered):
    w = rg.tensor(points())

    def f(x):
        y = x * w
        other = threading.Thread(target=w.zero_)
        other.start()
        other.join()
        return y + x

    y, _ = rg.func.jvp(f, owned(points()), owned(points()))
    np.testing.assert_array_equal(y.numpy(), points() ** 2 + points())


def test_what_another_thread_put_off_is_an_operand(gathered):
    """Steps of several threads wait for one another's results, and run at the same time."""
    old = points()
    wrong = []

    def f(x):
        mine = x * x
        shared = mine.detach()

        def work():
            for _ in range(20):
                y, _ = rg.func.jvp(lambda x: (x * shared) + (shared * x), owned(old), owned(old))
                if not np.array_equal(y.numpy(), 2 * (old * (old * old))):
                    wrong.append(1)

        others = [threading.Thread(target=work) for _ in range(3)]
        for other in others:
            other.start()
        z = mine * shared + x
        for other in others:
            other.join()
        return z

    for _ in range(20):
        y, _ = rg.func.jvp(f, owned(old), owned(old))
        np.testing.assert_array_equal(y.numpy(), old * old * (old * old) + old)
    assert not wrong


def test_tensors_of_a_function_that_raised_keep_their_numbers(gathered):
    left = []

    def f(x):
        left.append((x * x).detach())
        raise KeyError("enough")

    with pytest.raises(KeyError):
        rg.func.jvp(f, owned(points()), owned(points()))
    np.testing.assert_array_equal(left[0].numpy(), points() ** 2)


def test_dual_levels_by_hand(gathered):
    with fwAD.dual_level():
        x = fwAD.make_dual(*owned(points(), points()))
        y = (x * x + x).exp()
        found = fwAD.unpack_dual(y)
    np.testing.assert_allclose(found.tangent.numpy(), (2 * points() + 1) * points() * found.primal.numpy())


def test_memory_is_given_back():
    x, t = owned(points(1 << 18), points(1 << 18))  # 2 MiB each

    def f(x):
        for _ in range(100):
            x = (x * x + x) * 0.5
        return x

    rg.func.jvp(f, (x,), (t,))
    gc.collect()
    before = _core._memory(True)[0]
    y, dy = rg.func.jvp(f, (x,), (t,))
    most = _core._memory(False)[1] - before
    # Value and tangent, beside those of the 32 steps at most that wait no longer.
    assert most <= 8 << 21, most
    del y
    assert _core._memory(False)[0] - before <= 1 << 21
    del dy
    assert _core._memory(False)[0] == before


def test_errors_are_raised_where_the_op_is_called(gathered):
    def f(x):
        y = x * x
        with pytest.raises(ValueError, match=r"add: .*1000.*3"):
            y + rg.ones(3)
        return y

    y, _ = rg.func.jvp(f, owned(points()), owned(points()))
    np.testing.assert_array_equal(y.numpy(), points() ** 2)


def test_ops_wait_until_somebody_reads_or_writes():
    """The tests above would hold if nothing were put off."""
    held = lambda: _core._memory(False)[0]
    x, w = owned(points(1 << 18), points(1 << 18))

    def f(x):
        before = held()
        y = (x * w).sin() + x
        assert held() == before
        w.add_(1.0)
        assert held() == before + (1 << 22)
        z = y * y
        assert held() == before + (1 << 22)
        assert z[3].item() > 0
        assert held() == before + (2 << 22)
        return z

    rg.func.jvp(f, (x,), (x,))
    held_by_numpy = points(1 << 18)
    w = rg.from_numpy(held_by_numpy)

    def g(x):
        before = held()
        y = x * w
        assert held() == before + (1 << 22)
        return y

    rg.func.jvp(g, (x,), (x,))
