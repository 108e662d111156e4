"""Reverse mode as a user meets it: leaves, accumulation, retained and created graphs, the graph itself."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import rustgrad as rg


def leaf(*numbers: float):
    values = numbers[0] if len(numbers) == 1 else list(numbers)
    return rg.tensor(values, dtype=rg.float64, requires_grad=True)


def same(tensor, wanted):
    np.testing.assert_allclose(tensor.detach().numpy(), wanted, rtol=1e-12)


def test_the_classic_example():
    x, y = rg.tensor(2.0, requires_grad=True), rg.tensor(3.0, requires_grad=True)
    z = x * y + y**2
    z.backward()
    assert (x.grad.item(), y.grad.item()) == (3.0, 8.0)
    assert x.grad.dtype == x.dtype and not x.grad.requires_grad


def test_leaves():
    x = leaf(1.0, 2.0)
    y = x * 2
    assert x.is_leaf and x.requires_grad and x.grad_fn is None and x.grad is None
    assert not y.is_leaf and y.requires_grad and y.grad_fn is not None
    z = rg.ones(2)
    assert z.is_leaf and not z.requires_grad
    assert (z * 2).is_leaf and (z * 2).grad_fn is None
    assert z.requires_grad_() is z and z.requires_grad
    z.requires_grad = False
    assert not z.requires_grad


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
def test_only_floats_require_gradients(dtype):
    with pytest.raises(RuntimeError, match=r"(?i)float"):
        rg.tensor([1, 0], dtype=getattr(rg, dtype)).requires_grad_()
    with pytest.raises(RuntimeError, match=r"(?i)float"):
        rg.tensor([1, 0], dtype=getattr(rg, dtype), requires_grad=True)


def test_requires_grad_of_a_result_cannot_be_switched_off():
    y = leaf(1.0) * 2
    with pytest.raises(RuntimeError, match=r"(?i)leaf|detach"):
        y.requires_grad = False


def test_gradients_accumulate():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    (x * 3).sum().backward()
    same(x.grad, [5.0, 7.0])
    x.grad.zero_()
    (x * x).sum().backward()
    same(x.grad, [2.0, 4.0])
    x.grad = None
    x.sum().backward()
    same(x.grad, [1.0, 1.0])


def test_grad_is_assignable_and_checked():
    x = leaf(1.0, 2.0)
    x.grad = rg.tensor([5.0, 6.0], dtype=rg.float64)
    x.sum().backward()
    same(x.grad, [6.0, 7.0])
    for wrong in (rg.ones(3, dtype=rg.float64), rg.ones(2, dtype=rg.float32), 1.0):
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            x.grad = wrong


def test_a_tensor_used_many_times():
    x = leaf(3.0)
    y = x
    for _ in range(5):
        y = y * x + x
    y.backward()
    # y = x^6 + x^5 + x^4 + x^3 + x^2 + x
    same(x.grad, sum((k + 1) * 3.0**k for k in range(6)))


def test_the_same_tensor_twice_in_one_op():
    x = leaf(3.0)
    rg.autograd.backward(x * x)
    same(x.grad, 6.0)


def test_backward_with_a_gradient():
    x = leaf(1.0, 2.0)
    (x**2).backward(rg.tensor([1.0, 10.0], dtype=rg.float64))
    same(x.grad, [2.0, 40.0])
    x.grad = None
    (x**2).backward(gradient=rg.tensor([1.0, 1.0], dtype=rg.float64))
    same(x.grad, [2.0, 4.0])


def test_backward_of_one_element_needs_no_gradient():
    x = leaf(1.0, 2.0)
    (x * x).sum(dim=0, keepdim=True).backward()
    same(x.grad, [2.0, 4.0])


def test_backward_of_several_outputs_at_once():
    x = leaf(2.0)
    rg.autograd.backward([x * 2, x**3], [rg.tensor(1.0, dtype=rg.float64), rg.tensor(10.0, dtype=rg.float64)])
    same(x.grad, 122.0)
    x.grad = None
    y = x * x
    rg.autograd.backward((y, y * 3))
    same(x.grad, 16.0)


def test_backward_into_chosen_inputs():
    x, y = leaf(2.0), leaf(3.0)
    z = x * y
    (z * z).backward(inputs=[x])
    same(x.grad, 36.0)
    assert y.grad is None
    z = x * y
    w = z * z
    w.backward(inputs=[z])
    same(z.grad, 12.0)


def test_grad_leaves_no_trace():
    x, y = leaf(2.0), leaf(3.0)
    gx, gy = rg.autograd.grad(x * y, (x, y))
    same(gx, 3.0)
    same(gy, 2.0)
    assert x.grad is None and y.grad is None and not gx.requires_grad


def test_grad_with_respect_to_an_intermediate():
    x = leaf(2.0)
    y = x * x
    z = y**3
    gy, gx = rg.autograd.grad(z, [y, x])
    same(gy, 48.0)
    same(gx, 192.0)
    (one,) = rg.autograd.grad(x * 2, x)
    same(one, 2.0)


def test_grad_of_an_output_by_itself():
    x = leaf(2.0)
    (g,) = rg.autograd.grad(x, x)
    same(g, 1.0)
    y = x * 2
    (g,) = rg.autograd.grad(y, y, rg.tensor(5.0, dtype=rg.float64))
    same(g, 5.0)


def test_unused_inputs():
    x, y = leaf(2.0), leaf(3.0)
    with pytest.raises(RuntimeError, match=r"(?i)unused|not.*used"):
        rg.autograd.grad(x * 2, [x, y])
    gx, gy = rg.autograd.grad(x * 2, [x, y], allow_unused=True)
    same(gx, 2.0)
    assert gy is None
    gx, gy = rg.autograd.grad(x * 2, [x, y], materialize_grads=True)
    same(gy, 0.0)


def test_retain_graph():
    x = leaf(2.0)
    y = x.exp()
    y.backward(retain_graph=True)
    y.backward()
    same(x.grad, 2 * np.exp(2.0))
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward()


def test_parts_of_a_graph_that_saved_nothing_may_be_swept_twice():
    x = leaf(2.0)
    y = x + 1
    y.backward()
    y.backward()
    same(x.grad, 2.0)


def test_create_graph_and_higher_derivatives():
    x = leaf(2.0)
    y = x**5
    wanted = [5 * 2.0**4, 20 * 2.0**3, 60 * 2.0**2, 120 * 2.0, 120.0, 0.0]
    for value in wanted:
        (y,) = rg.autograd.grad(y, x, create_graph=True, materialize_grads=True)
        same(y, value)


def test_double_backward_into_grad():
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad
    g = x.grad
    x.grad = None
    g.backward()
    same(x.grad, 18.0)


def test_gradient_penalty():
    w = leaf(1.0, -2.0)
    x = rg.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=rg.float64, requires_grad=True)
    out = rg.tanh(x @ w).sum()
    (gx,) = rg.autograd.grad(out, x, create_graph=True)
    (gx**2).sum().backward()

    def penalty(v):
        slope = 1 - np.tanh(np.array([[1.0, 2.0], [3.0, 4.0]]) @ v) ** 2
        return (slope[:, None] * v) ** 2

    step = 1e-6
    wanted = [(penalty(np.array([1.0, -2.0]) + d).sum() - penalty(np.array([1.0, -2.0]) - d).sum()) / 2e-6
              for d in (np.array([step, 0]), np.array([0, step]))]  # fmt: skip
    np.testing.assert_allclose(w.grad.numpy(), wanted, rtol=1e-6)


def test_a_hessian_by_rows():
    x = leaf(1.0, 2.0, 3.0)
    (g,) = rg.autograd.grad((x.prod() + (x**2).sum()), x, create_graph=True)
    rows = [rg.autograd.grad(g[i], x, retain_graph=True)[0].numpy() for i in range(3)]
    np.testing.assert_allclose(rows, [[2, 3, 2], [3, 2, 1], [2, 1, 2]])


def test_detach():
    x = leaf(2.0)
    y = x * x
    d = y.detach()
    assert not d.requires_grad and d.is_leaf and d.data_ptr() == y.data_ptr()
    (d * x).backward()
    same(x.grad, 4.0)
    z = x * x
    z.detach_()
    assert not z.requires_grad and z.grad_fn is None


def test_detach_shares_memory_and_version():
    x = leaf(2.0)
    y = x.exp()
    y.detach().fill_(0.0)
    with pytest.raises(RuntimeError):
        y.backward()


def test_retain_grad():
    x = leaf(2.0)
    y = x * x
    assert not y.retains_grad
    y.retain_grad()
    assert y.retains_grad
    (y * 3).backward()
    same(y.grad, 3.0)
    same(x.grad, 12.0)
    x.retain_grad()  # nothing to do for a leaf
    with pytest.raises(RuntimeError):
        rg.ones(2).retain_grad()


def test_graph_can_be_walked():
    x = leaf(2.0)
    y = x * 2
    z = y.sin()
    assert "sin" in z.grad_fn.name().lower() and "backward" in z.grad_fn.name().lower()
    ((previous, number),) = z.grad_fn.next_functions
    assert number == 0 and "mul" in previous.name().lower() and previous == y.grad_fn
    ((accumulate, _), *_rest) = previous.next_functions
    assert "accumulate" in accumulate.name().lower()


def test_two_inputs_are_two_edges():
    x, y = leaf(1.0), leaf(2.0)
    assert len((x * y).grad_fn.next_functions) == 2
    names = [f.name() if f else None for f, _ in (x * rg.ones(1)).grad_fn.next_functions]
    assert names[1] is None, "an operand without gradient has no edge"


def test_results_of_one_op_number_their_outputs():
    parts = leaf(1.0, 2.0, 3.0).unbind()
    assert len({p.output_nr for p in parts}) in (1, 3)
    rg.autograd.backward([parts[0] * 2 + parts[2]])


def test_the_graph_dies_with_its_outputs():
    x = leaf(1.0, 2.0)
    saved = x.exp()
    ref = weakref.ref(saved)
    y = saved * saved
    del saved
    y.sum().backward()
    del y
    gc.collect()
    assert ref() is None


def test_gradient_reaches_both_sides_of_broadcasting():
    a, b = leaf(1.0, 2.0, 3.0), rg.ones(2, 1, dtype=rg.float64, requires_grad=True)
    (a * b).sum().backward()
    same(a.grad, [2.0, 2.0, 2.0])
    same(b.grad, [[6.0], [6.0]])


def test_mixed_dtypes_get_gradients_of_their_own_dtype():
    a, b = rg.ones(2, dtype=rg.float32, requires_grad=True), rg.ones(2, dtype=rg.float64, requires_grad=True)
    (a * b).sum().backward()
    assert a.grad.dtype == rg.float32 and b.grad.dtype == rg.float64
    c = rg.ones(2, dtype=rg.float32, requires_grad=True)
    c.to(rg.float64).exp().sum().backward()
    assert c.grad.dtype == rg.float32


def test_gradient_of_a_strange_layout_is_usable():
    x = leaf(1.0, 2.0, 3.0)
    x.sum().backward()  # the incoming gradient is one number expanded
    x.grad.add_(1)
    same(x.grad, [2.0, 2.0, 2.0])
    x.sum().backward()
    same(x.grad, [3.0, 3.0, 3.0])


def test_leaf_gradients_do_not_share_memory():
    x, y = leaf(1.0), leaf(2.0)
    (x + y).backward()
    x.grad.fill_(7.0)
    same(y.grad, 1.0)
    g = rg.tensor(1.0, dtype=rg.float64)
    x.grad = y.grad = None
    (x + y).backward(g)
    x.grad.fill_(7.0)
    same(g, 1.0)


ELEMENTWISE = (
    "abs acos acosh asin asinh atan cos cosh erf erfc erfinv exp expm1 log log1p log2 ndtr neg reciprocal relu rsqrt "
    "sigmoid sin sinh sqrt square tan tanh"
).split()
PAIRS = "add atan2 div fmod hypot logaddexp maximum minimum mul pow remainder sub xlogy".split()
TENSORS_ONLY = {"atan2", "hypot", "logaddexp", "maximum", "minimum"}
REFLECTED = {
    "add": lambda y: 1.5 + y,
    "sub": lambda y: 1.5 - y,
    "mul": lambda y: 1.5 * y,
    "div": lambda y: 1.5 / y,
    "pow": lambda y: 1.5**y,
    "remainder": lambda y: 1.5 % y,
}


@pytest.mark.parametrize("dtype", [rg.float32, rg.float64])
@pytest.mark.parametrize("name", ELEMENTWISE + PAIRS)
def test_products_computed_late_are_the_same_products(name, dtype):
    """Large plain cotangents are multiplied in place or onto sums; a recorded sweep takes the ordinary way."""
    n = 5000
    low, high = (1.1, 2.9) if name == "acosh" else (0.1, 0.9)
    x, y = ((rg.rand(n, dtype=rg.float64) * (high - low) + low).to(dtype).requires_grad_() for _ in range(2))
    op = getattr(rg, name)

    def f(x, y):
        if name in ELEMENTWISE:
            return (op(x) * x + op(y) * op(x)) - x
        left = REFLECTED.get(name, lambda y: op(y, rg.tensor(1.5)))
        two = rg.tensor(2.0) if name in TENSORS_ONLY else 2.0
        return op(x, y) * op(y, x) - x + op(x, two) * left(y) - op(x, x)

    g = rg.randn(n, dtype=dtype)
    g[::7] = 0
    late = rg.autograd.grad(f(x, y), (x, y), g)
    recorded = rg.autograd.grad(f(x, y), (x, y), g, create_graph=True)
    kept = g.clone()
    again = rg.autograd.grad(f(x, y), (x, y), g)
    assert (g == kept).all()  # the caller's cotangent is never written over
    for a, b, c in zip(late, recorded, again, strict=True):
        tolerance = 3e-5 if dtype is rg.float32 else 1e-12
        assert ((a - b.detach()).abs() <= tolerance * (1 + a.abs())).all() and (a == c).all()


HOLDERS = {
    "nothing": lambda a, b: None,
    "dividend": lambda a, b: a,
    "divisor": lambda a, b: b,
    "a view": lambda a, b: a[1:],
    "a detached alias": lambda a, b: b.detach(),
    "another node": lambda a, b: b * b,
}


@pytest.mark.parametrize("dtype", [rg.float32, rg.float64], ids=str)
@pytest.mark.parametrize("holder", HOLDERS)
def test_a_quotient_overwrites_what_only_it_holds(holder, dtype):
    """Cotangents of a large quotient take the place of its operands, unless somebody can still see those."""
    rng = np.random.default_rng(0)
    # Zeros, infinities and divisors too small or large for the quick slope are among them.
    odd = [0.0, np.inf, -np.inf, np.nan, 1e-30, 1e30, -1e-30, 5e-324]
    x, y, g = (rng.normal(size=5000) for _ in range(3))
    x[:64], y[:64] = (grid.ravel() for grid in np.meshgrid(odd, odd))
    g[:64:5] = 0.0
    x, y = (rg.tensor(v, dtype=dtype, requires_grad=True) for v in (x, y))
    g = rg.tensor(g, dtype=dtype)

    def quotient():
        a, b = x * 1.0, y * 1.0
        return a / b, HOLDERS[holder](a, b)

    def slopes(z, retain_graph):
        return [slope.numpy() for slope in rg.autograd.grad(z, (x, y), g, retain_graph=retain_graph)]

    z, held = quotient()
    kept, wanted = slopes(z, True), slopes(z, False)
    np.testing.assert_array_equal(kept, wanted)
    numbers = held if held is None else held.detach().numpy().copy()
    z, held = quotient()
    np.testing.assert_array_equal(slopes(z, False), wanted)
    if held is not None:
        np.testing.assert_array_equal(held.detach().numpy(), numbers)
    if holder == "another node":
        (found,) = rg.autograd.grad(held, y, g)
        (again,) = rg.autograd.grad((y * 1.0) ** 2, y, g)
        np.testing.assert_array_equal(found.numpy(), again.numpy())


def test_a_sweep_over_a_quotient_needs_no_memory():
    from rustgrad import _core

    x, g = (rg.tensor(np.random.default_rng(seed).uniform(1, 2, 1 << 18)) for seed in range(2))  # 2 MiB each
    pull = rg.func.vjp(lambda x: (x * x) / (x + 1.0), x)[1]
    before = _core._memory(True)[0]
    (dx,) = pull(g, retain_graph=False)
    assert _core._memory(False)[1] <= before + (1 << 16)
    np.testing.assert_allclose(dx.numpy(), (g * (x * x + 2 * x) / (x + 1) ** 2).numpy(), rtol=1e-12)


def test_recorded_gradients_under_vmap_of_jvp():
    w = rg.tensor([1.0, 2.0], dtype=rg.float64, requires_grad=True)
    f = lambda x: rg.autograd.grad((x**3).sum(), x, create_graph=True)[0]
    push = lambda t: rg.func.jvp(f, (w,), (t,))[1]
    found = rg.func.vmap(push)(rg.eye(2, dtype=rg.float64))
    np.testing.assert_allclose(found.detach().numpy(), np.diag([6.0, 12.0]))
    # and they are recorded: the derivative of Σ 6w is 6
    np.testing.assert_allclose(rg.autograd.grad(found.sum(), w)[0].numpy(), [6.0, 6.0])


def test_recorded_gradients_under_vmap():
    w = rg.tensor([1.0, 2.0], dtype=rg.float64, requires_grad=True)
    xs = rg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=rg.float64)
    found = rg.func.vmap(lambda x: rg.autograd.grad((w**2 * x).sum(), w)[0])(xs)
    np.testing.assert_allclose(found.numpy(), 2 * w.detach().numpy() * xs.numpy())
    unbatched = rg.func.vmap(lambda x: rg.autograd.grad((w**2).sum(), w)[0] * x)(xs)
    np.testing.assert_allclose(unbatched.numpy(), 2 * w.detach().numpy() * xs.numpy())


def test_backward_under_vmap_adds_up_lanes():
    w = rg.tensor([1.0, 2.0], dtype=rg.float64, requires_grad=True)
    xs = rg.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=rg.float64)

    def lane(x):
        (w * x).sum().backward()
        return x

    rg.func.vmap(lane)(xs)
    np.testing.assert_allclose(w.grad.numpy(), [4.0, 6.0])


def test_retained_gradients_accumulate():
    x = rg.tensor([3.0, 4.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    (y * 3).sum().backward(retain_graph=True)
    (y * 3).sum().backward()
    assert y.grad.tolist() == [6.0, 6.0]


def test_slopes_by_a_divisor_do_not_depend_on_how_a_loop_is_cut():
    """A divisor without a quick slope among many changes those beside it, whatever the threads and the mode."""
    rng = np.random.default_rng(0)
    a, b, g = (rng.uniform(0.25, 0.75, 200_000) for _ in range(3))
    b[7] = b[100_000] = 0.0
    before = rg.get_num_threads()

    def slope(threads, both):
        rg.set_num_threads(threads)
        x, y = rg.tensor(a, requires_grad=both), rg.tensor(b, requires_grad=True)
        (x / y).backward(rg.tensor(g))
        return y.grad.numpy()

    try:
        first = slope(1, False)
        for threads, both in ((1, True), (2, False), (2, True)):
            np.testing.assert_array_equal(slope(threads, both), first)
    finally:
        rg.set_num_threads(before)
