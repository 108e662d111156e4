"""Reverse and forward mode on tensors: ``backward``, ``grad``, modes, dual levels, functions with rules, checks."""

from typing import TYPE_CHECKING

from .._core import backward, grad
from .._lazy import submodules
from . import forward_ad, function
from .anomaly_mode import detect_anomaly, set_detect_anomaly, set_strong_zeros
from .function import Function
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .gradcheck import GradcheckError, gradcheck, gradgradcheck

if TYPE_CHECKING:
    from . import functional, graph
else:
    __getattr__ = submodules(__name__, ("functional", "graph"))

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
