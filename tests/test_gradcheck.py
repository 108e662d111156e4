"""``gradcheck``: right derivatives pass, planted mistakes are named, every option can fail."""

from __future__ import annotations

import re
import warnings

import pytest
import rustgrad as rg
from planted import FUNCTIONS, drawn, hooked, leaf, tangent
from rustgrad._checks import jacobians as _jacobians
from rustgrad.autograd import GradcheckError, gradcheck

EVERY_MODE = {
    "check_forward_ad": True,
    "check_batched_grad": True,
    "check_batched_forward_grad": True,
    "check_grad_dtypes": True,
}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_derivatives_pass_in_every_mode(name, fast):
    f, shapes = FUNCTIONS[name]
    assert gradcheck(f, drawn(shapes), fast_mode=fast, **EVERY_MODE) is True


def test_inputs_come_back_as_they_were():
    x = leaf(0.1, 0.2)
    before, version = x.tolist(), x._version
    gradcheck(lambda x: x * x, x)
    assert x.tolist() == before
    assert x._version == version
    assert x.grad is None


def test_inputs_come_back_when_the_function_raises():
    x, calls = leaf(0.1, 0.2), []

    def f(x):
        calls.append(1)
        if len(calls) > 4:
            raise KeyError
        return x * x

    with pytest.raises(KeyError):
        gradcheck(f, x)
    assert x.tolist() == [0.1, 0.2]


def test_a_function_may_reach_its_input_in_another_way():
    w = leaf(2.0, 3.0)
    assert gradcheck(lambda _: w * w, (w,))
    with pytest.raises(GradcheckError, match="reverse mode"):
        gradcheck(lambda _: w * w.detach(), (w,))


def test_inputs_that_are_no_leaves_or_no_tensors_or_strided():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    assert gradcheck(lambda a, n, b: a**n * b, ((x * 2).t(), 3, rg.ones(2, dtype=rg.float64)), check_forward_ad=True)


@pytest.mark.parametrize("fast", [False, True])
def test_a_wrong_gradient_is_named(fast):
    a, b = leaf(1.0, 2.0), leaf(3.0, 5.0)
    # Only the second element of the second input gets twice its gradient.
    scale = rg.tensor([1.0, 2.0], dtype=rg.float64)
    f = lambda a, b: (a.exp(), a * hooked(b, lambda g: g * scale))
    with pytest.raises(GradcheckError) as caught:
        gradcheck(f, (a, b), fast_mode=fast)
    message = str(caught.value)
    assert message.startswith("gradcheck: reverse mode gives 4.0 and central differences 2.0")
    assert "of output 1 at [1] by input 1 at [1]" in message
    assert "output of shape [2], input of shape [2]" in message
    assert gradcheck(f, (a, b), fast_mode=fast, raise_exception=False) is False


@pytest.mark.parametrize("fast", [False, True])
def test_a_path_that_was_cut_is_named_in_both_modes(fast):
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    f = lambda x: x[1] * x[1].detach()
    for options, mode in (({}, "reverse"), ({"check_backward_ad": False, "check_forward_ad": True}, "forward")):
        with pytest.raises(GradcheckError) as caught:
            gradcheck(f, x, fast_mode=fast, **options)
        found = re.search(
            rf"{mode} mode gives ([\d.]+) and central differences ([\d.]+) for the derivative of "
            r"output 0 at \[1\] by input 0 at \[1, 1\]",
            str(caught.value),
        )
        assert found, caught.value
        assert float(found[1]) == 4.0
        assert float(found[2]) == pytest.approx(8.0)


def test_options_choose_the_mode():
    x = leaf(1.0, 2.0)
    wrong_in_reverse = lambda x: hooked(x, lambda g: 2 * g)
    assert gradcheck(wrong_in_reverse, x, check_backward_ad=False, check_forward_ad=True)
    with pytest.raises(GradcheckError, match="reverse mode"):
        gradcheck(wrong_in_reverse, x, check_forward_ad=True)
    wrong_in_forward = lambda x: x.detach() + 0 * x if tangent(x) is not None else x
    assert gradcheck(wrong_in_forward, x)
    with pytest.raises(GradcheckError, match=r"forward mode gives 0\.0"):
        gradcheck(wrong_in_forward, x, check_forward_ad=True)


