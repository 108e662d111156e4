"""Sharing memory with NumPy and others: no copies, writes seen on both sides, owners kept alive, read-only respected."""

# ruff: noqa: E501 (the rows of tables stay rows)
from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import rustgrad as rg

DTYPES = ["bool", "uint8", "int32", "int64", "float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("name", DTYPES)
def test_round_trip_shares_memory(name):
    a = np.ones((2, 3), dtype=name)
    x = rg.from_numpy(a)
    b = x.numpy()
    assert x.data_ptr() == a.ctypes.data and np.shares_memory(a, b) and b.dtype == a.dtype
    a[0, 0] = 0
    assert x[0, 0].item() == 0
    x[1, 1] = 0
    assert a[1, 1] == 0 and b[1, 1] == 0


@pytest.mark.parametrize("view", [
    lambda a: a.T, lambda a: a[::2], lambda a: a[:, 1:], lambda a: a[::-1], lambda a: a[:, ::-2], lambda a: a[0], lambda a: a[1, 2],
    lambda a: a[None], lambda a: a[:0], lambda a: a.reshape(-1)[3:], lambda a: a[..., None].T,
])  # fmt: skip
def test_strided_arrays_come_without_a_copy(view):
    a = np.arange(12.0).reshape(3, 4)
    v = np.asarray(view(a))
    x = rg.from_numpy(v)
    np.testing.assert_array_equal(x.numpy(), v)
    if v.size and v.base is not None:
        assert np.shares_memory(x.numpy(), a)
        a += 100
        np.testing.assert_array_equal(x.numpy(), v)


@pytest.mark.parametrize(
    "view", [lambda x: x.t(), lambda x: x[::2], lambda x: x[:, -1], lambda x: x.expand(2, 3, 4), lambda x: x[1, 1]]
)
def test_strided_tensors_go_without_a_copy(view):
    x = rg.arange(12).reshape(3, 4)
    y = view(x)
    assert np.shares_memory(y.numpy(), x.numpy())
    np.testing.assert_array_equal(y.numpy(), np.array(y.tolist()))


def test_writes_through_numpy_reach_every_view():
    x = rg.zeros(2, 3)
    row = x[1]
    np.copyto(x.numpy(), 7.0)
    assert row.tolist() == [7.0] * 3
    np.add(row.numpy(), 1, out=row.numpy())
    assert x.sum().item() == 3 * 7 + 3 * 8


def test_the_owner_stays_alive():
    class Owner(np.ndarray):
        pass

    a = np.arange(1000.0).view(Owner)
    ref = weakref.ref(a)
    x = rg.from_numpy(a)
    del a
    gc.collect()
    assert x.sum().item() == 499500.0
    y = x[10:].reshape(-1, 10)
    del x
    gc.collect()
    assert y[0, 0].item() == 10.0
    b = y.numpy()
    del y
    gc.collect()
    assert b[0, 0] == 10.0
    del b
    gc.collect()
    assert ref() is None, "the last user is gone, the owner must go too"


def test_the_tensor_outlives_its_array_in_the_graph():
    a = np.arange(4.0)
    x = rg.from_numpy(a).requires_grad_()
    y = (x * x).sum()
    del a
    gc.collect()
    y.backward()
    assert x.grad.tolist() == [0.0, 2.0, 4.0, 6.0]


def test_memory_of_a_tensor_outlives_it():
    arrays = [rg.full((1000,), float(k)).numpy() for k in range(50)]
    gc.collect()
    assert [a[0] for a in arrays] == list(range(50)) and all((a == a[0]).all() for a in arrays)


def test_read_only_arrays_are_not_written():
    a = np.ones(3)
    a.flags.writeable = False
    x = rg.from_numpy(a)
    assert (x + 1).tolist() == [2.0] * 3
    for write in (
        lambda: x.add_(1),
        lambda: x.__setitem__(0, 5.0),
        lambda: x[1:].zero_(),
        lambda: x.view(3, 1).fill_(2.0),
    ):
        with pytest.raises((ValueError, RuntimeError), match=r"(?i)read-only|readonly|not writable|not writeable"):
            write()
    assert a.tolist() == [1.0] * 3
    assert not x.numpy().flags.writeable
    y = x.clone()
    y.add_(1)
    assert y.tolist() == [2.0] * 3


def test_numpy_refuses_what_it_would_lose():
    x = rg.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="detach"):
        x.numpy()
    with pytest.raises(RuntimeError, match="detach"):
        np.asarray(x * 2)
    assert np.shares_memory(x.detach().numpy(), x.detach().numpy())
    np.testing.assert_array_equal(x.numpy(force=True), [1.0, 1.0])


