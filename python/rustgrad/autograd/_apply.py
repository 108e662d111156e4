"""How a function with its own rules meets the transforms: each level asks it in turn, the innermost first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _core
from .._core import Level, Tensor
from ._lanes import over_lanes
from ._pattern import along_sets
from ._refusal import not_differentiable
from ._reverse import IN_CONTAINERS, Reverse, refuse_unknown_slopes
from ._rules import Outcome, Rules, check_tangents, floating, run, summed_to
from ._series import along_curve
from ._transpose import Derived, transposed
from .function import Function, listed


def apply(cls: type[Function], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The result of a function's class for these arguments; ``named``: those its forward takes by name."""
    return interpret(Rules(cls, named), args).result()


def interpret(rules: Rules, args: tuple[Any, ...]) -> Outcome:
    """Let the innermost level among the arguments have its way."""
    level, kind = _core._innermost([a for a in args if isinstance(a, Tensor)])
    if kind == "tape":
        return _taped(rules, args, level)
    if level is None:
        return run(rules, args, (False,) * len(args))
    if kind == "dual":
        return _dual(rules, args, level)
    if kind == "batch":
        return over_lanes(rules, args, level, interpret)
    if kind == "sets":
        return _with_dirty(along_sets(rules, args, level, interpret, _tangents), args)
    return along_curve(rules, args, level, interpret)


def _stripped(level: Level, args: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(level.strip(a) if isinstance(a, Tensor) else a for a in args)


def _taped(rules: Rules, args: tuple[Any, ...], level: Level | None) -> Outcome:
    """Record the function as one node of a tape (None: plain requires_grad)."""
    if level is None:
        lower = args
        if not _core.is_grad_enabled():
            return run(rules, args, (False,) * len(args))
        needs = [isinstance(a, Tensor) and a.requires_grad for a in args]
        inner = run(rules, args, needs)
        changed = {j for _, j in inner.dirty}
        outputs = [_own(y, args, j in changed) for j, y in enumerate(inner.outputs)]
        for i, _ in inner.dirty:
            if needs[i] and args[i].is_leaf:
                raise RuntimeError(
                    f"{rules.name}: cannot change argument {i}, a leaf that requires a gradient, in place"
                )
    else:
        lower = _stripped(level, args)
        needs = [isinstance(a, Tensor) and level.is_taped(a) for a in args]
        inner = interpret(rules, lower).at_level(rules, lower, needs)
        outputs = inner.outputs
    rule = Reverse(rules, inner, lower, needs, level is None)
    recorded = _core._record(
        level,
        rules.name,
        rule,
        [args[i] for i in rule.inputs],
        rule.kept,
        [outputs[j] for j in rule.made],
        rule.keeps_outputs,
        [j in inner.constant for j in rule.made],
    )
    rule.kept = []
    for j, y in zip(rule.made, recorded, strict=True):
        outputs[j] = y
    return _with_dirty(inner.passed_up(outputs), args)


def _own(y: Any, args: Sequence[Any], changed: bool) -> Any:
    """An output without history, on memory of its own unless it is an argument that was changed: a view of an argument
    would be written with it, and its history would not know."""
    if not isinstance(y, Tensor):
        return y
    y = y.detach()
    shared = not changed and any(isinstance(a, Tensor) and y._shares_storage(a) for a in args)
    return y.clone() if shared else y


def _with_dirty(call: Outcome, args: Sequence[Any]) -> Outcome:
    """Arguments that were changed in place show the result from now on, and are it."""
    for i, j in call.dirty:
        try:
            args[i]._rebind(call.outputs[j])
        except RuntimeError as refused:
            # What a transform follows is written into a view, or a tensor with views, as by any operator.
            if not str(refused).startswith("mark_dirty: a view, or a tensor with views, cannot"):
                raise
            args[i].copy_(call.outputs[j])
        call.outputs[j] = args[i]
    return call


def _dual(rules: Rules, args: tuple[Any, ...], level: Level) -> Outcome:
    """Primals by the function, tangents by its forward rule."""
    pairs = [level.unpack_dual(a) if isinstance(a, Tensor) else (a, None) for a in args]
    lower, tangents = tuple(p for p, _ in pairs), [t for _, t in pairs]
    inner = interpret(rules, lower).at_level(rules, lower, [t is not None for t in tangents])
    if any(place.kind == "other" and floating(place.other) for place in (*inner.saved, *inner.saved_forward)):
        refuse_unknown_slopes(rules, [*lower, *tangents])
    if inner.stale(lower):
        refuse_unknown_slopes(rules, [*lower, *tangents], IN_CONTAINERS)
    slopes = _tangents(rules, inner, lower, tangents)
    check_tangents(rules, slopes, inner.outputs)
    outputs = []
    for j, (y, t) in enumerate(zip(inner.outputs, slopes, strict=True)):
        outputs.append(y if t is None or not floating(y) or j in inner.constant else level.make_dual(y, t))
    return _with_dirty(inner.passed_up(outputs), args)


def _tangents(rules: Rules, inner: Outcome, lower: Sequence[Any], tangents: list[Any]) -> list[Any]:
    ctx = inner.ctx
    if rules.tangent is None:
        return _derived(rules, inner, lower, tangents)
    ctx._saved = ctx._saved_forward or ctx._saved
    given = [
        _core.zeros_like(p) if t is None and ctx.materialize_grads and floating(p) else t
        for p, t in zip(lower, tangents, strict=True)
    ]
    return listed(rules.tangent(ctx, *given))


def _derived(rules: Rules, inner: Outcome, lower: Sequence[Any], tangents: list[Any]) -> list[Any]:
    """The reverse rule is linear in the cotangents: its transpose takes tangents forward."""
    if rules.reverse is None:
        raise not_differentiable(
            f"{rules.name}: has neither jvp() nor backward(), so there is no forward mode; define one of them"
        )
    ctx, outputs = inner.ctx, inner.outputs
    moving = [i for i, t in enumerate(tangents) if t is not None]
    carrying = [j for j, y in enumerate(outputs) if floating(y) and j not in inner.constant]

    def linear(*cotangents: Tensor) -> list[Any]:
        given: list[Any] = [_core.zeros_like(y) if ctx.materialize_grads and floating(y) else None for y in outputs]
        for j, g in zip(carrying, cotangents, strict=True):
            given[j] = g
        found = listed(rules.reverse(ctx, *given))  # type: ignore[misc]
        return [None if found[i] is None else summed_to(found[i], tuple(lower[i].shape)) for i in moving]

    likes = [_core.zeros_like(outputs[j]) for j in carrying]
    rule = Derived(rules.name, "backward()", "jvp()", rules.cls)
    pushed = transposed(linear, likes, [tangents[i] for i in moving], (*moving, -1, *carrying), rule)
    slopes: list[Any] = [None] * len(outputs)
    for j, t in zip(carrying, pushed, strict=True):
        slopes[j] = t
    return slopes
