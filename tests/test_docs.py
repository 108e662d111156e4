"""Every public function has a docstring, and every example in one runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import types
from collections.abc import Iterator
from typing import Any

import pytest
import rustgrad as rg


def hidden(module: str) -> bool:
    """Whether a module is there for the package, not for readers."""
    return any(part.startswith("_") and part != "_core" for part in module.split("."))


# Python's own protocol methods: their meaning is in Python's manual.
PYTHONS = {name for base in (object, type) for name in dir(base)}


def modules() -> Iterator[types.ModuleType]:
    yield rg
    for info in pkgutil.walk_packages(rg.__path__, "rustgrad."):
        if not hidden(info.name) and info.name != "rustgrad._core":
            yield importlib.import_module(info.name)


def public(owner: Any) -> Iterator[str]:
    names = getattr(owner, "__all__", None) or [n for n in dir(owner) if not n.startswith("_")]
    yield from sorted(set(names))


def documented() -> Iterator[tuple[str, Any]]:
    """Every public function and class, and the methods and properties of the classes, each once."""
    seen: set[int] = set()
    for module in modules():
        for name in public(module):
            thing = getattr(module, name)
            if (
                isinstance(thing, types.ModuleType)
                or not callable(thing)
                or isinstance(thing, rg.dtype)
                or id(thing) in seen
            ):
                continue
            home = getattr(thing, "__module__", None) or "rustgrad"
            if not home.startswith("rustgrad") or (hidden(home) and module is not rg.func):
                continue
            seen.add(id(thing))
            yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing):
                inherited = {
                    n for base in thing.__mro__[1:] if not base.__module__.startswith("rustgrad") for n in dir(base)
                }
                for method in sorted(n for n in vars(thing) if not n.startswith("_") and n not in inherited):
                    member = inspect.getattr_static(thing, method)
                    if not isinstance(member, (bool, tuple)):  # settings have a comment
                        yield f"{module.__name__}.{name}.{method}", member


THINGS = list(documented())


def text(thing: Any) -> str:
    return inspect.cleandoc(getattr(thing, "__doc__", None) or "")


def test_there_is_something_to_document():
    names = {name for name, _ in THINGS}
    assert {"rustgrad.sin", "rustgrad.Tensor", "rustgrad.Tensor.backward", "rustgrad.func.jvp"} <= names
    assert len(names) > 150


@pytest.mark.parametrize("name, thing", THINGS, ids=[name for name, _ in THINGS])
def test_docstring(name, thing):
    """One sentence first; then everything in it that looks like a session works."""
    doc = text(thing)
    # PyO3 puts the signature before the text when it cannot express it otherwise.
    sentence = doc.split("\n--\n")[-1].strip()
    assert sentence, f"{name} has no docstring"
    assert sentence[0].isupper() or sentence[0] in "`\"'" or not sentence[0].isalpha(), f"{name}: {sentence[:60]!r}"
    examples = doctest.DocTestParser().get_examples(doc)
    if not examples:
        return
    test = doctest.DocTest(examples, {"rg": rg}, name, None, 0, doc)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    output: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=flags, verbose=False).run(test, out=output.append)
    assert not failed, "".join(output)


# What neither takes nor returns a tensor of numbers: settings, seeds, questions about dtypes and shapes.
WITHOUT_NUMBERS = {
    "allclose",
    "broadcast_shapes",
    "empty_cache",
    "equal",
    "get_default_dtype",
    "get_num_threads",
    "initial_seed",
    "is_anomaly_enabled",
    "is_complex",
    "is_floating_point",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "is_tensor",
    "manual_seed",
    "numel",
    "promote_types",
    "result_type",
    "seed",
    "set_default_dtype",
    "set_num_threads",
}
# What points elsewhere: the full text stands once.
POINTER = re.compile(r"(^In-place form of|\bSee|^Same as) `(?:rustgrad\.)?([\w.]+)`")
# Methods and properties that are not functions of the module as well.
METHODS = ("rustgrad.Tensor.", "rustgrad.Generator.", "rustgrad.Node.", "rustgrad.RemovableHandle.", "rustgrad.dtype.")
FUNCTIONS = [
    (name, thing)
    for name, thing in THINGS
    if not inspect.isclass(thing)
    and not name.startswith("rustgrad.Level.")  # what the transforms are made of
    and type(thing).__name__ != "_tuplegetter"  # the fields of named tuples
]


def found(dotted: str) -> Any:
    thing: Any = rg
    for name in dotted.split("."):
        thing = getattr(thing, name)
    return thing


@pytest.mark.parametrize("name, thing", FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_public_functions_show_an_example(name, thing):
    """An example, and the derivative or that there is none; or a pointer to the function that has them."""
    doc = text(thing)
    pointer = POINTER.search(doc)
    if pointer and ">>>" not in doc:
        other = found(pointer[2])
        assert ">>>" in text(other), f"{name} points to {pointer[2]}, which has no example"
        return
    assert ">>>" in doc, f"{name} has no example"
    last = name.rsplit(".", 1)[-1]
    if not name.startswith(METHODS) and last not in WITHOUT_NUMBERS:
        assert "erivative" in doc, f"{name} does not say what its derivative is"


def test_all_lists_what_there_is():
    for module in modules():
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{module.__name__}.__all__ names {name}, which does not exist"


def test_modules_say_what_they_are():
    for module in modules():
        assert text(module), f"{module.__name__} has no docstring"
