"""In-place operations under ``vmap`` reach the caller's tensor; what PyTorch 2.13 does stands in the expectations."""

from __future__ import annotations

import pytest
import rustgrad as rg
from rustgrad.func import grad, jvp, vmap

LOOP = pytest.mark.filterwarnings("ignore:.*lane by lane")


def add_one(x):
    return x.add_(1)


def looping(f):
    """The same function, which runs lane by lane because it asks for numbers after it wrote."""

    def asks(*args):
        y = f(*args)
        return y + 0 if float(y.sum()) > -1e9 else y

    return asks


def through_pytree(f):
    """The same function with a tree that the core leaves to ``optree``."""
    return lambda *args: {1: f(*args)}


WAYS = {
    "at once": lambda f, x, **given: vmap(f, **given)(x),
    "lane by lane": lambda f, x, **given: vmap(looping(f), **given)(x),
    "in chunks": lambda f, x, **given: vmap(f, chunk_size=2, **given)(x),
    "chunks lane by lane": lambda f, x, **given: vmap(looping(f), chunk_size=2, **given)(x),
    "strictly": lambda f, x, **given: vmap(f, fallback="error", **given)(x),
    "other trees": lambda f, x, **given: vmap(through_pytree(f), **given)(x),
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@LOOP
@ways
@pytest.mark.parametrize("write, wanted", [
    (add_one, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
    (lambda x: (x[0].add_(1), x)[1], [[1, 1, 2], [4, 4, 5], [7, 7, 8]]),
    (lambda x: (x.view(-1).mul_(2), x)[1], [[0, 2, 4], [6, 8, 10], [12, 14, 16]]),
    (lambda x: (x.view(3, 1)[1:].mul_(x[0]), x)[1], [[0, 0, 0], [3, 12, 15], [6, 42, 48]]),
    (lambda x: x.zero_(), [[0, 0, 0]] * 3),
    (lambda x: x.copy_(rg.tensor([7.0, 8.0, 9.0])), [[7, 8, 9]] * 3),
    (lambda x: x.unsqueeze_(0).add_(1), [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
    (lambda x: (x.__setitem__(1, x[2]), x)[1], [[0, 2, 2], [3, 5, 5], [6, 8, 8]]),
    (lambda x: x * 2, [[0, 1, 2], [3, 4, 5], [6, 7, 8]]),
    (lambda x: x.unsqueeze_(0), [[0, 1, 2], [3, 4, 5], [6, 7, 8]]),
    (lambda x: x.detach_(), [[0, 1, 2], [3, 4, 5], [6, 7, 8]]),
])  # fmt: skip
def test_what_is_written_reaches_the_caller(way, write, wanted):
    x = rg.arange(9.0).reshape(3, 3).clone()
    version = x._version
    y = way(write, x)
    assert x.tolist() == wanted
    assert (x._version == version) == (wanted == rg.arange(9).reshape(3, 3).tolist())
    assert y is not None


@LOOP
@ways
@pytest.mark.parametrize("dim", [1, -1])
def test_along_other_dimensions_and_in_views(way, dim):
    base = rg.zeros(4, 3)
    before = base[1:3]
    way(lambda x: x.add_(rg.tensor([1.0, 2.0])), before, in_dims=dim)
    assert base.tolist() == [[0] * 3, [1] * 3, [2] * 3, [0] * 3]


def test_the_result_is_the_argument_where_the_function_returns_it():
    x = rg.zeros(3)
    y = vmap(add_one)(x)
    y.mul_(5)
    assert y is x
    assert x.tolist() == [5, 5, 5]
    z = vmap(add_one, in_dims=1, out_dims=1)(w := rg.zeros(2, 3))
    z.mul_(5)
    assert w.tolist() == [[5] * 3] * 2


def test_a_result_that_became_a_view_in_place_has_the_shape_of_the_view():
    x = rg.zeros(3, 2)
    y = vmap(lambda x: x.unsqueeze_(0).add_(1))(x)
    z = vmap(lambda x: x.unsqueeze_(0).add_(1), out_dims=1)(x)
    assert (y.shape, z.shape, x.tolist()) == ((3, 1, 2), (1, 3, 2), [[2, 2]] * 3)


def test_nested():
    x = rg.zeros(2, 3)
    vmap(vmap(add_one), in_dims=1)(x)
    vmap(vmap(add_one))(x)
    assert x.tolist() == [[2] * 3] * 2


@LOOP
def test_a_second_run_starts_from_what_was_there():
    x = rg.tensor([1.0, -1.0])
    vmap(lambda x: x.mul_(3) if x.add_(1) > 0 else x.sub_(5))(x)
    assert x.tolist() == [6, -5]
    x = rg.zeros(2, 3)

    def outer(row):
        vmap(add_one)(row)
        return row * 1 if float(row.sum()) else row

    assert vmap(outer)(x).tolist() == [[1] * 3] * 2
    assert x.tolist() == [[1] * 3] * 2


@LOOP
def test_writes_that_a_run_of_an_outer_level_would_repeat_are_refused():
    kept = rg.zeros(3)

    def outer(x):
        vmap(add_one)(kept)
        return x if x > 0 else -x

    with pytest.raises(RuntimeError, match="lane by lane and changes a tensor that all lanes share"):
        vmap(outer)(rg.ones(2))
    assert kept.tolist() == [1, 1, 1]


@LOOP
@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: lambda x, y: looping(lambda z: f(z, y))(x)])
def test_one_tensor_given_twice(wrap):
    x = rg.zeros(3)
    assert vmap(lambda x, y: (x.add_(1), y * 2)[1])(x, x).tolist() == [2, 2, 2]
    assert vmap(lambda x, y: (x.add_(1), y * 2)[1], chunk_size=2)(x, x).tolist() == [4, 4, 4]
    assert x.tolist() == [2, 2, 2]
    square = rg.zeros(2, 2)
    assert vmap(lambda x, y: (x.add_(1), y * 2)[1], in_dims=1)(square, square).tolist() == [[2, 2], [2, 2]]
    assert square.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("args, in_dims", [
    (lambda x: (x, x), (0, None)), (lambda x: (x, x), (0, 1)), (lambda x: (x[:2], x[1:]), 0), (lambda x: (x, x.T), 0),
])  # fmt: skip
def test_overlapping_arguments_are_refused_once_they_are_written(args, in_dims):
    x = rg.zeros(3, 3)
    a, b = args(x)
    vmap(lambda a, b: a + b.sum(), in_dims)(a, b)
    with pytest.raises(RuntimeError, match=r"vmap: the function changes an argument in place that shares memory"):
        vmap(lambda a, b: a.add_(b.sum()), in_dims)(a, b)
    assert x.tolist() == [[0] * 3] * 3


def test_parts_of_one_tensor_that_do_not_overlap():
    x = rg.zeros(3, 2)
    vmap(lambda a, b: (a.add_(1), b.sub_(1))[0])(x[:, 0], x[:, 1])
    assert x.tolist() == [[1, -1]] * 3


def test_a_tensor_written_by_another_name_too_is_refused():
    x = rg.zeros(3)
    with pytest.raises(RuntimeError, match="by another name"):
        vmap(lambda y: (y.add_(1), x.add_(1))[0])(x)


def test_expanded_arguments_are_refused():
    x = rg.zeros(1)
    with pytest.raises(RuntimeError, match=r"expanded"):
        vmap(add_one)(x.expand(3))
    assert vmap(lambda x: x + 1)(x.expand(3)).tolist() == [1, 1, 1]
    assert x.tolist() == [0]


@LOOP
@ways
def test_what_was_written_before_an_exception_stays(way):
    x = rg.zeros(2, 3)

    def fails(x):
        x.add_(1)
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        way(fails, x)
    assert x.tolist() == [[1] * 3] * 2
    y = rg.zeros(2)

    def fails_after_asking(x):
        x.add_(1)
        if x > 0:
            raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        vmap(fails_after_asking)(y)
    assert y.tolist() == [1, 0]  # lane by lane


def test_a_refusal_leaves_arguments_as_they_were():
    x = rg.zeros(3)
    with pytest.raises(rg.DataDependentError):
        vmap(looping(add_one), fallback="error")(x)
    assert x.tolist() == [0, 0, 0]


@LOOP
@ways
def test_leaves_are_refused_and_written_under_no_grad(way):
    leaf = rg.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"^(add_|vmap): cannot change a leaf .* requires a gradient in place"):
        way(add_one, leaf)
    with pytest.raises(RuntimeError, match=r"^(add_|vmap): cannot change a leaf .* requires a gradient in place"):
        way(lambda x: x[0].add_(1), leaf)
    assert leaf.tolist() == [[1] * 3] * 2

    def inside(x):
        with rg.no_grad():
            x.add_(1)
        return x * 2

    y = way(inside, leaf)
    y = y[1] if isinstance(y, dict) else y
    y.sum().backward()
    assert leaf.tolist() == [[2] * 3] * 2
    assert leaf.is_leaf
    assert leaf.grad.tolist() == [[2] * 3] * 2
    with rg.no_grad():
        way(add_one, leaf)
    assert leaf.tolist() == [[3] * 3] * 2
    assert leaf.is_leaf


@LOOP
@ways
def test_history(way):
    w = rg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x = w * 2
    row = x[1]
    way(lambda x: x.mul_(x), x)
    (x.sum() + row.sum()).backward()
    assert x.tolist() == [[4, 16], [36, 64]]
    assert row.tolist() == [36, 64]
    assert w.grad.tolist() == [[8, 16], [48, 64]]


def test_history_is_kept_under_no_grad():
    w = rg.ones(3, requires_grad=True)
    x = w * 2

    def f(x):
        with rg.no_grad():
            x.add_(1)
        return x * 2

    (vmap(f)(x).sum() + x.sum()).backward()
    assert x.tolist() == [3, 3, 3]
    assert w.grad.tolist() == [6, 6, 6]


def test_what_was_saved_and_then_written_is_noticed():
    w = rg.ones(3, requires_grad=True)
    x = w * 2
    y = vmap(lambda x: (x.sin(), x.add_(1))[0])(x)
    with pytest.raises(RuntimeError, match="in place"):
        y.sum().backward()


def test_inside_other_transforms():
    def f(t):
        u = t * 1
        vmap(lambda x: x.mul_(x))(u)
        return u.sum()

    t = rg.tensor([1.0, 2.0, 3.0])
    assert grad(f)(t).tolist() == [2, 4, 6]
    value, slope = jvp(f, (t,), (rg.ones(3),))
    assert (value.item(), slope.item()) == (14, 12)
    assert vmap(grad(f))(rg.stack([t, t])).tolist() == [[2, 4, 6]] * 2
    assert t.tolist() == [1, 2, 3]


def test_values_of_a_level_inside_stay_inside():
    kept = rg.zeros(3)
    with pytest.raises(RuntimeError, match=r"cannot write a value of func\.vmap into a tensor"):
        vmap(lambda y: vmap(lambda x: x.add_(y))(kept))(rg.ones(2))
    with pytest.raises(RuntimeError, match=r"cannot write a value of func\.vjp into a tensor"):
        grad(lambda y: vmap(lambda x: x.add_(y))(kept).sum())(rg.tensor(1.0))


def test_no_lanes_and_random_numbers():
    x = rg.zeros(0, 3)
    assert vmap(add_one)(x).shape == (0, 3)
    y = rg.zeros(4)
    vmap(lambda x: x.uniform_(1, 2), randomness="same")(y)
    assert len(set(y.tolist())) == 1
    vmap(lambda x: x.add_(rg.rand(())), randomness="different")(y)
    assert len(set(y.tolist())) == 4


def test_nested_trees_and_several_arguments():
    args = ({"a": rg.zeros(2), "b": [rg.zeros(2, 3)]}, rg.ones(2))
    vmap(lambda d, s: (d["a"].add_(s), d["b"][0].sub_(s))[0])(*args)
    assert args[0]["a"].tolist() == [1, 1]
    assert args[0]["b"][0].tolist() == [[-1] * 3] * 2
    assert args[1].tolist() == [1, 1]


def test_shared_tensors_are_written_themselves():
    shared = rg.zeros(2)
    vmap(lambda x, s: (s.add_(1), x + s)[1], (0, None))(rg.ones(3), shared)
    assert shared.tolist() == [1, 1]


@pytest.mark.parametrize("start, wanted", [(lambda x: x * 1, 4.0), (lambda x: x, 4.0)])
def test_no_grad_inside_of_grad_changes_numbers_alone(start, wanted):
    def f(x):
        y = start(x)
        with rg.no_grad():
            y.add_(1)
        return (y * y).sum()

    x = rg.ones(3)
    assert grad(f)(x).tolist() == [wanted] * 3
    assert grad(lambda x: grad(f)(x).sum())(x).tolist() == [2] * 3
    assert vmap(grad(f))(rg.ones(2, 3)).tolist() == [[wanted] * 3] * 2
    value, slope = jvp(f, (x,), (x,))
    assert (value.item(), slope.item()) == (12, 12)


def test_no_grad_copies_numbers_and_no_history():
    def f(x, z):
        y = x * 1
        with rg.no_grad():
            y.copy_(z)
        return (y * y).sum()

    x, z = rg.ones(3), rg.full((3,), 2.0)
    gx, gz = grad(f, argnums=(0, 1))(x, z)
    assert (gx.tolist(), gz.tolist()) == ([4] * 3, [0] * 3)


def test_no_grad_inside_of_a_transform_through_views():
    def f(x):
        y = x * 1
        with rg.no_grad():
            y[0].add_(1)
        return (y * y).sum()

    assert grad(f)(rg.ones(3)).tolist() == [4, 2, 2]
    w = rg.ones(2, 3, requires_grad=True)
    x = w * 1

    def g(x):
        with rg.no_grad():
            x[0].add_(1)
        return x * x

    vmap(g)(x).sum().backward()
    assert x.tolist() == [[2, 1, 1]] * 2
    assert w.grad.tolist() == [[4, 2, 2]] * 2


@pytest.mark.parametrize("detached", [lambda x: x.detach(), lambda x: x.data, lambda x: x.detach().detach()])
def test_detached_lanes_do_not_pass_for_their_tensor(detached):
    """In PyTorch both share their numbers; here only one of them could change, so that it is refused."""
    x = rg.ones(3, 2)
    for write in (lambda y: y.add_(1.0), lambda y: y[0].mul_(2.0), lambda y: y.__setitem__(0, 5.0)):
        with pytest.raises(RuntimeError, match=r"would not see the change; clone\(\)"):
            rg.func.vmap(lambda x, write=write: (write(detached(x)), x)[1])(x)
    assert rg.func.vmap(lambda x: detached(x).clone().add_(1.0))(x).tolist() == [[2.0, 2.0]] * 3
    assert x.tolist() == [[1.0, 1.0]] * 3
