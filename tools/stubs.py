"""Write python/rustgrad/_core.pyi from the compiled module; with --check, tell whether the file in the tree is current.

    python tools/stubs.py [--check]

Names, parameters and defaults come from the module itself; result types from the tables below, and are Tensor for
every method and function that no table names.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from pathlib import Path
from typing import Any

from rustgrad import _core

TARGET = Path(__file__).resolve().parents[1] / "python" / "rustgrad" / "_core.pyi"
# Types are spelled `builtins.int`, because `int`, `float` and `bool` are dtypes and methods here.
HEADER = '''"""Types of the compiled module. Written by tools/stubs.py from the module itself: do not edit."""

import builtins
from collections.abc import Iterator
from typing import Any, final

import numpy as np

'''
RESULTS = {
    "None": "_check_gradient _forbid_saved_hooks _pop_saved_hooks _push_saved_hooks _rebind backward empty_cache "
    "exit manual_seed remove seed set_default_dtype settle "
    "set_num_threads set_printoptions set_state __delitem__ __setitem__ __setstate__",
    "builtins.bool": "_any_active _in_parts _set_weak_zeros ended "
    "is_anomaly_enabled is_batched is_taped _set_grad_enabled _set_inference "
    "__bool__ __contains__ allclose equal is_complex "
    "is_contiguous is_floating_point is_grad_enabled "
    "is_inference is_inference_mode_enabled is_signed is_tensor "
    "can_cast is_leaf requires_grad retains_grad is_view",
    "builtins.int": "__hash__ __index__ __int__ __len__ _version data_ptr dim element_size get_num_threads id "
    "initial_seed itemsize nbytes ndim ndimension nelement numel output_nr storage_offset",
    "builtins.float": "__float__",
    "builtins.complex": "__complex__",
    "builtins.list[builtins.str]": "_watchers",
    "builtins.str": "__repr__ __str__ __format__ name randomness",
    "builtins.tuple[builtins.int, ...]": "_set_gathering shape",
    "builtins.tuple[Tensor, ...]": "broadcast_tensors chunk split tensor_split unbind",
    "dtype": "_dtype_from_name dtype get_default_dtype promote_types result_type",
    "Iterator[Tensor]": "__iter__ __reversed__",
    "np.ndarray[Any, Any]": "__array__ numpy",
    "Node | None": "grad_fn",
    "RemovableHandle": "register_hook register_post_accumulate_grad_hook register_prehook",
    "Any": "__array_function__ __array_interface__ __array_ufunc__ __array_wrap__ __deepcopy__ __dlpack__ "
    "__dlpack_device__ __enter__ __exit__ __getstate__ __reduce__ __reduce_ex__ aminmax cummax cummin device get_state "
    "grad histc item itertype kthvalue layout max median metadata min mode next_functions nonzero pull size sort "
    "unpack_series "
    "std_mean stride svd tolist topk type unique unpack_dual var_mean",
}
RESULT = {name: result for result, names in RESULTS.items() for name in names.split()}
# What a name means depends on where it stands: the method says something, the function or property something else.
SPECIAL = {
    "rustgrad._core.grad": "builtins.tuple[Tensor | None, ...]",
    "rustgrad._core._edge_of": "builtins.tuple[Node, builtins.int]",
    "rustgrad._core._gradient": "builtins.tuple[Any, Tensor] | None",
    "Level.lend": "Tensor",
    "Level.refused": "builtins.bool",
    "Level.strict": "builtins.bool",
    "Level.wrote_outside": "builtins.bool",
    "Tensor._shares_storage": "builtins.bool",
    "rustgrad._core._push": "builtins.tuple[Any, Any] | None",
    "rustgrad._core._vjp": "Any",
    "rustgrad._core._flatten": "builtins.tuple[builtins.list[Any], Any] | None",
    "rustgrad._core._spread": "builtins.list[Any] | None",
    "rustgrad._core._over_lanes": "builtins.tuple[Exception | None, Any] | None",
    "rustgrad._core._innermost": "builtins.tuple[Level | None, builtins.str]",
    "rustgrad._core._memory": "builtins.tuple[builtins.int, builtins.int]",
    "rustgrad._core._record": "builtins.list[Tensor]",
    "rustgrad._core._set_detecting": "builtins.bool | None",
    "rustgrad._core._sweep_id": "builtins.int | None",
    "rustgrad._core._sweep_reaches": "builtins.list[builtins.bool]",
    "Level.unfollow": "builtins.tuple[Tensor, Tensor, Tensor]",
    "_Pattern.color_columns": "builtins.tuple[Tensor, builtins.int]",
    "_Pattern.color_star": "builtins.tuple[Tensor, builtins.int]",
    "_Pattern.recover_star": "builtins.tuple[Tensor, Tensor]",
    "_Pattern.shape": "builtins.tuple[builtins.int, builtins.int]",
    "_Pattern.symmetrized": "_Pattern",
    "_Pattern.transpose": "_Pattern",
}
# Every object has these; saying them again would only repeat typeshed.
INHERITED = {
    *("__class__", "__delattr__", "__dir__", "__doc__", "__getattribute__", "__init__", "__init_subclass__"),
    *("__dict__", "__module__", "__setattr__", "__sizeof__", "__subclasshook__", "__weakref__", "__hash__"),
}
# Attributes with a setter, which the module does not tell apart.
WRITABLE = {"Tensor.data", "Tensor.grad", "Tensor.requires_grad", "Level.refused"}
# Where typeshed or PEP 484 knows less general operators.
IGNORED = {"__eq__": "override", "__ne__": "override", "__ipow__": "misc"}


def default(value: Any) -> str:
    """A default as it stands in a stub: plain constants as they are, everything else as an ellipsis."""
    return repr(value) if value is None or type(value) in (bool, int, float, str) else "..."


def parameters(function: Any, first: str = "", drop: int = 0) -> str:
    """The parameter list behind the texts of ``first``, which stand for the leading ``drop`` parameters."""
    try:
        found = list(inspect.signature(function).parameters.values())[drop:]
    except (TypeError, ValueError):
        return ", ".join(filter(None, [first, "*args: Any", "**kwargs: Any"]))
    parts = [first] if first else []
    for before, parameter in zip((None, *found), found, strict=False):
        kind = parameter.kind
        if before and before.kind is parameter.POSITIONAL_ONLY and kind is not parameter.POSITIONAL_ONLY:
            parts.append("/")
        if kind is parameter.KEYWORD_ONLY and not (before and before.kind in (kind, parameter.VAR_POSITIONAL)):
            parts.append("*")
        stars = "*" if kind is parameter.VAR_POSITIONAL else "**" if kind is parameter.VAR_KEYWORD else ""
        ending = "" if parameter.default is parameter.empty else f" = {default(parameter.default)}"
        parts.append(f"{stars}{parameter.name}: Any{ending}")
    if found and found[-1].kind is inspect.Parameter.POSITIONAL_ONLY:
        parts.append("/")
    text = ", ".join(parts)
    # One mark serves `self` and the parameters that follow it.
    return text.replace(", /", "", 1) if text.count(", /") > 1 else text


def result(owner: str, name: str, otherwise: str) -> str:
    return SPECIAL.get(f"{owner}.{name}") or RESULT.get(name, otherwise)


def of_class(cls: type) -> str:
    """The stub of one class."""
    name = cls.__name__
    bases = [base.__name__ for base in cls.__bases__ if base is not object]
    try:
        type("Derived", (cls,), {})
        lines = []
    except TypeError:
        lines = ["@final"]
    lines.append(f"class {name}({', '.join(bases)}):" if bases else f"class {name}:")
    before = len(lines)
    otherwise = "Tensor" if name == "Tensor" else "Any"
    for key in sorted(set(vars(cls)) - INHERITED):
        member = vars(cls)[key]
        if isinstance(member, staticmethod):
            lines.append("    @staticmethod")
            lines.append(f"    def {key}({parameters(member.__func__)}) -> {result(name, key, otherwise)}: ...")
        elif inspect.isgetsetdescriptor(member):
            lines += ["    @property", f"    def {key}(self) -> {result(name, key, otherwise)}: ..."]
            if f"{name}.{key}" in WRITABLE:
                lines += [f"    @{key}.setter", f"    def {key}(self, value: Any) -> None: ..."]
        elif key == "__new__":
            lines.append(f"    def __new__({parameters(cls, 'cls')}) -> {name}: ...")
        elif isinstance(member, classmethod) or type(member).__name__ == "classmethod_descriptor":
            lines += ["    @classmethod", f"    def {key}({parameters(getattr(cls, key), 'cls')}) -> Any: ..."]
        elif not callable(member):
            lines.append(f"    {key}: {type(member).__module__}.{type(member).__name__}")
        else:
            note = f"  # type: ignore[{IGNORED[key]}]" if key in IGNORED else ""
            text = parameters(member, "self", 1)
            lines.append(f"    def {key}({text}) -> {result(name, key, otherwise)}: ...{note}")
    if len(lines) == before:
        lines.append("    ...")
    return "\n".join(lines) + "\n"


def inspect_self_only(member: Any) -> bool:
    return True


def stub() -> str:
    """The whole file: classes, dtypes, functions."""
    classes, values, functions = [], [], []
    for name, member in sorted(vars(_core).items()):
        if name.startswith("__"):
            continue
        if isinstance(member, type):
            classes.append(of_class(member))
        elif inspect.ismethoddescriptor(member):
            text = parameters(member, "self: Tensor, /", 1)
            functions.append(f"def {name}({text}) -> {result('rustgrad._core', name, 'Tensor')}: ...")
        elif callable(member):
            text = parameters(member)
            functions.append(f"def {name}({text}) -> {result('rustgrad._core', name, 'Tensor')}: ...")
        else:
            kind = type(member).__name__
            values.append(f"{name}: {kind if isinstance(member, _core.dtype) else 'Any'}")
    exported = [name for name in vars(_core) if not name.startswith("__")]
    listed = "".join(f"    {name!r},\n" for name in sorted(exported)).replace("'", '"')
    public = f"__all__ = [\n{listed}]\n" if hasattr(_core, "__all__") else ""
    return HEADER + "\n".join([public, *classes, *values, "", *functions]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file differs")
    text = stub()
    if not parser.parse_args().check:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print(f"{TARGET.name} does not describe the compiled module; run make stubs", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
