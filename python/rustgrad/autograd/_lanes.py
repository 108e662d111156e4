"""A function with its own rules over the lanes of ``vmap``: its batching rule, its rules batched, or lane by lane."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from .. import _core
from .._core import DataDependentError, Level, Tensor
from .._tree import flatten, unflatten
from .._warning import warn
from ._rules import Outcome, Place, Rules, run
from .function import FunctionCtx, VmapInfo, defines, listed

Interpret = Callable[[Rules, tuple[Any, ...]], Outcome]
#: Where tensors are found that a context keeps in containers: no user's attribute has a name with spaces.
CONTAINED = "kept in containers"
_warned: set[str] = set()


def over_lanes(rules: Rules, args: tuple[Any, ...], level: Level, interpret: Interpret) -> Outcome:
    """The function on arguments of which some stand for many."""
    on_lanes = [isinstance(a, Tensor) and level.is_batched(a) for a in args]
    stacks = tuple(level.strip(a) if yes else a for a, yes in zip(args, on_lanes, strict=True))
    n = next(x.shape[0] for x, yes in zip(stacks, on_lanes, strict=True) if yes)
    if defines(rules.cls, "vmap"):
        if rules.cls.generate_vmap_rule:
            raise RuntimeError(f"{rules.name}: has vmap() and generate_vmap_rule=True, of which one must go")
        return _by_user(rules, stacks, on_lanes, level, n)
    over = OverLanes(rules, on_lanes, n, level)
    before = level.refused
    try:
        inner = interpret(over, stacks)
    except DataDependentError as refused:
        if getattr(refused, "function", None) != rules.name or level.strict:
            raise
        level.refused = before  # answered here
        reason = str(refused)
    else:
        return _seen_from_above(over, inner, level)
    if rules.name not in _warned:
        _warned.add(rules.name)
        warn(
            f"{rules.name}: asks for plain numbers under vmap and runs lane by lane, which is slow; "
            f"define vmap() ({reason})"
        )
    lanes = [
        interpret(rules, tuple(x[k] if yes else x for x, yes in zip(stacks, on_lanes, strict=True))) for k in range(n)
    ]
    if not lanes:
        raise ValueError(f"{rules.name}: runs lane by lane, and there are no lanes to learn its shape")
    first = _beside_tensors(lanes[0])
    asked = level.refused
    alike = all(equal(_beside_tensors(lane), first) for lane in lanes[1:])
    level.refused = asked  # a comparison that was refused has been answered
    if not alike:
        error = DataDependentError(
            f"{rules.name}: what it returns or keeps on ctx differs from lane to lane in more than numbers of tensors"
        )
        error.level = level.id  # type: ignore[attr-defined]
        level.refused = True
        raise error  # one call cannot stand for such lanes: let the whole program run lane by lane
    outputs = [
        level.batch(_core.stack(list(ys))) if isinstance(ys[0], Tensor) else ys[0]
        for ys in zip(*(lane.outputs for lane in lanes), strict=True)
    ]
    return _joined(outputs, lanes, level)


def _beside_tensors(lane: Outcome) -> list[Any]:
    """All that a call leaves behind but the numbers of its tensors: which there are, and what is none."""
    own = lambda values: [Tensor if isinstance(v, Tensor) else v for v in values]
    kept = {name: value for name, value in vars(lane.ctx).items() if not name.startswith("_")}
    places = [(p.kind, p.index, p.other is None) for p in (*lane.saved, *lane.saved_forward)]
    return [own(lane.outputs), list(kept), own(kept.values()), places, len(lane.saved), sorted(lane.constant)]


def equal(a: Any, b: Any) -> bool:
    """Whether two things are surely the same; tensors are if they are one, since equal numbers may move differently."""
    if a is b:
        return True
    if type(a) is not type(b) or isinstance(a, Tensor):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(equal, a.values(), b.values()))
    try:
        return bool(a == b)
    except (RuntimeError, TypeError, ValueError):
        return False  # what does not compare with a plain answer


def _seen_from_above(over: OverLanes, inner: Outcome, level: Level) -> Outcome:
    """The call of stacks as the call of values that stand for them, for levels that follow those."""
    call, flags, forward_flags, attributes = inner.ctx._lanes
    ctx = copy.copy(call.ctx)
    for name, on in attributes.items():
        setattr(ctx, name, _each(getattr(inner.ctx, name), on, level.batch))
    for name, place in call.attributes.items():
        value = getattr(inner.ctx, name)
        setattr(ctx, name, level.batch(value) if over._has_lanes(place) else value)

    def up(places: list[Place], flags: list[bool]) -> list[Place]:
        own = lambda p, yes: Place("other", 0, level.batch(p.other) if yes and p.other is not None else p.other)
        return [own(p, yes) if p.kind == "other" else p for p, yes in zip(places, flags, strict=True)]

    outputs = [level.batch(y) if isinstance(y, Tensor) else y for y in inner.outputs]
    saved, saved_forward = up(inner.saved, flags), up(inner.saved_forward, forward_flags)
    return Outcome(
        outputs, inner.single, ctx, saved, saved_forward, call.attributes, call.nested, constant=inner.constant
    )


def _joined(outputs: list[Any], lanes: list[Outcome], level: Level) -> Outcome:
    """One call from the calls of all lanes."""
    first = lanes[0]
    together = lambda values: level.batch(_core.stack(values)) if isinstance(values[0], Tensor) else values[0]

    def up(kind: str) -> list[Place]:
        columns = zip(*(getattr(lane, kind) for lane in lanes), strict=True)
        return [
            Place("other", 0, together([p.other for p in column])) if column[0].kind == "other" else column[0]
            for column in columns
        ]

    ctx = copy.copy(first.ctx)
    for name in vars(first.ctx):
        if not name.startswith("_") and isinstance(getattr(ctx, name), Tensor):
            setattr(ctx, name, together([getattr(lane.ctx, name) for lane in lanes]))
    return Outcome(
        outputs,
        first.single,
        ctx,
        up("saved"),
        up("saved_forward"),
        first.attributes,
        first.nested,
        constant=first.constant,
    )


def _by_user(rules: Rules, stacks: tuple[Any, ...], on_lanes: list[bool], level: Level, n: int) -> Outcome:
    in_dims = tuple(0 if yes else None for yes in on_lanes)
    answer = rules.cls.vmap(VmapInfo(n, level.randomness), in_dims, *stacks)
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise RuntimeError(f"{rules.name}: vmap must return (outputs, out_dims)")
    outputs, out_dims = listed(answer[0]), answer[1]
    dims = [out_dims] * len(outputs) if out_dims is None or isinstance(out_dims, int) else list(out_dims)
    if len(dims) != len(outputs):
        raise RuntimeError(f"{rules.name}: vmap returned {len(dims)} out_dims for {len(outputs)} outputs")
    for y, dim in zip(outputs, dims, strict=True):
        if isinstance(y, Tensor) and dim is not None and y.shape[dim] != n:
            raise RuntimeError(
                f"{rules.name}: vmap returned an output of shape {list(y.shape)} with {y.shape[dim]} lanes along "
                f"out_dims={dim}, but there are {n}"
            )
    results = [
        y if dim is None or not isinstance(y, Tensor) else level.batch(y.movedim(dim, 0))
        for y, dim in zip(outputs, dims, strict=True)
    ]
    return Outcome(results, not isinstance(answer[0], tuple), FunctionCtx(), filled=False)


class OverLanes(Rules):
    """The rules of a function, each run for all lanes at once: a function of stacks with rules of its own."""

    def __init__(self, inner: Rules, on_lanes: list[bool], n: int, level: Level) -> None:
        self.inner, self.on_lanes, self.n = inner, on_lanes, n
        #: The level the lanes come from: what a rule captures or draws belongs to it, as long as it lasts.
        self._level = level
        self.cls, self.name, self.separate = inner.cls, inner.name, False
        self.reverse = self._reverse if inner.reverse is not None else None
        self.tangent = self._tangent if inner.tangent is not None else None

    def _inside(self, f: Callable[[Level], Any], each: Callable[[int], Any] | None = None) -> Any:
        """``f`` with all lanes at once, or ``each`` of them in turn if it asks for plain numbers."""
        own = self._level.ended
        level = Level("vmap", self.n, "same") if own else self._level
        before, level.refused = level.refused, False
        try:
            found = f(level)
            if not level.refused:
                return found
            if each is None:  # the rule caught it: as if it had not
                error = DataDependentError(f"{self.name}: it catches the refusal")
                error.level, error.function = level.id, self.name  # type: ignore[attr-defined]
                raise error
        except DataDependentError as refused:
            if getattr(refused, "level", None) != level.id:
                raise
            refused.function = self.name  # type: ignore[attr-defined]
            if each is None:
                raise
        finally:
            level.refused = before or (each is None and level.refused)
            if own:
                level.exit()
        return [each(k) for k in range(self.n)]

    def _has_lanes(self, place: Place) -> bool:
        """Whether an argument or output stands for many."""
        return self.on_lanes[place.index] if place.kind == "input" else place.kind == "output"

    def run(self, ctx: FunctionCtx, args: Sequence[Any]) -> Any:
        def forward(level: Level) -> Any:
            lanes = tuple(level.batch(a) if yes else a for a, yes in zip(args, self.on_lanes, strict=True))
            call = run(self.inner, lanes, ctx.needs_input_grad)
            if call.dirty:
                raise RuntimeError(f"{self.name}: mark_dirty is not possible under vmap; return a new tensor instead")
            outputs = [level.unbatch(y, self.n) if isinstance(y, Tensor) else y for y in call.outputs]
            # What was saved leaves the level as stacks: the very arguments and outputs where it is these.
            outside = lambda t, places: (
                places.among(args, outputs) if places.kind != "other" else level.strip(t) if t is not None else None
            )
            ctx._saved = tuple(outside(t, p) for t, p in zip(call.ctx._saved, call.saved, strict=True))
            ctx._saved_forward = tuple(
                outside(t, p) for t, p in zip(call.ctx._saved_forward, call.saved_forward, strict=True)
            )
            flag = lambda t, place: self._has_lanes(place) if place.kind != "other" else _on(level, t)
            flags = [flag(t, p) for t, p in zip(call.ctx._saved, call.saved, strict=True)]
            forward_flags = [flag(t, p) for t, p in zip(call.ctx._saved_forward, call.saved_forward, strict=True)]
            # Attributes that are arguments or outputs are these at every level; others keep their numbers alone.
            for name, place in call.attributes.items():
                setattr(ctx, name, place.among(args, outputs))
            # Those in containers are looked for at every level.
            vars(ctx)[CONTAINED] = [place.among(args, outputs) for _, place in call.nested]
            attributes = {}
            for name, value in vars(call.ctx).items():
                leaves = [] if name.startswith("_") or name in {*call.attributes, CONTAINED} else flatten(value)[0]
                if any(isinstance(leaf, Tensor) for leaf in leaves):
                    # On the context itself, where lanes further out find them in turn.
                    setattr(ctx, name, _each(value, [isinstance(leaf, Tensor) for leaf in leaves], level.strip))
                    attributes[name] = [_on(level, leaf) for leaf in leaves]
            ctx._constant = tuple(outputs[j] for j in call.constant)
            ctx.materialize_grads = call.ctx.materialize_grads
            ctx._lanes = (call, flags, forward_flags, attributes)
            return outputs[0] if call.single else tuple(outputs)

        return self._inside(forward)

    def _inner_context(self, ctx: FunctionCtx, level: Level, forward: bool) -> FunctionCtx:
        call, flags, forward_flags, _ = ctx._lanes
        inner = copy.copy(call.ctx)
        inner.needs_input_grad = ctx.needs_input_grad
        if forward and forward_flags:
            flags = forward_flags
        put = lambda t, yes: level.batch(t) if yes and t is not None else t
        self._fill(inner, ctx, flags, put)
        return inner

    def _fill(self, inner: FunctionCtx, ctx: FunctionCtx, flags: list[bool], put: Callable[[Any, bool], Any]) -> None:
        """The context of the inner rules: what this one keeps, put before the lanes."""
        call, _, _, attributes = ctx._lanes
        inner._saved = inner._saved_forward = tuple(
            put(t, yes) for t, yes in zip(ctx.saved_tensors, flags, strict=True)
        )
        for name, on in attributes.items():
            setattr(inner, name, _each(getattr(ctx, name), on, lambda t: put(t, True)))
        for name, place in call.attributes.items():
            setattr(inner, name, put(getattr(ctx, name), self._has_lanes(place)))

    def _lane_context(self, ctx: FunctionCtx, lane: int, forward: bool) -> FunctionCtx:
        call, flags, forward_flags, _ = ctx._lanes
        inner = copy.copy(call.ctx)
        inner.needs_input_grad = ctx.needs_input_grad
        flags = forward_flags if forward and forward_flags else flags
        pick = lambda t, yes: t[lane] if yes and t is not None else t
        self._fill(inner, ctx, flags, pick)
        return inner

    def _reverse(self, ctx: FunctionCtx, *gradients: Any) -> tuple[Any, ...]:
        count = len(self.on_lanes)

        def pull(inner: FunctionCtx, gs: list[Any]) -> list[Any]:
            found = listed(self.inner.reverse(inner, *gs))  # type: ignore[misc]
            return found[:count] + [None] * (count - len(found))

        def together(level: Level) -> list[Any]:
            gs = [level.batch(g) if isinstance(g, Tensor) else g for g in gradients]
            found = pull(self._inner_context(ctx, level, False), gs)
            return [level.unbatch(g, self.n) if isinstance(g, Tensor) else g for g in found]

        def apart(lane: int) -> list[Any]:
            gs = [g[lane] if isinstance(g, Tensor) else g for g in gradients]
            return pull(self._lane_context(ctx, lane, False), gs)

        found = _stacked(self._inside(together, apart), self.n)
        # Where all lanes shared an argument, their cotangents add up.
        return tuple(
            g if yes or not isinstance(g, Tensor) else g.sum(0) for g, yes in zip(found, self.on_lanes, strict=True)
        )

    def _tangent(self, ctx: FunctionCtx, *tangents: Any) -> tuple[Any, ...]:
        moving = [isinstance(t, Tensor) and yes for t, yes in zip(tangents, self.on_lanes, strict=True)]

        def together(level: Level) -> list[Any]:
            ts = [level.batch(t) if yes else t for t, yes in zip(tangents, moving, strict=True)]
            found = listed(self.inner.tangent(self._inner_context(ctx, level, True), *ts))  # type: ignore[misc]
            return [level.unbatch(t, self.n) if isinstance(t, Tensor) else t for t in found]

        def apart(lane: int) -> list[Any]:
            ts = [t[lane] if yes else t for t, yes in zip(tangents, moving, strict=True)]
            return listed(self.inner.tangent(self._lane_context(ctx, lane, True), *ts))  # type: ignore[misc]

        return tuple(_stacked(self._inside(together, apart), self.n))


def _stacked(found: list[Any], n: int) -> list[Any]:
    """Results with lanes in front, from those or from a list per lane."""
    if not found or not isinstance(found[0], list):
        return found
    if len(found) != n:
        raise RuntimeError("vmap: a lane is missing")
    return [
        _core.stack(list(parts)) if isinstance(parts[0], Tensor) else parts[0] for parts in zip(*found, strict=True)
    ]


def _each(value: Any, flags: list[bool], f: Callable[[Any], Any]) -> Any:
    """A tensor or a container with ``f`` of those leaves whose flag is set."""
    leaves, structure = flatten(value)
    return unflatten(structure, [f(leaf) if yes else leaf for leaf, yes in zip(leaves, flags, strict=True)])


def _on(level: Level, t: Any) -> bool:
    return isinstance(t, Tensor) and level.is_batched(t)
