"""The ways of writing arguments that PyTorch takes: results as PyTorch 2.13 gives them."""

# ruff: noqa: E501 (the rows of tables stay rows)
from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg

F = rg.nn.functional
BYTES = rg.uint8


def pad(*shape, **kwargs):
    return F.pad(rg.arange(int(np.prod(shape))).reshape(shape), **kwargs)


@pytest.mark.parametrize(("form", "dtype", "wanted"), [
    (lambda: rg.arange(2.0).view(rg.int32), rg.int32, [0, 1065353216]),
    (lambda: rg.tensor([1, 2], dtype=rg.int64).view(rg.int32), rg.int32, [1, 0, 2, 0]),
    (lambda: rg.tensor([[1.0, 2.0], [3.0, 4.0]]).t().view(rg.int32).view(rg.float32), rg.float32, [[1, 3], [2, 4]]),
    (lambda: rg.arange(4).reshape(2, 2).flip(0, 1), rg.int64, [[3, 2], [1, 0]]),
    (lambda: rg.flip(rg.arange(4).reshape(2, 2), (0, 1)), rg.int64, [[3, 2], [1, 0]]),
    (lambda: rg.arange(4).reshape(shape=(2, 2)).flip(dims=(0,)), rg.int64, [[2, 3], [0, 1]]),
    (lambda: rg.permute(rg.arange(2).reshape(1, 2), dims=(1, 0)), rg.int64, [[0], [1]]),
    (lambda: rg.tile(rg.arange(2), dims=(2,)) + rg.arange(2).repeat(repeats=(2,)), rg.int64, [0, 2, 0, 2]),
    (lambda: rg.arange(1).expand(size=(2, 1)), rg.int64, [[0], [0]]),
    (lambda: rg.einsum(rg.ones(2, 3), [0, 1], rg.ones(3, 2), [1, 2], [2, 0]), rg.float32, [[3, 3], [3, 3]]),
    (lambda: rg.einsum(rg.arange(4.0).reshape(2, 2), [7, 7]), rg.float32, 3),
    (lambda: rg.einsum(rg.ones(4, 2, 3), [..., 0, 1], rg.ones(3), [1], [..., 0]), rg.float32, np.full((4, 2), 3)),
    (lambda: rg.zeros(3, dtype=BYTES).scatter_add(0, rg.tensor([0, 0]), rg.tensor([200, 100], dtype=BYTES)), BYTES, [44, 0, 0]),
    (lambda: rg.zeros(2, dtype=rg.bool).scatter_add(0, rg.tensor([0, 0]), rg.tensor([True, True])), rg.bool, [True, False]),
    (lambda: rg.zeros(3, dtype=BYTES).index_add(0, rg.tensor([0, 0]), rg.tensor([1, 2], dtype=BYTES)), BYTES, [3, 0, 0]),
    (lambda: rg.tensor([True, False]).square(), rg.int64, [1, 0]),
    (lambda: rg.tensor([True, False]) ** 3, rg.int64, [1, 0]),
    (lambda: rg.tensor([True, False]).sign(), rg.bool, [True, False]),
    (lambda: rg.where(rg.tensor([True, False, True]))[0], rg.int64, [0, 2]),
    (lambda: rg.arange(4.0)[range(1, 3)], rg.float32, [1, 2]),
    (lambda: rg.arange(4.0)[(0, 3),], rg.float32, [0, 3]),
    (lambda: rg.arange(6.0).reshape(2, 3)[(0, 1), (1, 2)], rg.float32, [1, 5]),
    (lambda: 1 << rg.tensor([1, 2]), rg.int64, [2, 4]),
    (lambda: 8 >> rg.tensor([1, 2]), rg.int64, [4, 2]),
    (lambda: rg.remainder(7, rg.tensor([2, 3])), rg.int64, [1, 1]),
    (lambda: rg.xlogy(2, rg.tensor([1.0, float(np.e)])), rg.float32, [0, 2]),
    (lambda: rg.tensor([1, 2], dtype=BYTES).any(), BYTES, 1),
    (lambda: rg.tensor([[1, 0]], dtype=BYTES).all(1), BYTES, [0]),
    (lambda: rg.tensor([5], dtype=BYTES) % -3, BYTES, [5]),
    (lambda: rg.tensor([5], dtype=BYTES) // -3, BYTES, [0]),
    (lambda: rg.tensor([5], dtype=BYTES) * -3, BYTES, [241]),
    (lambda: rg.tensor([5], dtype=rg.int32) + 2**32, rg.int32, [5]),
    (lambda: rg.tensor([1 + 1j]) / 0, rg.complex64, [complex(np.inf, np.inf)]),
    (lambda: rg.tensor([1e200 + 1e200j], dtype=rg.complex128) / (1e200 + 1e200j), rg.complex128, [1]),
    (lambda: F.cross_entropy(rg.zeros(0, 3), rg.zeros(0, 3)), rg.float32, np.nan),
    (lambda: pad(1, 3, pad=(2, 1), mode="reflect"), rg.int64, [[2, 1, 0, 1, 2, 1]]),
    (lambda: pad(1, 3, pad=(2, 1), mode="replicate"), rg.int64, [[0, 0, 0, 1, 2, 2]]),
    (lambda: pad(1, 3, pad=(2, 1), mode="circular"), rg.int64, [[1, 2, 0, 1, 2, 0]]),
    (lambda: pad(2, 2, pad=(1, 0, 0, 1), mode="reflect"), rg.int64, [[1, 0, 1], [3, 2, 3], [1, 0, 1]]),
    (lambda: pad(1, 3, pad=(-1, 1), mode="replicate"), rg.int64, [[1, 2, 2]]),
    (lambda: rg.tensor([3.0, 1.0]).bernoulli(0.0), rg.float32, [0, 0]),
    (lambda: rg.zeros(2).bernoulli_(rg.tensor([0.0, 1.0])), rg.float32, [0, 1]),
    (lambda: rg.tensor([0.0, 1.0]).multinomial(1), rg.int64, [1]),
    (lambda: rg.isclose(rg.tensor([1.0, np.inf, np.nan]), rg.tensor([1.0 + 1e-7, np.inf, np.nan])), rg.bool, [True, True, False]),
    (lambda: rg.isclose(rg.tensor([np.inf, np.nan]), rg.tensor([-np.inf, np.nan]), equal_nan=True), rg.bool, [False, True]),
    (lambda: rg.isclose(rg.tensor([10, 2]), rg.tensor([11, 2]), rtol=0.1), rg.bool, [True, True]),
    (lambda: F.dropout(rg.ones(3), 1.0), rg.float32, [0, 0, 0]),
])  # fmt: skip
def test_forms_of_arguments(form, dtype, wanted):
    result = form()
    assert result.dtype == dtype
    np.testing.assert_allclose(result.numpy(), wanted, rtol=1e-6)


def test_operators_write_bits_in_place():
    x = rg.tensor([12, 10])
    alias = x
    x &= 14
    x |= 1
    x ^= 2
    x <<= 2
    x >>= 1
    assert alias is x and x.tolist() == [((((n & 14) | 1) ^ 2) << 2) >> 1 for n in (12, 10)]


def test_answers_in_python():
    x = rg.tensor([1.0, 2.0])
    assert rg.equal(x, x.clone()) and not rg.equal(x, rg.tensor([1.0, 3.0])) and not rg.equal(x, rg.ones(1))
    assert rg.allclose(x, x + 1e-9) is True and rg.allclose(x, x + 1) is False
    assert rg.numel(x) == 2 and rg.is_floating_point(x) and not rg.is_complex(x)
    assert [t.item() for t in reversed(x)] == [2.0, 1.0]
    assert [tuple(piece.shape) for piece in rg.zeros(0, 3).chunk(2)] == [(0, 3), (0, 3)]


def test_a_view_of_bytes_shares_them():
    x = rg.zeros(2, 2)
    x.view(rg.int32)[0, 1] = 1065353216
    assert x.tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert rg.zeros(2, 4).view(rg.complex64).shape == (2, 2)


def test_dropout_in_place():
    x = rg.ones(4, requires_grad=True)
    y = x * 2
    assert F.dropout(y, 0.5, inplace=True) is y
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


def test_borders_sum_their_gradients():
    x = rg.arange(3.0).reshape(1, 3).requires_grad_()
    F.pad(x, (2, 1), mode="reflect").sum().backward()
    assert x.grad.tolist() == [[1.0, 3.0, 2.0]]


@pytest.mark.parametrize(("form", "error", "sentence"), [
    (lambda: rg.arange(3).view(rg.bool), ValueError, r"view: .*truth"),
    (lambda: rg.ones(3).view(rg.float64), ValueError, r"view: cannot read float32 of shape \[3\] as float64"),
    (lambda: rg.ones(2, 2).t().view(rg.float64), ValueError, r"view: .*contiguous"),
    (lambda: rg.ones(2, requires_grad=True).view(rg.int32), rg.NotDifferentiableError, r"view: .*detach"),
    (lambda: rg.einsum(rg.ones(2), [0], rg.ones(2)), TypeError, r"einsum: the last operand"),
    (lambda: rg.einsum(rg.ones(2), [70]), ValueError, r"einsum: labels are ints from 0 to 51"),
    (lambda: rg.einsum(3, [0]), TypeError, r"einsum: expected an equation or tensors"),
    (lambda: rg.ones(2).flip(), ValueError, r"flip: needs the dimensions"),
    (lambda: rg.ones(2).reshape(2, 1, shape=(2,)), TypeError, r"reshape: got sizes or dimensions twice"),
    (lambda: rg.where(rg.ones(2) > 0, 1.0), TypeError, r"where: needs both"),
    (lambda: rg.remainder(7, 2), TypeError, r"remainder: needs a tensor"),
    (lambda: rg.ones(1) + 2**70, OverflowError, r"add: .*64 bits"),
    (lambda: 2**70 - rg.ones(1), OverflowError, r"sub: .*64 bits"),
    (lambda: rg.zeros(0).norm(-1), ValueError, r"norm: the -1-norm of nothing"),
    (lambda: rg.tensor(1.0).topk(0), ValueError, r"topk: a 0-d tensor"),
    (lambda: pad(1, 3, pad=(3, 0), mode="reflect"), ValueError, r"pad: a border of 3, 0 does not fit size 3"),
    (lambda: pad(1, 3, pad=(4, 0), mode="circular"), ValueError, r"pad: a border of 4, 0"),
    (lambda: pad(1, 0, pad=(1, 0), mode="replicate"), ValueError, r"pad: a border of 1, 0"),
    (lambda: pad(1, 3, pad=(1, 0), mode="mirror"), ValueError, r"pad: mode must be .*mirror"),
    (lambda: rg.arange(3).gather(0, rg.tensor([-1])), IndexError, r"gather: index -1"),
    (lambda: rg.arange(3).index_select(0, rg.tensor([-1])), IndexError, r"index_select: index -1"),
    (lambda: rg.zeros(3).index_add(0, rg.tensor([-1]), rg.ones(1)), IndexError, r"index_add: index -1"),
    (lambda: rg.zeros(3).index_copy(0, rg.tensor([-1]), rg.ones(1)), IndexError, r"index_copy: index -1"),
    (lambda: rg.isclose(rg.ones(1), rg.ones(1, dtype=rg.float64)), TypeError, r"isclose: .*one dtype"),
    (lambda: reversed(rg.tensor(1.0)), TypeError, r"reversed: a 0-d tensor"),
])  # fmt: skip
def test_forms_that_are_refused_say_why(form, error, sentence):
    with pytest.raises(error, match=sentence):
        form()


@pytest.mark.parametrize("stepwise", [rg.floor, rg.sign, lambda x: x.zero_()])
def test_an_infinite_cotangent_does_not_pass_where_the_slope_is_zero(stepwise):
    x = rg.tensor([0.5, 1.5], requires_grad=True)
    stepwise(x * 1).backward(rg.tensor([np.inf, np.nan]))
    assert x.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("make", [
    lambda: rg.full((2,), 300, dtype=BYTES), lambda: rg.full_like(rg.ones(2, dtype=BYTES), 300),
    lambda: rg.ones(2, dtype=BYTES).new_full((2,), 300), lambda: rg.full((2,), float("nan"), dtype=rg.int64),
    lambda: rg.full((2,), 1j, dtype=rg.float32), lambda: rg.tensor(1j, dtype=rg.float32),
    lambda: rg.tensor([1 + 2j], dtype=rg.int64),
])  # fmt: skip
def test_numbers_that_a_dtype_does_not_hold_are_refused(make):
    with pytest.raises((ValueError, TypeError), match=r"^(full|full_like|new_full|tensor): cannot convert"):
        make()


def test_following_a_batched_tensor_from_inside_is_refused():
    with pytest.raises(RuntimeError, match="requires_grad_: cannot follow"):
        rg.func.vmap(lambda x: x.requires_grad_())(rg.ones(2))


@pytest.mark.parametrize("make", [
    lambda: rg.linspace(0, 300, 4, dtype=BYTES), lambda: rg.linspace(0, 1j, 3), lambda: rg.randperm(300, dtype=BYTES),
    lambda: F.pad(rg.ones(2, dtype=BYTES), (1, 1), value=300),
    lambda: rg.where(rg.tensor([True, False]), rg.ones(2, dtype=BYTES), 300),
])  # fmt: skip
def test_numbers_among_bytes_do_not_wrap(make):
    with pytest.raises((ValueError, TypeError), match="cannot convert"):
        make()
