"""What vmap makes of its arguments: where lanes lie, what is the same in all of them, and what it refuses."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import rustgrad as rg
from rustgrad.func import vmap

X = rg.arange(6, dtype=rg.float64).reshape(3, 2)


def test_out_dims_none_returns_once_what_is_the_same():
    kept = rg.arange(4)
    y, same = vmap(lambda x: (x.sum(), kept), out_dims=(0, None))(X)
    assert (y.shape, same.shape) == ((3,), (4,))
    y, same = vmap(lambda x: (x * 2, kept), out_dims=(1, None), chunk_size=2)(X)
    np.testing.assert_array_equal(y.numpy(), 2 * X.numpy().T)
    assert same.shape == (4,)


def test_out_dims_none_refuses_what_differs():
    with pytest.raises(ValueError, match="out_dims=None names an output of <lambda> that differs"):
        vmap(lambda x: x, out_dims=None)(X)


def test_out_dims_none_lane_by_lane():
    same = lambda x: X[0] if x.sum().item() >= 0 else X[1]
    with pytest.warns(UserWarning, match="lane by lane"):
        assert vmap(same, out_dims=None)(X).shape == (2,)
    differing = lambda x: X[0] if x.sum().item() > 1 else X[1]
    with pytest.warns(UserWarning, match="lane by lane"), pytest.raises(ValueError, match="differs from lane to lane"):
        vmap(differing, out_dims=None)(X)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: vmap(lambda x: 3.0)(X), TypeError, "<lambda> must return tensors, but returns a float"),
        (lambda: vmap(lambda x: x, in_dims=5)(X), ValueError, r"in_dims=5 is out of range .*\[3, 2\]; give -2…1"),
        (lambda: vmap(lambda x: x)(rg.tensor(1.0)), ValueError, "a 0-d tensor, which has no dimension to slice"),
        (lambda: vmap(lambda x: x, in_dims=None)(X), ValueError, "no argument is sliced; give in_dims"),
        (lambda: vmap(lambda x, y: x)(X, X.t()), ValueError, r"sizes \[2, 3\]; give in_dims that name dimensions"),
        (lambda: rg.func.grad(lambda x: x.sum())(rg.arange(3)), rg.NotDifferentiableError, "^grad: .*int64.*float"),
        (lambda: rg.func.jvp(rg.sin, (X,), (X[0],)), ValueError, r"^jvp: the tangent .*\[2\].*\[3, 2\]"),
    ],
)
def test_refusals(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()


def test_what_escapes_a_lane_says_so():
    kept = []

    def keep(x):
        kept.append(x.sum())
        return x

    vmap(keep)(X)
    with pytest.raises(RuntimeError, match=r"from inside func\.vmap is used after it ended"):
        kept[0].numpy()


@pytest.mark.parametrize("transform", [
    lambda f: vmap(f)(X), lambda f: rg.func.grad(f)(X.sum()), lambda f: rg.func.jvp(f, (X,), (X,)),
])  # fmt: skip
@pytest.mark.parametrize("part", [lambda t: t, lambda t: t[:1]])
def test_values_of_a_transform_stay_out_of_tensors_from_outside(transform, part):
    kept = rg.zeros(3, dtype=rg.float64)

    def write(x):
        part(kept).add_(x.sum())
        return x

    with pytest.raises(RuntimeError, match=r"^add_: cannot write a value of func\.\w+ into .* clone\(\)"):
        transform(write)
    assert (kept + 1).tolist() == [1.0, 1.0, 1.0]
    own = transform(lambda x: rg.zeros(3, dtype=rg.float64).add_(x.sum()).sum())
    assert own is not None


@pytest.mark.filterwarnings("ignore:.*lane by lane")
def test_masks_and_sizes_of_lanes_run_lane_by_lane():
    x = rg.tensor([[0.1, 0.6, 0.3], [0.5, 0.2, 0.9]])
    assert vmap(lambda x: x[x > 0.4].sum())(x).tolist() == pytest.approx([0.6, 1.4])
    assert vmap(lambda x: rg.masked_select(x, x > 0.4).sum())(x).tolist() == pytest.approx([0.6, 1.4])
    assert vmap(lambda x: rg.nonzero(x > 0.4).sum())(x).tolist() == [1, 2]
    assert vmap(lambda x: rg.zeros((x > 0.4).sum()).shape[0] + 0 * x[0])(x).tolist() == [1.0, 2.0]
    assert vmap(lambda x: x.roll((x > 0.4).sum()))(x)[1].tolist() == pytest.approx([0.2, 0.9, 0.5])
    assert vmap(lambda x: x[0] * (0.6 in x))(x).tolist() == pytest.approx([0.1, 0.0])


def test_numbers_written_at_a_mask_need_no_lanes():
    def write(x):
        y = x.clone()
        y[y > 2.5] = 0.25
        return y

    assert vmap(write, fallback="error")(X).tolist() == [[0.0, 1.0], [2.0, 0.25], [0.25, 0.25]]


def _writes(shared):
    def f(a, b):
        (b if shared else a).add_(1.0)
        return b + a if bool(a.sum() > 0) else b - a

    return f


@pytest.mark.filterwarnings("ignore:.*lane by lane")
def test_lanes_that_run_one_by_one_do_not_see_each_others_writes():
    x, b = rg.tensor([[1.0, 2.0], [3.0, 4.0]]), rg.zeros(2)
    y = vmap(_writes(shared=False), (0, None))(x, b)
    assert y.tolist() == [[2.0, 3.0], [4.0, 5.0]] and x.tolist() == [[2.0, 3.0], [4.0, 5.0]]
    with pytest.raises(RuntimeError, match=r"changes a tensor that all lanes share in place; clone\(\) it"):
        vmap(_writes(shared=True), (0, None))(x, b)


@dataclass
class Layer:
    weight: Any
    bias: Any
    name: str = "layer"


@dataclass
class Other:
    weight: Any
    bias: Any
    name: str = "layer"


def test_dims_of_a_dataclass_are_those_of_its_fields():
    layer = Layer(X, rg.tensor(2.0, dtype=rg.float64))
    expected = (X * 2).sum(1).tolist()
    product = lambda p: (p.weight * p.bias).sum()
    assert vmap(product, in_dims=(Layer(0, None),))(layer).tolist() == expected
    assert vmap(product, in_dims=(Layer(1, None, "other"),))(Layer(X.T, layer.bias)).tolist() == expected
    nested = lambda p: product(p.weight[0])
    assert vmap(nested, in_dims=(Layer((Layer(0, None),), None),))(Layer((layer,), None)).tolist() == expected
    doubled = vmap(lambda x: Layer(x, x), out_dims=Layer(0, 1))(X)
    assert (doubled.weight.shape, doubled.bias.shape) == ((3, 2), (2, 3))
    assert vmap(product, in_dims=(Other(0, None),))(Other(X, layer.bias)).tolist() == expected
    with pytest.raises(ValueError, match="is not nested like the values"):
        vmap(product, in_dims=(Other(0, None),))(layer)
