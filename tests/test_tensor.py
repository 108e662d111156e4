"""What a tensor is: construction, dtypes, printing, conversion to Python numbers, copies, complex values."""

# ruff: noqa: E501 (the rows of tables stay rows)
from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import rustgrad as rg

DTYPES = ["bool", "uint8", "int32", "int64", "float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes(name):
    dtype = getattr(rg, name)
    x = rg.zeros(2, dtype=dtype)
    assert x.dtype is dtype and x.numpy().dtype == np.dtype(name)
    assert repr(dtype).endswith(name)
    assert x.is_floating_point() == name.startswith("float") and x.is_complex() == name.startswith("complex")
    assert x.element_size() == x.itemsize == np.dtype(name).itemsize and x.nbytes == 2 * x.itemsize
    assert dtype.is_floating_point == name.startswith("float") and dtype.is_complex == name.startswith("complex")
    assert pickle.loads(pickle.dumps(dtype)) is dtype


def test_dtype_aliases():
    assert (rg.float, rg.double, rg.int, rg.long) == (rg.float32, rg.float64, rg.int32, rg.int64)
    assert (rg.cfloat, rg.cdouble) == (rg.complex64, rg.complex128)


@pytest.mark.parametrize("value, dtype, shape", [
    (1.5, "float32", ()), (1, "int64", ()), (True, "bool", ()), (1j, "complex64", ()), ([1, 2.5], "float32", (2,)),
    ([[1, 2], [3, 4]], "int64", (2, 2)), ([], "float32", (0,)), ([[], []], "float32", (2, 0)), ((True, False), "bool", (2,)),
    (np.float64(2), "float64", ()), (np.arange(3, dtype=np.int32), "int32", (3,)), (range(3), "int64", (3,)),
    ([np.ones(2), np.zeros(2)], "float64", (2, 2)), ([True, 2], "int64", (2,)),
])  # fmt: skip
def test_tensor_infers(value, dtype, shape):
    x = rg.tensor(value)
    assert x.dtype is getattr(rg, dtype) and tuple(x.shape) == shape
    if not isinstance(value, range):
        np.testing.assert_array_equal(x.numpy(), np.array(value))


def test_tensor_copies_and_as_tensor_shares():
    a = np.ones(3)
    copied, shared, also = rg.tensor(a), rg.as_tensor(a), rg.from_numpy(a)
    a[0] = 5
    assert (copied[0].item(), shared[0].item(), also[0].item()) == (1.0, 5.0, 5.0)
    assert rg.as_tensor(shared) is shared
    assert rg.as_tensor(a, dtype=rg.float32).dtype is rg.float32
    nested = rg.tensor([rg.tensor(1.0), rg.tensor(2.0)])
    assert nested.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("value", [[[1, 2], [3]], ["a"], "abc", [1, [2]], object(), [None], {1: 2}])
def test_tensor_refuses_what_is_no_array(value):
    with pytest.raises((TypeError, ValueError)):
        rg.tensor(value)


@pytest.mark.parametrize("make, reference", [
    (lambda: rg.zeros(2, 3), np.zeros((2, 3), "f4")), (lambda: rg.zeros((2, 3)), np.zeros((2, 3), "f4")), (lambda: rg.zeros([2]), np.zeros(2, "f4")),
    (lambda: rg.zeros(()), np.zeros((), "f4")), (lambda: rg.ones(0, 2), np.ones((0, 2), "f4")), (lambda: rg.ones(2, dtype=rg.int64), np.ones(2, int)),
    (lambda: rg.full((2, 2), 3.5), np.full((2, 2), 3.5, "f4")), (lambda: rg.full((2,), 7), np.full(2, 7)), (lambda: rg.full((2,), True), np.full(2, True)),
    (lambda: rg.arange(5), np.arange(5)), (lambda: rg.arange(1, 4), np.arange(1, 4)), (lambda: rg.arange(5, 0, -2), np.arange(5, 0, -2)),
    (lambda: rg.arange(0, 1, 0.25), np.arange(0, 1, 0.25, "f4")), (lambda: rg.arange(3.0), np.arange(3, dtype="f4")), (lambda: rg.arange(3, dtype=rg.float64), np.arange(3.0)),
    (lambda: rg.linspace(0, 1, 5), np.linspace(0, 1, 5, dtype="f4")), (lambda: rg.linspace(2, -1, 7, dtype=rg.float64), np.linspace(2, -1, 7)),
    (lambda: rg.linspace(3, 4, 1), np.array([3], "f4")), (lambda: rg.logspace(0, 2, 3), np.logspace(0, 2, 3, dtype="f4")),
    (lambda: rg.eye(3), np.eye(3, dtype="f4")), (lambda: rg.eye(2, 3, dtype=rg.int64), np.eye(2, 3, dtype=int)), (lambda: rg.eye(0), np.eye(0, dtype="f4")),
    (lambda: rg.zeros_like(rg.arange(3)), np.zeros(3, int)), (lambda: rg.ones_like(rg.arange(3), dtype=rg.float32), np.ones(3, "f4")),
    (lambda: rg.full_like(rg.zeros(2), 4.0), np.full(2, 4.0, "f4")), (lambda: rg.scalar_tensor(2.0), np.array(2.0, "f4")),
    (lambda: rg.tensor([1.5]).new_zeros(2), np.zeros(2, "f4")), (lambda: rg.arange(2).new_full((1,), 3), np.array([3])),
    (lambda: rg.tril_indices(3, 3), np.array(np.tril_indices(3))), (lambda: rg.arange(0), np.arange(0)),
])  # fmt: skip
def test_creation(make, reference):
    x = make()
    assert tuple(x.shape) == reference.shape and x.numpy().dtype == reference.dtype
    np.testing.assert_allclose(x.numpy(), reference, rtol=1e-6)


def test_empty_and_options():
    assert tuple(rg.empty(2, 3).shape) == (2, 3) and rg.empty_like(rg.arange(3)).dtype is rg.int64
    x = rg.zeros(2, requires_grad=True, dtype=rg.float64, device="cpu")
    assert x.requires_grad and x.is_leaf and str(x.device) == "cpu"


def test_default_dtype():
    assert rg.get_default_dtype() is rg.float32
    rg.set_default_dtype(rg.float64)
    try:
        assert rg.tensor(1.0).dtype is rg.float64 and rg.zeros(1).dtype is rg.float64
        assert rg.tensor(1j).dtype is rg.complex128 and (rg.arange(2) / 2).dtype is rg.float64
    finally:
        rg.set_default_dtype(rg.float32)
    with pytest.raises(TypeError):
        rg.set_default_dtype(rg.int64)


@pytest.mark.parametrize("make, text", [
    (lambda: rg.tensor([1.0, 2.0]), "tensor([1., 2.])"),
    (lambda: rg.tensor(1.5), "tensor(1.5000)"),
    (lambda: rg.tensor(2.0), "tensor(2.)"),
    (lambda: rg.tensor([1.5, 2.0]), "tensor([1.5000, 2.0000])"),
    (lambda: rg.tensor([1, -20]), "tensor([  1, -20])"),
    (lambda: rg.tensor([True, False]), "tensor([ True, False])"),
    (lambda: rg.tensor([]), "tensor([])"),
    (lambda: rg.zeros(2, 0), "tensor([], size=(2, 0))"),
    (lambda: rg.tensor([[1.0, 2.0], [3.0, 4.0]]), "tensor([[1., 2.],\n        [3., 4.]])"),
    (lambda: rg.tensor([1.0], dtype=rg.float64), "tensor([1.], dtype=float64)"),
    (lambda: rg.tensor([1], dtype=rg.int32), "tensor([1], dtype=int32)"),
    (lambda: rg.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
    (lambda: rg.tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<MulBackward0>)"),
    (lambda: rg.tensor([float("nan"), float("inf"), -1.0]), "tensor([nan, inf, -1.])"),
    (lambda: rg.tensor([1e-8, 1.0]), "tensor([1.0000e-08, 1.0000e+00])"),
    (lambda: rg.tensor([1e10, 1.0]), "tensor([1.0000e+10, 1.0000e+00])"),
    (lambda: rg.tensor([1 + 2j]), "tensor([1.+2.j])"),
])  # fmt: skip
def test_repr(make, text):
    assert repr(make()).replace("dtype=rustgrad.", "dtype=") == text
    assert str(make()) == repr(make())


def test_repr_of_a_large_tensor_is_short():
    text = repr(rg.arange(1_000_000))
    assert "..." in text and "999999" in text and len(text) < 200
    assert len(repr(rg.zeros(100, 100, 100))) < 3000
    assert f"{rg.tensor(1.23456):.2f}" == "1.23"


def test_python_numbers():
    assert rg.tensor([[1.5]]).item() == 1.5 and isinstance(rg.tensor(1).item(), int)
    assert rg.tensor(True).item() is True and rg.tensor(1j).item() == 1j
    assert float(rg.tensor(2)) == 2.0 and int(rg.tensor(2.9)) == 2 and complex(rg.tensor(1.0)) == 1 + 0j
    assert bool(rg.tensor([0.0])) is False and bool(rg.tensor(float("nan"))) is True
    assert [10, 20, 30][rg.tensor(1)] == 20 and list(range(5))[: rg.tensor(2)] == [0, 1]
    assert rg.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]] and rg.tensor(1.5).tolist() == 1.5
    assert rg.tensor([]).tolist() == [] and len(rg.zeros(3, 2)) == 3
    with pytest.raises(TypeError):
        len(rg.tensor(1.0))
    for make in (lambda: rg.ones(2).item(), lambda: float(rg.ones(2)), lambda: rg.ones(0).item()):
        with pytest.raises((ValueError, RuntimeError, TypeError)):
            make()
    with pytest.raises((RuntimeError, ValueError)):
        bool(rg.ones(2))
    with pytest.raises(TypeError):
        [1][rg.tensor(0.0)]
    with pytest.raises((OverflowError, ValueError, RuntimeError)):
        int(rg.tensor(float("inf")))


