"""Checkpoints inside func transforms, and the other way round: derivatives of the plain function, or errors."""

from __future__ import annotations

import contextlib
import functools

import pytest
import rustgrad as rg
from rustgrad import func
from rustgrad.utils.checkpoint import CheckpointError, checkpoint

F64, C128 = rg.float64, rg.complex128
ONES = rg.ones(2, 3, dtype=F64)


def test_complex_numbers():
    cube = lambda z: z * z * z
    z = rg.tensor([1 + 2j], dtype=C128)
    f = lambda z: checkpoint(cube, z)
    assert func.jvp(f, (z,), (z,))[1].tolist() == func.jvp(cube, (z,), (z,))[1].tolist()
    size = lambda f: lambda z: f(z).abs().sum()
    assert func.grad(size(f))(z).tolist() == func.grad(size(cube))(z).tolist()


def test_real_and_complex_arguments_together():
    f = lambda x, z: (x * z * z).abs().sum()
    x, z = rg.tensor([2.0], dtype=F64), rg.tensor([1 + 2j], dtype=C128)
    found = func.grad(lambda x, z: checkpoint(f, x, z), argnums=(0, 1))(x, z)
    wanted = func.grad(f, argnums=(0, 1))(x, z)
    assert [g.tolist() for g in found] == [g.tolist() for g in wanted]


@pytest.mark.parametrize("write", [lambda y: y.mul_(3), lambda y: y[:1].zero_()], ids=["all", "part"])
@pytest.mark.parametrize(
    "transform", [func.grad, func.vmap, lambda f: lambda x: func.jvp(f, (x,), (x,))], ids=["grad", "vmap", "jvp"]
)
def test_writing_to_an_argument_is_refused(transform, write):
    def f(x):
        y = x.clone()
        checkpoint(write, y)
        return y.sum()

    with pytest.raises(CheckpointError, match=r"checkpoint: the function changes an argument in place, .* clone\(\)"):
        transform(f)(ONES)


def test_writing_to_a_clone_is_not():
    f = lambda x: checkpoint(lambda x: x.clone().mul_(x), x).sum()
    assert func.grad(f)(ONES).tolist() == (2 * ONES).tolist()


def test_results_that_are_no_tensors():
    f = lambda x: checkpoint(lambda x: (x.sin(), x > 0, 3, None), x)
    x = rg.tensor([1.0, -2.0], dtype=F64)
    assert func.vjp(lambda x: f(x)[0], x)[1](x * 0 + 1)[0].tolist() == x.cos().tolist()
    assert func.jvp(lambda x: f(x)[0], (x,), (x * 0 + 1,))[1].tolist() == x.cos().tolist()
    seen = []
    assert func.vmap(lambda x: seen.append(f(x)) or seen[0][1])(x).tolist() == [True, False]
    assert seen[0][2:] == (3, None)
    with pytest.raises(TypeError, match=r"checkpoint: .* must return a tensor"):
        func.grad(lambda x: checkpoint(lambda x: 3, x) * x)(x[0])


def reverse(f, x):
    y, pull = func.vjp(f, x)
    return y, pull(rg.ones_like(x))[0]


def forward(f, x):
    return func.jvp(f, (x,), (rg.ones_like(x),))


@pytest.mark.filterwarnings("ignore:.*lane by lane")
@pytest.mark.parametrize("factor", [lambda x: 2.0, lambda x: float(x.sum().item() > 0)], ids=["together", "apart"])
@pytest.mark.parametrize("mode", [reverse, forward])
@pytest.mark.parametrize("lanes", ["none", "inside", "outside"])
def test_random_numbers_are_those_of_the_first_run(lanes, mode, factor):
    f = lambda x: checkpoint(lambda x: x * rg.rand(3, dtype=F64) * factor(x), x)
    rg.manual_seed(3)
    if lanes == "outside":
        y, slope = func.vmap(lambda x: mode(f, x), randomness="same")(ONES)
    else:
        y, slope = mode(func.vmap(f, randomness="same") if lanes == "inside" else f, ONES)
    assert slope.tolist() == y.tolist()
    after = rg.rand(1).item()
    rg.manual_seed(3)
    rg.rand(3, dtype=F64)
    # The second run does not move the generator.
    assert lanes != "none" or after == rg.rand(1).item()


