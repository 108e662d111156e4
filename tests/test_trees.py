"""Nested arguments: what the core takes apart itself agrees with optree, which does all the rest."""

from collections import OrderedDict, namedtuple

import numpy as np
import optree
import pytest
import rustgrad as rg
from hypothesis import given
from hypothesis import strategies as st
from rustgrad import _core, _tree

F64 = rg.float64
func = rg.func
Pair = namedtuple("Pair", "a b")
leaves = st.integers(0, 9).map(lambda n: rg.tensor(float(n), dtype=F64))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    max_leaves=8,
)


def numbers(tree):
    return optree.tree_map(lambda x: x.item(), tree)


@given(trees)
def test_leaves_and_structures_agree_with_optree(tree):
    found, structure = _tree.flatten(tree)
    wanted, spec = optree.tree_flatten(tree, namespace="rustgrad")
    assert not isinstance(structure, optree.PyTreeSpec)
    assert [x.item() for x in found] == [x.item() for x in wanted]
    assert _tree.alike(structure, spec) and _tree.alike(spec, structure)
    again = _tree.unflatten(structure, found)
    assert numbers(again) == numbers(tree) and type(again) is type(tree)
    if isinstance(tree, dict):
        assert list(again) == list(tree)  # in the order of the dict, whatever that of the leaves is


@given(trees, trees)
def test_structures_are_alike_where_optree_says_so(a, b):
    one, two = (_tree.flatten(tree)[1] for tree in (a, b))
    same = optree.tree_structure(a, namespace="rustgrad") == optree.tree_structure(b, namespace="rustgrad")
    assert _tree.alike(one, two) == same
    assert _tree.alike(one, _tree.flatten(a)[1])


@given(trees)
def test_one_number_is_spread_over_all_leaves(tree):
    n = len(_tree.flatten(tree)[0])
    assert _tree.spread(0, tree, "dims") == [0] * n
    assert _tree.spread((None, 2), (tree, rg.ones(1)), "dims") == [None] * n + [2]


def test_other_trees_are_left_to_optree():
    x = rg.ones(1)
    tangled: list = []
    tangled.append(tangled)
    for tree in (Pair(x, x), OrderedDict(a=x), [x, None], (x, 2.0), {1: x}, {"\ud800": x}, tangled):
        assert _core._flatten(tree) is None
    deep = x
    for _ in range(200):
        deep = [deep]
    assert _core._flatten(deep) is None
    assert _tree.flatten(deep)[0] == [x]


def test_too_few_and_too_many_leaves_are_errors():
    x = rg.ones(1)
    _, structure = _tree.flatten([x, (x, x)])
    for wrong in ([x], [x] * 4):
        with pytest.raises(ValueError, match="unflatten: there are too"):
            structure.filled(wrong)


def parameters():
    return {"w": rg.tensor([1.0, 2.0], dtype=F64), "layers": [(rg.tensor(3.0, dtype=F64), rg.tensor(4.0, dtype=F64))]}


def value(p, x=1.0):
    ((scale, shift),) = p["layers"]
    return ((p["w"] ** 2).sum() * scale + shift) * x


def test_gradients_are_nested_like_their_argument():
    slopes = func.grad(value)(parameters())
    assert list(slopes) == ["w", "layers"] and type(slopes["layers"]) is list and type(slopes["layers"][0]) is tuple
    np.testing.assert_array_equal(slopes["w"].numpy(), [6.0, 12.0])
    assert [s.item() for s in slopes["layers"][0]] == [5.0, 1.0]
    both = func.grad(value, argnums=(0,))(parameters())[0]
    assert numbers_of(both) == numbers_of(slopes)
    unused = func.grad(lambda p: p["w"].sum())(parameters())
    assert [s.item() for s in unused["layers"][0]] == [0.0, 0.0]


def numbers_of(tree):
    return optree.tree_map(lambda x: x.tolist(), tree)


def test_forward_and_reverse_mode_take_the_same_trees():
    p = parameters()
    ones = optree.tree_map(rg.ones_like, p)
    y, slope = func.jvp(value, (p,), (ones,))
    again, pull = func.vjp(value, p)
    assert y.item() == again.item() == 19.0
    (pulled,) = pull(rg.tensor(1.0, dtype=F64))
    assert slope.item() == sum(leaf.sum().item() for leaf in optree.tree_leaves(pulled)) == 24.0
    with pytest.raises(ValueError, match="nested alike"):
        func.jvp(value, (p,), ({"w": p["w"]},))
    with pytest.raises(ValueError, match="shape"):
        func.jvp(value, (p,), ({"w": p["w"][:1], "layers": p["layers"]},))


def test_lanes_of_trees_agree_with_a_loop():
    p = optree.tree_map(lambda x: rg.stack([x, 2 * x, 3 * x]), parameters())
    lane = lambda k: optree.tree_map(lambda x: x[k], p)
    f = lambda p, x: {"value": value(p), "more": [x, p["w"] + x]}
    x = rg.tensor(10.0, dtype=F64)
    found = func.vmap(f, in_dims=(0, None))(p, x)
    for k in range(3):
        assert numbers_of(optree.tree_map(lambda t, k=k: t[k], found)) == numbers_of(f(lane(k), x))
    slopes = func.vmap(func.grad(value))(p)
    for k in range(3):
        assert numbers_of(optree.tree_map(lambda t, k=k: t[k], slopes)) == numbers_of(func.grad(value)(lane(k)))
    with pytest.raises(TypeError, match="vmap: <lambda> must return tensors, but returns a float"):
        func.vmap(lambda p: {"a": 1.0})(p)
    named = func.vmap(lambda p: Pair(p["w"], None))(p)
    assert type(named) is Pair and named.a.shape == (3, 2) and named.b is None


@pytest.mark.filterwarnings("ignore:.*runs lane by lane")
def test_lane_by_lane_no_lane_meets_what_another_wrote():
    seen, x = rg.zeros((), dtype=F64), rg.tensor([1.0, 2.0], dtype=F64)

    def before(x):
        seen.add_(1.0)
        return x * seen if x > 0 else x

    def after(x):
        y = x * seen if x > 0 else x
        seen.add_(1.0)
        return y

    for f in (before, after):
        with pytest.raises(RuntimeError, match=r"changes a tensor that all lanes share in place; clone\(\)"):
            func.vmap(f)(x)
    own = func.vmap(lambda x: x.clone().add_(1.0) * x if x > 0 else x)
    np.testing.assert_array_equal(own(x).numpy(), [2.0, 6.0])
    through = func.vmap(lambda x: x.add_(1.0) if x > 0 else x)
    np.testing.assert_array_equal(through(x).numpy(), [2.0, 3.0])
    np.testing.assert_array_equal(x.numpy(), [2.0, 3.0])  # once, as in PyTorch
