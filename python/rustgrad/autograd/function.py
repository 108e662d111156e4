"""Functions with rules of their own: ``Function``, in both of PyTorch's styles, under every transform."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import _core
from .._core import Tensor
from ._refusal import not_differentiable
from ._values import contained, depended_on, differentiated, each_lane
from .grad_mode import no_grad

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What a function's rules share: saved tensors, flags, and any attributes the user sets."""

    #: Which arguments need a gradient, one entry per argument of ``forward``.
    needs_input_grad: tuple[bool, ...] = ()
    #: Whether zero cotangents and tangents arrive as tensors; ``set_materialize_grads`` sets it.
    materialize_grads = True
    _saved: tuple[Tensor | None, ...] = ()
    _saved_forward: tuple[Tensor | None, ...] = ()
    _dirty: tuple[Tensor, ...] = ()
    _constant: tuple[Tensor, ...] = ()
    #: Under vmap: the inner call, and which of what was kept has lanes.
    _lanes: Any = None

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors (or None) for the reverse rule, which reads ``ctx.saved_tensors``. See `autograd.Function`.

        Raises TypeError for anything else: that can be an attribute of ``ctx``.
        """
        self._saved = _only_tensors("save_for_backward", tensors)

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors (or None) for the forward rule, which reads ``ctx.saved_tensors``. See `autograd.Function`.

        Raises TypeError for anything else: that can be an attribute of ``ctx``.
        """
        self._saved_forward = _only_tensors("save_for_forward", tensors)

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """The tensors that were saved, with the history they had. See `autograd.Function`."""
        return self._saved

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which inputs ``forward`` changes in place; they must be returned.

        Derivative: that of the outputs, which take the place of the inputs.

        >>> import rustgrad as rg
        >>> class Double_(rg.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.mark_dirty(x)
        ...         return x.mul_(2)
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         return 2 * g
        >>> def f(x):
        ...     y = x.clone()
        ...     Double_.apply(y)
        ...     return y**2
        >>> rg.func.grad(f)(rg.tensor(1.0))
        tensor(8.)
        """
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which outputs carry no derivative.

        Derivative: zero; the rules get and give entries for these outputs all the same.

        >>> import rustgrad as rg
        >>> class Largest(rg.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         value, place = x.max(0)
        ...         ctx.mark_non_differentiable(place)
        ...         ctx.length, ctx.place = len(x), place
        ...         return value, place
        ...     @staticmethod
        ...     def backward(ctx, g, _):
        ...         return g * rg.nn.functional.one_hot(ctx.place, ctx.length)
        >>> rg.func.grad(lambda x: Largest.apply(x)[0])(rg.tensor([1.0, 3.0, 2.0]))
        tensor([0., 1., 0.])
        """
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether cotangents (and tangents) that are zero arrive as tensors of zeros (the default) or as None.

        Derivative: the same either way; with None a rule can leave work out.

        >>> import rustgrad as rg
        >>> class Parts(rg.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.set_materialize_grads(False)
        ...         return 2 * x, 3 * x
        ...     @staticmethod
        ...     def backward(ctx, g, h):
        ...         return 3 * h if g is None else 2 * g if h is None else 2 * g + 3 * h
        >>> rg.func.grad(lambda x: Parts.apply(x)[1])(rg.tensor(1.0))
        tensor(3.)
        """
        self.materialize_grads = value


def _only_tensors(what: str, tensors: tuple[Any, ...]) -> tuple[Tensor | None, ...]:
    for t in tensors:
        if t is not None and not isinstance(t, Tensor):
            raise TypeError(f"{what}: takes tensors and None, not a {type(t).__name__}; keep it as an attribute of ctx")
    return tensors


class VmapInfo(NamedTuple):
    """What a ``vmap`` rule is told: how many lanes there are, and what random operators do."""

    batch_size: int
    randomness: str


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """A reverse rule that cannot be differentiated itself: it sees plain numbers, and NumPy may compute it.

    Derivative: the first one; asking for a second raises NotDifferentiableError.

    >>> import rustgrad as rg
    >>> class Twice(rg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return 2 * x
    ...     @staticmethod
    ...     @rg.autograd.function.once_differentiable
    ...     def backward(ctx, g):
    ...         return rg.as_tensor(2 * g.numpy())
    >>> rg.func.grad(Twice.apply)(rg.tensor(1.0))
    tensor(2.)
    """

    @functools.wraps(backward)
    def wrapped(ctx: FunctionCtx, *gradients: Any) -> Any:
        saved = ctx.saved_tensors
        own = {n: t for n, t in vars(ctx).items() if isinstance(t, Tensor) and not n.startswith("_")}
        given = [*gradients, *saved, *own.values()]
        # Tensors in containers are watched, so that they do not pass for constants, but stay as they are.
        watched = list(contained([gradients, saved, [v for n, v in vars(ctx).items() if not n.startswith("_")]]))
        if _core._innermost(watched)[1] == "plain":
            return backward(ctx, *gradients)
        single = True

        def plain(values: list[Any]) -> list[Any]:
            nonlocal single
            values = [t.detach() if isinstance(t, Tensor) else t for t in values]
            inner = copy.copy(ctx)
            inner._saved = tuple(values[len(gradients) : len(gradients) + len(saved)])
            for name, value in zip(own, values[len(gradients) + len(saved) :], strict=True):
                setattr(inner, name, value)
            found = _core._Rule(backward)(inner, *values[: len(gradients)])
            single = not isinstance(found, tuple)
            return listed(found)

        with no_grad():
            found = each_lane(plain, given)
        if differentiated(watched) or depended_on(watched):
            name = backward.__qualname__.removesuffix(".backward").rpartition(".")[2]
            found = [_Once.apply(name, g, *watched) if isinstance(g, Tensor) else g for g in found]
        return found[0] if single else tuple(found)

    return wrapped


def listed(found: Any) -> list[Any]:
    """What a rule returned, one result or several, as a list."""
    return list(found) if isinstance(found, tuple) else [found]


class Function:
    """The base of functions with rules of their own. Subclass it and call ``apply``, never the rules themselves.

    Either ``forward(ctx, *args)``, or ``forward(*args)`` with ``setup_context(ctx, inputs, output)``, computes the
    result without being recorded; ``backward(ctx, *cotangents)`` returns one cotangent (or None) per argument;
    ``jvp(ctx, *tangents)`` returns the tangents of the outputs. Where one of the two is missing it is derived from the
    other by transposition, if that is written in differentiable operations. ``vmap(info, in_dims, *args)`` returns
    (outputs, out_dims); without it, and with ``generate_vmap_rule = True``, the rules themselves run batched, otherwise
    lane by lane. Raises RuntimeError for rules that overwrite what they are given: others may hold it.

    Derivative: what the rules say, to any order: rules are differentiated as they run.

    >>> import rustgrad as rg
    >>> class Cube(rg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x**2
    >>> rg.func.grad(rg.func.grad(Cube.apply))(rg.tensor(2.0))
    tensor(12.)
    """

    #: Let the rules run on batched tensors instead of asking ``vmap``.
    generate_vmap_rule = False
    # Whether the rules run the function itself once more: what numbers it reads is its own affair then.
    _runs_again = False

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; called without recording. See `autograd.Function`."""
        raise NotImplementedError("Function: define forward() as a static method")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep on ``ctx`` what the rules need, if ``forward`` does not take ``ctx``. See `autograd.Function`."""
        raise NotImplementedError("Function: setup_context() is not defined")

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        """The cotangents of the arguments, given those of the outputs. See `autograd.Function`."""
        raise NotImplementedError("Function: backward() is not defined")

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """The tangents of the outputs, given those of the arguments (None for constants). See `autograd.Function`."""
        raise NotImplementedError("Function: jvp() is not defined")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> Any:
        """(outputs, out_dims) for arguments with lanes along ``in_dims``. See `autograd.Function`."""
        raise NotImplementedError("Function: vmap() is not defined")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """The result of ``forward``, with the rules of this class in every mode. See `autograd.Function`.

        Arguments by name take their places, and with ``setup_context`` defaults of ``forward`` do as well: they are
        among the inputs, and ``backward`` returns a cotangent for each.

        Raises TypeError for results that are not tensors and for arguments that ``forward`` does not take,
        NotDifferentiableError where a rule is missing and cannot be derived.
        """
        from ._apply import apply

        return apply(cls, *_bound(cls, args, kwargs))


def _bound(
    cls: type[Function], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments in their places, and those that only ``forward`` gets to see, by name."""
    separate = defines(cls, "setup_context")
    code = None if hasattr(cls.forward, "__wrapped__") else getattr(cls.forward, "__code__", None)
    if not kwargs and (not separate or (code is not None and len(args) >= code.co_argcount)):
        return args, {}  # nothing to find a place for, and a signature takes long to look at
    front = () if separate else (None,)
    try:
        bound = inspect.signature(cls.forward).bind(*front, *args, **kwargs)
    except TypeError as wrong:
        raise TypeError(f"{cls.__name__}: {wrong}") from None
    if separate:
        bound.apply_defaults()
    placeless = {name: value for name, value in bound.kwargs.items() if name in kwargs}
    for name, value in placeless.items():
        if separate or any(t._watchers for t in contained(value)):
            raise TypeError(f"{cls.__name__}: {name}= has no place among the inputs; make it positional in forward()")
    return bound.args[len(front) :], placeless


class _Once(Function):
    """A gradient that was computed without history, in place of one with it."""

    @staticmethod
    def forward(ctx: Any, name: str, g: Tensor, *_: Tensor) -> Tensor:
        ctx.name = name
        return g.clone()

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise not_differentiable(
            f"{ctx.name}: cannot differentiate its backward(), which is once_differentiable (a second derivative or "
            "forward mode asks for that); write it in tensor operations and leave the decorator out"
        )


def defines(cls: type[Function], rule: str) -> bool:
    """Whether a class defines a rule of its own."""
    return getattr(cls, rule) is not getattr(Function, rule)


def reverse_rule(cls: type[Function]) -> Callable[..., Any] | None:
    """The rule under either of its names."""
    if defines(cls, "backward"):
        return cls.backward
    return cls.vjp if cls.vjp is not Function.backward else None