def test_each_further_run_has_a_second_context():
    entered = []

    @contextlib.contextmanager
    def note(name):
        entered.append(name)
        yield

    f = lambda x: checkpoint(rg.sin, x, context_fn=lambda: (note("first"), note("again")))
    func.hessian(lambda x: f(x).sum())(ONES[0])
    assert entered[0] == "first" and set(entered[1:]) == {"again"}


KEEPS = pytest.mark.filterwarnings("ignore:checkpoint. inside of a func transform")
POINT = rg.tensor([0.3, -0.7], dtype=F64)
ROWS = rg.stack([POINT, 2 * POINT])
TRANSFORMS = {
    "grad": lambda f: func.grad(lambda x: f(x).sum())(POINT),
    "hessian": lambda f: func.hessian(lambda x: f(x).sum())(POINT),
    "jacrev": lambda f: func.jacrev(f)(POINT),
    "jacfwd": lambda f: func.jacfwd(f)(POINT),
    "jvp": lambda f: sum(func.jvp(f, (POINT,), (POINT,))),
    "vjp": lambda f: func.vjp(f, POINT)[1](POINT)[0],
    "vmap": lambda f: func.vmap(f)(ROWS),
    "vmap(grad)": lambda f: func.vmap(func.grad(lambda x: f(x).sum()))(ROWS),
    "grad(vmap)": lambda f: func.grad(lambda xs: func.vmap(f)(xs).sum())(ROWS),
}


class Layer:
    """Holds its weight where checkpoints do not look."""

    def __init__(self, w):
        self.w = w

    def __call__(self, x):
        return product(x, self.w)


def product(x, w):
    return (x * w).sin() * x * w


def recursive(w):
    def f(x, deep=True):
        return f(x, False) if deep else product(x, w)

    return f


def writing(w):
    last = w

    def f(x):
        nonlocal last
        result, last = product(x, last), last * 1
        return result

    return f


def growing(w):
    seen = [w]
    return lambda x: seen.append(x.sum()) or product(x, seen[0])


def nested(w, depth):
    f = functools.partial(product, w=w)
    for _ in range(depth):
        f = (lambda f: lambda x: f(x))(f)
    return f


#: How a function comes to a weight; and whether a checkpoint finds it there.
WAYS = {
    "closure": (lambda w: lambda x: product(x, w), True),
    "inner function": (lambda w: (lambda f: lambda x: f(x) * 1)(lambda x: product(x, w)), True),
    "default": (lambda w: lambda x, w=w: product(x, w), True),
    "named default": (lambda w: lambda x, *, w=w: product(x, w), True),
    "partial": (lambda w: functools.partial(product, w=w), True),
    "dict": (lambda w: (lambda weights: lambda x: product(x, weights["w"]))({"w": w}), True),
    "tuple in list": (lambda w: (lambda weights: lambda x: product(x, weights[0][1]))([(1, w)]), True),
    "twice": (lambda w: (lambda v: lambda x: product(x, w) + product(x, v))(w), True),
    "some functions": (lambda w: nested(w, 10), True),
    "many functions": (lambda w: nested(w, 300), False),
    "attribute": (Layer, False),
    "recursion": (recursive, False),
    "nonlocal": (writing, False),
    "growing list": (growing, False),
}


@KEEPS
@pytest.mark.parametrize("outside", ["requires_grad", "grad", "vmap"])
@pytest.mark.parametrize("way", WAYS)
def test_where_captured_tensors_are_found(way, outside):
    make, found = WAYS[way]
    runs = []

    def inside(w, wrap):
        f = make(w)
        y, pull = func.vjp(lambda x: wrap(lambda x: runs.append(0) or f(x))(x), POINT)
        runs.clear()
        return (y * pull(POINT)[0]).sum()

    def slope(wrap):
        w = rg.tensor([1.3, 2.0], dtype=F64)
        if outside == "vmap":
            return func.vmap(lambda w: inside(w, wrap))(rg.stack([w, w + 1]))
        if outside == "grad":
            return func.grad(lambda w: inside(w, wrap))(w)
        return rg.autograd.grad(inside(w.requires_grad_(), wrap), w)[0]

    checkpointed = slope(lambda f: lambda x: checkpoint(f, x))
    # Lanes that outlast the sweep need not be found.
    assert bool(runs) == (found or (outside == "vmap" and way in ("attribute", "recursion", "many functions")))
    assert checkpointed.tolist() == pytest.approx(slope(lambda f: f).tolist())


