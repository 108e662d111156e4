"""The recorded graph from outside: its nodes and edges, hooks on saved tensors, and hooks on several gradients."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from .. import _core
from .._core import Node, RemovableHandle, Tensor, from_numpy

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "register_multi_grad_hook",
    "save_on_cpu",
    "save_on_disk",
    "saved_tensors_hooks",
]


class GradientEdge(NamedTuple):
    """A place in the graph: an output of a recorded op. ``autograd.grad`` and ``backward`` take it for a tensor."""

    node: Node
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The place of a tensor in the graph, which keeps the graph alive but not the tensor's numbers.

    Raises RuntimeError for a tensor that does not require a gradient.

    Derivative: ``autograd.grad`` takes the edge for the tensor.

    >>> import rustgrad as rg
    >>> x = rg.tensor(2.0, requires_grad=True)
    >>> rg.autograd.grad(x**2, rg.autograd.graph.get_gradient_edge(x))
    (tensor(4.),)
    """
    return GradientEdge(*_core._edge_of(tensor))


class saved_tensors_hooks:
    """What operations save for their derivatives goes through ``pack``, and comes back through ``unpack``.

    ``pack(tensor)`` may return anything; ``unpack`` of that must return a tensor of the same shape and dtype; another
    one raises RuntimeError in the sweep. Hooks nest: the innermost counts. Where a func transform saves a tensor that
    requires a gradient itself, ``unpack`` must give it back with its history; without, the sweep raises RuntimeError.

    >>> import rustgrad as rg
    >>> x = rg.tensor([1.0, 2.0], requires_grad=True)
    >>> with rg.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), rg.tensor):
    ...     y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 4.])
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        for name, hook in (("pack_hook", pack_hook), ("unpack_hook", unpack_hook)):
            if not callable(hook):
                raise TypeError(f"saved_tensors_hooks: {name} must be callable, not a {type(hook).__name__}")

        self._pack, self._unpack = pack_hook, unpack_hook

    def __enter__(self) -> None:
        _core._push_saved_hooks(self._pack, self._unpack)

    def __exit__(self, *exc: object) -> None:
        _core._pop_saved_hooks()


class disable_saved_tensors_hooks:
    """Refuse hooks on saved tensors inside, with a message that says why.

    >>> import rustgrad as rg
    >>> with rg.autograd.graph.disable_saved_tensors_hooks("not here"):
    ...     with rg.autograd.graph.saved_tensors_hooks(id, id):
    ...         pass
    Traceback (most recent call last):
    ...
    RuntimeError: saved_tensors_hooks: not here
    """

    def __init__(self, error_message: str) -> None:
        self._message = error_message

    def __enter__(self) -> None:
        _core._forbid_saved_hooks(self._message)

    def __exit__(self, *exc: object) -> None:
        _core._pop_saved_hooks()


class save_on_cpu:
    """Nothing changes: tensors live on the CPU. For programs written for PyTorch; see ``save_on_disk``.

    >>> import rustgrad as rg
    >>> x = rg.tensor(3.0, requires_grad=True)
    >>> with rg.autograd.graph.save_on_cpu():
    ...     y = x * x
    >>> rg.autograd.grad(y, x)
    (tensor(6.),)
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cpu") -> None:
        # No hooks: what a hook was given is not protected from being overwritten, as what the graph keeps is.
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass


class _File:
    """A tensor's numbers in a file that goes when nobody needs it any more."""

    def __init__(self, tensor: Tensor, directory: str | None) -> None:
        try:
            handle, self.path = tempfile.mkstemp(suffix=".npy", prefix="saved-", dir=directory)
            # From now on, so that a file which was not written to the end goes as well.
            self._remove = weakref.finalize(self, _remove, self.path)
            with os.fdopen(handle, "wb") as file:
                np.save(file, tensor.numpy(), allow_pickle=False)
        except OSError as error:
            size = tensor.numel() * tensor.element_size()
            raise _in_words(
                error,
                f"save_on_disk: cannot write a tensor of {size} bytes into {directory or tempfile.gettempdir()} "
                f"({error.strerror or error}); give a directory that exists, may be written to and has room",
            ) from error

    def load(self) -> Tensor:
        try:
            return from_numpy(np.load(self.path, allow_pickle=False))
        except OSError as error:
            raise _in_words(error, self._lost(error.strerror or str(error))) from error
        except (EOFError, ValueError) as error:
            raise RuntimeError(self._lost("the file is damaged")) from error

    def _lost(self, why: str) -> str:
        return (
            f"save_on_disk: cannot read {self.path}, where a tensor waits for the sweep ({why}); leave the files alone "
            "until the graph is gone"
        )