def test_array_protocol():
    x = rg.tensor([1.0, 2.0])
    assert np.shares_memory(np.asarray(x), x.numpy())
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    copied = np.array(x)
    copied[0] = 9
    assert x[0].item() == 1.0
    assert np.array(x, copy=True).base is None
    assert np.stack([x, x]).shape == (2, 2)
    np.testing.assert_array_equal(np.asarray([rg.tensor(1.0), rg.tensor(2.0)]), [1.0, 2.0])
    assert np.float64(rg.tensor(2.5)) == 2.5


@pytest.mark.parametrize("bad", [
    np.array(["a"]), np.array([object()]), np.array(["2020-01-01"], "datetime64[D]"), np.zeros(2, [("a", "f4")]),
    np.zeros(2, ">f8"), [1.0, 2.0], 3.0,
])  # fmt: skip
def test_from_numpy_refuses_other_things(bad):
    with pytest.raises((TypeError, ValueError)):
        rg.from_numpy(bad)


def test_unaligned_and_odd_strides_are_safe():
    raw = np.zeros(17, np.uint8)
    odd = raw[1:].view(np.float64)
    try:
        x = rg.from_numpy(odd)
    except (ValueError, TypeError):
        return
    assert x.add(1).tolist() == [1.0, 1.0]


def test_odd_strides_are_refused_or_copied():
    record = np.zeros(3, [("flag", "u1"), ("value", "f8")])
    record["value"] = [1.0, 2.0, 3.0]
    try:
        x = rg.from_numpy(record["value"])
    except (ValueError, TypeError):
        return
    assert x.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("name", DTYPES)
def test_dlpack_out(name):
    x = rg.ones(2, 3, dtype=getattr(rg, name)).t()
    a = np.from_dlpack(x)
    assert a.shape == (3, 2) and a.dtype == np.dtype(name) and np.shares_memory(a, x.numpy())
    assert tuple(x.__dlpack_device__()) == (1, 0)


@pytest.mark.parametrize("name", DTYPES)
def test_dlpack_in(name):
    a = np.ones((2, 3), dtype=name).T
    x = rg.from_dlpack(a)
    assert tuple(x.shape) == (3, 2) and x.numpy().dtype == a.dtype and np.shares_memory(x.numpy(), a)
    a[0, 0] = 0
    assert x[0, 0].item() == 0


def test_dlpack_lives_as_long_as_needed():
    a = np.from_dlpack(rg.full((100,), 3.0))
    gc.collect()
    assert (a == 3).all()
    x = rg.from_dlpack(np.full(100, 4.0))
    gc.collect()
    assert (x == 4).all().item()
    capsule = rg.ones(1000).__dlpack__()
    assert "dltensor" in repr(capsule)
    del capsule  # never consumed: it must free what it holds
    gc.collect()
    for _ in range(100):
        rg.ones(100_000).__dlpack__()


def test_dlpack_capsules_are_used_once():
    capsule = rg.ones(3).__dlpack__()
    x = rg.from_dlpack(capsule)
    assert x.tolist() == [1.0] * 3
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        rg.from_dlpack(capsule)


def test_dlpack_refusals():
    with pytest.raises((RuntimeError, BufferError)):
        rg.ones(2, requires_grad=True).__dlpack__()
    with pytest.raises((TypeError, AttributeError, RuntimeError)):
        rg.from_dlpack(3)
    with pytest.raises((TypeError, RuntimeError, BufferError, ValueError)):
        rg.from_dlpack(np.zeros(2, "datetime64[D]"))


def test_dlpack_of_read_only_arrays():
    a = np.ones(3)
    a.flags.writeable = False
    try:
        x = rg.from_dlpack(a)
    except (BufferError, ValueError, RuntimeError):
        return
    with pytest.raises((ValueError, RuntimeError)):
        x.add_(1)
    assert a.tolist() == [1.0] * 3


@pytest.mark.parametrize("function", [np.sin, np.exp, np.sqrt, np.tanh, np.negative])
def test_numpy_functions_differentiate(function):
    x = rg.tensor([0.5, 1.0], dtype=rg.float64, requires_grad=True)
    y = function(x)
    assert isinstance(y, rg.Tensor) and y.requires_grad
    np.testing.assert_allclose(y.detach().numpy(), function(np.array([0.5, 1.0])))
    y.sum().backward()
    step = 1e-6
    wanted = (function(np.array([0.5, 1.0]) + step) - function(np.array([0.5, 1.0]) - step)) / (2 * step)
    np.testing.assert_allclose(x.grad.numpy(), wanted, rtol=1e-6)


def test_arrays_on_the_left():
    x = rg.tensor([1.0, 2.0], dtype=rg.float64, requires_grad=True)
    y = np.array([3.0, 4.0]) * x + np.ones(2) - np.float64(2) / x
    assert isinstance(y, rg.Tensor) and y.requires_grad
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.array([3.0, 4.0]) + 2 / np.array([1.0, 4.0]))
