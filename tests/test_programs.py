"""Random programs under random transforms: equal to nested differences, and in every nesting that means the same."""

from __future__ import annotations

import functools
import itertools
import random
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import laws
import numpy as np
import programs
import pytest
import rustgrad as rg
from hypothesis import Phase, assume, find, given, settings
from hypothesis.errors import NoSuchExample
from programs import LIBRARY, Library, Program, straight, transformed
from sampling import tensors

seeds = st.integers(0, 9)


def settled(p: Program, seed: int) -> list[np.ndarray]:
    """A point at which differences of the program say something."""
    xs = programs.point(p, seed)
    try:
        programs.expected(p, xs)
    except programs.Rough:
        assume(False)
    return xs


def function(p: Program) -> Any:
    """The program as the laws take it: every input is used."""
    return lambda *xs: (p.run(LIBRARY, *xs) + sum(x.sum() for x in xs),)


@settings(max_examples=600)
@given(transformed(), seeds)
def test_transforms_of_programs_are_nested_differences(p, seed):
    programs.check(p, settled(p, seed))


@settings(max_examples=100)
@given(st.one_of(straight(), transformed(most=1, recording=False)), seeds)
def test_programs_obey_the_laws_of_operators(p, seed):
    f, xs, rng = function(p), settled(p, seed), np.random.default_rng(seed)
    laws.check_jvp(f, xs, rng)
    laws.check_vjp(f, xs, rng)
    laws.check_second(f, xs, rng)
    laws.check_jvp_of_vjp(f, xs, rng)
    laws.check_taylor(f, xs, rng)
    laws.check_vmap(f, xs)
    laws.check_vmap_derivatives(f, xs, rng)


@settings(max_examples=30)
@given(straight(), seeds)
def test_all_nestings_of_three_modes_agree(p, seed):
    report = rg.func.check(function(p), tuple(tensors(settled(p, seed))), order=3)
    assert not any(c.skipped for c in report.checks)


def number(p: Program) -> Any:
    """The program as a function of its first input that gives one number."""
    return lambda x, *rest: programs.summed(p).run(LIBRARY, x, *rest)


def same(found: Any, wanted: np.ndarray) -> None:
    scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
    laws.close([found.detach().numpy()], [wanted], 0.0, 1e-10 * scale, "another way to the same derivative")


@settings(max_examples=60)
@given(st.one_of(straight(), transformed(most=1, recording=False)), seeds)
def test_all_ways_to_the_hessian_agree(p, seed):
    f, xs = number(p), tensors(settled(p, seed))
    x, rest = xs[0], xs[1:]
    n, ways = x.numel(), (rg.func.jacfwd, rg.func.jacrev)
    wanted = rg.func.hessian(f)(*xs).numpy()
    square = wanted.reshape(n, n)
    same(rg.from_numpy(square), square.T)
    for outer, inner in itertools.product(ways, (*ways, rg.func.grad)):
        same(outer(inner(f))(*xs), wanted)
    of_x = lambda z: f(z, *rest)
    for vectorize, strategy in itertools.product((False, True), ("reverse-mode", "forward-mode")):
        if not vectorize or "checkpoint" not in p.text:  # sweeps over lanes do not run checkpointed functions again
            way = {"vectorize": vectorize, "outer_jacobian_strategy": strategy}
            same(rg.autograd.functional.hessian(of_x, x, **way), wanted)
    t = rg.from_numpy(np.asarray(np.sin(1 + np.arange(n)).reshape(x.shape)))
    product = (square @ t.numpy().ravel()).reshape(x.shape)
    same(rg.func.hvp(of_x, (x,), (t,))[0], product)
    same(rg.func.vhp(of_x, (x,), (t,))[0], product)
    same(rg.func.linearize(rg.func.grad(of_x), x)[1](t), product)
    same(rg.func.hess_diag(f)(*xs), np.diagonal(square).reshape(x.shape))
    same(rg.func.laplacian(f)(*xs), np.asarray(np.trace(square)))
    same(2 * rg.func.taylor(of_x, x, t, 2)[2], np.asarray((product * t.numpy()).sum()))


@settings(max_examples=60)
@given(transformed(most=2, recording=False), seeds)
def test_batching_a_transform_is_looping_over_it(p, seed):
    stacks = laws.batches(settled(p, seed))
    each = [p.run(LIBRARY, *tensors([s[k] for s in stacks])).numpy() for k in range(3)]
    for chunk in (None, 1, 2):
        found = rg.func.vmap(functools.partial(p.run, LIBRARY), chunk_size=chunk)(*tensors(stacks))
        same(found, np.stack(each))


@settings(max_examples=60)
@given(transformed(most=2, recording=False), seeds)
def test_inputs_are_left_alone_and_results_are_the_same_bits(p, seed):
    xs = tensors(programs.point(p, seed))
    first, second = p.run(LIBRARY, *xs).numpy(), p.run(LIBRARY, *xs).numpy()
    assert first.tobytes() == second.tobytes()
    assert [x.tolist() for x in xs] == [x.tolist() for x in programs.point(p, seed)]
    assert not any(x.requires_grad or x._version for x in xs)


