"""Reverse and forward mode on tensors: ``backward``, ``grad``, grad modes, dual levels, functions with rules, hooks."""

from .._core import backward, grad
from . import forward_ad, function, graph
from .anomaly_mode import detect_anomaly, set_detect_anomaly, set_strong_zeros
from .function import Function
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "grad",
    "graph",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_strong_zeros",
]
