"""Rules of one's own by decorator: ``custom_jvp``, ``custom_vjp``, and NumPy functions as operators."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from .._tree import alike, flatten, unflatten
from ..autograd._refusal import not_differentiable
from ..autograd._values import depended_on, differentiated, each_lane, floating
from ..autograd.function import Function, FunctionCtx, listed
from ..autograd.grad_mode import enable_grad
from ._arguments import name_of, tensors

__all__ = ["custom_jvp", "custom_vjp", "wrap_numpy"]


class _Call:
    """One call of a function: which of its leaves are tensors, and how arguments and results are nested."""

    def __init__(self, args: tuple[Any, ...]) -> None:
        self._leaves, self.structure = flatten(args)
        self._places = [i for i, x in enumerate(self._leaves) if isinstance(x, Tensor)]
        self.tensors: list[Tensor] = [self._leaves[i] for i in self._places]
        self.outer: Any = None
        #: Whether anything is recorded where the function is called.
        self.recording = _core.is_grad_enabled()

    def nested(self, values: Any, slopes: bool = False) -> tuple[Any, ...]:
        """The arguments with these tensors in place; ``slopes``: with tangents, and zeros for plain numbers."""
        full = [_no_tangent(x) for x in self._leaves] if slopes else list(self._leaves)
        for i, value in zip(self._places, values, strict=True):
            full[i] = value
        nested: tuple[Any, ...] = unflatten(self.structure, full)
        return nested

    def chosen(self, tree: Any, name: str) -> list[Any]:
        """The entries of a tree nested like the arguments that belong to their tensors."""
        parts = [None] * len(self._leaves) if tree is None else _entries(tree, self.nested(self.tensors), name)
        return [parts[i] for i in self._places]

    def outputs(self, result: Any, name: str) -> tuple[Tensor, ...]:
        ys, self.outer = flatten(result)
        return tuple(tensors(ys, name))


def _no_tangent(x: Any) -> Any:
    """The tangent of what does not move: zero for a number, None for what has no zero."""
    return type(x)(0) if isinstance(x, (int, float, complex)) and not isinstance(x, bool) else None


def _positional(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Arguments given by name in their places."""
    if not kwargs:
        return args
    bound = inspect.signature(func).bind(*args, **kwargs)
    if bound.kwargs:
        raise TypeError(
            f"{name_of(func)}: a function with rules of its own takes no keyword-only arguments "
            f"({', '.join(bound.kwargs)}); make them positional"
        )
    return bound.args


def _run_recording(call: _Call, name: str, run: Callable[..., Any], xs: Any) -> Any:
    """The function on its tensors without their history: what carries one all the same was captured."""
    if not call.recording:
        return run(*call.nested(xs))
    with enable_grad():
        result = run(*call.nested([x.detach() for x in xs]))
    if differentiated(y for y in flatten(result)[0] if isinstance(y, Tensor)):
        raise RuntimeError(
            f"{name}: reads a tensor that is being differentiated and is not an argument; pass it as one, "
            "or detach() it"
        )
    return result


def _entries(tree: Any, like: tuple[Any, ...], name: str) -> list[Any]:
    """One entry per leaf of ``like``: where ``tree`` has None for a whole argument, None for all its leaves."""
    parts = tree if isinstance(tree, (tuple, list)) else (tree,)
    if len(parts) != len(like):
        raise ValueError(f"{name}: the rule returned {len(parts)} cotangents for {len(like)} arguments")
    found: list[Any] = []
    for part, argument in zip(parts, like, strict=True):
        leaves, structure = flatten(argument)
        if part is None:
            found += [None] * len(leaves)
            continue
        given, other = flatten(part)
        if not alike(structure, other):
            raise ValueError(f"{name}: a cotangent is not nested like its argument")
        found += given
    return found


class custom_jvp:
    """A function with a forward rule of its own; reverse mode is the rule's transpose.

    ``rule(primals, tangents)``, set by ``defjvp``, gets two tuples nested like the arguments and returns the result and
    its tangent, which must be linear in the tangents. Arguments may be nested; what is not a tensor is passed on as it
    is, and its tangent is 0 for a number, None for anything else. Tensors that are being differentiated must be
    arguments: reading others raises RuntimeError. A rule that leaves the recorded operations raises
    NotDifferentiableError in reverse mode.

    Derivative: what the rule says, to any order: it is differentiated as it runs.

    >>> import rustgrad as rg
    >>> @rg.func.custom_jvp
    ... def softplus(x):
    ...     return rg.log1p(rg.exp(x))
    >>> @softplus.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return softplus(x), t * rg.sigmoid(x)
    >>> rg.func.grad(softplus)(rg.tensor(0.0))
    tensor(0.5000)
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        functools.update_wrapper(self, func)
        self._func = func
        self._rule: Callable[..., Any] | None = None
        self._function: type[Function] = type(name_of(func), (_ByTangent,), {"owner": self})

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule; usable as a decorator. See `func.custom_jvp`."""
        self._rule = rule
        return rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._rule is None:
            raise not_differentiable(
                f"{name_of(self._func)}: no forward rule is set; use @{name_of(self._func)}.defjvp"
            )
        args = _positional(self._func, args, kwargs)
        call = _Call(args)
        if not call.tensors:
            return self._func(*args)
        ys = listed(self._function.apply(call, *call.tensors))
        return unflatten(call.outer, ys)


