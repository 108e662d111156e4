"""The laws every operator obeys in every mode, as plain functions of a function under test.

A law takes ``f``, a function from tensors to a tuple of floating-point tensors, and NumPy inputs. The modes it compares
come in as ``modes``, so that a test of the laws can hand in a broken mode and see the law fail.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import rustgrad as rg
from sampling import tensors

Function = Callable[..., tuple[Any, ...]]
STEP = 1e-6


def forward(f: Function, xs: list[Any], ts: list[Any]) -> tuple[Any, ...]:
    """Tangents of the outputs, by forward mode."""
    return rg.func.jvp(f, tuple(xs), tuple(ts))[1]


def reverse(
    f: Function, xs: list[Any], gs: list[Any], create_graph: bool = False, unused: bool = False
) -> tuple[Any, ...]:
    """Gradients of the inputs, by recording on plain tensors and sweeping; ``unused`` inputs have gradient zero."""
    xs = [x if x.requires_grad else x.detach().requires_grad_(True) for x in xs]
    if not unused:
        return rg.autograd.grad(f(*xs), xs, gs, create_graph=create_graph)
    pairs = [(y, g) for y, g in zip(f(*xs), gs, strict=True) if y.requires_grad]
    if not pairs:
        return tuple(rg.zeros_like(x) for x in xs)
    ys, gs = zip(*pairs, strict=True)
    found = rg.autograd.grad(ys, xs, gs, create_graph=create_graph, allow_unused=True)
    return tuple(rg.zeros_like(x) if d is None else d for x, d in zip(xs, found, strict=True))


def pull(f: Function, xs: list[Any], gs: list[Any]) -> tuple[Any, ...]:
    """Gradients of the inputs, by the transform."""
    return rg.func.vjp(f, *xs)[1](tuple(gs))


#: No loop, which would agree with the loop; and no nesting.
vmap = functools.partial(rg.func.vmap, fallback="error")
taylor = functools.partial(rg.func.taylor, method="pass")


@dataclass(frozen=True)
class Modes:
    """The ways to differentiate and batch that the laws compare."""

    forward: Callable[..., tuple[Any, ...]] = forward
    reverse: Callable[..., tuple[Any, ...]] = reverse
    pull: Callable[..., tuple[Any, ...]] = pull
    vmap: Callable[..., Any] = vmap
    taylor: Callable[..., list[Any]] = taylor


MODES = Modes()


def numbers(ys: Any) -> list[np.ndarray]:
    return [y.detach().numpy() for y in ys]


def close(found: Any, wanted: Any, rtol: float, atol: float, what: str) -> None:
    """Same number of arrays, same shapes, same values (NaN equals NaN)."""
    found, wanted = list(found), list(wanted)
    assert len(found) == len(wanted), f"{what}: {len(found)} results instead of {len(wanted)}"
    for i, (a, b) in enumerate(zip(found, wanted, strict=True)):
        assert a.shape == b.shape, f"{what}: result {i} has shape {a.shape} instead of {b.shape}"
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=f"{what}, result {i}")


def directions(rng: np.random.Generator, like: list[np.ndarray]) -> list[np.ndarray]:
    """Random tangents or cotangents: complex for complex numbers, real for all others."""

    def one(x: np.ndarray) -> np.ndarray:
        real = rng.uniform(-1, 1, x.shape)
        return np.asarray(real + 1j * rng.uniform(-1, 1, x.shape) if x.dtype.kind == "c" else real)

    return [one(x) for x in like]


def inner(xs: list[np.ndarray], ys: list[np.ndarray]) -> float:
    """The product of real coordinates, of which complex numbers have two."""
    return sum(float(np.vdot(x, y).real) for x, y in zip(xs, ys, strict=True))


def values(f: Function, xs: list[np.ndarray]) -> list[np.ndarray]:
    return numbers(f(*tensors(xs)))


def differences(f: Callable[[list[np.ndarray]], list[np.ndarray]], xs: Any, ts: Any) -> list[np.ndarray]:
    """Central differences of a function of arrays along ``ts``."""
    above = f([x + STEP * t for x, t in zip(xs, ts, strict=True)])
    below = f([x - STEP * t for x, t in zip(xs, ts, strict=True)])
    return [np.asarray((a - b) / (2 * STEP)) for a, b in zip(above, below, strict=True)]


def check_value(f: Function, expected: tuple[np.ndarray, ...], xs: list[np.ndarray]) -> None:
    """Values, shapes and dtypes are NumPy's."""
    ys = numbers(f(*tensors(xs)))
    close(ys, expected, 1e-10, 1e-11, "value")
    for y, e in zip(ys, expected, strict=True):
        assert y.dtype == e.dtype, f"value: dtype {y.dtype} instead of {e.dtype}"


