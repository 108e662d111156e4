"""Checkpoints inside func transforms, and the other way round: derivatives of the plain function, or errors."""

from __future__ import annotations

import contextlib

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


@pytest.mark.parametrize("watched", [False, True])
def test_captured_tensors_are_named(watched):
    f = lambda w: checkpoint(lambda x: x * w, rg.tensor(2.0, requires_grad=watched))
    with pytest.raises(RuntimeError, match=r"checkpoint: .* not an argument"):
        func.grad(f)(rg.tensor(3.0))


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


def test_batched_sweeps_say_how():
    x = rg.tensor([0.3, -0.7], dtype=F64, requires_grad=True)
    rows = lambda f, **how: rg.autograd.grad(f(x), x, rg.eye(2, dtype=F64), is_grads_batched=True, **how)[0].tolist()
    f = lambda x: checkpoint(lambda x: x.sin() * x, x)
    with pytest.raises(RuntimeError, match=r"checkpoint: .* batched sweep .* create_graph=True"):
        rows(f)
    assert rows(f, create_graph=True) == rows(lambda x: x.sin() * x)
