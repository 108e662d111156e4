"""Reverse and forward mode on tensors: ``backward``, ``grad``, the grad modes and dual levels."""

from .._core import backward, grad
from . import forward_ad
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "backward",
    "enable_grad",
    "forward_ad",
    "grad",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]
