"""Functions of the module as PyTorch has them: `input=` by name, `out=`, and what they say to anything but a tensor."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import rustgrad as rg

EXPORTED = [
    (name, getattr(rg, name))
    for name in sorted(vars(rg))
    if inspect.isbuiltin(getattr(rg, name)) and not name.startswith("_")
    and str(inspect.signature(getattr(rg, name))).startswith("(input")
]  # fmt: skip
WITH_OUT = [(name, function) for name, function in EXPORTED if "out=None" in str(inspect.signature(function))]
NUMBERS = {"is_tensor", "pow", "remainder", "where", "xlogy"}  # these take other things as well


def test_there_are_many():
    assert len(EXPORTED) > 150
    assert len(WITH_OUT) > 120


@pytest.mark.parametrize("name, function", EXPORTED, ids=[name for name, _ in EXPORTED])
def test_other_things_than_tensors_are_refused(name, function):
    if name in NUMBERS:
        return
    for thing in (1.5, [1.0], np.ones(2), None):
        others = [p for p in list(inspect.signature(function).parameters.values())[1:] if p.default is p.empty]
        others = [rg.ones(2) for p in others if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        with pytest.raises(TypeError, match="input"):
            function(thing, *others)


def test_input_by_name():
    x = rg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert rg.sum(input=x, dim=1).tolist() == [3.0, 7.0]
    assert rg.sin(input=x).tolist() == x.sin().tolist()
    assert rg.maximum(input=x, other=x + 1).tolist() == (x + 1).tolist()
    assert rg.matmul(input=x, other=x).tolist() == (x @ x).tolist()
    with pytest.raises(TypeError, match="input"):
        rg.sum()
    with pytest.raises(TypeError):
        rg.sum(x, input=x)


def test_out_receives_the_result():
    x, y = rg.tensor([1.0, 2.0]), rg.tensor([3.0, 5.0])
    out = rg.zeros(2)
    view = out[1:]
    for function, arguments, truth in (
        (rg.add, (x, y), [4.0, 7.0]),
        (rg.mul, (x, y), [3.0, 10.0]),
        (rg.exp, (x,), x.exp().tolist()),
        (rg.cumsum, (x, 0), [1.0, 3.0]),
        (rg.clamp, (x, 1.5), [1.5, 2.0]),
        (rg.softmax, (x, 0), x.softmax(0).tolist()),
        (rg.lt, (x, y), [1.0, 1.0]),
    ):
        assert function(*arguments, out=out) is out
        assert out.tolist() == truth
        assert view.tolist() == truth[1:]
    assert rg.add(x, y, out=x) is x
    assert x.tolist() == [4.0, 7.0]
    values, places = rg.zeros(2), rg.zeros(2, dtype=rg.int64)
    assert rg.sort(y, descending=True, out=(values, places)) == (values, places)
    assert (values.tolist(), places.tolist()) == ([5.0, 3.0], [1, 0])


def test_out_that_does_not_fit_is_refused():
    x = rg.tensor([1.0, 2.0])
    with pytest.raises(ValueError, match=r"sum.*\[\].*\[2\]"):
        rg.sum(x, out=rg.zeros(2))
    with pytest.raises(TypeError, match="sin"):
        rg.sin(x, out=rg.zeros(2, dtype=rg.int64))
    with pytest.raises(TypeError, match="out must be a tensor"):
        rg.sin(x, out=[0.0, 0.0])
    with pytest.raises(TypeError, match="tuple of 2"):
        rg.sort(x, out=rg.zeros(2))
    with pytest.raises(RuntimeError, match="out="):
        rg.sin(x.requires_grad_(), out=rg.zeros(2))
    with rg.no_grad():
        assert rg.sin(x, out=rg.zeros(2)).tolist() == x.sin().tolist()


def test_diagonal_is_a_view():
    x = rg.zeros(3, 4)
    x.diagonal(1).copy_(rg.tensor([1.0, 2.0, 3.0]))
    truth = np.zeros((3, 4))
    np.fill_diagonal(truth[:, 1:], [1, 2, 3])
    assert np.array_equal(x.numpy(), truth)
    leaf = rg.ones(2, 3, 3, requires_grad=True)
    y = leaf * 2
    y.diagonal(-1, 1, 2).mul_(rg.tensor(5.0))
    y.sum().backward()
    slope = np.full((2, 3, 3), 2.0)
    slope[:, [1, 2], [0, 1]] = 10.0
    assert np.array_equal(leaf.grad.numpy(), slope)


def test_embedding_shortens_rows_in_use():
    weight = rg.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]], requires_grad=True)
    y = rg.nn.functional.embedding(rg.tensor([0, 1, 0]), weight, max_norm=1.0)
    assert np.allclose(y.detach().numpy(), [[0.6, 0.8], [0.3, 0.4], [0.6, 0.8]], atol=1e-6)
    assert np.allclose(weight.detach().numpy(), [[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]], atol=1e-6)
    y.sum().backward()
    assert weight.is_leaf and weight.grad.tolist() == [[2.0, 2.0], [1.0, 1.0], [0.0, 0.0]]
    assert rg.is_grad_enabled()
    rows = rg.tensor([[1.0, -2.0]])
    assert np.allclose(rg.nn.functional.embedding(rg.tensor(0), rows, max_norm=1.5, norm_type=1.0).numpy(), [0.5, -1.0])


def test_embedding_averages_gradients_of_rows_used_often():
    weight = rg.tensor([[1.0], [np.inf], [3.0]], requires_grad=True)
    y = rg.nn.functional.embedding(rg.tensor([0, 1, 0, 0]), weight, scale_grad_by_freq=True)
    assert y.tolist() == [[1.0], [np.inf], [1.0], [1.0]]
    y.backward(rg.tensor([[1.0], [2.0], [4.0], [7.0]]))
    assert weight.grad.tolist() == [[4.0], [2.0], [0.0]]
    assert rg.nn.functional.embedding(rg.tensor([0]), weight, sparse=True).tolist() == [[1.0]]
