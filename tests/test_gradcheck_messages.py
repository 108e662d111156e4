"""gradcheck's messages: which argument, which element, and both values."""

from __future__ import annotations

import re

import pytest
import rustgrad as rg
from rustgrad.autograd import Function, GradcheckError, gradcheck, gradgradcheck

F64, C128 = rg.float64, rg.complex128


class Wrong(Function):
    """sum(x)·y and 2x; reverse mode errs for y at [1, 0], forward mode for the second output at [2]."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x.sum() * y, 2 * x

    @staticmethod
    def backward(ctx, g, h):
        x, y = ctx.saved_tensors
        factors = rg.tensor([[1.0, 1.0], [1.5, 1.0]], dtype=F64)
        return (g * y).sum() + 2 * h, g * x.sum() * factors

    @staticmethod
    def jvp(ctx, s, t):
        x, y = ctx.saved_tensors
        return s.sum() * y + x.sum() * t, 2 * s + rg.tensor([0.0, 0.0, 1.0], dtype=F64) * s.sum()


def inputs():
    x = rg.tensor([0.5, 2.0, 1.0], dtype=F64, requires_grad=True)
    return x, rg.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=F64, requires_grad=True)


def values(message):
    return [float(v) for v in re.search(r"gives (\S+) and central differences (\S+) for", message).groups()]


@pytest.mark.parametrize("fast", [False, True])
def test_reverse_mode(fast):
    with pytest.raises(GradcheckError, match=r"output 0 at \[1, 0\] by input 1 at \[1, 0\]") as error:
        gradcheck(Wrong.apply, inputs(), fast_mode=fast)
    assert values(str(error.value)) == pytest.approx([5.25, 3.5])


@pytest.mark.parametrize("fast", [False, True])
def test_forward_mode(fast):
    with pytest.raises(GradcheckError, match=r"output 1 at \[2\] by input 0 at \[0\]") as error:
        gradcheck(Wrong.apply, inputs(), check_forward_ad=True, check_backward_ad=False, fast_mode=fast)
    assert values(str(error.value)) == pytest.approx([1.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("fast", [False, True])
def test_complex_numbers_name_the_part(fast):
    class Unconjugated(Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return z * z

        @staticmethod
        def backward(ctx, g):
            (z,) = ctx.saved_tensors
            return 2 * z * g

    z = rg.tensor([1 + 2j, 2 - 1j], dtype=C128, requires_grad=True)
    where = r"output 0 at \[0\] \(imaginary part\) by input 0 at \[0\] \(real part\)"
    with pytest.raises(GradcheckError, match=where) as error:
        gradcheck(Unconjugated.apply, (z,), fast_mode=fast)
    assert values(str(error.value)) == pytest.approx([-4.0, 4.0])


def test_second_derivatives_name_the_gradient():
    f = lambda x: x * x * x.detach()
    with pytest.raises(GradcheckError, match=r"the gradient by input 0 at \[\d\] by input 0 at \[\d\]"):
        gradgradcheck(Cube.apply, (rg.tensor([0.5, 2.0], dtype=F64, requires_grad=True),))
    assert not gradcheck(f, (rg.tensor([0.5], dtype=F64, requires_grad=True),), raise_exception=False)


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * g * x * x.detach()