def test_tolerances_and_step():
    x = leaf(1.0)
    f = lambda x: hooked(x, lambda g: g + 1e-4)
    nonlinear = {"check_undefined_grad": False}
    for options in ({"atol": 1e-3}, {"atol": 0.0, "rtol": 1e-3}):
        with pytest.raises(GradcheckError, match=r"cotangents of 0\.0"):
            gradcheck(f, x, **options, **nonlinear)
    with pytest.raises(GradcheckError, match="central differences"):
        gradcheck(f, x, atol=1e-5, rtol=1e-5)
    assert gradcheck(lambda x: x**3, x, rtol=1e-6)
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x**3, x, rtol=1e-6, eps=0.1)


def test_a_result_is_not_a_number():
    x = leaf(1.0, -1.0)
    with pytest.raises(GradcheckError, match=r"output 0 is NaN at \[1\]"):
        gradcheck(lambda x: x.sqrt(), x)
    # Value and differences are fine, the gradient is 0 * inf.
    with pytest.raises(GradcheckError, match=r"reverse mode gives nan .* by input 0 at \[0\]"):
        gradcheck(lambda x: hooked(x, lambda g: g * float("nan")), x)
    with pytest.raises(GradcheckError, match="central differences nan"):
        gradcheck(lambda x: x.log(), leaf(0.5, 0.0))


def test_nondeterministic_gradients():
    x, calls = leaf(1.0), []

    def drift(g):
        calls.append(1)
        return g * (1 + 1e-9 * len(calls))

    f = lambda x: hooked(x, drift)
    with pytest.raises(
        GradcheckError, match=r"reverse mode is not deterministic.* output 0 at \[\] by input 0 at \[\]"
    ):
        gradcheck(f, x)
    assert gradcheck(f, x, nondet_tol=1e-6)


def test_nondeterministic_values():
    noise = lambda x: x + 1e-9 * rg.rand(1, dtype=rg.float64)
    with pytest.raises(GradcheckError, match="function is not deterministic"):
        gradcheck(noise, leaf(1.0))


def test_outputs_without_gradients():
    x = leaf(1.0, 2.0)
    assert gradcheck(lambda x: x.detach().sign(), x)
    assert gradcheck(lambda x: x.argmax(), x)
    with pytest.raises(GradcheckError, match=r"no output requires a gradient.*by input 0 at \[0\] is (1\.999|2\.0)"):
        gradcheck(lambda x: 2 * x.detach(), x)


def test_zero_cotangents_give_zero():
    f = lambda x: hooked(x, lambda g: g + 5 if (g == 0).all() else g)
    with pytest.raises(GradcheckError, match=r"input 0 at \[0\] the gradient 5\.0 for cotangents of 0\.0"):
        gradcheck(f, leaf(1.0, 2.0))


def test_undefined_cotangents():
    """The gradient of the first output is wrong only while the other one is there with a cotangent of zero."""
    state = {}

    def f(x):
        y, z = x * 2.0, x * 3.0
        z.register_hook(lambda g: state.update(z=g))

        def hook(g):
            return g if "z" not in state or (g == 0).all() or (state.pop("z") != 0).any() else 7 * g

        y.register_hook(hook)
        state.clear()
        return y, z

    x = leaf(1.0)
    assert gradcheck(f, x, check_undefined_grad=False)
    with pytest.raises(GradcheckError, match=r"from output 0 alone and .* treat undefined cotangents as zero"):
        gradcheck(f, x)


def test_undefined_tangents():
    def f(a, b):
        t = tangent(b)
        return a * b.detach() * 1.5 + 0 * b if t is not None and tangent(a) is not None else a * b

    def fails(a, b):
        if tangent(a) is None and tangent(b) is not None and tangent(b).sum().item() not in (0.0, 1.0):
            raise KeyError("a tangent")
        return a * b

    inputs = (leaf(1.0), leaf(2.0, 3.0))
    options = {"check_forward_ad": True}
    for wrong, message in (
        (f, "the tangent .* treat undefined tangents"),
        (fails, "forward mode fails with undefined"),
    ):
        assert gradcheck(wrong, inputs, check_undefined_grad=False, **options)
        with pytest.raises(GradcheckError, match=message):
            gradcheck(wrong, inputs, **options)


