"""Positions, sizes and dtypes that libraries read differently: here as PyTorch 2.13 reads them."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg

CUBE = rg.arange(24).reshape(2, 3, 4)


@pytest.mark.parametrize("make", [rg.zeros, rg.ones, rg.empty, rg.rand, rg.randn, rg.zeros(1).new_zeros])
def test_sizes_may_be_named(make):
    assert make(size=(2, 3)).shape == (2, 3)
    with pytest.raises(TypeError, match="size twice"):
        make(2, size=(2, 3))


@pytest.mark.parametrize(
    ("kind", "dtype"), [(float, "float64"), (complex, "complex128"), (int, "int64"), (bool, "bool")]
)
def test_types_of_python_are_dtypes(kind, dtype):
    assert str(rg.zeros(2, dtype=kind).dtype) == f"rustgrad.{dtype}"
    assert str(rg.zeros(2).to(kind).dtype) == f"rustgrad.{dtype}"


def test_no_dtype_changes_none():
    x = rg.ones(2)
    assert x.to(None) is x
    with pytest.raises(TypeError, match="expected a dtype, not None"):
        x.type(None)


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [
        (2**62, 2**62 + 3, 1),
        (2**63 - 4, 2**63 - 1, 1),
        (-(2**63), -(2**63) + 3, 1),
        (2**62, 2**62 - 5, -2),
        (-(2**62), 2**62, 2**61),
        (2**53, 2**53 + 7, 3),
        (0, 7, 7),
        (0, 8, 7),
        (5, 5, 1),
        (True, 4, 2),
    ],
)
def test_ranges_of_large_integers_are_counted_exactly(start, end, step):
    assert rg.arange(start, end, step).tolist() == list(range(start, end, step))


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [(2**62 + 3, 2**62, 1), (2**62, 2**62 + 3, -1), (3, 0, 1), (0.0, 1.0, -1)],
)
def test_ranges_that_go_the_wrong_way_are_refused(start, end, step):
    sentence = f"cannot go from {start:g} to {end:g}" if isinstance(start, float) else f"from {start} to {end} in steps"
    with pytest.raises(ValueError, match=rf"{sentence}.*the step has the wrong sign"):
        rg.arange(start, end, step)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint64, np.int64])
def test_numbers_of_numpy_are_positions(kind):
    assert rg.arange(6).reshape(2, 3)[kind(1)].tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    ("index", "wanted"),
    [
        ((rg.tensor(1), slice(None), [0, 2]), (1, slice(None), [0, 2])),
        ((rg.tensor(-1), ..., rg.tensor([0, 2])), (-1, slice(None), [0, 2])),
        ((slice(None), np.array(1), [0, 1, 2]), (slice(None), 1, [0, 1, 2])),
        (rg.tensor(1), 1),
    ],
)
def test_single_positions_count_as_ints(index, wanted):
    # With ints NumPy would move the axes of the list to the front, PyTorch selects first: so does this.
    first = CUBE.numpy()[wanted[0]] if isinstance(wanted, tuple) and wanted[0] != slice(None) else None
    expected = CUBE.numpy()[wanted] if first is None else first[wanted[1:]]
    assert CUBE[index].tolist() == expected.tolist()


def test_a_single_position_shows_a_view():
    x = rg.arange(3.0)
    x[rg.tensor(1)].fill_(7.0)
    assert x.tolist() == [0.0, 7.0, 2.0]
    with pytest.raises(IndexError, match="out of range for dimension 0 of size 3"):
        x[rg.tensor(3)]


def test_positions_that_differ_by_lane_select_the_same():
    positions = rg.tensor([0, 1])
    lanes = [CUBE[i, :, [0, 2]].tolist() for i in (0, 1)]
    with pytest.warns(UserWarning, match="lane by lane"):
        assert rg.func.vmap(lambda i: CUBE[i, :, [0, 2]])(positions).tolist() == lanes
    assert rg.func.vmap(lambda i: CUBE[i])(positions).tolist() == CUBE.tolist()


@pytest.mark.parametrize("kind", [lambda x: rg.tensor(x, dtype=rg.uint8), lambda x: np.array(x, dtype=np.uint8)])
def test_bytes_are_masks_and_say_so(kind):
    with pytest.warns(UserWarning, match="uint8 tensor is taken for a mask") as told:
        assert rg.arange(3)[kind([0, 1, 1])].tolist() == [1, 2]
    assert told[0].filename == __file__
    x = rg.zeros(3)
    with pytest.warns(UserWarning, match="convert it to bool"):
        x[kind([1, 0, 1])] = 5.0
    assert x.tolist() == [5.0, 0.0, 5.0]


def test_a_retained_gradient_survives_writes():
    x = rg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    assert y.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [12.0, 24.0]  # of the written value, and only of it


def test_a_retained_gradient_of_a_view_survives_writes_to_its_base():
    x = rg.tensor([1.0, 2.0], requires_grad=True)
    base = x * 2
    view = base[1:]
    view.retain_grad()
    base.mul_(3)
    (view * view).sum().backward()
    assert view.grad.tolist() == [24.0]
    assert x.grad.tolist() == [0.0, 144.0]


@pytest.mark.parametrize("by", ["input", "itself"])
def test_a_retained_gradient_comes_from_every_sweep(by):
    x = rg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    rg.autograd.grad((y * y).sum(), x if by == "input" else y)
    assert y.grad.tolist() == [4.0, 8.0]
    assert x.grad is None


def test_a_retained_gradient_asked_for_as_an_input_counts_once():
    x = rg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward(inputs=[y, x])
    assert y.grad.tolist() == [4.0, 8.0]
    assert x.grad.tolist() == [8.0, 16.0]


def retained():
    x = rg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    return x, y, y * y


def test_lanes_and_tangents_are_not_retained():
    x, y, z = retained()
    (rows,) = rg.autograd.grad(z, x, rg.eye(2), is_grads_batched=True)
    assert rows.tolist() == [[8.0, 0.0], [0.0, 16.0]]
    assert y.grad is None
    x, y, z = retained()
    pull = lambda g: rg.autograd.grad(z, x, g, retain_graph=True)[0]
    assert rg.func.vmap(pull)(rg.eye(2)).tolist() == [[8.0, 0.0], [0.0, 16.0]]
    value, tangent = rg.func.jvp(pull, (rg.ones(2),), (rg.tensor([1.0, 0.0]),))
    assert (value.tolist(), tangent.tolist()) == ([8.0, 16.0], [8.0, 0.0])
    assert y.grad is None


def test_the_pullback_takes_its_cotangents_by_name():
    _, pull = rg.func.vjp(lambda x: x * 2, rg.tensor(1.0))
    assert pull(cotangents=rg.tensor(3.0))[0].item() == 6.0


def test_a_gradient_may_be_deleted():
    x = rg.tensor(3.0, requires_grad=True)
    (x * x).backward()
    del x.grad
    assert x.grad is None
    (x * x).backward()
    assert x.grad.item() == 6.0


@pytest.mark.parametrize("followed", [True, False])
def test_a_long_chain_of_gradients_is_dropped_without_recursion(followed):
    last = rg.tensor(0.0, requires_grad=followed)
    for _ in range(200_000):
        x = rg.tensor(1.0, requires_grad=followed)
        x.grad = last
        last = x
    assert last.grad.grad.item() == 1.0
    del last, x
