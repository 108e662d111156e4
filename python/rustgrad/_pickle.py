"""Pickling and copying of tensors, through NumPy arrays: protocol 5 passes their memory out of band."""

from __future__ import annotations

from typing import Any

from . import _core
from ._core import Tensor


def rebuild(array: Any, requires_grad: bool) -> Tensor:
    """The tensor that was pickled as this array."""
    tensor = _core.from_numpy(array if array.flags.writeable else array.copy())
    return tensor.requires_grad_() if requires_grad else tensor


def reduce(tensor: Tensor, protocol: int) -> tuple[Any, ...]:
    """What pickle stores for a tensor."""
    if _core._innermost([tensor])[0] is not None:
        raise RuntimeError("pickle: a tensor inside of a transform cannot be stored; return it, or call detach() first")
    if not tensor.is_leaf:
        raise RuntimeError("pickle: a computed tensor that requires a gradient cannot be stored; call detach() first")
    array = tensor.detach().numpy()
    return rebuild, (array, tensor.requires_grad)


def deepcopy(tensor: Tensor) -> Tensor:
    """A leaf with numbers (and gradient) of its own; inside of a transform, a clone with its derivative."""
    if _core._innermost([tensor])[0] is not None:
        return tensor.clone()
    if not tensor.is_leaf:
        raise RuntimeError("deepcopy: only leaves can be deep-copied; call detach() first")
    copy = tensor.detach().clone().requires_grad_(tensor.requires_grad)
    if tensor.grad is not None:
        copy.grad = tensor.grad.detach().clone()
    return copy
