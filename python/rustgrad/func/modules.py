"""Functions of the parameters of an object: stateless calls, and many models in one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .. import _core
from .._core import Tensor


def _named(module: Any) -> dict[str, Tensor]:
    """Every tensor of an object once, under its first dotted name: as it names itself, else as its attributes do."""
    if hasattr(module, "named_parameters"):
        found = dict(module.named_parameters())
        found.update(dict(module.named_buffers()) if hasattr(module, "named_buffers") else {})
        return found
    return {names[0]: tensor for tensor, names in _shared(module)}


def _shared(module: Any) -> list[tuple[Tensor, list[str]]]:
    """Every tensor of an object with all of its names."""
    found: dict[int, tuple[Tensor, list[str]]] = {}
    for name, tensor in _walk(module, "", set()):
        found.setdefault(id(tensor), (tensor, []))[1].append(name)
    return list(found.values())


def _tied(module: Any, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The given tensors under all names of those that they replace."""
    tied = dict(given)
    for _, names in _shared(module):
        values = {id(given[name]): given[name] for name in names if name in given}
        if len(values) > 1:
            raise ValueError(
                f"functional_call: {sorted(names)} are one tensor of the module, but different tensors are given for "
                "them; give one, or pass tie_weights=False"
            )
        for value in values.values():
            tied.update(dict.fromkeys(names, value))
    return tied


def _children(node: Any) -> list[tuple[str, Any]]:
    if isinstance(node, Mapping):
        return [(str(key), value) for key, value in node.items()]
    if isinstance(node, (list, tuple)):
        return [(str(i), value) for i, value in enumerate(node)]
    return list(vars(node).items()) if hasattr(node, "__dict__") and not isinstance(node, type) else []


def _walk(node: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    if id(node) in seen:
        return
    seen.add(id(node))
    for name, value in _children(node):
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif not callable(value) or hasattr(value, "__dict__"):
            yield from _walk(value, f"{prefix}{name}.", seen)


def _get(node: Any, name: str) -> Any:
    if isinstance(node, Mapping):
        return node[name]
    if isinstance(node, (list, tuple)):
        return node[int(name)]
    return getattr(node, name)


def _put(node: Any, name: str, value: Any) -> None:
    if isinstance(node, dict):
        node[name] = value
    elif isinstance(node, list):
        node[int(name)] = value
    else:
        setattr(node, name, value)


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with tensors of the module replaced by those of the dictionaries, for this call only.

    ``module`` is any callable object; names are dotted paths of attributes (``"layers.0.weight"``), as
    ``named_parameters`` gives them where there is such a method. ``args`` is a tuple, or one argument. A tensor that
    the module holds under several names is replaced under all of them unless ``tie_weights`` is false; raises
    ValueError where they are given different tensors. Raises KeyError for a name the module does not have, and with
    ``strict`` also for tensors of the module that are not replaced.

    Derivative: flows to the tensors that were given.

    >>> import rustgrad as rg
    >>> class Line:
    ...     def __init__(self):
    ...         self.slope = rg.tensor(1.0)
    ...     def __call__(self, x):
    ...         return self.slope * x
    >>> rg.func.grad(lambda p: rg.func.functional_call(Line(), p, rg.tensor(3.0)))({"slope": rg.tensor(2.0)})
    {'slope': tensor(3.)}
    """
    given: dict[str, Tensor] = {}
    dictionaries = (
        [parameter_and_buffer_dicts] if isinstance(parameter_and_buffer_dicts, Mapping) else parameter_and_buffer_dicts
    )
    for dictionary in dictionaries:
        twice = given.keys() & dictionary.keys()
        if twice:
            raise ValueError(f"functional_call: {sorted(twice)} appear in more than one dictionary")
        given.update(dictionary)
    if strict:
        missing = _named(module).keys() - given.keys()
        if missing:
            raise KeyError(f"functional_call: strict=True, and {sorted(missing)} are not given")
    if tie_weights:
        given = _tied(module, given)
    undo: list[tuple[Any, str, Any]] = []
    try:
        for name, value in given.items():
            *path, last = name.split(".")
            try:
                owner = functools.reduce(_get, path, module)
                before = _get(owner, last)
            except (AttributeError, KeyError, IndexError, ValueError):
                raise KeyError(f"functional_call: the module has no tensor named {name!r}") from None
            _put(owner, last, value)
            undo.append((owner, last, before))
        positional = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*positional, **(kwargs or {}))
    finally:
        for owner, last, before in reversed(undo):
            _put(owner, last, before)


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of several models alike, each stacked along a new first dimension for ``vmap``.

    Shapes: (number of models, …). Parameters are new leaves, and require a gradient where all of the models' do;
    buffers are what ``named_buffers`` gives, or tensors that require none. Raises ValueError for no models, or models
    that differ.

    Derivative: none flows back into the models; the stacks are leaves.

    >>> import rustgrad as rg
    >>> class Line:
    ...     def __init__(self, slope):
    ...         self.slope = rg.tensor(slope, requires_grad=True)
    >>> rg.func.stack_module_state([Line(1.0), Line(2.0)])[0]["slope"].detach()
    tensor([1., 2.])
    """
    if not models:
        raise ValueError("stack_module_state: give at least one model")
    found = [_named(model) for model in models]
    if any(names.keys() != found[0].keys() for names in found):
        raise ValueError("stack_module_state: the models have different tensors; they must be of one architecture")
    if hasattr(models[0], "named_buffers"):
        buffered = set(dict(models[0].named_buffers()))
    else:
        buffered = {name for name, x in found[0].items() if not x.requires_grad}
    parameters, buffers = {}, {}
    for name in found[0]:
        stack = _core.stack([names[name].detach() for names in found])
        if name in buffered:
            buffers[name] = stack
        else:
            parameters[name] = stack.requires_grad_(all(names[name].requires_grad for names in found))
    return parameters, buffers


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """``func`` itself: in-place operations are functional here already, under every transform.

    PyTorch rewrites in-place operations before its compilers see a program. Here values are immutable underneath: an
    in-place operation rebinds its tensor (and the views of it), so there is nothing to remove. ``remove`` is accepted.

    Derivative: that of the function.

    >>> import rustgrad as rg
    >>> rg.func.functionalize(lambda x: x.clone().mul_(2))(rg.tensor(3.0))
    tensor(6.)
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise ValueError(f'functionalize: remove={remove!r} is not one of "mutations", "mutations_and_views"')
    return func
