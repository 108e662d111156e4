"""What transforms have in common: which arguments are meant, what a function returned, leaves that are tensors."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable
from typing import Any

from .._core import Tensor
from .._tree import flatten
from ..autograd._refusal import not_differentiable
from ..autograd._values import floating

Argnums = int | str | tuple[int | str, ...]


def tensors(leaves: list[Any], function: str) -> list[Tensor]:
    """The leaves, all of which must be tensors."""
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            number = isinstance(leaf, (int, float, complex))
            way_out = (
                "wrap numbers in rustgrad.tensor" if number else "register containers by func.register_pytree_node"
            )
            raise TypeError(f"{function}: expected tensors, got a {type(leaf).__name__}; {way_out}")
    return leaves


def refuse_integers(leaves: list[Any], function: str) -> None:
    """Say in the name of what the user called that there are no derivatives by some of the leaves."""
    for leaf in leaves:
        if isinstance(leaf, Tensor) and not floating(leaf):
            raise not_differentiable(
                f"{function}: there are no derivatives by {str(leaf.dtype).rpartition('.')[2]} tensors; convert the "
                "input to a float dtype first"
            )


def real(leaves: list[Tensor], function: str) -> list[Tensor]:
    """The leaves, none of which may be complex: a matrix of derivatives by complex numbers is not one matrix."""
    for leaf in leaves:
        if leaf.dtype.is_complex:
            raise not_differentiable(
                f"{function}: a function of complex numbers has no single matrix of derivatives; take products with it "
                "(jvp, vjp), or split it with view_as_real"
            )
    return leaves


def by_leaf(columns: Tensor, xs: list[Tensor]) -> list[Tensor]:
    """Derivatives by every element, along the first dimension, as one matrix (…, *leaf) for each of the leaves."""
    parts, start = [], 0
    for x in xs:
        part = columns[start : start + x.numel()].movedim(0, -1)
        parts.append(part.reshape(*columns.shape[1:], *x.shape))
        start += x.numel()
    return parts


def split_aux(out: Any, has_aux: bool, function: str) -> tuple[Any, Any]:
    """A function's output, and what it gave beside it."""
    if not has_aux:
        return out, None
    if not isinstance(out, tuple) or len(out) != 2:
        raise ValueError(f"{function}: with has_aux=True the function must return a pair (output, aux)")
    return out


def name_of(func: Callable[..., Any]) -> str:
    return getattr(func, "__name__", type(func).__name__)


class Selection:
    """The arguments a derivative is taken by: by position, by name, or several of them."""

    def __init__(
        self, function: str, func: Callable[..., Any], argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.single = isinstance(argnums, str) or not isinstance(argnums, Iterable)
        self.func, self._args, self._kwargs = func, args, kwargs
        wanted: tuple[int | str, ...] = (argnums,) if self.single else tuple(argnums)  # type: ignore[assignment, arg-type]
        if not wanted:
            raise ValueError(f"{function}: argnums is empty; name at least one argument")
        self._places = [self._place(function, n) for n in wanted]
        if len(set(self._places)) != len(self._places):
            raise ValueError(f"{function}: argnums={argnums!r} names an argument twice")
        self._function = function
        self._flat: tuple[list[Tensor], Any] | None = None

    def _place(self, function: str, n: int | str) -> int | str:
        if hasattr(n, "__index__") and not isinstance(n, bool):
            n = operator.index(n)
            if not -len(self._args) <= n < len(self._args):
                raise IndexError(f"{function}: argnums={n} but there are {len(self._args)} positional arguments")
            return n % len(self._args)
        if not isinstance(n, str):
            raise TypeError(f"{function}: argnums takes positions and names, not a {type(n).__name__}")
        if n in self._kwargs:
            return n
        try:
            names = list(inspect.signature(self.func).parameters)
        except (TypeError, ValueError):
            names = []
        if n in names and names.index(n) < len(self._args):
            return names.index(n)
        raise ValueError(f"{function}: {name_of(self.func)} was called without an argument named {n!r}")

    @property
    def values(self) -> tuple[Any, ...]:
        return tuple(self._args[n] if isinstance(n, int) else self._kwargs[n] for n in self._places)

    def flat(self) -> tuple[list[Tensor], Any]:
        """The leaves of the selected arguments, and how they are nested; TypeError if not all are tensors."""
        if self._flat is None:
            leaves, structure = flatten(self.values)
            self._flat = tensors(leaves, self._function), structure
        return self._flat

    def call(self, *values: Any) -> Any:
        """The function with the selected arguments replaced."""
        args, kwargs = list(self._args), dict(self._kwargs)
        for place, value in zip(self._places, values, strict=True):
            if isinstance(place, int):
                args[place] = value
            else:
                kwargs[place] = value
        return self.func(*args, **kwargs)
