"""Functions of networks, as ``torch.nn.functional``."""

from __future__ import annotations

from .._core import (
    Tensor,
    binary_cross_entropy_with_logits,
    cross_entropy,
    elu,
    embedding,
    gelu,
    hardtanh,
    huber_loss,
    l1_loss,
    layer_norm,
    leaky_relu,
    linear,
    log_softmax,
    logsigmoid,
    mse_loss,
    nll_loss,
    one_hot,
    pad,
    rand_like,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)

__all__ = [
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "hardtanh",
    "huber_loss",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "pad",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability ``p`` and scale the others by 1 / (1 - p) (Srivastava et al. 2014).

    Shape: any, kept. Floats; raises ValueError for a ``p`` outside of [0, 1]. Without ``training`` the input itself.

    Derivative: 1 / (1 - p) where an element was kept, 0 elsewhere.

    >>> import rustgrad as rg
    >>> rg.nn.functional.dropout(rg.ones(3), p=0.0)
    tensor([1., 1., 1.])
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: p must lie between 0 and 1, but is {p}")
    if not training or p == 0.0:
        return input
    # With p = 1 nothing is kept, and nothing is scaled.
    kept = (rand_like(input.detach()) >= p).to(input.dtype) * (1.0 / (1.0 - p) if p < 1.0 else 0.0)
    return input.mul_(kept) if inplace else input * kept
