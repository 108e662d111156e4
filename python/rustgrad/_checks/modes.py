"""The single checks that ``gradcheck`` is made of: each compares one mode of one case with what it must equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._core import Tensor, grad, stack
from ..autograd import forward_ad
from .differences import (
    Array,
    GradcheckError,
    coordinates,
    numbers,
    numerical_jacobians,
    numerical_product,
    place,
    tensor_along,
    worst,
)
from .jacobians import Case, reverse_jacobians

# Batched and single calls do the same operations, so only roundoff may differ.
SAME = (1e-8, 1e-5)
BATCH = 4


@dataclass(frozen=True)
class Tolerance:
    """Step of the differences, and how far results may be apart."""

    eps: float
    atol: float
    rtol: float
    nondet: float


def draw(rng: np.random.Generator, like: Array) -> Array:
    """A random direction of length 1 in coordinates of ``like``."""
    vector = rng.normal(size=coordinates(like).shape)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-300))


def check_values(case: Case, tol: Tolerance) -> None:
    """Two calls give the same numbers, none of them NaN."""
    outputs = case.outputs()
    first = {k: coordinates(numbers(y)) for k, y in outputs.items()}
    for (k, y), second in zip(outputs.items(), case.values(), strict=True):
        if np.isnan(first[k]).any():
            at = place(int(np.argmax(np.isnan(first[k]))), numbers(y))
            raise case.error(f"{case.output_name(k)} is NaN at {at}; check the function inside its domain")
        found = worst(second, first[k], tol.nondet, 0.0)
        if found is not None:
            (at_,), b, a = found
            raise case.error(
                f"the function is not deterministic, {case.output_name(k)} at {place(at_, numbers(y))} is {a!r} and "
                f"then {b!r}; seed its random numbers in each call, or raise nondet_tol"
            )


def check_constant(case: Case, tol: Tolerance) -> None:
    """Outputs that require no gradients do not depend on the inputs."""
    for i in case.chosen:
        memory = numbers(case.inputs[i])
        for jacobian in numerical_jacobians(case.all_values, memory, tol.eps):
            if (found := worst(jacobian, np.zeros_like(jacobian), 0.0, 0.0)) is not None:
                raise case.error(
                    f"no output requires a gradient, but by central differences the derivative by {case.input_name(i)} "
                    f"at {place(found[0][1], memory)} is {found[1]!r}; look for detach() or no_grad() in the function"
                )


def compare(case: Case, mode: str, k: int, y: Array, i: int, found: Array, wanted: Array, tol: Tolerance) -> None:
    """Raise for the worst element of a Jacobian by ``mode`` that is not the numerical one."""
    bad = worst(found, wanted, tol.atol, tol.rtol)
    if bad is None:
        return
    (row, column), got, expected = bad
    x = numbers(case.inputs[i])
    raise case.error(
        f"{mode} gives {got!r} and central differences {expected!r} for the derivative of {case.output_name(k)} at "
        f"{place(row, y)} by {case.input_name(i)} at {place(column, x)} (output of shape {list(y.shape)}, input of "
        f"shape {list(x.shape)}); mend the derivative, or choose another eps if differences are too coarse here"
    )


def check_reverse_slow(case: Case, tol: Tolerance, numerical: dict[int, dict[int, Array]]) -> None:
    """Every element of every Jacobian, and the same ones once more."""
    for k, y in case.outputs().items():
        like, pull = numbers(y), case.pull(y)
        found = reverse_jacobians(pull, like)
        again = reverse_jacobians(pull, like)
        for i, first, second in zip(case.chosen, found, again, strict=True):
            compare(case, "reverse mode", k, like, i, first, numerical[i][k], tol)
            bad = worst(second, first, tol.nondet, 0.0)
            if bad is not None:
                (row, column), b, a = bad
                raise case.error(
                    f"reverse mode is not deterministic, the derivative of {case.output_name(k)} at {place(row, like)} "
                    f"by {case.input_name(i)} at {place(column, numbers(case.inputs[i]))} is {a!r} and then {b!r}; "
                    "keep no state in the gradient, or raise nondet_tol"
                )


def check_forward_slow(case: Case, tol: Tolerance, numerical: dict[int, dict[int, Array]]) -> None:
    """Every element of every Jacobian by forward mode."""
    for i in case.chosen:
        found = case.forward_jacobians(i)
        for k, y in case.outputs().items():
            compare(case, "forward mode", k, numbers(y), i, found[k], numerical[i][k], tol)


def numerical_tables(case: Case, tol: Tolerance) -> dict[int, dict[int, Array]]:
    """Numerical Jacobians by position of the input, then of the output."""
    kept = list(case.outputs())
    return {
        i: dict(zip(kept, numerical_jacobians(case.values, numbers(case.inputs[i]), tol.eps), strict=True))
        for i in case.chosen
    }


def check_fast(case: Case, tol: Tolerance, reverse: bool, forward: bool) -> None:
    """One number of every Jacobian: its product with a random direction on either side."""
    rng = np.random.default_rng(0)
    outputs = case.outputs()
    left = {k: draw(rng, numbers(y)) for k, y in outputs.items()}
    right = {i: draw(rng, numbers(case.inputs[i])) for i in case.chosen}
    modes: dict[str, dict[tuple[int, int], Array]] = {}
    if reverse:
        pulled = {k: dict(zip(case.chosen, case.pull(y)(left[k]), strict=True)) for k, y in outputs.items()}
        modes["reverse mode"] = {(k, i): pulled[k][i] @ right[i] for k in left for i in right}
    if forward:
        pushed = {i: case.tangents({i: tensor_along(t, numbers(case.inputs[i]))}) for i, t in right.items()}
        modes["forward mode"] = {(k, i): left[k] @ pushed[i][k] for k in left for i in right}
    for i, t in right.items():
        slopes = dict(zip(left, numerical_product(case.values, numbers(case.inputs[i]), t, tol.eps), strict=True))
        for k, g in left.items():
            wanted = np.asarray(g @ slopes[k])
            # The product sums errors of elements, each of which may be atol.
            atol = tol.atol * float(np.abs(g).sum() * np.abs(t).sum())
            for mode, products in modes.items():
                bad = worst(np.asarray(products[k, i]), wanted, atol, tol.rtol)
                if bad is not None:
                    raise _explain(case, tol, mode, k, i, bad[1], bad[2])


def _explain(case: Case, tol: Tolerance, mode: str, k: int, i: int, found: float, wanted: float) -> GradcheckError:
    """The error that the slow check finds for one pair, which names an element; else that of the product."""
    y = case.outputs()[k]
    try:
        table = numerical_tables(case, tol)[i][k]
        if mode == "forward mode":
            jacobian = case.forward_jacobians(i)[k]
        else:
            jacobian = reverse_jacobians(case.pull(y), numbers(y))[case.chosen.index(i)]
        compare(case, mode, k, numbers(y), i, jacobian, table, tol)
    except GradcheckError as error:
        return error
    return case.error(
        f"{mode} gives {found!r} and central differences {wanted!r} for a random projection of the Jacobian of "
        f"{case.output_name(k)} by {case.input_name(i)}, no element of which is out of tolerance; use fast_mode=False"
    )


def check_zero_cotangents(case: Case) -> None:
    """Cotangents that are zero give gradients that are zero."""
    outputs = case.outputs()
    zeros = [tensor_along(0 * coordinates(numbers(y)), numbers(y)) for y in outputs.values()]
    for i, g in zip(case.chosen, case.gradients(list(outputs.values()), zeros), strict=True):
        bad = worst(g, np.zeros_like(g), 0.0, 0.0)
        if bad is not None:
            raise case.error(
                f"reverse mode gives {case.input_name(i)} at {place(bad[0][0], numbers(case.inputs[i]))} the gradient "
                f"{bad[1]!r} for cotangents of 0.0; make the gradient linear in the cotangent"
            )


def check_undefined_cotangents(case: Case) -> None:
    """An output that is left out, so that its cotangent is undefined, counts as one with cotangent zero."""
    rng = np.random.default_rng(0)
    outputs = case.outputs()
    for k, y in outputs.items():
        cotangents = {m: tensor_along(0 * coordinates(numbers(z)), numbers(z)) for m, z in outputs.items()}
        cotangents[k] = tensor_along(draw(rng, numbers(y)), numbers(y))
        wanted = case.gradients(list(outputs.values()), list(cotangents.values()))
        try:
            found = case.gradients([y], [cotangents[k]])
        except Exception as error:
            raise case.error(
                f"reverse mode fails with undefined cotangents beside that of {case.output_name(k)} ({error}); "
                "treat them as zero"
            ) from error
        for i, a, b in zip(case.chosen, found, wanted, strict=True):
            if (bad := worst(a, b, *SAME)) is not None:
                raise case.error(
                    f"reverse mode gives {case.input_name(i)} at {place(bad[0][0], numbers(case.inputs[i]))} the "
                    f"gradient {bad[1]!r} from {case.output_name(k)} alone and {bad[2]!r} beside zero cotangents of "
                    "the others; treat undefined cotangents as zero"
                )


def check_undefined_tangents(case: Case) -> None:
    """An input without tangent counts as one with tangent zero."""
    rng = np.random.default_rng(0)
    likes = {i: numbers(case.inputs[i]) for i in case.chosen}
    for i, like in likes.items():
        given = {m: tensor_along(0 * coordinates(x), x) for m, x in likes.items()}
        given[i] = tensor_along(draw(rng, like), like)
        wanted = case.tangents(given)
        try:
            found = case.tangents({i: given[i]})
        except Exception as error:
            raise case.error(
                f"forward mode fails with undefined tangents beside that of {case.input_name(i)} ({error}); "
                "treat them as zero"
            ) from error
        for k, y in case.outputs().items():
            if (bad := worst(found[k], wanted[k], *SAME)) is not None:
                raise case.error(
                    f"forward mode gives {case.output_name(k)} at {place(bad[0][0], numbers(y))} the tangent "
                    f"{bad[1]!r} from {case.input_name(i)} alone and {bad[2]!r} beside zero tangents of the others; "
                    "treat undefined tangents as zero"
                )


def _batch(rng: np.random.Generator, like: Array) -> list[Tensor]:
    return [tensor_along(draw(rng, like), like) for _ in range(BATCH)]


def _batched(function: Callable[[Tensor], Any], batch: list[Tensor]) -> Any:
    """The function of the whole batch at once, or an error."""
    from ..func.batch import vmap  # transforms are loaded by those who use them

    return vmap(function, fallback="error")(stack(batch))


def check_batched_reverse(case: Case) -> None:
    """Gradients of a batch of cotangents equal those of one after the other."""
    rng = np.random.default_rng(0)
    xs = [case.inputs[i] for i in case.chosen]
    for k, y in case.outputs().items():
        batch = _batch(rng, numbers(y))
        single = [case.gradients([y], [g]) for g in batch]

        def pull(g: Tensor, y: Tensor = y) -> tuple[Tensor | None, ...]:
            return tuple(grad(y, xs, [g], retain_graph=True, allow_unused=True))

        try:
            found = _batched(pull, batch)
        except Exception as error:
            raise case.error(
                f"batched reverse mode fails for {case.output_name(k)} ({error}); use operations that vmap can batch, "
                "or check_batched_grad=False"
            ) from error
        for i, g, wanted in zip(case.chosen, found, zip(*single, strict=True), strict=True):
            like = numbers(case.inputs[i])
            rows = np.zeros((BATCH, *like.shape), like.dtype) if g is None else numbers(g)
            for n, w in enumerate(wanted):
                if (bad := worst(coordinates(rows[n]), w, *SAME)) is not None:
                    raise case.error(
                        f"batched reverse mode gives {bad[1]!r} and single calls {bad[2]!r} for the gradient of "
                        f"{case.input_name(i)} at {place(bad[0][0], like)} from {case.output_name(k)}; "
                        "mend the batching of the gradient"
                    )


def check_batched_forward(case: Case) -> None:
    """Tangents of a batch of directions equal those of one after the other."""
    rng = np.random.default_rng(0)
    kept = case.outputs()
    for i in case.chosen:
        batch = _batch(rng, numbers(case.inputs[i]))
        single = [case.tangents({i: t}) for t in batch]

        def push(t: Tensor, i: int = i) -> list[Tensor | None]:
            with forward_ad.dual_level():
                duals = [forward_ad.make_dual(x, t) if m == i else x for m, x in enumerate(case.inputs)]
                return [forward_ad.unpack_dual(y).tangent for y in case.call(duals)]

        try:
            found = _batched(push, batch)
        except Exception as error:
            raise case.error(
                f"batched forward mode fails for {case.input_name(i)} ({error}); use operations that vmap can batch, "
                "or check_batched_forward_grad=False"
            ) from error
        for k, y in kept.items():
            like, slopes = numbers(y), found[k]
            rows = np.zeros((BATCH, *like.shape), like.dtype) if slopes is None else numbers(slopes)
            for n in range(BATCH):
                if (bad := worst(coordinates(rows[n]), single[n][k], *SAME)) is not None:
                    raise case.error(
                        f"batched forward mode gives {bad[1]!r} and single calls {bad[2]!r} for the tangent of "
                        f"{case.output_name(k)} at {place(bad[0][0], like)} along {case.input_name(i)}; "
                        "mend the batching of the tangent"
                    )
