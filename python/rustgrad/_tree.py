"""Nested tuples, lists and dicts of tensors, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves of ``tree`` in order, and its structure; ``None`` has no leaves."""
    leaves: list[Any] = []

    def walk(node: Any) -> Any:
        if node is None:
            return None
        if isinstance(node, tuple) and hasattr(node, "_fields"):
            return ("named", type(node), tuple(walk(x) for x in node))
        if isinstance(node, (tuple, list)):
            return (type(node).__name__, type(node), tuple(walk(x) for x in node))
        if isinstance(node, dict):
            return ("dict", type(node), tuple((key, walk(x)) for key, x in node.items()))
        leaves.append(node)
        return "leaf"

    return leaves, walk(tree)


def unflatten(structure: Any, leaves: list[Any]) -> Any:
    """The tree of this structure with these leaves."""
    rest: Iterator[Any] = iter(leaves)

    def build(node: Any) -> Any:
        if node is None:
            return None
        if node == "leaf":
            return next(rest)
        kind, cls, parts = node
        if kind == "dict":
            return cls((key, build(part)) for key, part in parts)
        if kind == "named":
            return cls(*(build(part) for part in parts))
        return cls(build(part) for part in parts)

    return build(structure)
