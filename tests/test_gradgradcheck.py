"""``gradgradcheck``: right second derivatives pass, planted mistakes are named, every option can fail."""

from __future__ import annotations

import pytest
import rustgrad as rg
from planted import FUNCTIONS, drawn, hooked, leaf, tangent
from rustgrad._checks import jacobians as _jacobians
from rustgrad._checks import modes as _gradcheck_modes
from rustgrad.autograd import GradcheckError, gradcheck, gradgradcheck


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_second_derivatives_pass_in_every_mode(name, fast):
    f, shapes = FUNCTIONS[name]
    options = {"check_batched_grad": True, "check_fwd_over_rev": True, "check_grad_dtypes": True}
    assert gradgradcheck(f, drawn(shapes), fast_mode=fast, **options) is True


def test_a_wrong_second_derivative_is_named():
    x = leaf(2.0, 3.0)
    # The slope of the cube by a hook that cuts what the slope depends on.
    cube = lambda x: hooked(x, lambda g: 3 * g * (x * x).detach()) + (x**3 - x).detach()
    assert gradcheck(cube, x)
    with pytest.raises(GradcheckError) as caught:
        gradgradcheck(cube, x)
    message = str(caught.value)
    assert message.startswith("gradgradcheck: reverse mode gives 0.0 and central differences ")
    assert "of the gradient by input 0 at [1] by input 0 at [1]" in message
    assert gradgradcheck(cube, x, raise_exception=False) is False
    square = lambda x: x * x.detach() if tangent(x) is not None else x * x
    assert gradgradcheck(square, x)
    with pytest.raises(GradcheckError, match=r"forward mode gives 0\.0"):
        gradgradcheck(square, x, check_fwd_over_rev=True)
    with pytest.raises(GradcheckError, match=r"forward mode gives 0\.0"):
        gradgradcheck(cube, x, check_fwd_over_rev=True, check_rev_over_rev=False)
    with pytest.raises(GradcheckError, match=r"gives 0\.0"):
        gradgradcheck(cube, x, fast_mode=True)


def test_second_derivatives_by_the_cotangent_are_named():
    f = lambda x: hooked(x, lambda g: g.detach() + 0 * g)
    with pytest.raises(GradcheckError, match=r"by the cotangent of output 0 at \[0\]"):
        gradgradcheck(f, leaf(1.0, 2.0))


def test_given_cotangents():
    x = leaf(1.0, 2.0)
    seen = []
    f = lambda x: hooked(x**3, lambda g: seen.append(g.tolist()))
    assert gradgradcheck(f, x, leaf(4.0, 5.0))
    assert seen[0] == [4.0, 5.0]
    with pytest.raises(ValueError, match=r"grad_outputs have shapes \[\[\]\], the outputs \[\[2\]\]"):
        gradgradcheck(f, x, leaf(4.0))


@pytest.mark.parametrize("spaced", [False, True])
def test_strided_cotangents(spaced):
    seen = []

    def f(x):
        y = x**3
        y.register_hook(lambda g: seen.append(g.is_contiguous()))
        return y

    assert gradgradcheck(f, leaf(1.0, 2.0), gen_non_contig_grad_outputs=spaced)
    assert seen[0] is not spaced


def test_options_of_second_derivatives():
    x = leaf(1.0, 2.0)
    for hook, option in (
        (lambda g: hooked(g, lambda h: 2 * h if h._watchers else h), {"check_batched_grad": True}),
        (lambda g: g + 1e-7 * rg.rand(2, dtype=rg.float64), {}),
    ):
        f = lambda x: hooked(x * x, hook)
        assert gradgradcheck(f, x, nondet_tol=1e-3, atol=1.0)
        with pytest.raises(GradcheckError):
            gradgradcheck(f, x, atol=1.0, **option)
    with pytest.raises(GradcheckError):
        gradgradcheck(lambda x: x**4, x, eps=0.1, rtol=1e-6)
    with pytest.raises(ValueError, match="gradgradcheck: check_rev_over_rev and check_fwd_over_rev are both False"):
        gradgradcheck(rg.exp, x, check_rev_over_rev=False)
    with pytest.raises(ValueError, match="needs reverse mode"):
        gradgradcheck(rg.exp, x, check_rev_over_rev=False, check_fwd_over_rev=True, check_batched_grad=True)
    with pytest.raises(ValueError, match="gradgradcheck: no output requires a gradient"):
        gradgradcheck(lambda x: x.detach(), x)
    with pytest.raises(ValueError, match="gradgradcheck: no input requires a gradient"):
        gradgradcheck(rg.exp, x.detach())


def test_options_of_both_checks_mean_the_same(monkeypatch):
    def fails(case):
        raise case.error("undefined cotangents")

    x = leaf(1.0, 2.0)
    monkeypatch.setattr(_jacobians, "grad", lambda *a, **n: [g.float() for g in rg.autograd.grad(*a, **n)])
    monkeypatch.setattr(_gradcheck_modes, "check_undefined_cotangents", fails)
    assert gradgradcheck(rg.exp, x, check_undefined_grad=False)
    with pytest.raises(GradcheckError, match="gradgradcheck: undefined cotangents"):
        gradgradcheck(rg.exp, x)
    with pytest.raises(GradcheckError, match="gradgradcheck: reverse mode gave input 0 a gradient of dtype float32"):
        gradgradcheck(rg.exp, x, check_undefined_grad=False, check_grad_dtypes=True)
    with pytest.raises(TypeError, match="gradgradcheck: masked must be"):
        gradgradcheck(rg.exp, x, masked="yes")
