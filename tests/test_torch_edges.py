"""Edges where numbers could quietly differ from PyTorch's: NaN limits, negative indices, narrow integers, printing."""

import math

import numpy as np
import pytest
import rustgrad as rg

F = rg.nn.functional
NAN = float("nan")


@pytest.mark.parametrize("limits", [(NAN, None), (None, NAN), (NAN, 1.0), (rg.tensor(NAN), None)])
def test_a_limit_that_is_not_a_number_leaves_none(limits):
    x = rg.tensor([3.0, 1.0], requires_grad=True)
    y = x.clamp(*limits)
    assert np.isnan(y.detach().numpy()).all()
    (slope,) = rg.autograd.grad(y.sum(), x)
    assert slope.tolist() == [0.0, 0.0]


def test_limits_given_as_tensors_may_be_nan_in_places():
    y = rg.tensor([3.0, 1.0]).clamp(min=rg.tensor([NAN, 2.0]))
    assert math.isnan(y[0].item()) and y[1].item() == 2.0


def test_a_negative_limit_among_bytes_does_not_wrap_when_the_other_is_a_float():
    assert rg.tensor([3, 0], dtype=rg.uint8).clamp(-1, 2.5).tolist() == [2.5, 0.0]
    assert rg.tensor([3, 0], dtype=rg.uint8).clamp(0, 2).tolist() == [2, 0]


@pytest.mark.parametrize("loss", [F.nll_loss, F.cross_entropy])
@pytest.mark.parametrize("weight", [None, rg.ones(3)])
@pytest.mark.parametrize("smoothing", [None, 0.1])
def test_a_negative_class_is_refused_and_not_read_as_the_last(loss, weight, smoothing):
    more = {"label_smoothing": smoothing} if smoothing and loss is F.cross_entropy else {}
    with pytest.raises(IndexError, match="index -1"):
        loss(rg.ones(2, 3), rg.tensor([-1, 0]), weight, **more)
    ignoring = loss(rg.ones(2, 3), rg.tensor([-1, 0]), weight, ignore_index=-1, **more)
    assert np.isclose(ignoring.item(), loss(rg.ones(1, 3), rg.tensor([0]), weight, **more).item())


@pytest.mark.parametrize("padding", [None, 1])
def test_embedding_refuses_negative_rows(padding):
    with pytest.raises(IndexError, match="embedding: index -1"):
        F.embedding(rg.tensor([0, -1]), rg.ones(2, 3), padding_idx=padding)
    assert F.embedding(rg.tensor([0, 1]), rg.ones(2, 3), padding_idx=-1).shape == (2, 3)


@pytest.mark.parametrize("draw", [
    lambda: rg.randint(0, 257, (2,), dtype=rg.uint8), lambda: rg.randint(-1, 2, (2,), dtype=rg.uint8),
    lambda: rg.randint(0, 3, (2,), dtype=rg.bool), lambda: rg.randint(0, 2**31 + 1, (2,), dtype=rg.int32),
])  # fmt: skip
def test_random_integers_do_not_wrap(draw):
    with pytest.raises(ValueError, match="randint: cannot draw"):
        draw()
    assert rg.randint(0, 256, (2,), dtype=rg.uint8).dtype == rg.uint8
    assert rg.randint(-(2**31), 2**31, (2,), dtype=rg.int32).dtype == rg.int32


@pytest.mark.parametrize(("number", "dtype"), [
    (300, rg.uint8), (2**31, rg.int32), (NAN, rg.int64), (math.inf, rg.int32), (1e20, rg.int64),
])  # fmt: skip
@pytest.mark.parametrize("make", [lambda x, d: rg.tensor([x], dtype=d), lambda x, d: rg.tensor(x, dtype=d)])
def test_numbers_that_an_integer_dtype_does_not_hold_are_refused(number, dtype, make):
    with pytest.raises(ValueError, match="tensor: cannot convert"):
        make(number, dtype)
    assert rg.tensor([2**63 - 1, -(2**63)]).tolist() == [2**63 - 1, -(2**63)]


