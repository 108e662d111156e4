"""The laws must catch planted mistakes: every test here runs a law on something wrong and demands that it fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import laws
import numpy as np
import pytest
import rustgrad as rg
from samples import BY_NAME, OPS
from sampling import tensors

X = [np.random.default_rng(5).uniform(0.3, 0.9, (2, 3))]

Z = [X[0] + 0.5j * X[0][::-1]]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def caught(law: Any, *args: Any, **kwargs: Any) -> None:
    with pytest.raises(AssertionError):
        law(*args, **kwargs)


def sine(x: Any) -> tuple[Any, ...]:
    return (rg.sin(x),)


def with_slope(x: Any, value: Any, source: Any) -> Any:
    """The value of ``value`` with the derivative of ``source``."""
    return value.detach() + (source - source.detach())


def test_the_laws_accept_a_right_op():
    laws.check_value(sine, (np.sin(X[0]),), X)
    laws.check_jvp(sine, X, rng())
    laws.check_vjp(sine, X, rng())
    laws.check_second(sine, X, rng())
    laws.check_jvp_of_vjp(sine, X, rng())
    laws.check_taylor(sine, X, rng())
    laws.check_vmap(sine, X)
    laws.check_vmap_derivatives(sine, X, rng())
    assert laws.check_complex(sine, lambda: (np.sin(Z[0]),), Z, rng()) == "value + derivatives"
    laws.check_single(sine, sine, X, rng(), True, 1.0)
    laws.check_layouts(sine, X, rng(), True)


@pytest.mark.parametrize("error", [1e-3, 1e-8])
def test_a_wrong_value(error):
    caught(laws.check_value, lambda x: (rg.sin(x) + error,), (np.sin(X[0]),), X)


def test_a_wrong_dtype_and_a_wrong_shape():
    caught(laws.check_value, lambda x: (rg.sin(x),), (np.sin(X[0]).astype(np.float32),), X)
    caught(laws.check_value, lambda x: (rg.sin(x).reshape(3, 2),), (np.sin(X[0]),), X)


@pytest.mark.parametrize("factor", [-1.0, 0.0, 2.0, 1 + 1e-4])
def test_a_wrong_slope_in_both_modes(factor):
    caught(laws.check_jvp, lambda x: (with_slope(x, rg.sin(x), factor * rg.sin(x)),), X, rng())


@pytest.mark.parametrize("factor", [-1.0, 0.0, 1 + 1e-6])
def test_a_wrong_slope_in_reverse_only(factor):
    def reverse(*args: Any, **kwargs: Any) -> Any:
        return tuple(factor * g for g in laws.reverse(*args, **kwargs))

    caught(laws.check_vjp, sine, X, rng(), replace(laws.MODES, reverse=reverse))
    caught(laws.check_vjp, sine, X, rng(), replace(laws.MODES, pull=reverse))


def test_a_wrong_slope_planted_by_a_hook():
    def f(x: Any) -> tuple[Any, ...]:
        y = rg.sin(x)
        if y.requires_grad:
            y.register_hook(lambda g: g * 1.001)
        return (y,)

    caught(laws.check_vjp, f, X, rng(), replace(laws.MODES, pull=laws.reverse))


@pytest.mark.parametrize("factor", [-1.0, 0.0, 1 + 1e-4])
def test_a_wrong_slope_in_forward_only(factor):
    def forward(*args: Any) -> Any:
        return tuple(factor * t for t in laws.forward(*args))

    modes = replace(laws.MODES, forward=forward)
    caught(laws.check_jvp, sine, X, rng(), modes)
    caught(laws.check_vjp, sine, X, rng(), modes)


def test_a_wrong_second_derivative():
    def f(x: Any) -> tuple[Any, ...]:
        # Value and slope of the sine, but the slope is a constant to whoever differentiates again.
        return (rg.sin(x).detach() + rg.cos(x).detach() * (x - x.detach()),)

    laws.check_value(f, (np.sin(X[0]),), X)
    laws.check_vjp(f, X, rng())
    caught(laws.check_second, f, X, rng())


def dropped(wrong: str) -> Any:
    """Modes of which one loses a little of what it finds."""

    def mode(*args: Any, **kwargs: Any) -> Any:
        return tuple(y * (1 - 1e-4) for y in getattr(laws, wrong)(*args, **kwargs))

    return replace(laws.MODES, **{wrong: mode})


@pytest.mark.parametrize("wrong", ["forward", "pull", "reverse"])
def test_a_wrong_mode_through_the_reverse_rule(wrong):
    caught(laws.check_jvp_of_vjp, sine, X, rng(), dropped(wrong))


def test_a_reverse_rule_that_forgets_its_cotangent():
    def f(x: Any) -> tuple[Any, ...]:
        # The cotangent is a constant to whoever differentiates the rule: its own derivative is lost.
        y = rg.sin(x)
        if y.requires_grad:
            y.register_hook(lambda g: g.detach())
        return (y,)

    laws.check_vjp(f, X, rng())
    caught(laws.check_jvp_of_vjp, f, X, rng())


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_a_wrong_coefficient_of_any_order(order):
    def taylor(*args: Any) -> Any:
        found = laws.MODES.taylor(*args)
        found[order] = tuple(c * (1 + 1e-6) for c in found[order])
        return found

    caught(laws.check_taylor, sine, X, rng(), replace(laws.MODES, taylor=taylor))


def test_a_coefficient_too_few():
    caught(laws.check_taylor, sine, X, rng(), replace(laws.MODES, taylor=lambda *args: laws.MODES.taylor(*args)[:-1]))


def test_a_confused_nesting():
    def forward(f: Any, xs: Any, ts: Any) -> Any:
        # A perturbation that leaks: the outer tangent is added to the inner one.
        return laws.forward(f, xs, [t + x - x.detach() for x, t in zip(xs, ts, strict=True)])

    caught(laws.check_second, sine, X, rng(), replace(laws.MODES, forward=forward))


def test_a_gradient_of_another_shape():
    def reverse(*args: Any, **kwargs: Any) -> Any:
        return tuple(g.reshape(3, 2) for g in laws.reverse(*args, **kwargs))

    caught(laws.check_vjp, sine, X, rng(), replace(laws.MODES, reverse=reverse))


def test_a_batch_rule_that_is_missing():
    softmax = lambda x: (rg.softmax(x, dim=0),)
    caught(laws.check_vmap, softmax, X, replace(laws.MODES, vmap=lambda f, in_dims=0: f))
    caught(laws.check_vmap_derivatives, softmax, X, rng(), replace(laws.MODES, vmap=lambda f, in_dims=0: f))


def test_a_batch_rule_with_a_wrong_dimension():
    def vmap(f: Any, in_dims: Any = 0) -> Any:
        return rg.func.vmap(f, in_dims=in_dims if in_dims == 0 else tuple(d if d is None else 0 for d in in_dims))

    caught(
        laws.check_vmap,
        lambda x: (x.sum(dim=0),),
        [np.ones((3, 3)) * [[1.0], [2.0], [3.0]]],
        replace(laws.MODES, vmap=vmap),
    )


def test_a_program_that_only_a_loop_can_batch():
    with pytest.raises(RuntimeError, match="batched by vmap"):
        laws.check_vmap(lambda x: (x * x.sum().item(),), X)


@pytest.mark.parametrize("op", [op for op in OPS if op.batched or op.differentiable], ids=lambda op: op.name)
def test_lanes_that_change_places_in_any_op(op):
    """The samples tell the lanes of every op from each other."""

    def vmap(f: Any, in_dims: Any = 0) -> Any:
        batched = laws.MODES.vmap(f, in_dims=in_dims)
        return lambda *xs: tuple(y.roll(1, 0) for y in batched(*xs))

    modes, seen = replace(laws.MODES, vmap=vmap), 0
    for case in op.cases():
        try:
            laws.check_vmap(case.function() if case.xs else case.whole(), case.xs or case.arrays, modes)
        except AssertionError:
            seen += 1
    assert seen, "no sample has lanes that differ"


@pytest.mark.parametrize(
    "wrong",
    [lambda g: g.conj(), lambda g: -g, lambda g: g.real + 0j, lambda g: g * (1 + 1e-6)],
    ids=["not conjugate", "sign", "real part", "factor"],
)
def test_a_wrong_gradient_of_complex_numbers(wrong):
    def f(x: Any) -> tuple[Any, ...]:
        y = rg.sin(x)
        if y.requires_grad:
            y.register_hook(wrong)
        return (y,)

    caught(laws.check_complex, f, lambda: (np.sin(Z[0]),), Z, rng())


def test_complex_numbers_refused_in_one_mode_alone():
    def f(x: Any) -> tuple[Any, ...]:
        series = rg._core._innermost([x])[1] == "series"
        return (rg.sin(x) + (x * 0).sum() * (x.prod() if series else 1),)

    caught(laws.check_complex, f, lambda: (np.sin(Z[0]),), Z, rng())


def test_complex_numbers_refused_without_a_reason():
    def f(x: Any) -> tuple[Any, ...]:
        raise TypeError("no")

    caught(laws.check_complex, f, lambda: (), Z, rng())


@pytest.mark.parametrize("error", [1.001, -1.0])
def test_a_wrong_float32(error):
    def single(x: Any) -> tuple[Any, ...]:
        return (rg.sin(x) * error,)

    caught(laws.check_single, sine, single, X, rng(), True, 1.0)


def test_a_float32_that_becomes_float64():
    caught(laws.check_single, sine, lambda x: (rg.sin(x).double(),), X, rng(), True, 1.0)


def test_a_float32_gradient_that_is_wrong():
    caught(laws.check_single, sine, lambda x: (with_slope(x, rg.sin(x), 1.001 * rg.sin(x)),), X, rng(), True, 1.0)


def test_a_kernel_that_forgets_strides():
    def f(x: Any) -> tuple[Any, ...]:
        if x.is_contiguous():
            return (rg.sin(x),)
        return (rg.sin(x.flatten().flip(0).reshape(x.shape)),)

    caught(laws.check_layouts, f, X, rng(), False)


def test_a_gradient_that_forgets_strides():
    def f(x: Any) -> tuple[Any, ...]:
        return (rg.sin(x) if x.is_contiguous() else with_slope(x, rg.sin(x), 2 * rg.sin(x)),)

    caught(laws.check_layouts, f, X, rng(), True)


def test_bits_that_depend_on_threads():
    caught(laws.check_threads, lambda: [X[0] * (1 + 2.0**-52 * (rg.get_num_threads() - 1))])


@pytest.mark.parametrize("op", [op for op in OPS if op.differentiable], ids=lambda op: op.name)
def test_a_slope_that_is_slightly_wrong_in_any_op(op):
    """Every op of the table, with one part in a thousand of another slope added: the laws turn red."""
    seen = 0
    for case in op.cases():
        f = case.function(floats=True)

        def wrong(*xs: Any, f: Any = f) -> tuple[Any, ...]:
            extra = sum((x * 1e-3).sum() for x in xs)
            return tuple(y + (extra - extra.detach()) for y in f(*xs))

        if all(x.size == 0 for x in case.xs) or all(y.numel() == 0 for y in f(*tensors(case.xs))):
            continue
        seen += 1
        caught(laws.check_jvp, wrong, case.xs, case.rng)
    assert seen, "the op has no sample with numbers in it"


def test_a_wrong_row_of_the_table():
    """A row whose reference is another function does not pass."""
    row = replace(BY_NAME["sin"], reference=np.cos)
    for case in row.cases():
        if case.xs[0].size:
            caught(laws.check_value, case.function(), case.expected(), case.xs)
