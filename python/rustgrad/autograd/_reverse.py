"""The reverse rule of one recorded call of a function with its own rules."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from .. import _core
from .._core import Tensor
from ._refusal import not_differentiable
from ._rules import Outcome, Rules, check_tangents, differentiated, floating, summed_to, zeros_of
from ._transpose import Derived, transposed
from ._values import bare
from .function import FunctionCtx, listed

#: Why a rule cannot be differentiated, and what to do.
_UNKNOWN = (
    "saved a tensor that is no argument and no output; return it as a further output, or set it as an attribute of ctx "
    "if it is constant"
)
IN_CONTAINERS = (
    "keeps arguments or outputs in a list, tuple or dict on ctx; set each as an attribute of its own, or save it by "
    "save_for_backward()"
)
#: Whether the bottom tape records shows on what becomes of it.
_PROBE = _core.ones(()).requires_grad_(True)


class Reverse:
    """Called by the sweep with what was kept, the outputs, and the cotangents."""

    def __init__(
        self, rules: Rules, inner: Outcome, lower: Sequence[Any], needs: Sequence[bool], at_bottom: bool
    ) -> None:
        self._rules, self._needs = rules, list(needs)
        self.inputs = [i for i, a in enumerate(lower) if isinstance(a, Tensor)]
        self.made = [j for j, y in enumerate(inner.outputs) if isinstance(y, Tensor)]
        self._count = len(inner.outputs)
        self._at_bottom, self._followed = at_bottom, differentiated(lower)
        # Without a reverse rule the forward rule will be read backwards, with what was saved for it.
        forward = rules.reverse is None and bool(inner.saved_forward)
        self._places = inner.saved_forward if forward else inner.saved
        self._attributes = inner.attributes
        # Outputs get their history when they are recorded: in a container they stay without.
        self._stale = bool(inner.nested) and (
            inner.stale(lower) or any(place.kind == "output" for _, place in inner.nested)
        )
        self._ctx = copy.copy(inner.ctx)
        self._ctx._saved, self._ctx._saved_forward = (), ()
        self._ctx.needs_input_grad = tuple(needs)
        for name in self._attributes:
            delattr(self._ctx, name)
        self._arguments = [None if isinstance(a, Tensor) else a for a in lower]
        self._input_avals = [(tuple(lower[i].shape), lower[i].dtype) for i in self.inputs]
        self._output_avals = [(tuple(inner.outputs[j].shape), inner.outputs[j].dtype) for j in self.made]
        places = [*self._places, *self._attributes.values()]
        read = {place.index for place in places if place.kind == "input"}
        #: What the graph keeps: arguments that are read, then tensors of the function's own.
        self.kept = [lower[i] if i in read else None for i in self.inputs]
        self.kept += [place.other for place in self._places if place.kind == "other" and place.other is not None]
        self.keeps_outputs = any(place.kind == "output" for place in places)

    def __call__(self, kept: tuple[Any, ...], made: tuple[Any, ...], cotangents: tuple[Any, ...]) -> list[Any]:
        ctx = self._context(kept, made, cotangents)
        gs: list[Any] = [None] * self._count
        for j, g, aval in zip(self.made, cotangents, self._output_avals, strict=True):
            gs[j] = zeros_of(aval) if g is None and ctx.materialize_grads else g
        if self._rules.reverse is None:
            found = self._derived(ctx, gs)
        else:
            found = self._pulled(ctx, gs)
            if _core._in_parts():
                self._refuse_unless_linear(found, gs, kept, made, cotangents)
        return [self._fitting(found[i], i, aval) for i, aval in zip(self.inputs, self._input_avals, strict=True)]

    def _refuse_unless_linear(self, found: list[Any], gs: list[Any], kept: Any, made: Any, cotangents: Any) -> None:
        """Forward mode over ``backward()`` adds up what the rule makes of values and of tangents: it must be linear."""
        factor = 997.0
        larger = [g * factor if floating(g) else g for g in gs]
        pairs = zip(self._pulled(self._context(kept, made, cotangents), larger), found, strict=True)
        for other, g in pairs:
            if floating(g) and floating(other):
                wide, wanted = bare(other).to(_core.complex128), bare(g).to(_core.complex128) * factor
                allowed = 1e-3 * (wide.abs().sum() + wanted.abs().sum())
                if bool((wide - wanted).abs().sum() > allowed):
                    raise not_differentiable(
                        f"{self._rules.name}: its backward() is not linear in the cotangent, so forward mode over "
                        "backward() or autograd.grad cannot go through it; take func.jvp of func.grad"
                    )

    def _context(self, kept: tuple[Any, ...], made: tuple[Any, ...], cotangents: tuple[Any, ...]) -> FunctionCtx:
        arguments, outputs = list(self._arguments), [None] * self._count
        for i, x in zip(self.inputs, kept, strict=False):
            arguments[i] = x
        for j, y in zip(self.made, made, strict=True):
            outputs[j] = y
        own = kept[len(self.inputs) :]
        if self._stale or any(floating(t) for t in own):
            # Arguments that are not kept count as well: what was saved may depend on them.
            followed = [_PROBE] if self._followed and (not self._at_bottom or (_PROBE * 1.0).requires_grad) else []
            why = IN_CONTAINERS if self._stale else _UNKNOWN
            refuse_unknown_slopes(self._rules, [*kept, *made, *cotangents, *followed], why)
        others = iter(own)
        ctx = copy.copy(self._ctx)
        ctx._saved = ctx._saved_forward = tuple(
            place.among(arguments, outputs) if place.kind != "other" else None if place.other is None else next(others)
            for place in self._places
        )
        for name, place in self._attributes.items():
            setattr(ctx, name, place.among(arguments, outputs))
        return ctx

    def _pulled(self, ctx: FunctionCtx, gs: list[Any]) -> list[Any]:
        found, count = listed(self._rules.reverse(ctx, *gs)), len(self._arguments)  # type: ignore[misc]
        if len(found) < count or any(g is not None for g in found[count:]):
            raise RuntimeError(
                f"{self._rules.name}: backward returned {len(found)} gradients for {count} arguments; "
                "return one per argument, None where there is none"
            )
        return found

    def _derived(self, ctx: FunctionCtx, gs: list[Any]) -> list[Any]:
        """The transpose of the forward rule."""
        rules = self._rules
        if rules.tangent is None:
            raise not_differentiable(
                f"{rules.name}: has neither backward() nor jvp(), so there is no reverse mode; define one of them"
            )
        avals = dict(zip(self.inputs, self._input_avals, strict=True))
        wanted = [i for i in self.inputs if self._needs[i]]
        shaped: list[Any] = [None] * self._count
        for j, aval in zip(self.made, self._output_avals, strict=True):
            shaped[j] = zeros_of(aval)

        def linear(*tangents: Tensor) -> list[Any]:
            given: list[Any] = [None] * len(self._arguments)
            if ctx.materialize_grads:
                for i, aval in avals.items():
                    given[i] = zeros_of(aval)
            for i, t in zip(wanted, tangents, strict=True):
                given[i] = t
            slopes = listed(rules.tangent(ctx, *given))  # type: ignore[misc]
            check_tangents(rules, slopes, shaped)
            return slopes

        likes = [zeros_of(avals[i]) for i in wanted]
        pulled = transposed(linear, likes, gs, wanted, Derived(rules.name, "jvp()", "backward()", rules.cls))
        result: list[Any] = [None] * len(self._arguments)
        for i, g in zip(wanted, pulled, strict=True):
            result[i] = g
        return result

    def _fitting(self, g: Any, i: int, aval: tuple[tuple[int, ...], Any]) -> Any:
        """A gradient of the argument's shape and dtype: broadcast ones are added up, as everywhere."""
        if g is None or not self._needs[i]:
            return None
        if not isinstance(g, Tensor):
            raise TypeError(f"{self._rules.name}: backward returned a {type(g).__name__} as a gradient; return tensors")
        shape, dtype = aval
        if tuple(g.shape) != shape:
            try:
                g = summed_to(g, shape)
            except RuntimeError:
                raise RuntimeError(
                    f"{self._rules.name}: the gradient of argument {i} has shape {list(g.shape)} but the argument has "
                    f"shape {list(shape)}; they must be equal"
                ) from None
        return g if g.dtype == dtype else g.to(dtype)


def refuse_unknown_slopes(rules: Rules, tensors: Sequence[Any], why: str = _UNKNOWN) -> None:
    """A rule is being differentiated that reads numbers whose history is not known: raise instead of taking them for
    constants."""
    if differentiated(tensors):
        raise not_differentiable(f"{rules.name}: cannot differentiate its rule, which {why}")
