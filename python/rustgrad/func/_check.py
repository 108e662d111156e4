"""``check``: every mode of a function, nested in every order, against every other and against differences."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._checks.differences import Array, GradcheckError, central_difference, numbers, place, worst
from .._core import Tensor, complex128, float64, from_numpy, stack, view_as_complex, view_as_real, zeros_like
from .._core import grad as recorded_grad
from .._tree import flatten, unflatten
from ..autograd._values import floating
from .batch import vmap
from .forward import jvp
from .reverse import vjp

__all__ = ["Check", "Report", "check"]

# A function of all inputs that returns all of its outputs; the order-k quantities are of this form too.
Map = Callable[..., tuple[Any, ...]]
BATCH = 3


class Check(NamedTuple):
    """One comparison: its name, the largest error relative to the larger of 1 and the value, or why it was left out."""

    name: str
    error: float
    skipped: str = ""

    def __str__(self) -> str:
        return f"{self.name}: " + (f"skipped, {self.skipped}" if self.skipped else f"{self.error:.1e}")


@dataclass(frozen=True)
class Report:
    """What ``check`` compared; as text a line for each comparison with its largest relative error."""

    checks: tuple[Check, ...]

    @property
    def error(self) -> float:
        """The largest relative error of all comparisons.

        Derivative: none, it is a number.

        >>> import rustgrad as rg
        >>> from rustgrad.func import check
        >>> check(rg.exp, rg.ones(2, dtype=rg.float64), order=1).error < 1e-6
        True
        """
        return max((c.error for c in self.checks), default=0.0)

    def __str__(self) -> str:
        return "\n".join(str(c) for c in self.checks)

    __repr__ = __str__


def _direction(rng: np.random.Generator, like: Sequence[Array]) -> tuple[Tensor, ...]:
    return tuple(from_numpy(np.asarray(rng.uniform(-1, 1, x.shape))) for x in like)


def _dot(a: Sequence[Array], b: Sequence[Array]) -> float:
    return float(sum(np.sum(x * y) for x, y in zip(a, b, strict=True)))


def _arrays(tensors: Sequence[Tensor]) -> list[Array]:
    return [numbers(t) for t in tensors]


def _forward(f: Map, t: tuple[Tensor, ...]) -> Map:
    return lambda *x: jvp(f, x, t)[1]


def _reverse(f: Map, g: tuple[Tensor, ...]) -> Map:
    return lambda *x: vjp(f, *x)[1](g)


def _recorded(f: Map, g: tuple[Tensor, ...]) -> Map:
    """Gradients by recording on plain tensors and one sweep, which is recorded too."""

    def gradients(*x: Tensor) -> tuple[Tensor, ...]:
        xs = [v if v.requires_grad else v.detach().requires_grad_(True) for v in x]
        pairs = [(y, c) for y, c in zip(f(*xs), g, strict=True) if y.requires_grad]
        if not pairs:
            return tuple(zeros_like(v) for v in xs)
        ys, cs = zip(*pairs, strict=True)
        found = recorded_grad(list(ys), xs, list(cs), create_graph=True, allow_unused=True)
        return tuple(zeros_like(v) if d is None else d for v, d in zip(xs, found, strict=True))

    return gradients


class _Checker:
    """The point, the directions, the tolerances, and the comparisons made so far."""

    def __init__(self, f: Map, xs: tuple[Tensor, ...], order: int, eps: float, atol: float, rtol: float) -> None:
        self.f, self.eps, self.atol, self.rtol = f, eps, atol, rtol
        # Own memory, because differences move it.
        self.xs = tuple(from_numpy(np.array(numbers(x))) for x in xs)
        self.rng = np.random.default_rng(0)
        self.checks: list[Check] = []
        self.ts = [_direction(self.rng, _arrays(self.xs)) for _ in range(order)]
        self.g = _direction(self.rng, _arrays(f(*self.xs)))

    def compare(
        self,
        name: str,
        found: Sequence[Array],
        wanted: Sequence[Array],
        of: str,
        other: str,
        tight: float = 1e-3,
        equal_nan: bool = False,
    ) -> None:
        """One line of the report, or an error for the worst element of the first array that is not as wanted.

        Modes have to agree better with one another than with differences: ``tight`` scales the tolerances.
        """
        error = 0.0
        for k, (a, b) in enumerate(zip(found, wanted, strict=True)):
            bad = worst(a, b, tight * self.atol, tight * self.rtol, equal_nan)
            if bad is not None:
                at, got, expected = bad
                index = place(int(np.ravel_multi_index(at, b.shape)), b)
                raise GradcheckError(
                    f"check: {name} gives {got!r} and {other} {expected!r} for {of.format(k)} at {index} "
                    f"(shape {list(b.shape)}); mend the mode that is wrong, or loosen atol and rtol"
                )
            with np.errstate(invalid="ignore"):
                apart = np.abs(a - b) / np.maximum(np.abs(b), 1.0)
            error = max(error, float(np.max(apart[np.isfinite(apart)], initial=0.0)))
        self.checks.append(Check(f"{name} against {other}", error))

    def differences(self, f: Map, t: tuple[Tensor, ...]) -> list[Array]:
        """Central differences of all outputs of ``f`` with all inputs moving along ``t`` at once."""
        flat = np.concatenate([numbers(x).reshape(-1) for x in self.xs])
        along = np.concatenate([numbers(v).reshape(-1) for v in t])
        ends = np.cumsum([x.numel() for x in self.xs])[:-1]

        def values() -> list[Array]:
            parts = [p.reshape(x.shape) for p, x in zip(np.split(flat, ends), self.xs, strict=True)]
            return [np.array(y) for y in _arrays(f(*(from_numpy(np.array(p)) for p in parts)))]

        return central_difference(values, flat, ..., self.eps * along, self.eps)

    def first(self) -> None:
        """Forward mode against differences argument by argument, reverse against forward, recorded against both."""
        t = self.ts[0]
        for i, v in enumerate(t):
            alone = tuple(v if i == m else zeros_like(x) for m, x in enumerate(self.xs))
            found = _arrays(_forward(self.f, alone)(*self.xs))
            of = f"the derivative along argument {i} of output {{}}"
            self.compare(f"jvp along argument {i}", found, self.differences(self.f, alone), of, "differences", 1.0)
        slopes = _arrays(_forward(self.f, t)(*self.xs))
        pulled = _arrays(_reverse(self.f, self.g)(*self.xs))
        # Argument by argument, so that an error names one; the sum of all is the usual dot product test.
        for i, v in enumerate(t):
            alone = tuple(v if i == m else zeros_like(x) for m, x in enumerate(self.xs))
            wanted = _dot(_arrays(self.g), _arrays(_forward(self.f, alone)(*self.xs)))
            product = np.asarray(_dot([pulled[i]], [numbers(v)]))
            of = f"the product of cotangent, Jacobian by argument {i} and tangent,"
            if worst(product, np.asarray(wanted), 1e-3 * self.atol, 1e-3 * self.rtol) is not None:
                self._name_element(i, pulled[i])
            self.compare(f"vjp to argument {i}", [product], [np.asarray(wanted)], of, "jvp")
        total = [np.asarray(_dot(pulled, _arrays(t)))]
        self.compare("vjp", total, [np.asarray(_dot(_arrays(self.g), slopes))], "the product with the tangent", "jvp")
        swept = _arrays(_recorded(self.f, self.g)(*self.xs))
        self.compare("backward", swept, pulled, "the gradient by argument {}", "vjp")

    def _name_element(self, i: int, pulled: Array) -> None:
        """Raise for the element of a gradient that forward mode along unit tangents does not confirm."""
        wanted = np.zeros_like(pulled)
        for index in np.ndindex(pulled.shape):
            unit = np.zeros_like(pulled)
            unit[index] = 1.0
            t = tuple(from_numpy(unit) if i == m else zeros_like(x) for m, x in enumerate(self.xs))
            wanted[index] = _dot(_arrays(self.g), _arrays(_forward(self.f, t)(*self.xs)))
        self.compare("vjp", [pulled], [wanted], f"the gradient by argument {i}", "jvp")

    def batched(self) -> None:
        """``vmap`` of the function, of its forward and of its reverse mode against loops over copies of the point."""
        stacks = [
            stack([x + 1e-3 * n * t for n in range(BATCH)]).detach() for x, t in zip(self.xs, self.ts[0], strict=True)
        ]
        maps = {
            "vmap": (self.f, "output {}"),
            "vmap∘jvp": (_forward(self.f, self.ts[0]), "the tangent of output {}"),
            "vmap∘vjp": (_reverse(self.f, self.g), "the gradient by argument {}"),
        }
        for name, (f, of) in maps.items():
            try:
                found = _arrays(vmap(f, fallback="error")(*stacks))
            except RuntimeError as error:
                self.checks.append(Check(f"{name} against a loop", 0.0, f"the function cannot be batched ({error})"))
                continue
            loop = [_arrays(f(*(s[n] for s in stacks))) for n in range(BATCH)]
            wanted = [np.stack(parts) for parts in zip(*loop, strict=True)]
            # The copies may lie beyond the domain of the function, where both give NaN.
            self.compare(name, found, wanted, of + ", batch index first,", "a loop", equal_nan=True)

    def nested(self, modes: Sequence[str]) -> Map:
        """The modes applied in turn, the innermost first.

        Forward mode takes the next tangent. The first reverse mode takes the cotangent of the outputs; each further one
        takes the next tangent as cotangent of the gradients. So all nestings of as many modes with at least one in
        reverse are the same: the gradient of the derivative along the tangents, contracted with the cotangent.
        """
        f, used, pulled = self.f, 0, False
        for mode in modes:
            if mode == "jvp":
                f, used = _forward(f, self.ts[used]), used + 1
                continue
            wrap = _recorded if mode == "backward" else _reverse
            f, used = (wrap(f, self.ts[used]), used + 1) if pulled else (wrap(f, self.g), used)
            pulled = True
        return f

    def higher(self, order: int) -> None:
        """All nestings of ``order`` modes against differences of one of the order below, and against one another."""
        reference = ["vjp"] + ["jvp"] * (order - 1)
        name = "∘".join(reversed(reference))
        of = "the gradient by argument {}" + f" of the derivative of order {order - 1}"
        exact = _arrays(self.nested(reference)(*self.xs))
        wanted = self.differences(self.nested(reference[:-1]), self.ts[order - 2])
        self.compare(name, exact, wanted, of, "differences", 1.0)
        for modes in itertools.product(("jvp", "vjp"), repeat=order):
            if "vjp" in modes and list(modes) != reference:
                found = _arrays(self.nested(modes)(*self.xs))
                self.compare("∘".join(reversed(modes)), found, exact, of, name)
        swept = ["backward"] * order
        self.compare("∘".join(swept), _arrays(self.nested(swept)(*self.xs)), exact, of, name)
        forward = ["jvp"] * order
        found = _arrays(self.nested(forward)(*self.xs))
        wanted = self.differences(self.nested(forward[:-1]), self.ts[order - 1])
        self.compare(
            "∘".join(forward), found, wanted, f"the derivative of order {order} of output {{}}", "differences", 1.0
        )
        product = [np.asarray(_dot(_arrays(self.g), found))]
        contracted = [np.asarray(_dot(exact, _arrays(self.ts[order - 1])))]
        self.compare("∘".join(forward), product, contracted, "the product with cotangent and tangents", name)


def check(
    f: Callable[..., Any],
    x: Any,
    order: int = 3,
    *,
    eps: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-4,
) -> Report:
    """Compare all modes of ``f`` at ``x`` with one another and with central differences, up to an order of derivatives.

    Order 1: ``jvp`` with differences, ``vjp`` with ``jvp``, a plain backward sweep with ``vjp``, and ``vmap`` of the
    function and of both modes with loops, unless the function cannot be batched, which the report then says. Order 2
    and 3: every nesting of as many ``jvp`` and ``vjp``, and of recorded sweeps, with one another and with differences
    of the order below. Directions are random, the same in every run. Results agree with differences where
    ``|found - wanted| <= atol + rtol * |wanted|``, and with one another to a thousandth of that.

    Shapes: ``x`` is the argument of ``f`` or a tuple of its arguments, which may be nested, as what ``f`` returns may
    be; tensors have any shape and count as arguments and outputs one by one. Dtypes: float64, and complex128, which is
    a last axis (real, imaginary) in messages. The function must be differentiable at ``x`` as often as ``order`` says.

    Derivative: none, the answer is a report with a line for each comparison. Raises GradcheckError, which names the
    nesting (``jvp∘vjp`` is forward over reverse), the argument or output, the element and both values; TypeError for
    other dtypes, ValueError for another order than 1, 2 or 3.

    >>> import rustgrad as rg
    >>> from rustgrad.func import check
    >>> report = check(lambda a, b: a * b.sin(), (rg.ones(2, dtype=rg.float64), rg.ones(2, dtype=rg.float64)), order=2)
    >>> print(report)
    jvp along argument 0 against differences: ...
    >>> report.error < 1e-4
    True
    """
    if order not in (1, 2, 3):
        raise ValueError(f"check: order={order} is not supported; choose 1, 2 or 3")
    if not (eps > 0 and atol >= 0 and rtol >= 0):
        raise ValueError(f"check: eps={eps}, atol={atol}, rtol={rtol}; eps must be positive, the others not negative")
    leaves, structure = flatten(tuple(x) if type(x) in (tuple, list) else (x,))
    if not leaves:
        raise ValueError("check: x holds no tensors; give at least one")
    for i, v in enumerate(leaves):
        if not isinstance(v, Tensor) or v.dtype not in (float64, complex128):
            kind = v.dtype if isinstance(v, Tensor) else type(v).__name__
            raise TypeError(
                f"check: argument {i} is {kind}; differences need float64 or complex128 tensors, convert it with .to()"
            )

    def outputs(*parts: Tensor) -> tuple[Tensor, ...]:
        values = [view_as_complex(p) if v.is_complex() else p for p, v in zip(parts, leaves, strict=True)]
        ys = flatten(f(*unflatten(structure, values)))[0]
        if not ys:
            raise TypeError("check: the function returns no tensors, so that there is nothing to compare")
        for k, y in enumerate(ys):
            if not floating(y):
                kind = y.dtype if isinstance(y, Tensor) else type(y).__name__
                raise TypeError(f"check: output {k} of the function is {kind}; return tensors of a float dtype only")
        return tuple(view_as_real(y) if y.is_complex() else y for y in ys)

    # A complex number is a pair of real ones here, so that nothing is asked of the function but derivatives by those.
    xs = tuple(view_as_real(v.detach()) if v.is_complex() else v for v in leaves)
    checker = _Checker(outputs, xs, order, eps, atol, rtol)
    checker.first()
    checker.batched()
    for n in range(2, order + 1):
        checker.higher(n)
    return Report(tuple(checker.checks))
