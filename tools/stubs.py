"""Writes python/rustgrad/_core.pyi from the built module; with --check, says whether the file is up to date."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from rustgrad import _core

TARGET = Path(__file__).parent.parent / "python" / "rustgrad" / "_core.pyi"
HEADER = '''"""Types of the extension module. Written by tools/stubs.py from the module itself."""

from collections.abc import Iterator
from typing import Any

'''
NUMBERS = {"__len__": "int", "__bool__": "bool", "__int__": "int", "__float__": "float", "__index__": "int"}
NUMBERS |= {"__complex__": "complex", "__hash__": "int", "__repr__": "str", "__format__": "str"}
NUMBERS |= {"__contains__": "bool", "__eq__": "Any", "__ne__": "Any", "__iter__": "Iterator[Any]"}
IGNORED = {"__class__", "__init__", "__new__", "__doc__", "__module__", "__getattribute__", "__setattr__"}
IGNORED |= {"__delattr__", "__dir__", "__init_subclass__", "__subclasshook__", "__str__", "__sizeof__"}
IGNORED |= {"__reduce__", "__reduce_ex__", "__getstate__", "__weakref__", "__array_priority__"}


def parameters(function: Any, method: bool) -> str:
    """The parameter list of a callable, untyped beyond names and defaults."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "self, *args: Any, **kwargs: Any" if method else "*args: Any, **kwargs: Any"
    parts, seen_star = [], False
    positional = list(signature.parameters.values())
    for index, parameter in enumerate(positional):
        name = parameter.name
        default = "" if parameter.default is parameter.empty else " = ..."
        if index == 0 and method and name in ("self", "$self"):
            parts.append("self")
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            parts.append(f"*{name}: Any")
            seen_star = True
        elif parameter.kind is parameter.VAR_KEYWORD:
            parts.append(f"**{name}: Any")
        else:
            if parameter.kind is parameter.KEYWORD_ONLY and not seen_star:
                parts.append("*")
                seen_star = True
            parts.append(f"{name}: Any{default}")
    return ", ".join(parts)


def class_stub(cls: type) -> list[str]:
    """The stub of one class."""
    base = "(RuntimeError)" if issubclass(cls, Exception) else ""
    lines = [f"class {cls.__name__}{base}:"]
    if issubclass(cls, Exception):
        return [*lines, "    ...", ""]
    if cls.__name__ in ("Level", "Generator"):
        lines.append("    def __init__(self, *args: Any, **kwargs: Any) -> None: ...")
    for name in sorted(vars(cls)):
        if name in IGNORED:
            continue
        member = vars(cls)[name]
        if inspect.isgetsetdescriptor(member):
            lines += ["    @property", f"    def {name}(self) -> Any: ..."]
            if cls.__name__ == "Tensor" and name in ("grad", "requires_grad", "data"):
                lines += [f"    @{name}.setter", f"    def {name}(self, value: Any) -> None: ..."]
        elif name.startswith("__") and name in NUMBERS:
            rest = ", *args: Any" if name in ("__format__", "__contains__", "__eq__", "__ne__") else ""
            note = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
            lines.append(f"    def {name}(self{rest}) -> {NUMBERS[name]}: ...{note}")
        elif name.startswith("__"):
            lines.append(f"    def {name}(self, *args: Any, **kwargs: Any) -> Any: ...")
        elif callable(member):
            lines.append(f"    def {name}({parameters(member, True)}) -> Any: ...")
    if len(lines) == 1:
        lines.append("    ...")
    return [*lines, ""]


def stub() -> str:
    """The whole file."""
    classes, functions, values = [], [], []
    for name in sorted(vars(_core)):
        member = getattr(_core, name)
        if name.startswith("__"):
            continue
        if isinstance(member, type):
            classes += class_stub(member)
        elif inspect.ismethoddescriptor(member):
            text = parameters(member, True)
            text = "self: Tensor" + text.removeprefix("self") if text.startswith("self") else text
            functions.append(f"def {name}({text}) -> Any: ...")
        elif callable(member):
            functions.append(f"def {name}({parameters(member, False)}) -> Any: ...")
        elif isinstance(member, _core.dtype):
            values.append(f"{name}: dtype")
    return HEADER + "\n".join([*classes, *values, "", *functions]) + "\n"


def main() -> int:
    """Write or check; 1 if the file is out of date."""
    text = stub()
    if "--check" in sys.argv:
        if TARGET.read_text() == text:
            return 0
        print(f"{TARGET.name} is out of date; run tools/stubs.py", file=sys.stderr)
        return 1
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