@KEEPS
@pytest.mark.parametrize("outside", ["requires_grad", "grad", "jvp"])
@pytest.mark.parametrize("kind", ["closure", "attribute"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_captured_tensors_have_their_derivatives(name, kind, outside):
    def slope(w, wrap):
        inside = lambda w: TRANSFORMS[name](wrap(WAYS[kind][0](w))).sum()
        if outside == "grad":
            return func.grad(inside)(w)
        if outside == "jvp":
            return func.jvp(inside, (w,), (w,))[1]
        w = w.clone().requires_grad_()
        return rg.autograd.grad(inside(w), w)[0]

    w = rg.tensor([1.3, 2.0], dtype=F64)
    checkpointed = lambda f: lambda x: checkpoint(f, x)
    assert slope(w, checkpointed).tolist() == pytest.approx(slope(w, lambda f: f).tolist(), rel=1e-12)


@KEEPS
def test_captured_lanes_that_end_before_the_sweep():
    def slope(wrap):
        lane = lambda x: lambda v: wrap(lambda x: (x * v).sin().sum())(x)
        inside = lambda v: lambda x: func.jvp(lambda x: lane(x)(v), (x,), (x.detach(),))[1]
        plain = func.grad(lambda x: func.vmap(lane(x))(POINT).sum())(POINT)
        within = func.vmap(lambda v: func.grad(lambda x: lane(x)(v))(POINT))(POINT)
        return [plain, within, func.grad(lambda x: func.vmap(lambda v: inside(v)(x))(POINT).sum())(POINT)]

    checkpointed = lambda f: lambda x: checkpoint(f, x)
    assert [g.tolist() for g in slope(checkpointed)] == [g.tolist() for g in slope(lambda f: f)]


@KEEPS
@pytest.mark.parametrize("watched", [False, True])
def test_captured_tensors_alone_are_followed(watched):
    x = rg.tensor(2.0, requires_grad=watched)
    y = func.grad(lambda w: checkpoint(lambda x: x * w * w, x))(rg.tensor(3.0))
    assert y.item() == 12.0
    assert not watched or rg.autograd.grad(y, x)[0].item() == 6.0


def test_captured_tensors_are_told_of():
    layer = Layer(rg.tensor(3.0, requires_grad=True))
    with pytest.warns(UserWarning, match=r"checkpoint: .* not an argument, .* pass that tensor as an argument"):
        func.grad(lambda x: checkpoint(layer, x))(rg.tensor(2.0))


@KEEPS
def test_captured_tensors_and_random_numbers():
    w = rg.ones(3, dtype=F64).requires_grad_()
    f = lambda x: checkpoint(lambda x: x * w * rg.rand(3, dtype=F64), x)
    rg.manual_seed(3)
    y, pull = func.vjp(f, ONES[0])
    after = rg.rand(1).item()
    assert pull(ONES[0])[0].tolist() == y.tolist()
    rg.manual_seed(3)
    assert rg.rand(3, dtype=F64).tolist() == y.tolist() and rg.rand(1).item() == after


def test_captured_tensors_beside_writing_outside():
    layer, count = Layer(rg.tensor(3.0, requires_grad=True)), rg.tensor(0.0)
    body = lambda x: count.add_(1) * layer(x)
    with pytest.raises(CheckpointError, match=r"checkpoint: .* writes to a tensor from outside .* clone\(\)"):
        func.grad(lambda x: checkpoint(body, x))(rg.tensor(2.0))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_writing_outside_is_noticed_if_it_shows(name):
    count = rg.tensor(0.0)
    found = TRANSFORMS[name](lambda x: checkpoint(lambda x: count.add_(1) * 0 + x.sin(), x))
    assert found.tolist() == TRANSFORMS[name](rg.sin).tolist()
    if name == "vmap":
        return
    with pytest.raises((CheckpointError, RuntimeError), match=r"checkpoint: the second run gave other|from outside in"):
        TRANSFORMS[name](lambda x: checkpoint(lambda x: count.add_(1) * x.sin(), x))


@KEEPS
@pytest.mark.parametrize("name", ["grad", "hessian", "vmap(grad)"])
@pytest.mark.parametrize("argument", [False, True])
def test_hooks_inside_of_a_checkpoint(name, argument):
    def body(x):
        y = x if argument else x.sin()
        y.register_hook(lambda g: 3 * g)
        return y * y

    found = TRANSFORMS[name](lambda x: checkpoint(body, x.clone()))
    assert found.tolist() == TRANSFORMS[name](lambda x: body(x.clone())).tolist()
    factor = 3 if argument else 3 * POINT.cos()
    if name == "grad":
        assert found.tolist() == pytest.approx((factor * 2 * (POINT if argument else POINT.sin())).tolist())


def test_captured_tensors_without_anything_to_keep():
    f = lambda w: checkpoint(lambda x: x * w, rg.tensor(2.0))
    assert func.vmap(f)(rg.tensor([3.0, 4.0])).tolist() == [6.0, 8.0]
    assert func.jvp(f, (rg.tensor(3.0),), (rg.tensor(1.0),))[1].item() == 2.0


@pytest.mark.parametrize("watched", [False, True])
def test_transforms_inside_of_a_checkpoint(watched):
    f = lambda x: func.hessian(lambda x: (x**4).sum())(x).diagonal()
    x = rg.tensor([1.0, 2.0], dtype=F64, requires_grad=watched)
    y = checkpoint(f, x)
    assert y.tolist() == [12.0, 48.0]
    if watched:
        (slope,) = rg.autograd.grad(y.sum(), x, create_graph=True)
        assert slope.tolist() == [24.0, 48.0]
        assert rg.autograd.grad(slope.sum(), x)[0].tolist() == [24.0, 24.0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_batched_sweeps(create_graph):
    w = rg.tensor([1.3, 2.0], dtype=F64, requires_grad=True)
    x = POINT.clone().requires_grad_()
    units, body = rg.eye(2, dtype=F64), lambda x: (x * w).sin() * x * rg.rand(2, dtype=F64)
    rg.manual_seed(0)
    y = checkpoint(body, x)
    found = rg.autograd.grad(y, (x, w), units, is_grads_batched=True, create_graph=create_graph)
    rg.manual_seed(0)
    wanted = rg.autograd.grad(body(x), (x, w), units, is_grads_batched=True)
    assert [g.tolist() for g in found] == [g.tolist() for g in wanted]


def test_sweeps_inside_of_vmap():
    def slope(scale, f):
        x = POINT.clone().requires_grad_()
        return rg.autograd.grad((f(x) * scale).sum(), x)[0]

    body = lambda x: x.sin() * x
    found = func.vmap(lambda s: slope(s, lambda x: checkpoint(body, x)))(ROWS)
    assert found.tolist() == func.vmap(lambda s: slope(s, body))(ROWS).tolist()


def test_batched_sweeps_notice_what_changed():
    x, calls = POINT.clone().requires_grad_(), []
    f = lambda x: calls.append(x) or (x * x).sin() if not calls else x.sin()
    with pytest.raises(CheckpointError, match="same both times"):
        rg.autograd.grad(checkpoint(f, x), x, rg.eye(2, dtype=F64), is_grads_batched=True)


def test_results_that_no_transform_follows_are_computed_again():
    calls, ys = [], []
    body = lambda x: calls.append(x) or x.exp().sin()
    x = POINT.clone().requires_grad_()
    func.vmap(lambda v: ys.append(checkpoint(body, x)) or v)(POINT)
    assert rg.autograd.grad(ys[0].sum(), x)[0].tolist() == (x.exp() * x.exp().cos()).tolist()
    assert len(calls) == 2
