"""Forward- and reverse-mode automatic differentiation on the CPU, with PyTorch's names and meaning."""

from typing import TYPE_CHECKING

from . import _core as _core
from ._core import *
from ._core import Tensor as Tensor
from . import autograd as autograd
from ._lazy import submodules
from ._sampling import logspace, multinomial, tril_indices, triu_indices
from .autograd import enable_grad, inference_mode, no_grad, set_grad_enabled

Tensor.multinomial = multinomial  # type: ignore[method-assign, assignment]

if TYPE_CHECKING:
    from . import func as func
    from . import linalg as linalg
    from . import nn as nn
    from . import utils as utils
else:
    __getattr__ = submodules(__name__, ("func", "linalg", "nn", "utils"))

__version__ = "0.1.0"
__all__ = [name for name in dir(_core) if not name.startswith("_")] + [
    "autograd",
    "enable_grad",
    "func",
    "inference_mode",
    "linalg",
    "logspace",
    "multinomial",
    "nn",
    "no_grad",
    "set_grad_enabled",
    "tril_indices",
    "triu_indices",
    "utils",
]
