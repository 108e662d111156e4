"""``gradcheck`` and ``gradgradcheck``: derivatives of any function compared with central differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .._checks import modes
from .._checks.differences import GradcheckError, numbers
from .._checks.jacobians import Case, is_inexact
from .._core import Tensor, from_numpy, grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def _check_options(name: str, tol: modes.Tolerance, masked: bool | None, needs: dict[str, tuple[bool, bool]]) -> None:
    if not tol.eps > 0:
        raise ValueError(f"{name}: eps={tol.eps} must be a positive number")
    for option, value in (("atol", tol.atol), ("rtol", tol.rtol), ("nondet_tol", tol.nondet)):
        if not value >= 0:
            raise ValueError(f"{name}: {option}={value} must not be negative")
    if masked is not None and not isinstance(masked, bool):
        raise TypeError(f"{name}: masked must be a bool or None, not a {type(masked).__name__}")
    for sentence, (wanted, given) in needs.items():
        if wanted and not given:
            raise ValueError(f"{name}: {sentence}")


def _check_inputs(name: str, inputs: tuple[Any, ...], input_name: Callable[[int], str]) -> None:
    if not any(isinstance(x, Tensor) and x.requires_grad for x in inputs):
        raise ValueError(f"{name}: no input requires a gradient; set requires_grad=True on what is to be checked")
    for i, x in enumerate(inputs):
        if not is_inexact(x) or not x.requires_grad:
            continue
        kind = numbers(x).dtype
        if kind not in (np.float64, np.complex128):
            warnings.warn(
                f"{name}: {input_name(i)} is {kind}, whose roundoff central differences magnify; "
                "convert it to float64 or complex128",
                stacklevel=3,
            )
        if any(stride == 0 and size > 1 for stride, size in zip(x.stride(), x.shape, strict=True)):
            raise RuntimeError(
                f"{name}: elements of {input_name(i)} share memory (shape {list(x.shape)}, strides "
                f"{list(x.stride())}), so that differences cannot move one alone; call contiguous() on it first"
            )


def _run(
    case: Case,
    tol: modes.Tolerance,
    *,
    undefined: bool,
    backward: bool,
    forward: bool,
    batched_backward: bool,
    batched_forward: bool,
    fast: bool,
) -> None:
    if not case.outputs():
        modes.check_constant(case, tol)
        return
    modes.check_values(case, tol)
    if fast:
        modes.check_fast(case, tol, backward, forward)
    else:
        table = modes.numerical_tables(case, tol)
        if backward:
            modes.check_reverse_slow(case, tol, table)
        if forward:
            modes.check_forward_slow(case, tol, table)
    if backward:
        modes.check_zero_cotangents(case)
        if undefined:
            modes.check_undefined_cotangents(case)
    if forward and undefined:
        modes.check_undefined_tangents(case)
    if batched_backward:
        modes.check_batched_reverse(case)
    if batched_forward:
        modes.check_batched_forward(case)


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the derivatives of ``func`` at ``inputs`` are those that central differences find.

    ``inputs`` is a tensor or a tuple, of which tensors that require gradients are checked; ``func`` takes them and
    returns a tensor or a tuple of tensors, of which those that require gradients are checked. Every element of every
    Jacobian is compared, ``|found - numerical| <= atol + rtol * |numerical|`` with step ``eps``; ``fast_mode``
    compares one random projection of each, the same in every run.

    ``check_backward_ad`` and ``check_forward_ad`` choose the modes. ``check_batched_grad`` and
    ``check_batched_forward_grad`` compare them under ``vmap`` with single calls. ``check_undefined_grad``: outputs
    without cotangent and inputs without tangent count as zero ones. ``check_grad_dtypes``: gradients and tangents have
    the dtype of what they belong to. Values and gradients of two runs differ by no more than ``nondet_tol``.
    ``masked`` concerns sparse layouts, which do not exist here; it changes nothing.

    Shapes: any. Dtypes: float64 and complex128; others give a warning, as their roundoff is larger than the
    tolerances. Complex gradients are conjugate Wirtinger derivatives, and both parts are compared. The memory of the
    inputs is moved and put back, so that functions which reach an input in another way than as an argument are checked
    too; an input whose elements share memory raises RuntimeError.

    Derivative: none, the answer is a bool. Raises GradcheckError, which names the mode, the output, the input, the
    element and both values, or returns False with ``raise_exception=False``; ValueError if no input requires a gradient
    or options contradict each other.

    >>> import rustgrad as rg
    >>> x = rg.tensor([0.5, 2.0], dtype=rg.float64, requires_grad=True)
    >>> rg.autograd.gradcheck(lambda x: x * x.sin(), (x,), check_forward_ad=True, check_batched_grad=True)
    True
    >>> rg.autograd.gradcheck(lambda x: x * x.detach(), (x,), raise_exception=False)
    False
    """
    tol = modes.Tolerance(eps, atol, rtol, nondet_tol)
    needs = {
        "check_backward_ad and check_forward_ad are both False; choose at least one": (
            True,
            check_backward_ad or check_forward_ad,
        ),
        "check_batched_grad needs reverse mode; set check_backward_ad=True": (check_batched_grad, check_backward_ad),
        "check_batched_forward_grad needs forward mode; set check_forward_ad=True": (
            check_batched_forward_grad,
            check_forward_ad,
        ),
    }
    _check_options("gradcheck", tol, masked, needs)
    given = _as_tuple(inputs)
    case = Case("gradcheck", func, given, check_grad_dtypes, lambda i: f"input {i}", lambda k: f"output {k}")
    _check_inputs("gradcheck", given, case.input_name)
    try:
        _run(
            case,
            tol,
            undefined=check_undefined_grad,
            backward=check_backward_ad,
            forward=check_forward_ad,
            batched_backward=check_batched_grad,
            batched_forward=check_batched_forward_grad,
            fast=fast_mode,
        )
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _draw_cotangent(rng: np.random.Generator, output: Tensor, spaced: bool) -> Tensor:
    like = numbers(output)
    parts = [rng.uniform(-1, 1, like.shape), rng.uniform(-1, 1, like.shape)]
    drawn = np.asarray(parts[0] + 1j * parts[1] if np.iscomplexobj(like) else parts[0], dtype=like.dtype)
    if not spaced:
        return from_numpy(drawn).requires_grad_(True)
    memory = np.zeros((*like.shape, 2), dtype=like.dtype)
    memory[..., 1] = drawn
    return from_numpy(memory)[..., 1].requires_grad_(True)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether second derivatives of ``func`` are those that central differences of its gradients find.

    The gradients of the inputs, a function of the inputs and of the cotangents ``grad_outputs``, are checked as by
    ``gradcheck``, whose options mean the same here: ``check_rev_over_rev`` differentiates them in reverse mode,
    ``check_fwd_over_rev`` in forward mode. Without ``grad_outputs`` cotangents are drawn, the same in every run; with
    ``gen_non_contig_grad_outputs`` they are strided.

    Shapes: ``grad_outputs`` is a tensor or a tuple with one of the shape of each output that requires a gradient.
    Dtypes: float64 and complex128.

    Derivative: none, the answer is a bool. Raises GradcheckError or returns False as ``gradcheck``; ValueError also if
    no output requires a gradient, or the cotangents do not fit.

    >>> import rustgrad as rg
    >>> x = rg.tensor([0.5, 2.0], dtype=rg.float64, requires_grad=True)
    >>> rg.autograd.gradgradcheck(rg.exp, (x,), check_fwd_over_rev=True)
    True
    """
    tol = modes.Tolerance(eps, atol, rtol, nondet_tol)
    needs = {
        "check_rev_over_rev and check_fwd_over_rev are both False; choose at least one": (
            True,
            check_rev_over_rev or check_fwd_over_rev,
        ),
        "check_batched_grad needs reverse mode; set check_rev_over_rev=True": (check_batched_grad, check_rev_over_rev),
    }
    _check_options("gradgradcheck", tol, masked, needs)
    xs = _as_tuple(inputs)
    n = len(xs)
    _check_inputs("gradgradcheck", xs, lambda i: f"input {i}")
    plain = Case("gradgradcheck", func, xs, False, lambda i: f"input {i}", lambda k: f"output {k}")
    outputs = plain.outputs()
    if not outputs:
        raise ValueError("gradgradcheck: no output requires a gradient; look for detach() or no_grad() in the function")
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        gs = tuple(_draw_cotangent(rng, y, gen_non_contig_grad_outputs) for y in outputs.values())
    else:
        gs = _as_tuple(grad_outputs)
        shapes = [list(g.shape) if isinstance(g, Tensor) else type(g).__name__ for g in gs]
        wanted = [list(y.shape) for y in outputs.values()]
        if shapes != wanted:
            raise ValueError(
                f"gradgradcheck: grad_outputs have shapes {shapes}, the outputs {wanted}; give one for each"
            )
    chosen, kept = plain.chosen, list(outputs)

    def gradients(*args: Any) -> tuple[Tensor, ...]:
        ys = [y for y in plain.call(args[:n]) if y.requires_grad]
        found = grad(ys, [args[i] for i in chosen], list(args[n:]), create_graph=True, allow_unused=True)
        present[:] = [i for i, g in zip(chosen, found, strict=True) if g is not None]
        return tuple(g for g in found if g is not None)

    # Which inputs the gradients belong to, for messages.
    present: list[int] = []
    case = Case(
        "gradgradcheck",
        gradients,
        (*xs, *gs),
        check_grad_dtypes,
        lambda i: f"input {i}" if i < n else f"the cotangent of output {kept[i - n]}",
        lambda k: f"the gradient by input {present[k]}",
    )
    _check_inputs("gradgradcheck", case.inputs, case.input_name)
    try:
        _run(
            case,
            tol,
            undefined=check_undefined_grad,
            backward=check_rev_over_rev,
            forward=check_fwd_over_rev,
            batched_backward=check_batched_grad,
            batched_forward=False,
            fast=fast_mode,
        )
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True
