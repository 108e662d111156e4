"""In-place writes under a transformation keep the layout of a tensor: later views of it alias as without one."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import func

X = rg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=rg.float64)
WRITES = {
    "transposed": lambda a, x: a.t().mul_(2.0),
    "a row of it": lambda a, x: a.t()[0].mul_(2.0),
    "broadcast": lambda a, x: a.copy_(x[:, :1]),
    "through an index": lambda a, x: a.t().__setitem__(0, x[:, 1]),
    "permuted": lambda a, x: a.permute(1, 0).exp_(),
}


@pytest.mark.parametrize("start", [lambda x: x * 1.0, lambda x: (x.t() * 1.0).t()])
@pytest.mark.parametrize("name", WRITES)
def test_views_alias_after_a_write(name, start):
    def f(x):
        a = start(x)
        WRITES[name](a, x)
        a.reshape(-1).mul_(3.0)
        return a * 1.0

    wanted = f(X)
    leaf = X.clone().requires_grad_()
    f(leaf).sum().backward()
    ones = rg.ones_like(X)
    value, tangent = func.jvp(f, (X,), (ones,))
    np.testing.assert_array_equal(value.numpy(), wanted.numpy())
    np.testing.assert_allclose(tangent.sum().item(), leaf.grad.sum().item(), rtol=1e-12)
    np.testing.assert_allclose(func.grad(lambda z: f(z).sum())(X).numpy(), leaf.grad.numpy(), rtol=1e-12)
    np.testing.assert_array_equal(func.vmap(f)(rg.stack([X, X + 1]))[0].numpy(), wanted.numpy())


def test_a_tensor_stays_contiguous():
    def f(x):
        a = x * 1.0
        a.t().exp_()
        assert a.is_contiguous() and a.stride() == (3, 1)
        return a.view(-1) * 1.0

    np.testing.assert_allclose(func.grad(lambda z: f(z).sum())(X).numpy(), np.exp(X.numpy()))
