"""A function with its own rules among patterns: which elements its results depend on, as its rules read them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from .. import _core
from .._core import Level, Tensor
from ._rules import Outcome, Rules, check_tangents, summed_to
from ._values import floating
from .function import listed

Interpret = Callable[[Rules, tuple[Any, ...]], Outcome]
Tangents = Callable[[Rules, Outcome, Sequence[Any], list[Any]], list[Any]]


class _Running(threading.local):
    """The functions whose rules are being followed, which may use themselves, and the levels that do so."""

    def __init__(self) -> None:
        self.classes: list[Any] = []
        self.probes: list[Level] = []


_RUNNING = _Running()


def along_sets(rules: Rules, args: tuple[Any, ...], level: Level, interpret: Interpret, tangents: Tangents) -> Outcome:
    """The function of arguments whose elements travel with the inputs they depend on.

    Derivatives are what the rules compute, whatever the function itself does: so tangents (or cotangents) go through
    the rules, numbered element by element. Where a rule does anything with them that cannot be followed, such as
    reading their numbers or comparing them, every result depends on everything.
    """
    lower = tuple(level.strip(a) if isinstance(a, Tensor) else a for a in args)
    inner = interpret(rules, lower)
    followed = [i for i, a in enumerate(args) if isinstance(a, Tensor) and _core._innermost([a])[0] == level]
    if level in _RUNNING.probes:
        # A rule goes on with the values of this function, but its own rules speak of derivatives, which may be others.
        for i in followed:
            args[i].detach()  # the level takes note that it cannot follow
        return inner
    carrying = [j for j, y in enumerate(inner.outputs) if floating(y) and j not in inner.constant]
    call = _Call(rules, inner, lower, level, followed, [args[i] for i in followed], carrying)
    outputs = list(inner.outputs)
    for j, y in zip(carrying, call.by_rules(tangents) or call.by_everything(), strict=True):
        outputs[j] = y
    return inner.passed_up(outputs)


class _Call:
    """One call: ``followed`` arguments, of which ``inputs`` know what they depend on, and ``carrying`` outputs."""

    def __init__(
        self,
        rules: Rules,
        inner: Outcome,
        lower: tuple[Any, ...],
        level: Level,
        followed: list[int],
        inputs: list[Tensor],
        carrying: list[int],
    ) -> None:
        self._rules, self._inner, self._lower, self._level = rules, inner, lower, level
        self._followed, self._inputs, self._carrying = followed, inputs, carrying
        self._outputs = [inner.outputs[j] for j in carrying]

    def by_everything(self) -> list[Any]:
        return [self._level.depend_on_all(y, self._inputs) for y in self._outputs]

    def by_rules(self, tangents: Tangents) -> list[Any] | None:
        """The outputs with what they depend on, None unless that is proven."""
        rules = self._rules
        ways: list[Callable[[Level], list[Any]]] = []
        if rules.tangent is not None:
            ways.append(lambda probe: self._forward(probe, tangents))
        # Both modes are asked for, since nobody compares the rules; those that run the function again agree.
        if rules.reverse is not None and not (ways and rules.cls._runs_again):
            ways.append(self._backward)
        if not ways or rules.cls in _RUNNING.classes:
            return None
        _RUNNING.classes.append(rules.cls)
        try:
            for way in ways:
                probe = Level("sparsity")
                _RUNNING.probes.append(probe)
                try:
                    self._outputs = way(probe)
                finally:
                    _RUNNING.probes.pop()
                    probe.exit()
                if any(y is None for y in self._outputs):
                    break
        except Exception:
            # Whatever a rule does not take: where it matters, the derivative will say so.
            self._outputs = [None]
        finally:
            _RUNNING.classes.pop()
        found = self._outputs
        self._outputs = [self._inner.outputs[j] for j in self._carrying]
        return None if any(y is None for y in found) else found

    def _again(self) -> Outcome:
        """The call with a context of its own."""
        needs = [i in self._followed for i in range(len(self._lower))]
        return self._inner.at_level(self._rules, self._lower, needs)

    def _forward(self, probe: Level, tangents: Tangents) -> list[Any]:
        given: list[Any] = [None] * len(self._lower)
        start = 0
        for i in self._followed:
            given[i] = probe.follow(_core.ones_like(self._lower[i]), start)
            start += given[i].numel()
        slopes = tangents(self._rules, self._again(), self._lower, given)
        check_tangents(self._rules, slopes, self._inner.outputs)
        pairs = zip(self._outputs, self._carrying, strict=True)
        fitting = lambda y, j: self._fitting(slopes[j], tuple(y.shape))
        return [self._level.depend_through(y, self._inputs, probe, [fitting(y, j)]) for y, j in pairs]

    def _backward(self, probe: Level) -> list[Any]:
        call = self._again()
        given: list[Any] = [
            _core.zeros_like(y) if isinstance(y, Tensor) and call.ctx.materialize_grads else None
            for y in self._inner.outputs
        ]
        starts, start = [], 0
        for j in self._carrying:
            starts.append(start)
            given[j] = probe.follow(_core.ones_like(self._inner.outputs[j]), start)
            start += given[j].numel()
        found = listed(self._rules.reverse(call.ctx, *given))  # type: ignore[misc]
        slopes = [self._fitting(found[i], tuple(self._lower[i].shape)) for i in self._followed]
        pairs = zip(self._outputs, starts, strict=True)
        return [self._level.depend_through(y, self._inputs, probe, slopes, start) for y, start in pairs]

    def _fitting(self, slope: Any, shape: tuple[int, ...]) -> Any:
        """A slope of that shape: broadcast ones are added up, as everywhere."""
        if slope is not None and not floating(slope):
            raise TypeError(f"{self._rules.name}: a slope that is no float tensor does not know what it depends on")
        return None if slope is None else summed_to(slope, shape)
