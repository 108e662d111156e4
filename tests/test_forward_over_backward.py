"""Forward mode over ``backward()``: values and tangents are swept apart, so that what is not linear is refused."""

from __future__ import annotations

import pytest
import rustgrad as rg
from rustgrad import func
from rustgrad.autograd import Function, forward_ad


def cubed(change):
    """The gradient of x⁶ by a tensor that requires one, with ``change`` on the way, along a tangent of 1."""
    x = rg.tensor(2.0, dtype=rg.float64, requires_grad=True)
    with forward_ad.dual_level():
        y = change(forward_ad.make_dual(x, rg.ones((), dtype=rg.float64)) ** 3)
        found = forward_ad.unpack_dual(rg.autograd.grad(y * y, x)[0])
        return found.primal.item(), found.tangent.item()


def hooked(hook):
    def change(y):
        y.register_hook(hook)
        return y

    return change


def passing(rule):
    class Pass(Function):
        @staticmethod
        def forward(ctx, y):
            return y.clone()

        @staticmethod
        def backward(ctx, g):
            return rule(g)

        @staticmethod
        def jvp(ctx, t):
            return t

    return Pass.apply


def test_hooks_may_look():
    seen = []
    assert cubed(hooked(seen.append)) == (192.0, 480.0)
    assert seen


@pytest.mark.parametrize("hook", [lambda g: g * g, lambda g: 2 * g, rg.ones_like, lambda g: g.clamp(max=10.0)])
def test_hooks_may_not_replace(hook):
    with pytest.raises(RuntimeError, match=r"hook: cannot replace a gradient in forward mode over backward"):
        cubed(hooked(hook))


def test_rules_must_be_linear():
    assert cubed(passing(lambda g: g)) == (192.0, 480.0)
    for rule in (lambda g: g * g, lambda g: g.clamp(max=10.0)):
        with pytest.raises(rg.NotDifferentiableError, match=r"Pass: its backward\(\) is not linear"):
            cubed(passing(rule))


def test_the_way_out_is_right():
    z = rg.tensor(2.0, dtype=rg.float64)
    clipped = passing(lambda g: g * g)
    value, tangent = func.jvp(func.grad(lambda x: clipped(x**3) ** 2), (z,), (rg.ones_like(z),))
    assert (value.item(), tangent.item()) == (3072.0, 12288.0)
