"""Submodules that are imported when they are first asked for, so that ``import rustgrad`` stays light."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType


def submodules(package: str, names: tuple[str, ...]) -> Callable[[str], ModuleType]:
    """The ``__getattr__`` of a package (PEP 562); once imported, a submodule is an attribute like any other."""

    def find(name: str) -> ModuleType:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return importlib.import_module(f"{package}.{name}")

    return find
