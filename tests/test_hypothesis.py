"""Shapes, strides, dtypes and dimensions that nobody thought of, compared with NumPy; type promotion with PyTorch's table."""

# ruff: noqa: E501 (the rows of tables stay rows)
from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import rustgrad as rg
from hypothesis import assume, given
from hypothesis.extra import numpy as hnp

DTYPES = ["bool", "uint8", "int32", "int64", "float32", "float64", "complex64", "complex128"]
CATEGORY = {"bool": 0, "uint8": 1, "int32": 1, "int64": 1, "float32": 2, "float64": 2, "complex64": 3, "complex128": 3}
NUMBERS = {"bool": True, "int": 3, "float": 2.5, "complex": 1j}
DEFAULTS = {"bool": "bool", "int": "int64", "float": "float32", "complex": "complex64"}
# PyTorch's lattice for two dtypes of equal standing; row and column in the order of DTYPES.
LATTICE = {
    "bool":       "bool       uint8      int32      int64      float32    float64    complex64  complex128",
    "uint8":      "uint8      uint8      int32      int64      float32    float64    complex64  complex128",
    "int32":      "int32      int32      int32      int64      float32    float64    complex64  complex128",
    "int64":      "int64      int64      int64      int64      float32    float64    complex64  complex128",
    "float32":    "float32    float32    float32    float32    float32    float64    complex64  complex128",
    "float64":    "float64    float64    float64    float64    float64    float64    complex128 complex128",
    "complex64":  "complex64  complex64  complex64  complex64  complex64  complex128 complex64  complex128",
    "complex128": "complex128 complex128 complex128 complex128 complex128 complex128 complex128 complex128",
}  # fmt: skip


def join(a: str, b: str) -> str:
    return LATTICE[a].split()[DTYPES.index(b)]


def combine(higher: str, lower: str) -> str:
    """The dtype of operands of two standings: the higher one decides unless the lower one is of another kind of number."""
    if CATEGORY[higher] == 3:
        return higher
    if CATEGORY[higher] == 2:
        # A complex number changes the kind but not the precision.
        return {"float32": "complex64", "float64": "complex128"}[higher] if CATEGORY[lower] == 3 else higher
    return join(higher, lower) if higher == "bool" or CATEGORY[lower] > 1 else higher


def promoted(*operands: tuple[str, str]) -> str:
    """The result dtype of operands given as (dtype, standing): tensors with dimensions, then 0-d ones, then numbers."""
    result: str | None = None
    for standing in ("number", "0-d", "tensor"):
        own: str | None = None
        for dtype, s in operands:
            if s == standing:
                own = dtype if own is None else join(own, dtype)
        if own is not None:
            result = own if result is None else combine(own, result)
    assert result is not None
    return result


def make(dtype: str, rank: str) -> Any:
    return rg.ones(2 if rank == "tensor" else (), dtype=getattr(rg, dtype))


@pytest.mark.parametrize("right", DTYPES)
@pytest.mark.parametrize("left", DTYPES)
def test_promotion_of_two_tensors(left, right):
    for a, b in (("tensor", "tensor"), ("tensor", "0-d"), ("0-d", "tensor"), ("0-d", "0-d")):
        wanted = getattr(rg, promoted((left, a), (right, b)))
        assert (make(left, a) + make(right, b)).dtype is wanted, (a, b)
        assert (make(left, a) * make(right, b)).dtype is wanted, (a, b)
        assert rg.result_type(make(left, a), make(right, b)) is wanted, (a, b)
        assert rg.where(rg.tensor([True, False]), make(left, a), make(right, b)).dtype is wanted, (a, b)
    assert rg.promote_types(getattr(rg, left), getattr(rg, right)) is getattr(rg, join(left, right))
    assert rg.cat([make(left, "tensor"), make(right, "tensor")]).dtype is getattr(rg, join(left, right))
    comparison = make(left, "tensor") == make(right, "0-d")
    assert comparison.dtype is rg.bool


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_promotion_with_python_numbers(dtype, number):
    for rank in ("tensor", "0-d"):
        wanted = getattr(rg, promoted((dtype, rank), (DEFAULTS[number], "number")))
        x = make(dtype, rank)
        assert (x + NUMBERS[number]).dtype is wanted and (NUMBERS[number] + x).dtype is wanted, rank
        assert (x * NUMBERS[number]).dtype is wanted and rg.result_type(x, NUMBERS[number]) is wanted, rank


