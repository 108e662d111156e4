"""`autograd.grad` by tensors that a func transform follows: numbers as PyTorch 2.13 gives them, at every nesting."""

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import func
from rustgrad.autograd import grad

F64 = rg.float64


def x():
    return rg.tensor([1.0, 2.0], dtype=F64)


def slope(a, **options):
    return grad((a**3).sum(), a, create_graph=True, **options)[0]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (lambda: func.grad(lambda a: slope(a).sum())(x()), [6.0, 12.0]),
        (lambda: func.grad(lambda a: grad((a**3).sum(), a)[0].sum())(x()), [0.0, 0.0]),
        (lambda: func.grad(lambda a: (grad((a**3).sum(), a)[0] * a).sum())(x()), [3.0, 12.0]),
        (lambda: func.grad(lambda a: slope(a * 2.0).sum())(x()), [24.0, 48.0]),
        (lambda: func.vmap(func.grad(lambda a: slope(a).sum()))(x()), [6.0, 12.0]),
        (lambda: func.jacrev(slope)(x()), [[6.0, 0.0], [0.0, 12.0]]),
        (lambda: func.hessian(lambda a: slope(a).sum())(x()), [[6.0, 0.0], [0.0, 6.0]]),
        (lambda: func.vjp(slope, x())[1](rg.ones(2, dtype=F64))[0], [6.0, 12.0]),
        (lambda: func.grad(func.grad(lambda a: slope(a)))(rg.tensor(2.0, dtype=F64)), 6.0),
        (lambda: func.jvp(func.grad(lambda a: slope(a).sum()), (x(),), (x(),))[1], [6.0, 12.0]),
        (lambda: func.grad(lambda a: slope(a)[0] * grad(a.prod(), a, create_graph=True)[0][1])(x()), [9.0, 0.0]),
    ],
)
def test_as_pytorch(of, expected):
    np.testing.assert_allclose(of().numpy(), expected, rtol=1e-12)


def test_large_arrays_take_the_same_way():
    many = rg.linspace(0.5, 1.5, 5000, dtype=F64)
    found = func.grad(lambda a: (grad((a / (a + 1.0)).sum(), a, create_graph=True)[0] * a).sum())(many).numpy()
    v = many.numpy() + 1
    np.testing.assert_allclose(found, 1 / v**2 - 2 * many.numpy() / v**3, rtol=1e-10)


def test_tensors_outside_of_the_transform_keep_their_history():
    w = rg.tensor([3.0, 4.0], dtype=F64, requires_grad=True)
    by_a = func.grad(lambda a: grad((a**3 * w).sum(), a, create_graph=True)[0].sum())(x())
    np.testing.assert_allclose(grad(by_a.sum(), w)[0].numpy(), [6.0, 12.0])


def test_an_outer_transform_is_reached_from_inside_of_an_inner_one():
    def f(a):
        return func.grad(lambda b: (b * b * slope(a)).sum())(x()).sum()

    np.testing.assert_allclose(func.grad(f)(x()).numpy(), [12.0, 48.0])  # ∂/∂a of Σ 2 b 3 a² at a = b = x


def test_recording_is_on_as_create_graph_says():
    def f(a):
        y = (a**3).sum()
        with rg.no_grad():
            (by_a,) = grad(y, a, create_graph=True)
        return by_a.sum()

    np.testing.assert_allclose(func.grad(f)(x()).numpy(), [6.0, 12.0])


def test_unused_inputs():
    def f(a):
        b = a * 2.0
        assert grad((a * a).sum(), b, allow_unused=True) == (None,)
        zeros = grad((a * a).sum(), b, materialize_grads=True)[0]
        with pytest.raises(RuntimeError, match="grad: input 0 was not used"):
            grad((a * a).sum(), b)
        return (a + zeros).sum()

    assert func.grad(f)(x()).tolist() == [1.0, 1.0]


def test_graphs_are_released():
    def f(a):
        y = (a * a).sum()
        grad(y, a)
        with pytest.raises(RuntimeError, match="a second time"):
            grad(y, a)
        return a.sum()

    assert func.grad(f)(x()).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("inside", "sentence"),
    [
        (lambda a: grad(x().sum(), a), r"grad: output 0, of shape \[\], does not belong to the func\.vjp"),
        (lambda a: grad((a**3).sum(), [a, leaf()]), r"grad: input 1, of shape \[2\], does not belong"),
        (lambda a: grad(a**3, a, rg.eye(2, dtype=F64), is_grads_batched=True), r"use func\.vmap over grad_outputs"),
        (lambda a: grad(a**3, a), r"grad: an output of shape \[2\] is not a single number"),
        (lambda a: func.vmap(lambda b: grad((a * b).sum(), a)[0])(x()), r"held by func\.vmap, which was entered later"),
        (lambda a: (a**2).sum().backward(), r"backward: the output .* is followed by a func transform"),
    ],
)
def test_what_is_refused(inside, sentence):
    with pytest.raises(RuntimeError, match=sentence):
        func.grad(lambda a: (inside(a), a.sum())[1])(x())


def leaf():
    return x().requires_grad_()


@pytest.mark.parametrize("transform", [lambda f: func.jvp(f, (x(),), (x(),)), lambda f: func.vmap(f)(x())])
def test_lanes_and_duals_alone_are_followed_by_no_tape(transform):
    with pytest.raises(RuntimeError, match=r"grad: input 0 is followed by a func transform.*use func\.grad"):
        transform(lambda a: grad((a**3).sum(), a)[0].sum())
