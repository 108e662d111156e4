"""Reverse mode: pullbacks and gradients of functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import _core
from .._core import NotDifferentiableError, Tensor
from .._tree import alike, described, flatten, map_leaves, unflatten
from ._arguments import Argnums, Selection, refuse_integers, split_aux, tensors


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of ``func`` and a function that pulls cotangents of the output back to the inputs.

    Inputs and outputs are tensors of float dtypes, or any nesting of tuples, lists, dicts, named tuples and dataclasses
    of them; the pullback takes cotangents nested like the output and returns a tuple nested like the inputs
    (``retain_graph=False`` frees what it used; ``create_graph`` is taken as PyTorch has it and changes nothing). With
    ``has_aux`` the function returns a pair, whose second part comes back third. Raises TypeError for other things than
    tensors, ValueError for another nesting. In-place operations on the inputs change the function's own, not the
    caller's tensors (PyTorch refuses them).

    Derivative: value and pullback may be differentiated again, in either mode.

    >>> import rustgrad as rg
    >>> y, pull = rg.func.vjp(rg.sin, rg.tensor(0.0))
    >>> pull(rg.tensor(2.0))
    (tensor(2.),)
    """
    return _pullback("vjp", func, primals, has_aux)


def _pullback(function: str, func: Callable[..., Any], primals: tuple[Any, ...], has_aux: bool = False) -> Any:
    """``vjp`` under the name of the function that the user called."""
    unpack = functools.partial(_unpacked, function, has_aux)
    try:
        found = _core._vjp(func, primals, unpack, functools.partial(_cotangents, function), has_aux)
        return found or unpack(*_record_nested(function, func, primals))
    except NotDifferentiableError:
        refuse_integers(flatten(primals)[0], function)
        raise


def _cotangents(function: str, cotangents: Any, shape: Any = None) -> list[Tensor]:
    """The cotangents, which must be tensors nested like the output of the function, by default a lone one."""
    gs, given = flatten(cotangents)
    tensors(gs, function)
    if not alike(given, shape):
        raise ValueError(
            f"{function}: the cotangents must be nested like the output of the function, {described(shape)}, "
            f"but are {described(given)}"
        )
    return gs


def _unpacked(
    function: str, has_aux: bool, level: _core.Level, watched: _core._Watched, out: Any, structure: Any
) -> Any:
    """What ``vjp`` returns for an output of any nesting; ends the level."""
    try:
        out, aux = split_aux(out, has_aux, function)
        ys, shape = flatten(out)
        tensors(ys, function)
        values = unflatten(shape, [level.unwatch(y) for y in ys])
        if has_aux:
            aux = map_leaves(lambda a: level.unwatch(a) if isinstance(a, Tensor) else a, aux)
        pull_all = _core._Pull(level, ys, watched)
    finally:
        level.exit()

    def pull(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        gs = _cotangents(function, cotangents, shape)
        return unflatten(structure, pull_all(gs, retain_graph, fill=True))

    return (values, pull, aux) if has_aux else (values, pull)


def _record_nested(
    function: str, func: Callable[..., Any], primals: tuple[Any, ...]
) -> tuple[_core.Level, _core._Watched, Any, Any]:
    """The level (still active), what it watches, the output, and how the primals are nested."""
    xs, structure = flatten(primals)
    if not xs:
        raise ValueError(f"{function}: give at least one input")
    tensors(xs, function)
    level = _core.Level("vjp")
    try:
        inputs, watched = level.watch(xs)
        return level, watched, func(*unflatten(structure, inputs)), structure
    except BaseException:
        level.exit()
        raise


def grad_and_value(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of ``func``, which returns a single number, and its value.

    ``argnums`` names the arguments to differentiate by: a position, a name, or several of them for a tuple of
    gradients, each nested like its argument, of its shapes and dtypes. With ``has_aux`` the function returns a pair,
    and the value becomes (value, aux). Raises ValueError if the result is not a 0-d tensor or a name is unknown,
    IndexError for a position that is not there. In-place operations on those arguments change the function's own, not
    the caller's tensors (PyTorch refuses them); on others, the tensors themselves.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.grad_and_value(lambda x: (x * x).sum())(rg.tensor([1.0, 2.0]))
    (tensor([2., 4.]), tensor(5.))
    """
    gradient = _Gradient(func, argnums, has_aux, "grad_and_value")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return gradient(args, kwargs)

    return wrapped


class _Gradient:
    """(gradient, value) of a function for given arguments: what all its public forms, and products, call by name."""

    def __init__(
        self, func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, function: str = "grad"
    ) -> None:
        self._func, self._argnums, self._has_aux, self._function = func, argnums, has_aux, function

    def alone(self, *args: Any, **kwargs: Any) -> Any:
        """The gradient without the value."""
        return self(args, kwargs)[0]

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        func, argnums, has_aux, function = self._func, self._argnums, self._has_aux, self._function
        if not has_aux and type(argnums) is int and 0 <= argnums < len(args):
            try:
                found = _core._gradient(func, argnums, args, kwargs)
            except (TypeError, ValueError, NotDifferentiableError) as error:
                own = error.__traceback__ is not None and error.__traceback__.tb_next is None
                if function == "grad" or not own or not str(error).startswith("grad: "):
                    raise
                raise type(error)(function + str(error).removeprefix("grad")) from None
            if found is not None:
                return found
        chosen = Selection(function, func, argnums, args, kwargs)

        def single_number(*values: Any) -> Any:
            y, aux = split_aux(chosen.call(*values), has_aux, function)
            if not isinstance(y, Tensor) or y.ndim != 0:
                shape = list(y.shape) if isinstance(y, Tensor) else type(y).__name__
                raise ValueError(
                    f"{function}: the function must return a 0-d tensor, not {shape}; reduce it, e.g. with .sum()"
                )
            if y.dtype.is_complex:
                raise TypeError(
                    f"{function}: the function must return a real number, not {y.dtype}; take .real or .abs()"
                )
            return y, aux

        value, pull, aux = _pullback(function, single_number, chosen.values, has_aux=True)
        gradients = pull(_core.ones_like(value), retain_graph=False)
        result = gradients[0] if chosen.single else gradients
        return (result, (value, aux)) if has_aux else (result, value)


def value_and_grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """As ``grad_and_value``, the other way round: the value first, as JAX has it.

    Shapes, dtypes and errors: those of ``grad_and_value``.

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.value_and_grad(lambda x: x**3)(rg.tensor(2.0))
    (tensor(8.), tensor(12.))
    """
    both = _Gradient(func, argnums, has_aux, "value_and_grad")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(args, kwargs)
        return value, gradient

    return wrapped


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of ``func``, which returns a single number; arguments as ``grad_and_value``.

    Shapes, dtypes and errors: those of ``grad_and_value``. With ``has_aux`` it returns (gradient, aux).

    Derivative: may be taken again, in either mode.

    >>> import rustgrad as rg
    >>> rg.func.grad(rg.func.grad(lambda x: x**3))(rg.tensor(2.0))
    tensor(12.)
    """
    both = _Gradient(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, rest = both(args, kwargs)
        return (gradient, rest[1]) if has_aux else gradient

    return wrapped