def check_jvp(f: Function, xs: list[np.ndarray], rng: np.random.Generator, modes: Modes = MODES) -> None:
    """Forward mode equals central differences."""
    ts = directions(rng, xs)
    found = numbers(modes.forward(f, tensors(xs), tensors(ts)))
    close(found, differences(lambda z: values(f, z), xs, ts), 2e-6, 2e-7, "jvp against differences")


def check_vjp(f: Function, xs: list[np.ndarray], rng: np.random.Generator, modes: Modes = MODES) -> None:
    """<g, J t> computed forward equals <Jᵀ g, t> computed in reverse, by recording and by the transform."""
    ts = directions(rng, xs)
    gs = directions(rng, values(f, xs))
    slopes = numbers(modes.forward(f, tensors(xs), tensors(ts)))
    wanted = inner(gs, slopes)
    for mode in (modes.reverse, modes.pull):
        gradients = numbers(mode(f, tensors(xs), tensors(gs)))
        assert [g.shape for g in gradients] == [x.shape for x in xs], "a gradient has another shape than its input"
        found = inner(gradients, ts)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-10, err_msg=f"vjp by {mode.__name__} against jvp")


def check_second(f: Function, xs: list[np.ndarray], rng: np.random.Generator, modes: Modes = MODES) -> None:
    """The Hessian of <g, f> times t: by differences, and by all four ways to nest two modes."""
    ts, gs = directions(rng, xs), directions(rng, values(f, xs))
    t, g = tensors(ts), tensors(gs)

    def gradient(*x: Any) -> tuple[Any, ...]:
        return modes.pull(f, list(x), g)

    wanted = differences(lambda z: numbers(modes.reverse(f, tensors(z), g)), xs, ts)
    check = lambda found, what: close(numbers(found), wanted, 1e-5, 2e-6, what)
    check(modes.forward(gradient, tensors(xs), t), "forward over reverse")
    check(modes.pull(gradient, tensors(xs), t), "reverse over reverse")
    # Contracted with g, the jvp is a number whose gradient is the same product.
    check(modes.pull(lambda *x: modes.forward(f, list(x), t), tensors(xs), g), "reverse over forward")
    check(
        modes.reverse(lambda *x: modes.forward(f, list(x), t), tensors(xs), g, unused=True),
        "recorded reverse over forward",
    )
    twice = modes.reverse(lambda *x: modes.reverse(f, list(x), g, create_graph=True), tensors(xs), t, unused=True)
    check(twice, "create_graph")
    two = modes.forward(lambda *x: modes.forward(f, list(x), t), tensors(xs), t)
    found, expected = inner(gs, numbers(two)), inner(wanted, ts)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=5e-6, err_msg="forward over forward")


def check_jvp_of_vjp(f: Function, xs: list[np.ndarray], rng: np.random.Generator, modes: Modes = MODES) -> None:
    """The tangents of (x, g) ↦ Jᵀ(x) g by forward mode, with both moving, equal central differences."""
    gs, n = directions(rng, values(f, xs)), len(xs)
    moving = [*xs, *gs]
    ts = directions(rng, moving)
    found = modes.forward(lambda *a: modes.pull(f, list(a[:n]), list(a[n:])), tensors(moving), tensors(ts))
    wanted = differences(lambda z: numbers(modes.reverse(f, tensors(z[:n]), tensors(z[n:]))), moving, ts)
    close(numbers(found), wanted, 1e-5, 2e-6, "jvp of vjp")


def check_taylor(
    f: Function, xs: list[np.ndarray], rng: np.random.Generator, modes: Modes = MODES, order: int = 3
) -> None:
    """The coefficients along a line from one pass equal those from nested forward mode."""
    vs = directions(rng, xs)
    found = [numbers(c) for c in modes.taylor(lambda x: f(*x), tuple(tensors(xs)), tuple(tensors(vs)), order)]
    assert len(found) == order + 1, f"{len(found)} Taylor coefficients up to order {order}"
    close(found[0], values(f, xs), 1e-12, 1e-13, "Taylor coefficient 0")
    derivative = f
    for k in range(1, order + 1):
        derivative = _along(derivative, vs, modes)
        wanted = [d / math.factorial(k) for d in values(derivative, xs)]
        close(found[k], wanted, 1e-8, 1e-9, f"Taylor coefficient {k}")


