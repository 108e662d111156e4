"""Hooks on tensors and on graph nodes: what they see, what they may change, in which order, and how they go."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import rustgrad as rg
from rustgrad.autograd.graph import saved_tensors_hooks
from rustgrad.utils.checkpoint import checkpoint


def leaf(*numbers: float):
    values = numbers[0] if len(numbers) == 1 else list(numbers)
    return rg.tensor(values, dtype=rg.float64, requires_grad=True)


def same(tensor, wanted):
    np.testing.assert_allclose(tensor.detach().numpy(), wanted, rtol=1e-12)


def test_a_hook_sees_the_gradient():
    x = leaf(2.0)
    y = x * x
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 3).backward()
    assert seen == [3.0]
    same(x.grad, 12.0)


def test_a_hook_replaces_the_gradient():
    x = leaf(2.0)
    y = x * x
    y.register_hook(lambda g: g * 10)
    y.backward()
    same(x.grad, 40.0)


def test_a_hook_of_a_leaf_runs_before_accumulation():
    x = leaf(2.0)
    x.register_hook(lambda g: g + 100)
    (x * 3).backward()
    same(x.grad, 103.0)
    (x * 3).backward()
    same(x.grad, 206.0)


def test_a_hook_sees_the_whole_gradient_once():
    x = leaf(2.0)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 3 + y * 4 + y).backward()
    assert seen == [8.0]


def test_hooks_run_in_order_of_registration():
    x = leaf(1.0)
    x.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: g + 1)
    x.backward()
    same(x.grad, 3.0)


def test_handles_remove_and_are_context_managers():
    x = leaf(1.0)
    handle = x.register_hook(lambda g: g * 10)
    handle.remove()
    handle.remove()
    x.backward()
    same(x.grad, 1.0)
    x.grad = None
    with x.register_hook(lambda g: g * 10):
        x.backward()
    same(x.grad, 10.0)
    x.grad = None
    x.backward()
    same(x.grad, 1.0)


def test_hooks_run_in_autograd_grad():
    x = leaf(2.0)
    x.register_hook(lambda g: g * 2)
    same(rg.autograd.grad(x * 5, x)[0], 10.0)


def test_hooks_take_part_in_higher_derivatives():
    x = leaf(2.0)
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = rg.autograd.grad(y, x, create_graph=True)
    same(g, 8.0)  # x * 2x
    same(rg.autograd.grad(g, x)[0], 8.0)


def test_a_hook_after_accumulation():
    x = leaf(2.0)
    seen = []
    handle = x.register_post_accumulate_grad_hook(lambda t: seen.append((t is x, t.grad.item())))
    (x * 3).backward()
    (x * 3).backward()
    assert seen == [(True, 3.0), (True, 6.0)]
    handle.remove()
    x.backward()
    assert len(seen) == 2
    with pytest.raises(RuntimeError, match=r"(?i)leaf"):
        (x * 2).register_post_accumulate_grad_hook(lambda t: None)


def test_an_optimizer_inside_the_sweep():
    x = leaf(2.0)

    def step(t):
        with rg.no_grad():
            t.sub_(t.grad * 0.1)
        t.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * x).backward()
    same(x, 1.6)
    assert x.grad is None


def test_an_exception_in_a_hook_comes_out():
    x = leaf(2.0)

    def fail(g):
        raise KeyError("from the hook")

    x.register_hook(fail)
    with pytest.raises(KeyError, match="from the hook"):
        (x * x).backward()
    assert rg.is_grad_enabled()
    y = leaf(3.0)
    (y * y).backward()
    same(y.grad, 6.0)


@pytest.mark.parametrize("wrong", [lambda g: 1.0, lambda g: rg.ones(7, dtype=rg.float64)], ids=["number", "shape"])
def test_a_hook_must_return_a_fitting_gradient(wrong):
    x = leaf(1.0, 2.0)
    y = x * x
    y.register_hook(wrong)
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        y.sum().backward()


def test_hooks_need_a_gradient_to_come():
    with pytest.raises(RuntimeError, match="require"):
        rg.ones(2).register_hook(lambda g: g)


def test_hooks_of_nodes():
    x = leaf(2.0)
    y = x * 3
    seen = []
    handle = y.grad_fn.register_hook(
        lambda grad_inputs, grad_outputs: seen.append((len(grad_inputs), grad_outputs[0].item()))
    )
    y.backward()
    assert len(seen) == 1 and seen[0][1] == 1.0
    handle.remove()


def test_a_backward_inside_a_hook():
    x, z = leaf(2.0), leaf(5.0)

    def hook(g):
        with rg.enable_grad():
            (z * z).backward()

    x.register_hook(hook)
    (x * x).backward()
    same(x.grad, 4.0)
    same(z.grad, 10.0)


def test_removing_a_hook_frees_what_it_held():
    class Marker:
        pass

    marker = Marker()
    ref = weakref.ref(marker)
    x = leaf(2.0)
    handle = x.register_hook(lambda g, marker=marker: None)
    handle.remove()
    del marker
    gc.collect()
    assert ref() is None


@pytest.mark.parametrize("inside", [False, True], ids=["hooks", "checkpoint"])
def test_a_transform_of_what_requires_a_gradient_keeps_that_history(inside):
    slope = rg.func.grad(lambda x: (x.sin() * x).sum())
    x = rg.tensor([0.3, -0.7], dtype=rg.float64, requires_grad=True)

    def found():
        if inside:
            return checkpoint(slope, x)
        with saved_tensors_hooks(lambda t: t, lambda t: t):
            return slope(x)

    found().sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.cos([0.3, -0.7]) - [0.3, -0.7] * np.sin([0.3, -0.7]), rtol=1e-12)
    with rg.no_grad():
        assert found().tolist() == slope(x).tolist()


def test_hooks_that_lose_a_history_are_refused():
    slope = rg.func.grad(lambda x: (x.sin() * x).sum())
    x = leaf(0.3)
    numbers = lambda array: rg.tensor(array)
    with (
        saved_tensors_hooks(lambda t: t.detach().numpy().copy(), numbers),
        pytest.raises(RuntimeError, match=r"saved_tensors_hooks: .* without that history; detach\(\)"),
    ):
        slope(x)


@pytest.mark.parametrize(("given", "error", "sentence"), [
    (lambda gi, go: gi[0] * 5, TypeError, "a node hook returns a tuple of gradients"),
    (lambda gi, go: (gi[0][:2], gi[1]), ValueError, r"returned a gradient of shape \[2\] for one of shape \[3\]"),
    (lambda gi, go: (gi[0] * 5,), RuntimeError, "returned 1 gradients for 2"),
])  # fmt: skip
def test_what_a_node_hook_returns_is_checked(given, error, sentence):
    x, z = rg.ones(3, requires_grad=True), rg.ones(3, requires_grad=True)
    y = x * z
    y.grad_fn.register_hook(given)
    with pytest.raises(error, match=sentence):
        y.sum().backward()


def test_hooks_of_a_leaf_see_what_arrived():
    seen = []
    x = rg.tensor([3.0], requires_grad=True)
    y = x * 2
    y.grad_fn.next_functions[0][0].register_hook(lambda inputs, outputs: seen.append((inputs, outputs)))
    y.sum().backward()
    assert [(i, o[0].tolist()) for i, o in seen] == [((), [2.0])] and x.grad.tolist() == [2.0]


@pytest.mark.parametrize("n", [3, 5000])
def test_a_hook_that_overwrites_a_shared_gradient_is_refused(n):
    """`y + w` hands one cotangent to both; what a product makes belongs to its tensor alone."""
    x, w, ones = rg.ones(n, requires_grad=True), rg.ones(n, requires_grad=True), rg.ones(n)

    def spoiled(register):
        y = x * 1.0
        register(y)
        return (y + w).mul(2.0)

    for register in (
        lambda y: y.register_hook(lambda g: g.mul_(10.0)),
        lambda y: y.register_hook(lambda g: g[:].zero_().clone()),
        lambda y: y.grad_fn.register_prehook(lambda gs: (gs[0].mul_(10.0),)),
    ):
        with pytest.raises(RuntimeError, match=r"hook: changes in place .*clone\(\)"):
            spoiled(register).backward(ones)
    x.grad = w.grad = None
    y = x * 1.0
    y.register_hook(lambda g: g.mul_(10.0))
    (y * w).backward(ones.clone())
    assert x.grad[0] == 10 and w.grad[0] == 1
    x.grad = None
    x.register_hook(lambda g: g.clamp_(max=0.5))
    (x * w).backward(ones.clone())
    assert x.grad[0] == 0.5
