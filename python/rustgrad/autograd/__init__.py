"""Reverse and forward mode on tensors: ``backward``, ``grad``, the grad modes, dual levels, and ``functional``."""

from .._core import backward, grad
from . import forward_ad, functional
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "backward",
    "enable_grad",
    "forward_ad",
    "functional",
    "grad",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]