def _along(f: Function, vs: list[np.ndarray], modes: Modes) -> Function:
    return lambda *x: modes.forward(f, list(x), tensors(vs))


def batches(xs: list[np.ndarray], n: int = 3) -> list[np.ndarray]:
    """n variants of each input, stacked; the same numbers in other places, so that domains hold."""
    return [np.stack([np.roll(x.ravel(), k * (i + 1)).reshape(x.shape) for k in range(n)]) for i, x in enumerate(xs)]


def check_vmap(f: Function, xs: list[np.ndarray], modes: Modes = MODES) -> None:
    """A batched call equals a Python loop: all inputs batched first, and one batched last with the others fixed."""
    if not xs:
        return
    stacked = batches(xs)
    each = [numbers(f(*tensors([s[k] for s in stacked]))) for k in range(3)]
    wanted = [np.stack(parts) for parts in zip(*each, strict=True)]
    close(numbers(modes.vmap(f)(*tensors(stacked))), wanted, 1e-10, 1e-11, "vmap against loop")
    for chosen in range(len(xs)):
        given = [
            np.moveaxis(s, 0, -1).copy() if i == chosen else x for i, (s, x) in enumerate(zip(stacked, xs, strict=True))
        ]
        in_dims = tuple(-1 if i == chosen else None for i in range(len(xs)))
        each = [numbers(f(*tensors([stacked[i][k] if i == chosen else x for i, x in enumerate(xs)]))) for k in range(3)]
        wanted = [np.stack(parts) for parts in zip(*each, strict=True)]
        found = numbers(modes.vmap(f, in_dims=in_dims)(*tensors(given)))
        close(found, wanted, 1e-10, 1e-11, f"vmap over input {chosen} against loop")


def check_vmap_derivatives(f: Function, xs: list[np.ndarray], rng: np.random.Generator, modes: Modes = MODES) -> None:
    """Batched derivatives equal a loop over them, whichever of the two transforms is outside."""
    stacked = batches(xs)
    ts = directions(rng, stacked)
    per_item = [
        numbers(modes.forward(f, tensors([s[k] for s in stacked]), tensors([t[k] for t in ts]))) for k in range(3)
    ]
    wanted = [np.stack(parts) for parts in zip(*per_item, strict=True)]
    n = len(xs)
    inside = modes.vmap(lambda *a: modes.forward(f, list(a[:n]), list(a[n:])))(*tensors(stacked), *tensors(ts))
    close(numbers(inside), wanted, 1e-10, 1e-11, "vmap over jvp against loop")
    outside = modes.forward(modes.vmap(f), tensors(stacked), tensors(ts))
    close(numbers(outside), wanted, 1e-10, 1e-11, "jvp over vmap against loop")
    gs = directions(rng, wanted)
    per_item = [
        numbers(modes.reverse(f, tensors([s[k] for s in stacked]), tensors([g[k] for g in gs]))) for k in range(3)
    ]
    wanted = [np.stack(parts) for parts in zip(*per_item, strict=True)]
    inside = modes.vmap(lambda *a: modes.pull(f, list(a[:n]), list(a[n:])))(*tensors(stacked), *tensors(gs))
    close(numbers(inside), wanted, 1e-10, 1e-11, "vmap over vjp against loop")
    outside = modes.reverse(modes.vmap(f), tensors(stacked), tensors(gs))
    close(numbers(outside), wanted, 1e-10, 1e-11, "recorded vmap against loop")


def check_complex(f: Function, expected: Callable[[], Any], zs: list[np.ndarray], rng: np.random.Generator) -> str:
    """Every law holds on complex numbers, or an error refuses them; returns what the operator takes.

    What has no value raises TypeError; derivatives are refused in every mode or in none.
    """
    if reason := _refusal(lambda: f(*tensors(zs)), TypeError):
        assert "complex" in reason, f"refused without saying why: {reason}"
        return "raises"
    ys = f(*tensors(zs))
    check_value(f, expected(), zs)
    if not any(y.is_floating_point() or y.is_complex() for y in ys):
        return "value"
    laws = (check_jvp, check_vjp, check_second, check_jvp_of_vjp, check_taylor, check_vmap_derivatives)
    refusals = {law.__name__: _refusal(lambda: law(f, zs, rng), rg.NotDifferentiableError) for law in laws}
    missing = [name for name, refusal in refusals.items() if refusal]
    assert missing in ([], list(refusals)), f"complex numbers: derivatives are refused by {missing} alone"
    if missing:
        assert all("complex" in why for why in refusals.values()), f"refused without saying why: {refusals}"
        return "value"
    return "value + derivatives"


