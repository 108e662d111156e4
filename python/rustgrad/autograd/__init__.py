"""Reverse and forward mode on tensors: ``backward``, ``grad``, modes, dual levels, functions with rules, checks."""

from .._core import backward, grad
from . import forward_ad, function, functional, graph
from .anomaly_mode import detect_anomaly, set_detect_anomaly, set_strong_zeros
from .function import Function
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = [
    "Function",
    "GradcheckError",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_strong_zeros",
]