@pytest.mark.parametrize("dtype", DTYPES)
def test_promotion_of_functions(dtype):
    x = make(dtype, "tensor")
    floating = getattr(rg, dtype if CATEGORY[dtype] >= 2 else "float32")
    assert (x / x).dtype is floating and rg.sin(x).dtype is floating and rg.exp(x).dtype is floating
    assert x.sum().dtype is (getattr(rg, dtype) if CATEGORY[dtype] >= 2 else rg.int64)
    assert x.prod().dtype is (getattr(rg, dtype) if CATEGORY[dtype] >= 2 else rg.int64)
    assert x.cumsum(0).dtype is (getattr(rg, dtype) if CATEGORY[dtype] >= 2 else rg.int64)
    assert x.any().dtype is rg.bool or dtype == "uint8"
    for kept in (x.flip(0), x.reshape(1, 2), x.clone(), x[0], rg.where(x == x, x, x)):
        assert kept.dtype is getattr(rg, dtype)


shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
small = st.integers(-9, 9)


def numbered(shape: tuple[int, ...], dtype: str = "float64") -> np.ndarray:
    return np.asarray(np.arange(int(np.prod(shape))).reshape(shape) % 23 - 7, dtype)


@st.composite
def strided(draw: st.DrawFn, dims: int | None = None, dtype: str = "float64") -> np.ndarray:
    """A view of a larger array: sliced with any step, transposed, some dimensions broadcast."""
    n = draw(st.integers(0, 4)) if dims is None else dims
    base = numbered(tuple(draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))), dtype)
    steps = draw(st.lists(st.sampled_from([1, 1, 2, -1, -2]), min_size=n, max_size=n))
    view = base[tuple(slice(None, None, s) for s in steps)].transpose(draw(st.permutations(range(n))))
    if n and draw(st.booleans()) and view.shape[0] == 1:
        view = np.broadcast_to(view, (3, *view.shape[1:])).copy()
    return np.asarray(view)


def same(x: Any, wanted: Any) -> None:
    wanted = np.asarray(wanted)
    assert tuple(x.shape) == wanted.shape
    np.testing.assert_allclose(x.detach().numpy(), wanted, rtol=1e-12, atol=1e-12)


@given(strided())
def test_any_layout_has_the_same_numbers(a):
    x = rg.from_numpy(a)
    same(x, a)
    assert x.tolist() == a.tolist()
    same(x.clone(), a)
    same(x.contiguous(), a)
    same(x * 2 + x, a * 3)
    same(x.reshape(-1), a.reshape(-1))
    same(x.sum(), a.sum())


@given(
    hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=3, min_side=0),
    st.sampled_from(["add", "mul", "sub", "maximum"]),
)
def test_broadcasting(shapes, name):
    a, b, c = (numbered(s) for s in shapes.input_shapes)
    xs = [rg.from_numpy(v).requires_grad_() for v in (a, b, c)]
    reference = getattr(np, {"add": "add", "mul": "multiply", "sub": "subtract", "maximum": "maximum"}[name])
    y = getattr(rg, name)(getattr(rg, name)(xs[0], xs[1]), xs[2])
    wanted = reference(reference(a, b), c)
    same(y, wanted)
    if name in ("add", "sub"):
        y.sum().backward()
        for x, v, sign in zip(xs, (a, b, c), (1, *((1, 1) if name == "add" else (-1, -1))), strict=True):
            same(x.grad, np.full(v.shape, sign * (wanted.size / v.size if v.size else 0.0)))


@given(st.lists(st.integers(0, 4), max_size=3).map(tuple), st.lists(st.integers(0, 4), max_size=3).map(tuple))
def test_broadcasting_refuses_what_numpy_refuses(s, t):
    try:
        wanted = np.broadcast_shapes(s, t)
    except ValueError:
        with pytest.raises(ValueError):
            rg.zeros(s) + rg.zeros(t)
    else:
        assert tuple((rg.zeros(s) + rg.zeros(t)).shape) == wanted
        assert tuple(rg.broadcast_shapes(s, t)) == wanted


REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "amax": np.max,
    "amin": np.min,
    "all": np.all,
    "any": np.any,
}


@given(strided(), st.sampled_from(list(REDUCTIONS)), st.booleans(), st.data())
def test_reductions(a, name, keepdim, data):
    dims = (
        data.draw(st.lists(st.integers(-a.ndim, a.ndim - 1), min_size=1, unique_by=lambda d: d % a.ndim))
        if a.ndim
        else []
    )
    if name == "prod":
        dims = dims[:1]
    reduced = a.size if not dims else int(np.prod([a.shape[d] for d in dims]))
    assume(reduced or name in ("sum", "prod", "all", "any"))
    x = rg.from_numpy(a)
    f = getattr(rg, name)
    if not dims:
        same(f(x), REDUCTIONS[name](a))
    else:
        dim = dims[0] if len(dims) == 1 else tuple(dims)
        same(f(x, dim=dim, keepdim=keepdim), REDUCTIONS[name](a, axis=tuple(dims), keepdims=keepdim))


@given(strided(), st.data())
def test_scans_and_orders(a, data):
    assume(a.ndim)
    dim = data.draw(st.integers(-a.ndim, a.ndim - 1))
    x = rg.from_numpy(a)
    same(x.cumsum(dim), np.cumsum(a, axis=dim))
    same(x.cumprod(dim), np.cumprod(a, axis=dim))
    same(x.sort(dim=dim)[0], np.sort(a, axis=dim))
    same(x.sort(dim=dim, stable=True)[1], np.argsort(a, axis=dim, kind="stable"))
    if a.shape[dim]:
        values, indices = x.max(dim=dim)
        same(values, np.max(a, axis=dim))
        same(x.gather(dim, indices.unsqueeze(dim)).squeeze(dim), np.max(a, axis=dim))
        same(x.argmin(dim=dim), np.argmin(a, axis=dim))


@given(strided(), st.data())
def test_shape_operations(a, data):
    x = rg.from_numpy(a)
    order = data.draw(st.permutations(range(a.ndim)))
    same(x.permute(*order) if order else x.permute(()), a.transpose(order))
    at = data.draw(st.integers(-a.ndim - 1, a.ndim))
    same(x.unsqueeze(at), np.expand_dims(a, at))
    same(x.squeeze(), a.squeeze())
    same(rg.stack([x, x + 1], dim=at), np.stack([a, a + 1], axis=at))
    if a.ndim:
        dim = data.draw(st.integers(-a.ndim, a.ndim - 1))
        same(
            rg.cat([x, x[:0] if dim % a.ndim == 0 else x, x], dim=dim),
            np.concatenate([a, a[:0] if dim % a.ndim == 0 else a, a], axis=dim),
        )
        same(x.flip(dim), np.flip(a, dim))
        shift = data.draw(small)
        same(x.roll(shift, dim), np.roll(a, shift, dim))
        counts = data.draw(st.lists(st.integers(0, 2), min_size=a.ndim, max_size=a.ndim))
        same(x.repeat(*counts), np.tile(a, counts))


@given(hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, max_side=3, min_side=0))
def test_matmul_has_the_ranks_of_numpy(shapes):
    a, b = (numbered(s) for s in shapes.input_shapes)
    x, y = rg.from_numpy(a).requires_grad_(), rg.from_numpy(b).requires_grad_()
    z = x @ y
    wanted = np.asarray(a @ b)
    same(z, wanted)
    g = np.asarray(numbered(wanted.shape) + 1)
    z.backward(rg.from_numpy(g))
    t = a[..., ::-1] * 2
    np.testing.assert_allclose((x.grad.numpy() * t).sum(), (g * (t @ b)).sum())
    np.testing.assert_allclose((y.grad.numpy() * b).sum(), (g * wanted).sum())