def test_iteration_and_membership():
    x = rg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    rows = list(x)
    assert len(rows) == 2 and rows[1].tolist() == [3.0, 4.0] and rows[0].requires_grad
    a, b = x
    assert a.tolist() == [1.0, 2.0] and b.tolist() == [3.0, 4.0]
    assert 3.0 in x.detach() and 7.0 not in x.detach()
    with pytest.raises(TypeError):
        iter(rg.tensor(1.0)).__next__()


def test_shape_and_strides():
    x = rg.zeros(2, 3, 4)
    assert (
        tuple(x.shape) == tuple(x.size()) == (2, 3, 4)
        and x.size(-1) == 4
        and x.ndim == x.dim() == 3
        and x.numel() == 24
    )
    assert tuple(x.stride()) == (12, 4, 1) and x.stride(0) == 12 and x.is_contiguous()
    y = x.transpose(0, 2)[1:]
    assert tuple(y.stride()) == (1, 4, 12) and y.storage_offset() == 1 and not y.is_contiguous()
    assert y.contiguous().is_contiguous() and x.contiguous().data_ptr() == x.data_ptr()
    assert x.view(6, 4).data_ptr() == x.reshape(-1).data_ptr() == x.data_ptr()
    assert tuple(x[..., ::2].expand(5, 2, 3, 2).stride()) == (0, 12, 4, 2)