# Planted mistakes: the law of programs has to turn red.


def scaled(name: str, factor: float) -> Library:
    """A transform of which every derivative is a little off."""
    true = getattr(LIBRARY, name)

    def jvp(*args: Any) -> Any:
        y, t = true(*args)
        return y, t * factor

    def vjp(*args: Any) -> Any:
        y, pull = true(*args)
        return y, lambda g: tuple(factor * c for c in pull(g))

    def linearize(*args: Any) -> Any:
        y, push = true(*args)
        return y, lambda t: factor * push(t)

    of_function = lambda f, argnums=0: lambda *xs: factor * true(f, argnums=argnums)(*xs)
    broken = {"jvp": jvp, "vjp": vjp, "linearize": linearize}.get(name, of_function)
    return replace(LIBRARY, **{name: broken})


def ruled(slope: Any, how: str) -> Library:
    """A sine whose derivative comes from a rule of its own."""
    if how == "forward":
        sine = rg.func.custom_jvp(lambda x: rg.sin(x))
        sine.defjvp(lambda xs, ts: (sine(*xs), ts[0] * slope(xs[0])))
    else:
        sine = rg.func.custom_vjp(lambda x: rg.sin(x))
        sine.defvjp(lambda x: (rg.sin(x), x), lambda x, g: (g * slope(x),))
    return replace(LIBRARY, sine=sine, checkpoint=lambda f, *xs: f(*xs))


def confused(f: Any, xs: Any, ts: Any) -> Any:
    """Perturbation confusion: what another level perturbs counts as perturbed here."""
    return rg.func.jvp(f, xs, tuple(t + x - x.detach() for x, t in zip(xs, ts, strict=True)))


def forgetful(x: Any) -> Any:
    """Value and slope of the sine, but no second derivative."""
    return rg.sin(x).detach() + rg.cos(x).detach() * (x - x.detach())


SCALED = "jvp vjp linearize grad jacrev jacfwd hessian".split()
MISTAKES: dict[str, Library] = {
    **{f"{name} is slightly off": scaled(name, 1 + 1e-3) for name in SCALED},
    "the sign of a forward rule": ruled(lambda x: -x.cos(), "forward"),
    "the sign of a reverse rule": ruled(lambda x: -x.cos(), "reverse"),
    "a forward rule whose slope is a constant": ruled(lambda x: x.cos().detach(), "forward"),
    "a reverse rule whose slope is a constant": ruled(lambda x: x.cos().detach(), "reverse"),
    "a dropped second derivative": replace(LIBRARY, sine=forgetful),
    "perturbation confusion": replace(LIBRARY, jvp=confused),
    "lanes that change places": replace(
        LIBRARY, vmap=lambda f, **dims: lambda *xs: rg.func.vmap(f, **dims)(*xs).flip(0)
    ),
    "coefficients without factorials": replace(
        LIBRARY, taylor=lambda f, x, v, k: [c * (1 + (i > 1)) for i, c in enumerate(rg.func.taylor(f, x, v, k))]
    ),
    "a series along another line": replace(
        LIBRARY, taylor=lambda f, x, v, k: rg.func.taylor(f, x, tuple(2 * t for t in v), k)
    ),
    "rows that change places": replace(
        LIBRARY, jacrev=lambda f, argnums: lambda *xs: rg.func.jacrev(f, argnums)(*xs).flip(0)
    ),
    "a checkpoint that cuts": replace(LIBRARY, checkpoint=lambda f, *xs: f(*xs[:-1], xs[-1].detach())),
    "a sweep that is not recorded": replace(
        LIBRARY, recorded=lambda *args, **kwargs: [g.detach() for g in rg.autograd.grad(*args, **kwargs)]
    ),
    "a slope that shows in deeper nestings alone": replace(
        LIBRARY, sine=lambda x: rg.sin(x) if len(x._watchers) < 2 else rg.sin(x) + 1e-3 * (x - x.detach())
    ),
}  # fmt: skip


def shows(case: tuple[Program, int], lib: Library) -> bool:
    p, seed = case
    try:
        programs.check(p, programs.point(p, seed), lib)
    except AssertionError:
        return True
    except programs.Rough:
        pass
    return False


def search(lib: Library) -> tuple[Program, int]:
    few = settings(max_examples=400, phases=[Phase.generate], database=None)
    return find(st.tuples(transformed(), seeds), lambda c: shows(c, lib), settings=few, random=random.Random(0))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_program_shows(mistake):
    search(MISTAKES[mistake])


@pytest.mark.parametrize("how", ["forward", "reverse"])
def test_no_program_shows_a_right_rule(how):
    with pytest.raises(NoSuchExample):
        search(ruled(rg.cos, how))