class _ByTangent(Function):
    owner: custom_jvp

    @classmethod
    def forward(cls, ctx: Any, call: _Call, *xs: Tensor) -> Any:
        ctx.save_for_forward(*xs)
        ctx.call = call
        return call.outputs(_run_recording(call, cls.__name__, cls.owner._func, xs), cls.__name__)

    @classmethod
    def jvp(cls, ctx: Any, _: Any, *ts: Any) -> Any:
        call, xs = ctx.call, ctx.saved_tensors
        rule = cls.owner._rule
        if rule is None:
            raise not_differentiable(f"{cls.__name__}: no forward rule is set")
        slopes = [_core.zeros_like(x) if t is None else t for x, t in zip(xs, ts, strict=True)]
        answer = rule(call.nested(xs), call.nested(slopes, slopes=True))
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise ValueError(f"{cls.__name__}: the forward rule must return (result, tangent)")
        slopes, outer = flatten(answer[1])
        if not alike(outer, call.outer):
            raise ValueError(f"{cls.__name__}: the tangent of the forward rule is not nested like the result")
        return tuple(tensors(slopes, cls.__name__))


class custom_vjp:
    """A function with a reverse rule of its own; forward mode is the rule's transpose.

    ``defvjp(forward, backward)``: ``forward(*args)`` returns (result, residuals), ``backward(residuals, cotangent)`` a
    tuple with one cotangent (or None) per argument. Arguments may be nested; what is not a tensor is passed on as it
    is. Tensors that are being differentiated must be arguments: reading others raises RuntimeError. A rule that is not
    linear in the cotangent, or that leaves the recorded operations, raises NotDifferentiableError
    in forward mode.

    Derivative: what the rules say, to any order: they are differentiated as they run.

    >>> import rustgrad as rg
    >>> @rg.func.custom_vjp
    ... def clipped(x):
    ...     return x * 1
    >>> clipped.defvjp(lambda x: (x * 1, None), lambda _, g: (g.clamp(-1, 1),))
    >>> rg.func.grad(lambda x: 5 * clipped(x))(rg.tensor(2.0))
    tensor(1.)
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        functools.update_wrapper(self, func)
        self._func = func
        self._forward: Callable[..., Any] | None = None
        self._backward: Callable[..., Any] | None = None
        self._function: type[Function] = type(name_of(func), (_ByCotangent,), {"owner": self})

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Set the two parts of the rule. See `func.custom_vjp`."""
        self._forward, self._backward = forward, backward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward is None or self._backward is None:
            raise not_differentiable(f"{name_of(self._func)}: no reverse rule is set; call defvjp(forward, backward)")
        args = _positional(self._func, args, kwargs)
        call = _Call(args)
        if not call.tensors:
            return self._func(*args)
        ys = listed(self._function.apply(call, *call.tensors))
        return unflatten(call.outer, ys)

    def _with_residuals(self, args: tuple[Any, ...]) -> tuple[Any, Any]:
        answer = self._forward(*args)  # type: ignore[misc]
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise ValueError(f"{name_of(self._func)}: the forward part of the rule must return (result, residuals)")
        return answer


class _ByCotangent(Function):
    owner: custom_vjp

    @classmethod
    def forward(cls, ctx: Any, call: _Call, *xs: Tensor) -> Any:
        result, residuals = _run_recording(call, cls.__name__, lambda *args: cls.owner._with_residuals(args), xs)
        ctx.save_for_backward(*xs)
        ctx.call = call
        # Residuals are attributes one by one: so they follow the lanes of vmap.
        leaves, ctx.residual_structure = flatten(residuals)
        ctx.residual_count = len(leaves)
        for i, leaf in enumerate(leaves):
            setattr(ctx, f"residual{i}", leaf)
        return call.outputs(result, cls.__name__)

    @classmethod
    def backward(cls, ctx: Any, *gs: Tensor) -> Any:
        call, xs = ctx.call, ctx.saved_tensors
        if differentiated([*xs, *gs]) or depended_on([*xs, *gs]):
            # The rule is being differentiated, or its pattern sought: residuals must carry what the arguments do.
            _, residuals = cls.owner._with_residuals(call.nested(xs))
        else:
            leaves = [getattr(ctx, f"residual{i}") for i in range(ctx.residual_count)]
            residuals = unflatten(ctx.residual_structure, leaves)
        found = cls.owner._backward(residuals, unflatten(call.outer, list(gs)))  # type: ignore[misc]
        return (None, *call.chosen(found, cls.__name__))