def _in_words(error: OSError, sentence: str) -> OSError:
    """An error of the same kind; NumPy's own have no number."""
    return OSError(sentence) if error.errno is None else OSError(error.errno, sentence)


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except FileNotFoundError:
        pass


class save_on_disk(saved_tensors_hooks):
    """What operations save for their derivatives waits in files until the sweep reads it.

    ``directory`` is where they are (the system's one for temporary files by default); they are removed as soon as the
    graph lets go of them. Tensors below ``min_bytes`` stay in memory, and so does what a func transform follows. Raises
    OSError where a file cannot be written or read, RuntimeError in a sweep that finds a damaged one.

    >>> import rustgrad as rg
    >>> x = rg.ones(1000, requires_grad=True)
    >>> with rg.autograd.graph.save_on_disk(min_bytes=0):
    ...     y = x.sin().exp().sum()
    >>> y.backward()
    >>> x.grad.shape
    (1000,)
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None, *, min_bytes: int = 1 << 16) -> None:
        where = None if directory is None else os.fspath(directory)
        if where is not None and not os.path.isdir(where):
            raise FileNotFoundError(f"save_on_disk: there is no directory {where}")

        def pack(tensor: Tensor) -> Any:
            small = tensor.numel() * tensor.element_size() < min_bytes
            return tensor if small or _core._innermost([tensor])[1] != "plain" else _File(tensor, where)

        super().__init__(pack, lambda packed: packed.load() if isinstance(packed, _File) else packed)


def register_multi_grad_hook(
    tensors: Sequence[Tensor],
    fn: Callable[..., None],
    *,
    mode: Literal["all", "any"] = "all",
) -> _Handles:
    """Call ``fn`` when the gradients of several tensors are known.

    ``mode="all"``: once in every sweep that comes to any of them, after the last, with the list of gradients (None for
    tensors the sweep does not come to). ``mode="any"``: once, with the first gradient. Returns a handle with
    ``remove()``. Raises RuntimeError for a tensor that requires no gradient.

    Derivative: gradients with history are shown with ``create_graph``.

    >>> import rustgrad as rg
    >>> x, y = rg.tensor(2.0, requires_grad=True), rg.tensor(3.0, requires_grad=True)
    >>> handle = rg.autograd.graph.register_multi_grad_hook([x, y], print)
    >>> (x * y).backward()
    [tensor(3.), tensor(2.)]
    """
    if mode not in ("all", "any"):
        raise ValueError(f'register_multi_grad_hook: mode={mode!r} is not one of "all", "any"')
    hook = _AllKnown(list(tensors), fn) if mode == "all" else _FirstKnown(fn)
    return _Handles([t.register_hook(hook.of(i)) for i, t in enumerate(tensors)])


class _Handles:
    """Removes all hooks that were registered together."""

    def __init__(self, handles: list[RemovableHandle]) -> None:
        self._handles = handles

    def remove(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()

    def __enter__(self) -> _Handles:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class _AllKnown:
    """Collects gradients of one sweep; sweeps of several threads are kept apart by their number."""

    def __init__(self, tensors: list[Tensor], fn: Callable[..., None]) -> None:
        self._edges = [weakref.ref(t) for t in tensors]
        self._fn, self._lock = fn, threading.Lock()
        self._known: dict[int, tuple[int, list[Tensor | None]]] = {}

    def of(self, i: int) -> Callable[[Tensor], None]:
        return lambda g: self._arrived(i, g)

    def _arrived(self, i: int, g: Tensor) -> None:
        sweep = _core._sweep_id()
        if sweep is None:
            return
        with self._lock:
            if sweep not in self._known:
                alive = [(k, ref()) for k, ref in enumerate(self._edges)]
                reached = _core._sweep_reaches([t for _, t in alive if t is not None])
                self._known[sweep] = (sum(reached), [None] * len(self._edges))
            missing, gradients = self._known[sweep]
            gradients[i] = g
            self._known[sweep] = (missing - 1, gradients)
            if missing > 1:
                return
            del self._known[sweep]
        self._fn(gradients)


class _FirstKnown:
    def __init__(self, fn: Callable[..., None]) -> None:
        self._fn, self._lock, self._last = fn, threading.Lock(), -1

    def of(self, _: int) -> Callable[[Tensor], None]:
        return self._arrived

    def _arrived(self, g: Tensor) -> None:
        sweep = _core._sweep_id()
        with self._lock:
            if sweep == self._last:
                return
            self._last = -1 if sweep is None else sweep
        self._fn(g)
