"""Random small programs and transforms of them, each with a reference in NumPy that knows no derivative rule.

A reference works on stacks: arrays carry one dimension in front, so that all points of a difference, and all lanes of a
batch, are computed in one call. Derivatives are central differences on nine points, which are what Richardson's
extrapolation makes of the steps h, 2h, 3h and 4h; nested ones are differences of differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import rustgrad as rg
from rustgrad.utils.checkpoint import checkpoint
from steps import OPERATORS, Operator, Shape, numpy_sum

SHAPES: list[Shape] = [(), (2,), (3,), (2, 2), (2, 3), (3, 2)]
NODES = np.arange(-4, 5)
LARGEST = 12  # elements of a value
ORDER = 3  # of nested differences
POINTS = 30_000  # of one reference


@dataclass(frozen=True)
class Library:
    """The transforms that programs use; a test of the tests hands in broken ones."""

    jvp: Callable[..., Any] = rg.func.jvp
    vjp: Callable[..., Any] = rg.func.vjp
    grad: Callable[..., Any] = rg.func.grad
    jacrev: Callable[..., Any] = rg.func.jacrev
    jacfwd: Callable[..., Any] = rg.func.jacfwd
    hessian: Callable[..., Any] = rg.func.hessian
    linearize: Callable[..., Any] = rg.func.linearize
    vmap: Callable[..., Any] = rg.func.vmap
    taylor: Callable[..., Any] = rg.func.taylor
    checkpoint: Callable[..., Any] = checkpoint
    recorded: Callable[..., Any] = rg.autograd.grad
    sine: Callable[..., Any] = rg.sin


LIBRARY = Library()


@dataclass(frozen=True)
class Program:
    """A function of tensors of these shapes, computed by the library and by NumPy on stacks (with a step)."""

    text: str
    shapes: tuple[Shape, ...]
    out: Shape
    run: Callable[..., Any]
    reference: Callable[[list[np.ndarray], float], np.ndarray]
    order: int = 0
    points: int = 1
    # Whether a recorded gradient is taken in it, and whether a tape of a transform is.
    recorded: bool = False
    taped: bool = False

    @property
    def largest(self) -> int:
        return max(map(math.prod, self.shapes))

    def __repr__(self) -> str:
        return f"{self.text} of {list(self.shapes)}"


@st.composite
def straight(draw: st.DrawFn, shapes: tuple[Shape, ...] | None = None, most: int = 6) -> Program:
    """A program of 1 to ``most`` operators over 1 to 3 inputs; the sine comes first, the last result counts.

    With inputs of given shapes the first of them counts for certain.
    """
    given = shapes or tuple(draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3)))
    known, steps, names = list(given), [], [f"x{i}" for i in range(len(given))]
    source = 0 if shapes else draw(st.integers(0, len(given) - 1))
    known.append(known[source])
    names.append(f"sin({names[source]})")
    for _ in range(draw(st.integers(0, most - 1))):
        op = draw(st.sampled_from([op for op in OPERATORS if _fitting(op, known)]))
        places, shape = draw(st.sampled_from(_fitting(op, known)))
        steps.append((op, places))
        known.append(shape)
        names.append(f"{op.name}({', '.join(names[p] for p in places)})")

    def run(lib: Library, *xs: Any) -> Any:
        values = [*xs, lib.sine(xs[source])]
        for op, places in steps:
            values.append(op.run(*(values[p] for p in places)))
        return values[-1]

    def reference(xs: list[np.ndarray], step: float) -> np.ndarray:
        values = [*xs, np.sin(xs[source])]
        for op, places in steps:
            values.append(op.reference(*(values[p] for p in places)))
        return values[-1]

    return Program(names[-1], given, known[-1], run, reference)


def _fitting(op: Operator, known: list[Shape]) -> list[tuple[tuple[int, ...], Shape]]:
    """The arguments an operator can take: the last result, alone or with another, in either order."""
    last = len(known) - 1
    choices = [(last,)] if op.arguments == 1 else [p for k in range(last + 1) for p in {(k, last), (last, k)}]
    shapes = [(places, op.shape(*(known[p] for p in places))) for places in choices]
    return [(places, s) for places, s in shapes if s is not None and len(s) < 4 and math.prod(s) <= LARGEST]


def weights(order: int, step: float) -> np.ndarray:
    """What the values at the nodes count in a derivative: exact for polynomials up to degree eight."""
    moments = np.zeros(len(NODES))
    moments[order] = math.factorial(order)
    return np.linalg.solve(np.vander(NODES.astype(float), increasing=True).T, moments) / step**order


def along(program: Program, xs: list[np.ndarray], ts: list[np.ndarray], step: float, order: int = 1) -> np.ndarray:
    """A derivative of the program on the line from ``xs`` along ``ts``, for each of the stack."""
    shift = lambda x, t: np.concatenate([x + step * k * t for k in NODES])
    ys = program.reference([shift(x, t) for x, t in zip(xs, ts, strict=True)], step)
    return np.tensordot(weights(order, step), ys.reshape(len(NODES), -1, *program.out), 1)


def jacobian(program: Program, xs: list[np.ndarray], i: int, step: float) -> np.ndarray:
    """(stack, *output, *input i), by one difference for each element of the input."""
    count, n = len(xs[i]), math.prod(program.shapes[i])
    many = [np.repeat(x, n, axis=0) for x in xs]
    ts = [np.zeros_like(x) for x in many]
    ts[i] = np.tile(np.eye(n), (count, 1)).reshape(many[i].shape)
    columns = along(program, many, ts, step).reshape(count, n, *program.out)
    return np.moveaxis(columns, 1, -1).reshape(count, *program.out, *program.shapes[i])


def summed(p: Program) -> Program:
    """The sum of all outputs, weighted so that no two are alike."""
    weight = np.asarray(np.cos(np.arange(math.prod(p.out)).reshape(p.out)))
    run = lambda lib, *xs: (p.run(lib, *xs) * rg.from_numpy(weight)).sum()
    return replace(
        p, text=f"Σ {p.text}", out=(), run=run, reference=lambda xs, h: numpy_sum(p.reference(xs, h) * weight)
    )


def of_one(p: Program, lib: Library, i: int, xs: Any) -> Callable[[Any], Any]:
    """The program as a function of input ``i``; it captures the others."""
    return lambda x: p.run(lib, *(x if k == i else other for k, other in enumerate(xs)))


def deeper(p: Program, directions: int, order: int = 1) -> dict[str, int]:
    return {"order": p.order + order, "points": p.points * len(NODES) * directions}


def first_order(kind: str, p: Program, i: int, varying: bool) -> Program:
    """One derivative by input ``i`` along a direction that is fixed or moves with the point."""
    if kind in ("jvp", "linearize"):
        fixed = np.asarray(np.sin(1 + np.arange(math.prod(p.shapes[i]))).reshape(p.shapes[i]))

        def run(lib: Library, *xs: Any) -> Any:
            t = xs[i].cos() if varying else rg.from_numpy(fixed)
            if kind == "jvp":
                return lib.jvp(of_one(p, lib, i, xs), (xs[i],), (t,))[1]
            return lib.linearize(of_one(p, lib, i, xs), xs[i])[1](t)

        def reference(xs: list[np.ndarray], h: float) -> np.ndarray:
            t = np.cos(xs[i]) if varying else np.broadcast_to(fixed, xs[i].shape)
            return along(p, xs, [t if k == i else np.zeros_like(x) for k, x in enumerate(xs)], h)

        return replace(
            p,
            text=f"{kind}{i}({p.text})",
            run=run,
            reference=reference,
            order=p.order + 1,
            taped=p.taped or kind == "linearize",
        )
    if kind == "vjp":

        def run(lib: Library, *xs: Any) -> Any:
            y, pull = lib.vjp(of_one(p, lib, i, xs), xs[i])
            return pull(y.cos() if varying else rg.ones_like(y))[0]

        def reference(xs: list[np.ndarray], h: float) -> np.ndarray:
            y = p.reference(xs, h)
            g = np.cos(y) if varying else np.ones_like(y)
            rows = jacobian(p, xs, i, h).reshape(len(y), -1, math.prod(p.shapes[i]))
            return np.einsum("bo,boi->bi", g.reshape(len(y), -1), rows).reshape(len(y), *p.shapes[i])

    else:
        p = p if kind.startswith("jac") else summed(p)
        reference = lambda xs, h: jacobian(p, xs, i, h)

        def run(lib: Library, *xs: Any) -> Any:
            if kind == "recorded":
                x = xs[i] if xs[i].requires_grad else xs[i].detach().requires_grad_(True)
                y = of_one(p, lib, i, xs)(x)
                if not y.requires_grad:
                    return rg.zeros_like(x)
                return lib.recorded(y, x, create_graph=True, allow_unused=True, materialize_grads=True)[0]
            return getattr(lib, kind)(lambda *z: p.run(lib, *z), argnums=i)(*xs)

    out = (*p.out, *p.shapes[i]) if kind.startswith("jac") else p.shapes[i]
    text = f"{kind}{i}({p.text})"
    recorded = p.recorded or kind == "recorded"
    taped = p.taped or kind not in ("jacfwd", "recorded")
    more = deeper(p, math.prod(p.shapes[i]))
    return replace(p, text=text, out=out, run=run, reference=reference, recorded=recorded, taped=taped, **more)


def hessian(p: Program, i: int) -> Program:
    twice = first_order("jacfwd", first_order("grad", p, i, False), i, False)
    number = summed(p)
    run = lambda lib, *xs: lib.hessian(lambda *z: number.run(lib, *z), argnums=i)(*xs)
    return replace(twice, text=f"hessian{i}({p.text})", run=run)


def taylor(p: Program, order: int, varying: bool) -> Program:
    """The highest coefficient along a line that all inputs move on."""
    directions = [np.asarray(np.sin(2 + np.arange(math.prod(s))).reshape(s)) for s in p.shapes]

    def run(lib: Library, *xs: Any) -> Any:
        vs = tuple(x.cos() if varying else rg.from_numpy(d) for x, d in zip(xs, directions, strict=True))
        return lib.taylor(lambda z: p.run(lib, *z), xs, vs, order)[order]

    def reference(xs: list[np.ndarray], h: float) -> np.ndarray:
        vs = [np.cos(x) if varying else np.broadcast_to(d, x.shape) for x, d in zip(xs, directions, strict=True)]
        return along(p, xs, vs, h, order) / math.factorial(order)

    return replace(p, text=f"taylor[{order}]({p.text})", run=run, reference=reference, **deeper(p, 1, order))


def checkpointed(p: Program) -> Program:
    run = lambda lib, *xs: lib.checkpoint(lambda *z: p.run(lib, *z), *xs)
    return replace(p, text=f"checkpoint({p.text})", run=run)


def batched(p: Program, dims: tuple[int | None, ...], out_dim: int, lanes: int = 2) -> Program:
    """Lanes of the inputs that have a dimension; those without are the same for all."""

    def shape(s: Shape, dim: int | None) -> Shape:
        return s if dim is None else (lanes, *s) if dim == 0 else (*s, lanes)

    def run(lib: Library, *xs: Any) -> Any:
        return lib.vmap(lambda *z: p.run(lib, *z), in_dims=dims, out_dims=out_dim)(*xs)

    def folded(x: np.ndarray, dim: int | None) -> np.ndarray:
        if dim is None:
            return np.repeat(x, lanes, axis=0)
        x = x if dim == 0 else np.moveaxis(x, -1, 1)
        return x.reshape(-1, *x.shape[2:])

    def reference(xs: list[np.ndarray], h: float) -> np.ndarray:
        ys = p.reference([folded(x, dim) for x, dim in zip(xs, dims, strict=True)], h)
        ys = ys.reshape(-1, lanes, *p.out)
        return ys if out_dim == 0 else np.moveaxis(ys, 1, -1)

    shapes = tuple(shape(s, dim) for s, dim in zip(p.shapes, dims, strict=True))
    out = shape(p.out, out_dim)
    return replace(
        p, text=f"vmap{dims}({p.text})", shapes=shapes, out=out, run=run, reference=reference, points=p.points * lanes
    )


def followed(p: Program, rest: Program) -> Program:
    """``rest`` of the result and all inputs of ``p``."""
    run = lambda lib, *xs: rest.run(lib, p.run(lib, *xs), *xs)
    reference = lambda xs, h: rest.reference([p.reference(xs, h), *xs], h)
    return replace(p, text=f"{rest.text} where x0 is {p.text}", out=rest.out, run=run, reference=reference)


def moved(p: Program) -> Program:
    """The program at tanh(x) for x: its transforms are taken at values that depend on the point."""
    run = lambda lib, *xs: p.run(lib, *(x.tanh() for x in xs))
    return replace(
        p, text=f"({p.text} at tanh)", run=run, reference=lambda xs, h: p.reference([np.tanh(x) for x in xs], h)
    )


@st.composite
def transformed(draw: st.DrawFn, most: int = 3, recording: bool = True) -> Program:
    """A straight program under 1 to ``most`` transforms, some of them followed by a few more operators."""
    p = draw(straight())
    for _ in range(draw(st.integers(1, most))):
        kinds = [kind for kind in _KINDS if _allowed(kind, p, recording)]
        if not kinds:
            break
        p = _apply(draw, draw(st.sampled_from(kinds)), p)
        if draw(st.booleans()) and len(p.out) < 3:
            p = followed(p, draw(straight((p.out, *p.shapes), most=2)))
        if draw(st.booleans()):
            p = moved(p)
    return p


_KINDS = "jvp linearize vjp grad jacrev jacfwd hessian vmap taylor checkpoint recorded".split()


def _allowed(kind: str, p: Program, recording: bool) -> bool:
    if kind == "checkpoint":
        return not p.taped
    if kind == "vmap":
        return not p.recorded and max(math.prod(p.out), p.largest) <= LARGEST // 2
    if (kind == "recorded" and not recording) or (kind != "recorded" and p.recorded):
        return False  # a recorded gradient belongs to the bottom tape: it stands outside of all transforms
    if kind.startswith("jac") and math.prod(p.out) * p.largest > 2 * LARGEST:
        return False
    orders = 2 if kind == "hessian" else 1
    directions = 1 if kind in ("jvp", "linearize", "taylor") else p.largest**orders
    return p.order + orders <= ORDER and p.points * len(NODES) ** orders * directions <= POINTS


def _apply(draw: st.DrawFn, kind: str, p: Program) -> Program:
    i, varying = draw(st.integers(0, len(p.shapes) - 1)), draw(st.booleans())
    if kind == "checkpoint":
        return checkpointed(p)
    if kind == "hessian":
        return hessian(p, i)
    if kind == "taylor":
        return taylor(p, draw(st.integers(1, ORDER - p.order)), varying)
    if kind == "vmap":
        dims = [
            draw(st.sampled_from([0, -1, None])) if k != i else draw(st.sampled_from([0, -1]))
            for k in range(len(p.shapes))
        ]
        return batched(p, tuple(dims), draw(st.sampled_from([0, -1])))
    return first_order(kind, p, i, varying)


def point(p: Program, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.uniform(-1.0, 1.0, s)) for s in p.shapes]


class Rough(Exception):
    """The differences do not settle: the program says nothing at this point."""


def expected(p: Program, xs: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """What the program should compute by differences, and the error of that.

    Two steps have different errors of truncation (256 times) and of rounding, so that their distance bounds both.
    """
    stack = [x[None] for x in xs]
    coarse, fine = p.reference(stack, 0.04)[0], p.reference(stack, 0.02)[0]
    assert fine.shape == p.out, f"{p}: the reference has shape {fine.shape} instead of {p.out}"
    scale = max(1.0, float(np.abs(fine).max(initial=0.0)))
    error = float(np.abs(coarse - fine).max(initial=0.0)) + 1e-12 * scale
    if not error <= 1e-6 * scale:
        raise Rough
    return fine, error


def check(p: Program, xs: list[np.ndarray], lib: Library = LIBRARY) -> None:
    """The library gives what differences give, as exactly as those are."""
    wanted, error = expected(p, xs)
    found = p.run(lib, *(rg.from_numpy(x.copy()) for x in xs)).detach().numpy()
    assert found.shape == wanted.shape, f"{p}: shape {found.shape} instead of {wanted.shape}"
    np.testing.assert_allclose(found, wanted, rtol=0, atol=10 * error, err_msg=str(p))