def _refusal(call: Callable[[], Any], kind: type[Exception]) -> str:
    """What the library says against it; nothing when the call passes."""
    try:
        call()
    except kind as refused:
        return str(refused)
    return ""


def check_single(
    double: Function,
    single: Function,
    xs: list[np.ndarray],
    rng: np.random.Generator,
    differentiable: bool,
    wider: float,
) -> None:
    """float32 results and gradients are float32 and near the float64 ones."""
    rounded = [x.astype(np.float32).astype(np.float64) if x.dtype.kind == "f" else x for x in xs]
    exact, found = values(double, rounded), numbers(single(*tensors(rounded, np.float32)))
    assert all(y.dtype == np.float32 for y in found), f"float32 input gave {[str(y.dtype) for y in found]}"
    near(found, exact, wider, "float32 value")
    if not differentiable:
        return
    gs = directions(rng, exact)
    wanted = numbers(reverse(double, tensors(rounded), tensors(gs)))
    found = numbers(reverse(single, tensors(rounded, np.float32), tensors(gs, np.float32)))
    assert all(d.dtype == np.float32 for d in found), "a float32 input got a gradient of another dtype"
    near(found, wanted, 4 * wider, "float32 gradient")


def near(found: list[np.ndarray], exact: list[np.ndarray], wider: float, what: str) -> None:
    for a, b in zip(found, exact, strict=True):
        finite = b[np.isfinite(b)]
        scale = np.abs(finite).max() if finite.size else 1.0
        close([a], [b.astype(np.float32)], 1e-5 * wider, 2e-6 * wider * max(scale, 1.0), what)


def layouts(x: np.ndarray) -> Iterator[tuple[str, Any]]:
    """The same numbers in other places of memory."""
    yield "transposed", rg.from_numpy(np.array(x, order="F"))
    spaced = np.full((*x.shape, 2), np.nan)
    spaced[..., 1] = x
    yield "every second element", rg.from_numpy(spaced)[..., 1]
    if x.ndim:
        yield "offset", rg.from_numpy(np.concatenate([np.full_like(x[:1], np.nan), x]))[min(1, len(x)) :]
        backwards = (slice(None, None, -1),) * x.ndim
        yield "negative strides", rg.from_numpy(x[backwards].copy())[backwards]


def check_layouts(f: Function, xs: list[np.ndarray], rng: np.random.Generator, differentiable: bool) -> None:
    """Strided, offset, reversed and broadcast inputs give what contiguous ones give, gradients too."""
    for chosen, x in enumerate(xs):
        for name, tensor in layouts(x):
            _compare_layout(f, xs, chosen, x, tensor, rng, differentiable, name)
        if x.ndim and x.size:
            row = rg.from_numpy(x[:1].copy()).expand(*x.shape)
            _compare_layout(f, xs, chosen, np.repeat(x[:1], len(x), axis=0), row, rng, differentiable, "broadcast")


def _compare_layout(
    f: Function,
    xs: list[np.ndarray],
    chosen: int,
    x: np.ndarray,
    tensor: Any,
    rng: Any,
    differentiable: bool,
    name: str,
) -> None:
    inputs = tensors(xs)
    inputs[chosen] = tensor
    plain = [x if i == chosen else other for i, other in enumerate(xs)]
    wanted = values(f, plain)
    close(numbers(f(*inputs)), wanted, 1e-12, 1e-13, f"{name} input {chosen}")
    if differentiable:
        gs = directions(rng, wanted)
        exact = numbers(reverse(f, tensors(plain), tensors(gs)))
        inputs = [i.detach().requires_grad_(True) for i in inputs]
        close(numbers(reverse(f, inputs, tensors(gs))), exact, 1e-12, 1e-13, f"gradient of {name} input {chosen}")
        strided = [rg.from_numpy(np.array(g, order="F")) for g in gs]
        close(numbers(reverse(f, inputs, strided)), exact, 1e-12, 1e-13, "gradient from a transposed cotangent")


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    before = rg.get_num_threads()
    rg.set_num_threads(n)
    try:
        yield
    finally:
        rg.set_num_threads(before)


def check_threads(f: Callable[[], list[np.ndarray]]) -> None:
    """The same bits from one thread and from two."""
    with threads(1):
        one = f()
    with threads(2):
        two = f()
    assert [y.tobytes() for y in one] == [y.tobytes() for y in two], "another number of threads gives other bits"