def test_hash_and_identity():
    x, y = rg.ones(2), rg.ones(2)
    assert len({x, y, x}) == 2 and hash(x) == hash(x)
    # No dictionary per tensor: one would cost more than a small operation.
    with pytest.raises(AttributeError):
        x.note = "kept"


def test_conversions():
    x = rg.tensor([1.7, -2.7])
    assert x.to(rg.int64).tolist() == [1, -2] and x.to(rg.float32) is x and x.to(x).dtype is rg.float32
    assert x.double().dtype is rg.float64 and x.long().dtype is rg.int64 and x.int().dtype is rg.int32
    assert x.bool().tolist() == [True, True] and x.float() is x and x.type(rg.float64).dtype is rg.float64
    assert x.to("cpu") is x and x.cpu() is x and x.to(dtype=rg.float64, copy=True).dtype is rg.float64
    assert x.type_as(rg.arange(1)).dtype is rg.int64
    assert x.clone().data_ptr() != x.data_ptr()


def test_copies():
    x = rg.tensor([1.0, 2.0], requires_grad=True)
    y = copy.deepcopy(x)
    assert y.requires_grad and y.is_leaf and y.data_ptr() != x.data_ptr() and y.tolist() == [1.0, 2.0]
    assert copy.copy(x).tolist() == [1.0, 2.0]
    shared = [x, x, {"again": x}]
    again = copy.deepcopy(shared)
    assert again[0] is again[1] is again[2]["again"] and again[0] is not x
    x.sum().backward()
    assert copy.deepcopy(x).grad.tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError):
        copy.deepcopy(x * 2)
    assert x.detach()[::2].clone().tolist() == [1.0]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", DTYPES)
