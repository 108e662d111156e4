"""The rules of a function's class, and what a call of it left behind."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import _core
from .._core import Tensor
from ._origin import naming_origin
from ._values import contained
from ._values import differentiated as differentiated
from ._values import floating as floating
from .function import Function, FunctionCtx, defines, listed, reverse_rule
from .grad_mode import no_grad


class Rules:
    """The rules of a class, as functions of a context."""

    def __init__(self, cls: type[Function], named: dict[str, Any]) -> None:
        self.cls, self._named = cls, named
        self.name = cls.__name__
        reverse = reverse_rule(cls)
        self.reverse = None if reverse is None else self._rule(reverse)
        self.tangent = self._rule(cls.jvp) if defines(cls, "jvp") else None
        #: Whether the context is filled apart from the computation, and can be filled again at every level.
        self.separate = defines(cls, "setup_context")

    def _rule(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        return _core._Rule(naming_origin(rule, self.name), None if self.cls._runs_again else self.name)

    def run(self, ctx: FunctionCtx, args: Sequence[Any]) -> Any:
        # Inside of another function's rule: what this one reads is its own affair.
        forward = _core._Rule(functools.partial(self.cls.forward, **self._named) if self._named else self.cls.forward)
        with no_grad():
            if not self.separate:
                return forward(ctx, *args)
            output = forward(*args)
            self.cls.setup_context(ctx, tuple(args), output)
            return output

    def context(self, args: Sequence[Any], output: Any, needs: Sequence[bool]) -> FunctionCtx:
        """A context filled with the tensors of one level."""
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(needs)
        self.cls.setup_context(ctx, tuple(args), output)
        return ctx


@dataclass(frozen=True)
class Place:
    """A saved tensor: an argument, an output, or one that the function made for itself."""

    kind: str
    index: int = 0
    other: Tensor | None = None

    @staticmethod
    def of(t: Any, args: Sequence[Any], outputs: Sequence[Any], dirty: Sequence[Any] = ()) -> Place:
        places = [("input", args), ("output", outputs)]
        if any(t is d for d in dirty):
            places.reverse()  # an argument that was changed in place: what was saved is the result
        for kind, among in places:
            for i, x in enumerate(among):
                if t is not None and x is t:
                    return Place(kind, i)
        return Place("other", 0, t)

    def among(self, args: Sequence[Any], outputs: Sequence[Any]) -> Any:
        return {"input": args, "output": outputs}[self.kind][self.index] if self.kind != "other" else self.other


@dataclass
class Outcome:
    """What a call gave, as one level sees it, and the context its rules read."""

    outputs: list[Any]
    single: bool
    ctx: FunctionCtx
    #: Where what was saved (for reverse and for forward mode) is found, at whatever level.
    saved: list[Place] = field(default_factory=list)
    saved_forward: list[Place] = field(default_factory=list)
    #: Tensors that were set as attributes of the context and are arguments or outputs.
    attributes: dict[str, Place] = field(default_factory=dict)
    #: Arguments and outputs inside of lists, tuples and dicts on the context: levels above cannot put theirs there.
    nested: list[tuple[Tensor, Place]] = field(default_factory=list)
    #: (argument, output) pairs that are one tensor, changed in place.
    dirty: list[tuple[int, int]] = field(default_factory=list)
    constant: set[int] = field(default_factory=set)
    #: Whether the context knows this call: where a vmap() of the user's made the outputs, only setup_context fills it.
    filled: bool = True

    def result(self) -> Any:
        return self.outputs[0] if self.single else tuple(self.outputs)

    def passed_up(self, outputs: list[Any]) -> Outcome:
        """The same call as the level above sees it."""
        new = copy.copy(self)
        new.outputs = outputs
        return new

    def stale(self, args: Sequence[Any]) -> bool:
        """Whether a container on the context holds the tensors of a level below."""
        return bool(self.nested) and any(place.among(args, self.outputs) is not t for t, place in self.nested)

    def at_level(self, rules: Rules, args: Sequence[Any], needs: Sequence[bool]) -> Outcome:
        """The same call with a context that holds the tensors of this level."""
        if rules.separate:
            ctx = rules.context(args, self.result(), needs)
            return outcome_of(rules, ctx, args, self.outputs, self.single)
        if not self.filled:
            raise RuntimeError(
                f"{rules.name}: with its own vmap(), derivatives need setup_context() beside forward(*args); define it"
            )
        new = copy.copy(self)
        new.ctx = copy.copy(self.ctx)
        new.ctx.needs_input_grad = tuple(needs)
        new.ctx._saved = tuple(place.among(args, self.outputs) for place in self.saved)
        new.ctx._saved_forward = tuple(place.among(args, self.outputs) for place in self.saved_forward)
        for name, place in self.attributes.items():
            setattr(new.ctx, name, place.among(args, self.outputs))
        return new


def outcome_of(rules: Rules, ctx: FunctionCtx, args: Sequence[Any], outputs: list[Any], single: bool) -> Outcome:
    """What is found on a context that was just filled."""
    attributes: dict[str, Place] = {}
    nested: list[tuple[Tensor, Place]] = []
    for name, value in vars(ctx).items():
        if name[0] == "_" or name == "needs_input_grad":
            continue
        if isinstance(value, Tensor):
            place = Place.of(value, args, outputs, ctx._dirty)
            if place.kind != "other":
                attributes[name] = place
        elif isinstance(value, (list, tuple, dict)):
            places = [(t, Place.of(t, args, outputs, ctx._dirty)) for t in contained(value)]
            nested += [(t, place) for t, place in places if place.kind != "other"]
    return Outcome(
        outputs,
        single,
        ctx,
        [Place.of(t, args, outputs, ctx._dirty) for t in ctx._saved],
        [Place.of(t, args, outputs, ctx._dirty) for t in ctx._saved_forward],
        attributes,
        nested,
        _dirty(rules, ctx, args, outputs),
        {i for i, y in enumerate(outputs) if any(y is c for c in ctx._constant)},
    )


def _dirty(rules: Rules, ctx: FunctionCtx, args: Sequence[Any], outputs: Sequence[Any]) -> list[tuple[int, int]]:
    pairs = []
    for t in ctx._dirty:
        i = next((i for i, a in enumerate(args) if a is t), None)
        j = next((j for j, y in enumerate(outputs) if y is t), None)
        if i is None or j is None:
            raise RuntimeError(f"{rules.name}: a tensor marked as dirty must be an input, and be returned")
        pairs.append((i, j))
    return pairs


def run(rules: Rules, args: tuple[Any, ...], needs: Sequence[bool]) -> Outcome:
    """Run the function itself; nothing is recorded."""
    ctx = FunctionCtx()
    ctx.needs_input_grad = tuple(needs)
    output = rules.run(ctx, args)
    outputs = listed(output)
    if not any(isinstance(y, Tensor) for y in outputs):
        kinds = ", ".join(type(y).__name__ for y in outputs)
        raise TypeError(f"{rules.name}: forward must return a tensor or a tuple with tensors, not {kinds}")
    return outcome_of(rules, ctx, args, outputs, not isinstance(output, tuple))


def summed_to(g: Tensor, shape: tuple[int, ...]) -> Tensor:
    """``g`` added up over the dimensions along which ``shape`` was broadcast to its shape."""
    extra = g.ndim - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[extra:], strict=True)):
        raise RuntimeError(f"cannot add up {list(g.shape)} to {list(shape)}")
    dims = [*range(extra), *(i + extra for i, n in enumerate(shape) if n == 1 and g.shape[i + extra] != 1)]
    return (g.sum(dims, keepdim=True) if dims else g).reshape(*shape)


def check_tangents(rules: Rules, slopes: Sequence[Any], outputs: Sequence[Any]) -> None:
    """Refuse tangents that are not those of the outputs, by number, kind or shape."""
    if len(slopes) != len(outputs):
        raise RuntimeError(f"{rules.name}: jvp returned {len(slopes)} tangents for {len(outputs)} outputs")
    for j, (t, y) in enumerate(zip(slopes, outputs, strict=True)):
        if t is not None and not isinstance(t, Tensor) and floating(y):
            raise TypeError(
                f"{rules.name}: jvp returned a {type(t).__name__} as the tangent of output {j}; return tensors, "
                "None where there is none"
            )
        if isinstance(t, Tensor) and tuple(t.shape) != tuple(y.shape):
            raise RuntimeError(
                f"{rules.name}: the tangent of output {j} has shape {list(t.shape)} but the output has shape "
                f"{list(y.shape)}; they must be equal"
            )


def zeros_of(aval: tuple[Any, Any]) -> Tensor:
    return _core.zeros(*aval[0], dtype=aval[1])
