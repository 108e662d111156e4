"""In-place operations: what they return, versions of saved tensors, and the history of views and their bases."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg


def leaf(*numbers: float):
    values = numbers[0] if len(numbers) == 1 else list(numbers)
    return rg.tensor(values, dtype=rg.float64, requires_grad=True)


def same(tensor, wanted):
    np.testing.assert_allclose(tensor.detach().numpy(), wanted, rtol=1e-12)


X = (1.0, 2.0, 3.0, 4.0)


def test_in_place_returns_the_same_object():
    y = leaf(*X) * 1
    before = y.data_ptr()
    assert y.add_(1) is y and y.mul_(2) is y and y.data_ptr() == before
    alias = y
    y += 1
    y *= 2
    y -= 1
    y /= 2
    y **= 2
    assert alias is y and y.data_ptr() == before
    same(y, ((np.array(X) + 1) * 2 + 1 - 0.5) ** 2)


def test_in_place_is_recorded():
    x = leaf(*X)
    y = x * 1
    y.mul_(x).add_(x).exp_()
    y.sum().backward()
    a = np.array(X)
    same(x.grad, (2 * a + 1) * np.exp(a * a + a))


@pytest.mark.parametrize("change", [
    lambda t: t.add_(1), lambda t: t.mul_(2), lambda t: t.zero_(), lambda t: t.fill_(3.0),
    lambda t: t.__setitem__(0, 1.0), lambda t: t.copy_(rg.zeros(4, dtype=rg.float64)),
    lambda t: t[:2].add_(1), lambda t: t.__iadd__(1), lambda t: t.sin_(),
])  # fmt: skip
def test_in_place_on_a_leaf_is_refused_and_writes_nothing(change):
    x = leaf(*X)
    with pytest.raises(RuntimeError, match=r"(?i)leaf"):
        change(x)
    same(x, X)
    with rg.no_grad():
        change(x)
    assert x.requires_grad and x.is_leaf


def test_in_place_keeps_the_dtype():
    x = rg.ones(2, dtype=rg.float32)
    assert x.add_(rg.ones(2, dtype=rg.float64)).dtype == rg.float32
    with pytest.raises((RuntimeError, TypeError)):
        rg.ones(2, dtype=rg.int64).add_(0.5)
    with pytest.raises((RuntimeError, ValueError)):
        rg.ones(2).add_(rg.ones(3, 2))


def test_versions_count_writes():
    x = rg.zeros(3)
    start = x._version
    x.add_(1)
    x[0] = 5
    x[1:].mul_(2)
    assert x._version == start + 3
    assert x.detach()._version == x._version and x.view(3, 1)._version == x._version


def test_a_changed_saved_tensor_names_both_ops():
    x = leaf(*X)
    y = x.exp()
    y.add_(1)
    with pytest.raises(RuntimeError) as error:
        y.sum().backward()
    message = str(error.value).lower()
    assert "exp" in message and "add" in message, message


@pytest.mark.parametrize("save, change", [
    (lambda x, y: x * y, lambda y: y.mul_(2)),
    (lambda x, y: x / y, lambda y: y.__setitem__(0, 7.0)),
    (lambda x, y: (x * y).sin(), lambda y: y[1:].zero_()),
    (lambda x, y: rg.dot(x, y), lambda y: y.view(2, 2).add_(1)),
    (lambda x, y: x * y, lambda y: y.detach().add_(1)),
])  # fmt: skip
def test_a_changed_saved_tensor_is_noticed(save, change):
    x, y = leaf(*X), rg.tensor(X, dtype=rg.float64)
    z = save(x, y)
    change(y)
    with pytest.raises(RuntimeError):
        z.sum().backward()


def test_changing_what_nobody_saved_is_fine():
    x = leaf(*X)
    y = x + 1
    y.mul_(2)
    z = y.sum()
    z.add_(5)
    z.backward()
    same(x.grad, [2.0] * 4)
    a, b = leaf(*X), rg.tensor(X, dtype=rg.float64)
    c = a + b
    b.zero_()
    c.sum().backward()
    same(a.grad, [1.0] * 4)


def test_a_write_through_a_view_reaches_the_base():
    x = leaf(*X)
    base = x * 1
    view = base[:2]
    view.mul_(10)
    same(base, [10.0, 20.0, 3.0, 4.0])
    base.sum().backward()
    same(x.grad, [10.0, 10.0, 1.0, 1.0])


def test_a_write_to_the_base_reaches_its_views():
    x = leaf(*X)
    base = x * 1
    view = base[1:3]
    base.mul_(base.detach().clone())
    same(view, [4.0, 9.0])
    view.sum().backward()
    same(x.grad, [0.0, 2.0, 3.0, 0.0])


def test_a_write_through_a_view_reaches_its_siblings():
    x = leaf(*X)
    base = x * 1
    first, second = base[:3], base[1:]
    first.mul_(rg.tensor([2.0, 3.0, 4.0], dtype=rg.float64))
    same(second, [6.0, 12.0, 4.0])
    second.sum().backward()
    same(x.grad, [0.0, 3.0, 4.0, 1.0])


def test_a_write_through_a_chain_of_views():
    x = leaf(*X)
    base = x * 1
    base.view(2, 2).t()[0].unsqueeze(0).mul_(5)  # elements 0 and 2
    same(base, [5.0, 2.0, 15.0, 4.0])
    base.sum().backward()
    same(x.grad, [5.0, 1.0, 5.0, 1.0])


def test_the_view_written_to_has_a_history_of_its_own():
    x = leaf(*X)
    base = x * 1
    view = base[:2]
    view.mul_(x[2])
    view.sum().backward()
    same(x.grad, [3.0, 3.0, 3.0, 0.0])


def test_a_leaf_without_gradient_joins_by_a_write():
    buffer, x = rg.zeros(4, dtype=rg.float64), leaf(1.0, 2.0)
    before = buffer[1:3]
    buffer[1:3] = x * 3
    assert buffer.requires_grad and not buffer.is_leaf
    same(before, [3.0, 6.0])
    (buffer**2).sum().backward()
    same(x.grad, [18.0, 36.0])


def test_a_view_made_before_a_write_joins_too():
    buffer, x = rg.zeros(4, dtype=rg.float64), leaf(1.0, 2.0)
    view = buffer[:2]
    view.copy_(x)
    assert buffer.requires_grad and view.requires_grad
    (buffer.sum() * 2).backward()
    same(x.grad, [2.0, 2.0])


def test_views_of_views_all_follow():
    x = leaf(*X)
    base = x * 1
    a = base.view(2, 2)
    b = a[0]
    c = b[1:]
    a.mul_(2)
    b.mul_(3)
    c.mul_(5)
    same(base, [6.0, 60.0, 6.0, 8.0])
    for tensor, wanted in ((base, [6, 30, 2, 2]), (a, [6, 30, 2, 2]), (b, [6, 30, 0, 0]), (c, [0, 30, 0, 0])):
        x.grad = None
        tensor.sum().backward(retain_graph=True)
        same(x.grad, wanted)


def test_setitem_of_many_kinds():
    x = leaf(*X)
    y = x * 2
    y[0] = 0.0
    y[rg.tensor([1])] = x[3]
    y[y > 7.5] = x[2]
    y[2:][:1] = x[0] * x[0]
    same(y, [0.0, 4.0, 1.0, 3.0])
    y.sum().backward()
    same(x.grad, [2.0, 0.0, 1.0, 1.0])


def test_setitem_overwrites_history():
    x = leaf(*X)
    y = x.clone()
    y[...] = rg.ones(4, dtype=rg.float64)
    y[0] = x[0] * 5
    y.sum().backward()
    same(x.grad, [5.0, 0.0, 0.0, 0.0])


def test_setitem_with_itself():
    x = leaf(*X)
    y = x * 1
    y[1:] = y[:-1].clone()
    same(y, [1.0, 1.0, 2.0, 3.0])
    y.sum().backward()
    same(x.grad, [2.0, 1.0, 1.0, 0.0])


def test_overlapping_copies_read_before_they_write():
    y = rg.arange(6)
    y[1:] = y[:-1]
    np.testing.assert_array_equal(y.numpy(), [0, 0, 1, 2, 3, 4])
    y = rg.arange(6)
    y[:] = y.flip(0)
    np.testing.assert_array_equal(y.numpy(), [5, 4, 3, 2, 1, 0])


def test_setitem_broadcasts_and_sums_back():
    x = leaf(2.0)
    y = rg.zeros(2, 3, dtype=rg.float64)
    y[:, 1:] = x
    (y * y).sum().backward()
    same(x.grad, 16.0)


def test_many_outputs_of_one_view_op():
    x = leaf(*X)
    parts = (x * 1).unbind()
    total = sum(p * k for k, p in enumerate(parts))
    total.backward()
    same(x.grad, [0.0, 1.0, 2.0, 3.0])
    with rg.no_grad():
        _first, second = x.split(2)
        second.mul_(2)
    same(x, [1.0, 2.0, 6.0, 8.0])


def test_detached_views_write_without_history():
    x = leaf(*X)
    y = x * 1
    y.detach()[0] = 9.0
    same(y, [9.0, 2.0, 3.0, 4.0])
    y.sum().backward()
    same(x.grad, [1.0] * 4)


def test_a_loop_that_fills_a_buffer():
    x = leaf(1.5)
    out = rg.empty(5, dtype=rg.float64)
    state = x
    for k in range(5):
        out[k] = state
        state = state * x
    out.sum().backward()
    same(x.grad, sum((k + 1) * 1.5**k for k in range(5)))


def test_requires_grad_in_place_and_masks():
    x, m = leaf(*X), rg.tensor([True, False, True, False])
    y = (x * 2).masked_fill_(m, 0.0)
    y.sum().backward()
    same(x.grad, [0.0, 2.0, 0.0, 2.0])
    z = rg.zeros(3, dtype=rg.float64)
    x.grad = None
    z.index_add_(0, rg.tensor([0, 2, 0, 2]), x)
    (z * z).sum().backward()
    same(z, [4.0, 0.0, 6.0])
    same(x.grad, [8.0, 12.0, 8.0, 12.0])


def test_a_write_to_an_expanded_tensor_is_refused():
    with pytest.raises(RuntimeError):
        rg.zeros(1).expand(3).add_(1)


def test_second_derivatives_through_writes():
    x = leaf(*X)
    y = x * x
    y[1:3].mul_(x[0])
    (g,) = rg.autograd.grad((y * y).sum(), x, create_graph=True)
    (h,) = rg.autograd.grad(g.sum(), x)
    a = np.array(X)

    def gradient(v):
        # y = [x0², x1² x0, x2² x0, x3²]
        return np.array([
            4 * v[0] ** 3 + 2 * v[0] * (v[1] ** 4 + v[2] ** 4),
            4 * v[1] ** 3 * v[0] ** 2, 4 * v[2] ** 3 * v[0] ** 2, 4 * v[3] ** 3,
        ])  # fmt: skip

    same(g, gradient(a))
    wanted = [(gradient(a + d).sum() - gradient(a - d).sum()) / 2e-6 for d in np.eye(4) * 1e-6]
    np.testing.assert_allclose(h.numpy(), wanted, rtol=1e-6)


def test_a_stale_view_read_under_no_grad_keeps_its_history():
    a = rg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    base = a * 1
    view = base[1:]
    base.sin_()
    with rg.no_grad():
        view.sum()
        view.mul_(0.5)
    assert view.requires_grad
    view.sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), [0.0, *np.cos([2.0, 3.0])], rtol=1e-6)


@pytest.mark.parametrize("put", [lambda z, c: z.copy_(c), lambda z, c: z.__setitem__(..., c)])
def test_constants_written_into_watched_tensors_are_copied(put):
    constant = rg.tensor([1.0, 2.0, 3.0])

    def f(x):
        z = x * 1
        put(z, constant)
        z.add_(10.0)
        return z.sum()

    one = rg.ones(3)
    assert rg.func.jvp(f, (one,), (one,))[0].item() == 36.0
    assert rg.func.grad(f)(one).tolist() == [0.0, 0.0, 0.0]
    assert rg.func.vmap(f)(rg.ones(2, 3)).tolist() == [36.0, 36.0]
    assert constant.tolist() == [1.0, 2.0, 3.0]


def test_a_number_spread_over_a_watched_tensor_can_be_overwritten():
    def f(x):
        z = x * x
        z.copy_(rg.tensor(2.0, dtype=rg.float64))
        z[0] = x[1]
        return (z * z).sum()

    x = rg.tensor([1.0, 3.0], dtype=rg.float64)
    assert rg.func.jvp(rg.func.grad(f), (x,), (x,))[1].tolist() == [0.0, 6.0]