def test_pickle(protocol, name):
    x = rg.tensor([[1, 0, 1], [0, 1, 1]]).to(getattr(rg, name)).t()
    y = pickle.loads(pickle.dumps(x, protocol))
    assert y.dtype is x.dtype and tuple(y.shape) == (3, 2) and y.tolist() == x.tolist() and not y.requires_grad
    z = pickle.loads(pickle.dumps(rg.tensor(2.0, requires_grad=True), protocol))
    assert z.requires_grad and z.item() == 2.0 and tuple(z.shape) == ()
    assert tuple(pickle.loads(pickle.dumps(rg.zeros(0, 3), protocol)).shape) == (0, 3)


def test_pickle_out_of_band():
    x = rg.arange(100_000, dtype=rg.float64)
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(x, protocol=5, buffer_callback=buffers.append)
    assert len(data) < 2000 and sum(b.raw().nbytes for b in buffers) >= 800_000
    assert pickle.loads(data, buffers=buffers).tolist() == x.tolist()
    writable = [bytearray(b.raw()) for b in buffers]
    y = pickle.loads(data, buffers=writable)
    y[0] = 7.0
    assert np.frombuffer(writable[0])[0] == 7.0, "the tensor lives in the given buffer"


def test_complex_values():
    a = np.array([1 + 2j, -0.5j, 3.0])
    z = rg.from_numpy(a.copy())
    for name in ("exp", "sin", "sqrt", "abs", "square", "reciprocal", "neg", "tanh", "log"):
        reference = {"neg": "negative"}.get(name, name)
        np.testing.assert_allclose(getattr(rg, name)(z).numpy(), getattr(np, reference)(a), rtol=1e-12)
    np.testing.assert_allclose((z * z + 2 / z - 1j).numpy(), a * a + 2 / a - 1j)
    np.testing.assert_allclose((z @ z).numpy(), a @ a)
    np.testing.assert_allclose(z.sum().numpy(), a.sum())
    assert z.real.tolist() == a.real.tolist() and z.imag.tolist() == a.imag.tolist()
    np.testing.assert_array_equal(rg.conj(z).resolve_conj().numpy(), a.conj())
    np.testing.assert_allclose(rg.angle(z).numpy(), np.angle(a))
    np.testing.assert_array_equal(rg.complex(rg.tensor([1.0]), rg.tensor([2.0])).numpy(), [1 + 2j])
    np.testing.assert_array_equal(rg.view_as_real(z).numpy(), np.stack([a.real, a.imag], -1))
    assert (rg.tensor([1.0]) + 1j).dtype is rg.complex64 and (rg.ones(1, dtype=rg.float64) * 1j).dtype is rg.complex128
    z.real[0] = 9.0
    assert z[0].item() == 9 + 2j
    for op in (lambda: z < z, lambda: z.max(), lambda: rg.floor(z), lambda: z.sort(), lambda: rg.atan2(z, z)):
        with pytest.raises((TypeError, RuntimeError, NotImplementedError)):
            op()


def test_operators_with_numpy_operands():
    x = rg.tensor([1.0, 2.0], dtype=rg.float64)
    for y in (x + np.ones(2), np.float64(1.0) + x, x * np.float64(2), x + np.array([1.0, 2.0])):
        assert isinstance(y, rg.Tensor)
    assert math.isclose((2**x).sum().item(), 6.0) and (7 // x).tolist() == [7.0, 3.0] and (7 % x).tolist() == [0.0, 1.0]
    assert (-x).tolist() == [-1.0, -2.0] and abs(-x).tolist() == [1.0, 2.0] and (+x).tolist() == [1.0, 2.0]
    i = rg.tensor([5, 3])
    assert (
        (i & 1).tolist() == [1, 1]
        and (i | 2).tolist() == [7, 3]
        and (i ^ 1).tolist() == [4, 2]
        and (~i).tolist() == [-6, -4]
    )
    assert (i << 1).tolist() == [10, 6] and (i >> 1).tolist() == [2, 1] and (~rg.tensor([True])).tolist() == [False]
    assert (x == x).tolist() == [True, True] and (x == None).__class__ in (bool, rg.Tensor)  # noqa: E711