@pytest.mark.parametrize("number", [300, -300, NAN, 1e20])
def test_writing_a_number_that_bytes_do_not_hold_is_refused_and_writes_nothing(number):
    x = rg.tensor([1, 2], dtype=rg.uint8)
    for write in (lambda: x.fill_(number), lambda: x.__setitem__(0, number), lambda: x.masked_fill_(x > 1, number)):
        with pytest.raises(ValueError, match="cannot convert"):
            write()
    assert x.tolist() == [1, 2]


def test_formatting_a_scalar_formats_its_number():
    assert f"{rg.tensor(0.7, dtype=rg.float64)}" == "0.7" and f"{rg.tensor(3)}" == "3"
    assert f"{rg.tensor(0.7):.2f}" == "0.70" and f"{rg.ones(1)}" == "tensor([1.])"
    with pytest.raises(TypeError, match=r"format: cannot format a tensor of shape \[2\]"):
        f"{rg.ones(2):.2f}"


@pytest.mark.parametrize(("make", "text"), [
    (lambda: rg.tensor([NAN, 1.0, -math.inf, -0.0]), "tensor([nan, 1., -inf, -0.])"),
    (lambda: rg.tensor([-0.0, 0.5]), "tensor([-0.0000, 0.5000])"),
    (lambda: rg.zeros(0, 3, dtype=rg.bool), "tensor([], size=(0, 3), dtype=rustgrad.bool)"),
    (lambda: rg.tensor([[0.1472, 0.0264, -0.1310, 0.5]] * 2, dtype=rg.float64, requires_grad=True),
     "tensor([[ 0.1472,  0.0264, -0.1310,  0.5000],\n        [ 0.1472,  0.0264, -0.1310,  0.5000]], "
     "dtype=rustgrad.float64,\n       requires_grad=True)"),
    (lambda: rg.full((1001, 2), 10.0), "tensor([[10., 10.],\n        [10., 10.],\n        [10., 10.],\n        ...,\n"
     "        [10., 10.],\n        [10., 10.],\n        [10., 10.]])"),
])  # fmt: skip
def test_numbers_and_notes_are_laid_out_as_pytorch_does(make, text):
    assert repr(make()) == text


@pytest.mark.parametrize("at", [-3.0, 0.0, 2.0])
def test_logaddexp_curves_where_its_inputs_are_equal(at):
    a, b = rg.tensor(at, dtype=rg.float64, requires_grad=True), rg.tensor(at, dtype=rg.float64, requires_grad=True)
    slopes = rg.autograd.grad(rg.logaddexp(a, b), (a, b), create_graph=True)
    assert [s.item() for s in slopes] == [0.5, 0.5]
    assert [c.item() for c in rg.autograd.grad(slopes[0], (a, b), retain_graph=True)] == [0.25, -0.25]
    assert [c.item() for c in rg.autograd.grad(slopes[1], (a, b))] == [-0.25, 0.25]
    assert np.isclose(rg.func.hessian(lambda x: rg.logaddexp(x, b.detach()))(a.detach()).item(), 0.25)


@pytest.mark.parametrize("at", [math.inf, -math.inf])
def test_logaddexp_of_equal_infinities_halves_the_slope(at):
    a, b = (rg.tensor(at, dtype=rg.float64, requires_grad=True) for _ in range(2))
    slopes = rg.autograd.grad(rg.logaddexp(a, b), (a, b))
    assert [s.item() for s in slopes] == [0.5, 0.5]


def test_integers_beyond_64_bits_are_not_rounded_in_silence():
    for call in (
        lambda: rg.tensor(2**63),
        lambda: rg.tensor([1, 2**70]),
        lambda: rg.tensor([7]).add(2**70),
        lambda: rg.full((2,), 2**64),
    ):
        with pytest.raises(OverflowError, match="does not fit int64; write it as a float"):
            call()
    for call in (lambda: rg.tensor([7]) + 2**70, lambda: 2**70 - rg.tensor([7.0])):
        with pytest.raises(OverflowError, match="does not fit into 64 bits; use a float"):
            call()
    assert (rg.tensor([1.0]) + float(2**70)).item() == float(2**70)


def test_powers_of_zero_fall_steeply_for_negative_exponents():
    b = rg.tensor([-2.0, 0.0, 2.0], requires_grad=True)
    (0.0**b).sum().backward()
    assert b.grad.tolist() == [-float("inf"), 0.0, 0.0]