def wrap_numpy(
    f: Callable[..., Any], vjp: Callable[..., Any] | None = None, *, jvp: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """A function of NumPy arrays as an operator on tensors.

    ``f(*arrays)`` returns an array or a tuple of arrays. ``vjp(g, *arrays)`` returns the cotangent of the array, or a
    tuple of one (or None) per array, given that of the result (a tuple for several results); ``jvp(tangents, *arrays)``
    the tangent of the result, given a tuple of tangents. Either may itself be an operator made by ``wrap_numpy``, which
    gets tangents or cotangents one by one in front of the arrays, or tensor operations marked with
    ``takes_tensors = True``, and is then differentiated for higher orders. Under ``vmap``
    it runs lane by lane. Raises TypeError for other arguments than tensors.

    Derivative: by the rules given; a mode without a rule raises NotDifferentiableError.

    >>> import numpy as np
    >>> import rustgrad as rg
    >>> cube = rg.func.wrap_numpy(lambda x: x**3, vjp=lambda g, x: 3 * g * x**2)
    >>> rg.func.grad(lambda x: cube(x).sum())(rg.tensor([1.0, 2.0]))
    tensor([ 3., 12.])
    """
    name = name_of(f)

    class Operator(Function):
        @staticmethod
        def forward(ctx: FunctionCtx, *xs: Any) -> Any:
            tensors(list(xs), name)
            ctx.save_for_backward(*xs)
            ctx.save_for_forward(*xs)
            result = f(*[_plain(x, name) for x in xs])
            ys = tuple(_tensor(y, xs, name) for y in listed(result))
            return ys if isinstance(result, tuple) else ys[0]

    def backward(ctx: FunctionCtx, *gs: Any) -> Any:
        found = _by_rule(vjp, gs[0] if len(gs) == 1 else gs, ctx.saved_tensors, name, "reverse", "jvp=")
        return tuple(found) if isinstance(found, list) else found

    def forward_rule(ctx: FunctionCtx, *ts: Any) -> Any:
        return _by_rule(jvp, ts, ctx.saved_tensors, name, "forward", "vjp=")

    if vjp is not None:
        Operator.backward = staticmethod(backward)  # type: ignore[method-assign]
    if jvp is not None:
        Operator.jvp = staticmethod(forward_rule)  # type: ignore[method-assign]
    Operator.__name__ = name

    @functools.wraps(f)
    def operator(*xs: Any) -> Any:
        return Operator.apply(*xs)

    operator.takes_tensors = operator.one_by_one = True  # type: ignore[attr-defined]
    return operator


def _by_rule(rule: Any, slopes: Any, xs: Any, name: str, mode: str, other: str) -> Any:
    several = isinstance(slopes, tuple)
    front = slopes if several else (slopes,)
    if getattr(rule, "one_by_one", False):
        return rule(*front, *xs)
    if getattr(rule, "takes_tensors", False):
        return rule(slopes, *xs)
    watched = [t for t in (*front, *xs) if isinstance(t, Tensor)]
    if differentiated(watched):
        raise not_differentiable(
            f"{name}: being differentiated twice, or in a mode whose rule would be derived from the {mode} rule, which "
            f"is NumPy's; give {other} or a rule that takes tensors",
            reason="numbers",
        )
    level, kind = _core._innermost(watched)
    if kind == "sets" and level is not None:
        # Nothing is known of a rule of NumPy's: its results depend on all it reads.
        stripped = [level.strip(t) if isinstance(t, Tensor) else t for t in (*front, *xs)]
        slopes, xs = (tuple(stripped[: len(front)]) if several else stripped[0]), stripped[len(front) :]
        found = _by_rule(rule, slopes, xs, name, mode, other)
        on_all = lambda y: level.depend_on_all(y, watched) if floating(y) else y
        return tuple(on_all(y) for y in found) if isinstance(found, tuple) else on_all(found)
    single = True

    def by_numpy(values: list[Any]) -> list[Any]:
        nonlocal single
        arrays = [None if t is None else _plain(t, name) for t in values]
        given = arrays[: len(front)]
        found = rule(tuple(given) if several else given[0], *arrays[len(front) :])
        single = not isinstance(found, (tuple, list))
        return [None if y is None else _tensor(y, xs, name) for y in ([found] if single else found)]

    results = each_lane(by_numpy, [*front, *xs])
    return results[0] if single else tuple(results)


def _plain(x: Tensor, name: str) -> np.ndarray[Any, Any]:
    """The numbers of a tensor; the function's own rules take care of history."""
    array: np.ndarray[Any, Any] = x.detach().numpy()
    return array


def _tensor(y: Any, xs: Any, name: str) -> Tensor:
    array = np.asarray(y)
    if array.dtype == object:
        raise TypeError(f"{name}: returned a {type(y).__name__}; return arrays")
    # The function may return its argument, or a view of it: tensors of their own are safe from that.
    return _core.from_numpy(np.array(array))
