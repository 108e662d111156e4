"""Nested inputs and outputs, taken apart into leaves and put together again; ``optree`` does it where it is needed."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from . import _core
from ._core import Tensor

__all__ = ["alike", "described", "flatten", "map_leaves", "register_pytree_node", "spread", "unflatten"]

# How a tree is put together: None for a lone tensor, a number for a tuple of that many tensors, a _Nest for other
# tuples, lists and dicts of tensors, else a PyTreeSpec. All but the last need no import and are what nearly all calls
# have.
Structure = Any
_NAMESPACE = "rustgrad"
_CONTAINERS = (Tensor, tuple, list, dict)
_dataclasses: set[type] = set()  # those taken apart by their fields, without the user's registration


def _optree() -> Any:
    try:
        import optree
    except ImportError as missing:
        raise ImportError("nested inputs need the package optree: pip install optree") from missing
    return optree


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of ``tree`` in order, and its structure; ``None`` has no leaves, plain dataclasses count as trees."""
    found = _core._flatten(tree)
    if found is not None:
        return found
    optree = _optree()
    while True:
        leaves, structure = optree.tree_flatten(tree, namespace=_NAMESPACE)
        unknown = {type(x) for x in leaves if dataclasses.is_dataclass(x) and not isinstance(x, type)}
        if not unknown:
            return leaves, structure
        for cls in unknown:
            _register_dataclass(cls)


def unflatten(structure: Structure, leaves: list[Any]) -> Any:
    """The tree of this structure with these leaves."""
    if structure is None:
        return leaves[0]
    if type(structure) is int:
        return tuple(leaves)
    if isinstance(structure, _core._Nest):
        return structure.filled(leaves)
    return _optree().tree_unflatten(structure, leaves)


def alike(a: Structure, b: Structure) -> bool:
    """Whether two trees are nested in the same way, whatever their leaves are."""
    if type(a) is type(b):
        return bool(a == b)
    return bool(_spelled_out(a) == _spelled_out(b))


def _spelled_out(structure: Structure) -> Any:
    optree = _optree()
    if structure is None:
        return optree.treespec_leaf(namespace=_NAMESPACE)
    if type(structure) is int:
        return optree.tree_structure(tuple(range(structure)), namespace=_NAMESPACE)
    if isinstance(structure, _core._Nest):
        return optree.tree_structure(structure.filled([0] * structure.count), namespace=_NAMESPACE)
    return structure


def described(structure: Structure) -> str:
    """How a tree is nested, for sentences of errors: its leaves are stars."""
    spelled = str(_spelled_out(structure)).removeprefix("PyTreeSpec(").removesuffix(")")
    return spelled.removesuffix(f", namespace={_NAMESPACE!r}")


def map_leaves(f: Callable[[Any], Any], tree: Any) -> Any:
    """``tree`` with ``f`` applied to every leaf."""
    leaves, structure = flatten(tree)
    return unflatten(structure, [f(leaf) for leaf in leaves])


def spread(prefix: Any, tree: Any, what: str) -> list[Any]:
    """One entry per leaf of ``tree``: ``prefix`` is one number or None for all, or nested like a prefix of ``tree``."""
    found = _core._spread(prefix, tree)
    if found is not None:
        return found
    leaves, _ = flatten(tree)
    if prefix is None or isinstance(prefix, int):
        return [prefix] * len(leaves)
    optree = _optree()
    try:
        try:
            entries = optree.broadcast_prefix(prefix, tree, none_is_leaf=True, namespace=_NAMESPACE)
        except ValueError:
            # Numbers in a dataclass belong to its structure, but in a prefix they stand for the leaves of a field.
            fields, tree = _by_field(prefix), _by_field(tree, leaves_only=True)
            entries = optree.broadcast_prefix(fields, tree, none_is_leaf=True, namespace=_NAMESPACE)
        places = optree.tree_leaves(tree, none_is_leaf=True, namespace=_NAMESPACE)
    except ValueError as mismatch:
        raise ValueError(f"{what}={prefix!r} is not nested like the values it belongs to ({mismatch})") from None
    found = [entry for entry, place in zip(entries, places, strict=True) if place is not None]
    if not all(entry is None or isinstance(entry, int) for entry in found):
        raise TypeError(f"{what}={prefix!r} must hold integers and None")
    return found


def _by_field(tree: Any, leaves_only: bool = False) -> Any:
    """``tree`` with every field of plain dataclasses as a child; with ``leaves_only``, those without leaves empty."""

    def open_up(x: Any) -> Any:
        if type(x) not in _dataclasses:
            return x
        values = [(field.name, getattr(x, field.name)) for field in dataclasses.fields(x)]
        inside = lambda value: () if leaves_only and not _has_leaves(value) else _by_field(value, leaves_only)
        return OrderedDict(((type(x), name), inside(value)) for name, value in values)

    is_dataclass = lambda x: type(x) in _dataclasses
    return _optree().tree_map(open_up, tree, is_leaf=is_dataclass, none_is_leaf=True, namespace=_NAMESPACE)


def register_pytree_node(cls: type, flatten_fn: Callable[[Any], Any], unflatten_fn: Callable[[Any, Any], Any]) -> None:
    """Let the transforms look inside of a class.

    ``flatten_fn(x)`` gives (children, rest), and ``unflatten_fn(rest, children)`` gives x back.

    Plain dataclasses need no registration, and classes registered with ``optree`` globally are known as well.

    Derivative: flows through the children.

    >>> import rustgrad as rg
    >>> class Pair:
    ...     def __init__(self, a, b):
    ...         self.a, self.b = a, b
    >>> rg.func.register_pytree_node(Pair, lambda p: ((p.a, p.b), None), lambda _, children: Pair(*children))
    >>> rg.func.grad(lambda p: p.a * p.b)(Pair(rg.tensor(2.0), rg.tensor(3.0))).a
    tensor(3.)
    """
    _optree().register_pytree_node(cls, flatten_fn, unflatten_fn, namespace=_NAMESPACE)


def _has_leaves(value: Any) -> bool:
    return isinstance(value, _CONTAINERS) or dataclasses.is_dataclass(value)


def _register_dataclass(cls: type) -> None:
    """Fields with tensors or containers are children; all others (numbers, names, …) belong to the structure."""
    names = [field.name for field in dataclasses.fields(cls)]

    def take_apart(x: Any) -> tuple[list[Any], tuple[tuple[str, ...], tuple[tuple[str, Any], ...]]]:
        values = {name: getattr(x, name) for name in names}
        inner = [n for n in names if _has_leaves(values[n])]
        return [values[n] for n in inner], (tuple(inner), tuple((n, values[n]) for n in names if n not in inner))

    def put_together(rest: Any, children: Any) -> Any:
        x: Any = object.__new__(cls)
        for name, value in (*zip(rest[0], children, strict=True), *rest[1]):
            object.__setattr__(x, name, value)
        return x

    _optree().register_pytree_node(cls, take_apart, put_together, namespace=_NAMESPACE)
    _dataclasses.add(cls)