def test_dtypes_of_gradients(monkeypatch):
    single = lambda *args, **named: [g.float() for g in rg.autograd.grad(*args, **named)]
    monkeypatch.setattr(_jacobians, "grad", single)
    x = leaf(1.0, 2.0)
    assert gradcheck(lambda x: x * x, x)
    with pytest.raises(GradcheckError, match="gave input 0 a gradient of dtype float32 instead of float64"):
        gradcheck(lambda x: x * x, x, check_grad_dtypes=True)


def test_shapes_of_gradients(monkeypatch):
    monkeypatch.setattr(_jacobians, "grad", lambda *a, **n: [g.sum() for g in rg.autograd.grad(*a, **n)])
    with pytest.raises(GradcheckError, match=r"gave input 0 a gradient of shape \[\] instead of \[2\]"):
        gradcheck(lambda x: x * x, leaf(1.0, 2.0))


def test_batched_gradients():
    x = leaf(1.0, 2.0)
    for hook, message in (
        (lambda g: 2 * g if g._watchers else g, r"batched reverse mode gives .* input 0 at \[\d\] from output 0"),
        (lambda g: g * (1 + 0 * g.sum().item()), "batched reverse mode fails for output 0"),
    ):
        f = lambda x: hooked(x, hook)
        assert gradcheck(f, x)
        with pytest.raises(GradcheckError, match=message):
            gradcheck(f, x, check_batched_grad=True)


def test_batched_tangents():
    def scaled(x):
        t = tangent(x)
        return 2 * x if t is not None and t._watchers else x * 1.0

    def shown(x):
        t = tangent(x)
        return x * 1.0 if t is None else x * (1.0 + 0 * t.sum().item())

    x = leaf(1.0, 2.0)
    for f, message in (
        (scaled, r"batched forward mode gives .* output 0 at \[\d\] along input 0"),
        (shown, "batched forward mode fails for input 0"),
    ):
        assert gradcheck(f, x, check_forward_ad=True)
        with pytest.raises(GradcheckError, match=message):
            gradcheck(f, x, check_forward_ad=True, check_batched_forward_grad=True)


def test_bad_input():
    x = leaf(1.0)
    square = lambda x: x * x
    with pytest.raises(ValueError, match="gradcheck: no input requires a gradient"):
        gradcheck(square, x.detach())
    with pytest.raises(RuntimeError, match=r"input 0 share memory \(shape \[2, 2\], strides \[0, 1\]\)"):
        gradcheck(square, leaf(1.0, 2.0).expand(2, 2))
    with pytest.raises(TypeError, match="func returned a float"):
        gradcheck(lambda x: x.item(), x)
    for options, message in (
        ({"check_backward_ad": False}, "both False"),
        ({"check_backward_ad": False, "check_forward_ad": True, "check_batched_grad": True}, "needs reverse"),
        ({"check_batched_forward_grad": True}, "needs forward"),
        ({"eps": 0.0}, "eps=0.0 must be a positive number"),
        ({"atol": -1.0}, "atol=-1.0 must not be negative"),
        ({"nondet_tol": -1.0}, "nondet_tol=-1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            gradcheck(square, x, **options)
    assert gradcheck(square, x, masked=True)
    with pytest.raises(TypeError, match="masked must be a bool or None, not a str"):
        gradcheck(square, x, masked="yes")


def test_errors_of_other_kinds_are_not_hidden():
    with pytest.raises(ValueError):
        gradcheck(lambda x: x, leaf(1.0).detach(), raise_exception=False)


def test_outputs_that_change_with_the_input():
    with pytest.raises(GradcheckError, match="change their number or shapes"):
        gradcheck(lambda x: x[x > 1.0] * 1.0 if x.sum().item() else x, leaf(1.0, 2.0))


def test_single_precision_gives_a_warning():
    x = leaf(1.0, 2.0, dtype=rg.float32)
    with pytest.warns(UserWarning, match="input 0 is float32"):
        assert gradcheck(lambda x: x * x, x, eps=1e-2, atol=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradcheck(lambda x, y: x * y.double(), (leaf(1.0, 2.0), x.detach()))
