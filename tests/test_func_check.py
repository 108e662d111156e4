"""``check``: right functions pass at every order, and a mistake in any one mode is named."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg
from rustgrad.autograd import GradcheckError
from rustgrad.func import _check as func_check
from rustgrad.func import check
from samples import OPS
from sampling import tensors


def numbers(*values):
    return rg.tensor(values[0] if len(values) == 1 else list(values), dtype=rg.float64)


FUNCTIONS = {
    "elementwise": (lambda x: x * x.sin(), [(2, 3)]),
    "a number": (lambda x: x.exp() / x, [()]),
    "product": (lambda a, b: a @ b.tanh(), [(2, 3), (3, 2)]),
    "two outputs": (lambda a, b: (a * b * a, (a / b).sum()), [(3,), (3,)]),
    "unused input": (lambda a, b: a**4, [(2,), (2,)]),
    "linear": (lambda x: 3 * x, [(2,)]),
    "constant": (lambda x: rg.ones(2, dtype=rg.float64), [(2,)]),
    "the input itself": (lambda x: x, [(2,)]),
    "written in place": (lambda x: x.clone().mul_(x).exp_(), [(3,)]),
    "empty": (lambda x: x * x, [(0, 2)]),
    "softmax": (lambda x: x.softmax(-1), [(2, 3)]),
    "sorted": (lambda x: x.sort()[0] ** 3, [(4,)]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_functions_pass_at_every_order(name):
    f, shapes = FUNCTIONS[name]
    rng = np.random.default_rng(1)
    xs = tuple(rg.from_numpy(np.asarray(rng.uniform(0.5, 2.0, s))) for s in shapes)
    kept = [x.tolist() for x in xs]
    sizes = [len(check(f, xs, order).checks) for order in (1, 2, 3)]
    assert sizes == sorted(set(sizes))
    assert [x.tolist() for x in xs] == kept
    assert not any(c.skipped for c in check(f, xs).checks)


@pytest.mark.parametrize("op", [op for op in OPS if op.differentiable], ids=lambda op: op.name)
def test_every_operator_passes_at_order_three(op):
    for case in op.cases():
        if case.xs:
            report = check(case.function(floats=True), tuple(tensors(case.xs)))
            assert not any(c.skipped for c in report.checks), f"{case}: {report}"


def test_the_report_has_a_line_for_each_comparison():
    report = check(lambda x: x.exp(), numbers(1.0, 2.0))
    lines = str(report).splitlines()
    assert repr(report) == str(report)
    assert len(lines) == len(report.checks)
    assert 0 < report.error == max(c.error for c in report.checks) < 1e-6
    names = {c.name.split(" ")[0] for c in report.checks}
    for order in (2, 3):
        for nesting in np.ndindex(*(2,) * order):
            assert "∘".join(("jvp", "vjp")[m] for m in nesting) in names
    assert {"backward", "backward∘backward", "backward∘backward∘backward", "vmap", "vmap∘jvp", "vmap∘vjp"} <= names


def test_a_function_that_cannot_be_batched_is_left_out_and_said_so():
    report = check(lambda x: x * x if x.detach().sum().item() > 0 else -x, numbers(1.0, 2.0))
    skipped = [c for c in report.checks if c.skipped]
    assert [c.name for c in skipped] == [f"{n} against a loop" for n in ("vmap", "vmap∘jvp", "vmap∘vjp")]
    assert "vmap against a loop: skipped, the function cannot be batched (item: " in str(report)


def test_a_path_that_was_cut_is_named():
    with pytest.raises(GradcheckError) as caught:
        check(lambda a, b: (a.exp(), a * b * b.detach()), (numbers(1.0, 2.0), numbers(3.0, 5.0)))
    message = str(caught.value)
    assert message.startswith("check: jvp along argument 1 gives ")
    assert "differences" in message
    assert "along argument 1 of output 1 at [1] (shape [2])" in message


# A mistake in one transform: which one, at which depth of nesting (1 is the innermost), and what must be named.
def broken(transform, monkeypatch, depth=1):
    """The transform whose results are wrong where ``depth`` or more of all transforms are active."""
    active = []

    def wrong(tensors):
        return tuple(t * numbers(1.5) for t in tensors) if len(active) + 1 >= depth else tensors

    def jvp(f, primals, tangents):
        active.append("jvp")
        try:
            y, t = rg.func.jvp(f, primals, tangents)
        finally:
            active.pop()
        return y, wrong(t) if transform == "jvp" else t

    def vjp(f, *primals):
        active.append("vjp")
        try:
            y, pull = rg.func.vjp(f, *primals)
        finally:
            active.pop()
        return y, lambda g: wrong(pull(g)) if transform == "vjp" else pull(g)

    monkeypatch.setattr(func_check, "jvp", jvp)
    monkeypatch.setattr(func_check, "vjp", vjp)


@pytest.mark.parametrize(
    "transform, depth, message",
    [
        ("jvp", 1, r"check: jvp along argument 0 gives .* differences .* argument 0 of output 0 at \[\d\]"),
        ("vjp", 1, r"check: vjp gives .* and jvp .* for the gradient by argument 0 at \[\d\]"),
        ("jvp", 2, r"check: vjp∘jvp gives .* and jvp∘vjp .* for the gradient by argument 0 .* order 1 at \[\d\]"),
        ("vjp", 2, r"check: jvp∘vjp gives .* and differences .* for the gradient by argument 0 .* order 1 at \[\d\]"),
        ("jvp", 3, r"check: jvp∘vjp∘jvp gives|check: vjp∘jvp∘jvp gives .* order 2 at \[\d\]"),
        ("vjp", 3, r"check: jvp∘jvp∘vjp gives .* and differences .* order 2 at \[\d\]"),
    ],
)
def test_a_mistake_in_a_transform_is_named(transform, depth, message, monkeypatch):
    broken(transform, monkeypatch, depth)
    f, x = lambda x: x.exp() * x, numbers(1.0, 2.0)
    if depth > 1:
        check(f, x, order=depth - 1)
    with pytest.raises(GradcheckError, match=message):
        check(f, x, order=depth)


def test_a_wrong_sweep_is_named(monkeypatch):
    wrong = lambda *args, **named: [2 * g for g in rg.autograd.grad(*args, **named)]
    monkeypatch.setattr(func_check, "recorded_grad", wrong)
    with pytest.raises(GradcheckError, match=r"check: backward gives .* and vjp .* by argument 0 at \[\d\]"):
        check(lambda x: x * x, numbers(1.0, 2.0))


def test_a_wrong_recorded_second_derivative_is_named():
    def f(x):
        y = x * 1.0
        if y._watchers == ["tape"]:
            y.register_hook(lambda g: g.detach() + 0 * g)
        return y.exp()

    check(f, numbers(1.0, 2.0), order=1)
    with pytest.raises(GradcheckError, match=r"backward∘backward gives .* and jvp∘vjp .* by argument 0"):
        check(f, numbers(1.0, 2.0), order=2)


def test_wrong_batching_is_named(monkeypatch):
    monkeypatch.setattr(func_check, "vmap", lambda f, **_: lambda *x: tuple(y.flip(0) for y in rg.func.vmap(f)(*x)))
    with pytest.raises(GradcheckError, match=r"vmap gives .* and a loop .* output 0, batch index first, at \[\d, \d\]"):
        check(lambda x: x * x, numbers(1.0, 2.0))


def test_tolerances_and_step():
    f, x = lambda x: x.exp(), numbers(1.0, 2.0)
    with pytest.raises(GradcheckError, match="differences"):
        check(f, x, eps=0.1)
    check(f, x, eps=0.1, rtol=0.1)
    check(f, x, eps=0.1, atol=0.1)
    with pytest.raises(GradcheckError):
        check(f, x, atol=0.0, rtol=0.0)


def test_bad_input():
    f, x = lambda x: x * x, numbers(1.0, 2.0)
    for order in (0, 4, None):
        with pytest.raises(ValueError, match=f"check: order={order} is not supported"):
            check(f, x, order)
    for bad in ({"eps": 0.0}, {"atol": -1.0}, {"rtol": float("nan")}):
        with pytest.raises(ValueError, match="eps must be positive"):
            check(f, x, **bad)
    with pytest.raises(ValueError, match="holds no tensors"):
        check(f, ())
    with pytest.raises(TypeError, match=r"argument 1 is rustgrad\.float32"):
        check(f, (x, x.float()))
    with pytest.raises(TypeError, match="argument 0 is float"):
        check(f, 1.0)
    for nothing in (None, ()):
        with pytest.raises(TypeError, match="returns no tensors"):
            check(lambda x, nothing=nothing: nothing, x)
    with pytest.raises(TypeError, match="output 1 of the function is float"):
        check(lambda x: (x, 1.0), x)
    with pytest.raises(TypeError, match=r"output 0 of the function is rustgrad\.int64"):
        check(lambda x: x.argmax(), x)


def test_arguments_and_results_may_be_nested():
    x = numbers(0.5, 1.5)
    f = lambda d, pair: {"product": d["a"] * pair[0], "sum": (d["b"].sin() + pair[1]).sum()}
    report = check(f, ({"a": x, "b": 2 * x}, (3 * x, -x)), order=2)
    assert [c.name for c in report.checks[:4]] == [f"jvp along argument {i} against differences" for i in range(4)]
    with pytest.raises(TypeError, match="argument 1 is int"):
        check(f, ({"a": x, "b": 1}, (x, x)))


def test_complex_numbers_are_pairs_of_real_ones():
    z = rg.tensor([0.5 + 1j, 2 - 0.3j], dtype=rg.complex128)
    report = check(lambda z, x: (z * z.conj() * z.exp(), z.abs() * x), (z, z.real))
    assert report.error < 1e-4

    class Wrong(rg.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z * 2j

        @staticmethod
        def backward(ctx, g):
            return g * 2j  # the conjugate is missing

    with pytest.raises(GradcheckError, match="argument 0"):
        check(Wrong.apply, z, order=1)