@given(st.lists(st.integers(0, 3), max_size=3).map(tuple), st.lists(st.integers(0, 3), max_size=3).map(tuple))
def test_matmul_refuses_what_numpy_refuses(s, t):
    a, b = np.ones(s), np.ones(t)
    try:
        wanted = a @ b
    except ValueError:
        with pytest.raises(ValueError):
            rg.from_numpy(a) @ rg.from_numpy(b)
    else:
        same(rg.from_numpy(a) @ rg.from_numpy(b), wanted)


@st.composite
def indices(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """A valid index: either basic (integers, slices, None, ellipsis), or slices with integer arrays or a mask."""
    basic = hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)
    if not shape or 0 in shape or draw(st.booleans()):
        index = draw(basic)
        return index if isinstance(index, tuple) else (index,)
    if draw(st.booleans()):
        k = draw(st.integers(1, len(shape)))
        mask = draw(hnp.arrays(bool, shape[:k]))
        return (mask,)
    together = draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=3))
    parts: list[Any] = []
    for n in shape:
        kind = draw(st.sampled_from(["array", "slice", "all"]))
        if kind == "array":
            parts.append(draw(hnp.arrays(np.int64, together, elements=st.integers(-n, n - 1))))
        else:
            parts.append(draw(st.slices(n)) if kind == "slice" else slice(None))
    return tuple(parts)


def as_tensors(index: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(rg.from_numpy(i) if isinstance(i, np.ndarray) else i for i in index)


@given(strided(), st.data())
def test_reading_by_index(a, data):
    index = data.draw(indices(a.shape))
    x = rg.from_numpy(a).requires_grad_()
    wanted = np.asarray(a[index])
    for i in (index, as_tensors(index)):
        y = x[i]
        same(y, wanted)
    g = np.asarray(numbered(wanted.shape) + 1)
    y.backward(rg.from_numpy(g))
    gradient = np.zeros(a.shape)
    np.add.at(gradient, index, g)
    same(x.grad, gradient)


@given(strided(), st.booleans(), st.data())
def test_writing_by_index(a, number, data):
    index = data.draw(indices(a.shape))
    shape = a[index].shape
    # Writing several values to one place leaves either of them: write equal ones there.
    value = (
        50.0 if number or any(isinstance(i, np.ndarray) and i.dtype != bool for i in index) else numbered(shape) + 50.0
    )
    wanted = a.copy()
    wanted[index] = value
    x = rg.from_numpy(a.copy())
    x[as_tensors(index)] = rg.from_numpy(np.asarray(value)) if isinstance(value, np.ndarray) else value
    same(x, wanted)
    source = rg.from_numpy(np.full(shape, 2.0)).requires_grad_()
    y = rg.from_numpy(a.copy()).requires_grad_()
    z = y * 1
    z[index] = source
    z.sum().backward()
    kept = np.ones(a.shape)
    kept[index] = 0
    # What was overwritten whole has no path left: PyTorch's gradient of zeros is None here.
    same(rg.zeros(a.shape, dtype=rg.float64) if y.grad is None else y.grad, kept)
    assert y.grad is not None or not kept.any()
    assert source.grad.sum().item() == pytest.approx(kept.size - kept.sum())


def test_integers_among_arrays_select_first():
    """PyTorch takes integers as selections before it looks at arrays; NumPy counts them as arrays."""
    x = rg.arange(24).reshape(2, 3, 4)
    assert tuple(x[0, :, rg.tensor([1, 2])].shape) == (3, 2)
    assert x[0, :, rg.tensor([1, 2])].tolist() == x[0][:, rg.tensor([1, 2])].tolist()


@given(shapes, st.sampled_from(DTYPES), st.sampled_from(DTYPES))
def test_conversions_between_dtypes(shape, source, target):
    a = np.asarray(np.abs(numbered(shape)), source)
    x = rg.from_numpy(a).to(getattr(rg, target))
    with np.errstate(all="ignore"):
        wanted = np.asarray(a.real if CATEGORY[source] == 3 and CATEGORY[target] < 3 else a, target)
    assert x.numpy().dtype == wanted.dtype
    np.testing.assert_array_equal(x.numpy(), wanted)
