"""NumPy and SciPy versions of the operators whose NumPy form is longer than a line; arguments as PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's reduction with PyTorch's argument names."""

    def reference(x: np.ndarray, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> Any:
        return function(x, axis=tuple(dim) if isinstance(dim, list) else dim, keepdims=keepdim, **kwargs)

    return reference


def variance(x: np.ndarray, dim: Any = None, *, correction: float = 1, keepdim: bool = False) -> Any:
    return np.var(x, axis=dim, ddof=correction, keepdims=keepdim)


def deviation(x: np.ndarray, dim: Any = None, *, correction: float = 1, keepdim: bool = False) -> Any:
    return np.std(x, axis=dim, ddof=correction, keepdims=keepdim)


def extreme(values: Callable[..., Any], indices: Callable[..., Any], pair: Callable[..., Any]) -> Callable[..., Any]:
    """max and min: of everything, along a dimension with indices, or of two tensors."""

    def reference(x: np.ndarray, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is None:
            return values(x)
        if isinstance(dim, np.ndarray):
            return pair(x, dim)
        return values(x, axis=dim, keepdims=keepdim), indices(x, axis=dim, keepdims=keepdim)

    return reference


def norm(x: np.ndarray, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Any:
    a = np.abs(x)
    p = 2 if p in ("fro", None) else p
    if p == 0:
        return np.sum(a != 0, axis=dim, keepdims=keepdim).astype(x.dtype)
    if np.isinf(p):
        return (np.max if p > 0 else np.min)(a, axis=dim, keepdims=keepdim)
    return np.sum(a**p, axis=dim, keepdims=keepdim) ** (1 / p)


def log_softmax(x: np.ndarray, dim: int) -> np.ndarray:
    return special.log_softmax(x, axis=dim) if x.size else x.copy()


def gelu(x: np.ndarray, approximate: str = "none") -> np.ndarray:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * special.ndtr(x)


def softplus(x: np.ndarray, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


def divide(x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    q = np.true_divide(x, y)
    return {None: lambda v: v, "trunc": np.trunc, "floor": np.floor}[rounding_mode](q)


def clamp(x: np.ndarray, min: Any = None, max: Any = None) -> np.ndarray:
    x = x if min is None else np.maximum(x, min)
    return x if max is None else np.minimum(x, max)


def roll(x: np.ndarray, shifts: Any, dims: Any = None) -> np.ndarray:
    return np.roll(x, shifts, axis=dims)


def pad(x: np.ndarray, pad: tuple[int, ...], value: float = 0.0) -> np.ndarray:
    """PyTorch's order: last dimension first; negative widths cut."""
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    x = np.pad(x, [(max(a, 0), max(b, 0)) for a, b in widths], constant_values=value)
    return x[tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(widths, x.shape, strict=True))]


def split(x: np.ndarray, sizes: Any, dim: int = 0) -> list[np.ndarray]:
    if isinstance(sizes, int):
        sizes = [min(sizes, x.shape[dim] - i) for i in range(0, x.shape[dim], sizes)]
    return np.split(x, np.cumsum(sizes)[:-1], axis=dim)


def chunk(x: np.ndarray, chunks: int, dim: int = 0) -> list[np.ndarray]:
    return split(x, -(-x.shape[dim] // chunks), dim)


def diag_embed(x: np.ndarray, offset: int = 0, dim1: int = -2, dim2: int = -1) -> np.ndarray:
    n = x.shape[-1] + abs(offset)
    y = np.zeros((*x.shape[:-1], n, n), x.dtype)
    i = np.arange(x.shape[-1])
    y[..., i + max(-offset, 0), i + max(offset, 0)] = x
    return np.moveaxis(y, (-2, -1), (dim1, dim2))


def squeeze(x: np.ndarray, dim: Any = None) -> np.ndarray:
    if dim is None:
        return np.squeeze(x)
    dims = (dim,) if isinstance(dim, int) else dim
    return np.squeeze(x, axis=tuple(d for d in dims if x.shape[d] == 1))


def expand(x: np.ndarray, *sizes: int) -> np.ndarray:
    lead = len(sizes) - x.ndim
    return np.broadcast_to(x, [x.shape[i - lead] if n == -1 else n for i, n in enumerate(sizes)])


def unflatten(x: np.ndarray, dim: int, sizes: tuple[int, ...]) -> np.ndarray:
    dim %= x.ndim
    return x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :])


def narrow(x: np.ndarray, dim: int, start: int, length: int) -> np.ndarray:
    return np.take(x, np.arange(start, start + length), axis=dim)


def gather(x: np.ndarray, dim: int, index: np.ndarray) -> np.ndarray:
    if index.size == 0:
        return np.empty(index.shape, x.dtype)
    cut = tuple(slice(None) if d == dim % x.ndim else slice(n) for d, n in enumerate(index.shape))
    return np.take_along_axis(x[cut], index, axis=dim)


def _places(index: np.ndarray, dim: int) -> tuple[np.ndarray, ...]:
    places = list(np.indices(index.shape))
    places[dim % index.ndim] = index
    return tuple(places)


def scatter(x: np.ndarray, dim: int, index: np.ndarray, src: Any, reduce: str | None = None) -> np.ndarray:
    y = x.copy()
    if index.size == 0:
        return y
    if reduce:
        at = np.add.at if reduce == "add" else np.multiply.at
        at(y, _places(index, dim), src[tuple(slice(n) for n in index.shape)])
        return y
    y[_places(index, dim)] = src[tuple(slice(n) for n in index.shape)] if isinstance(src, np.ndarray) else src
    return y


def scatter_add(x: np.ndarray, dim: int, index: np.ndarray, src: np.ndarray) -> np.ndarray:
    y = x.copy()
    np.add.at(y, _places(index, dim), src[tuple(slice(n) for n in index.shape)])
    return y


def index_add(x: np.ndarray, dim: int, index: np.ndarray, source: np.ndarray, *, alpha: float = 1) -> np.ndarray:
    y = x.copy()
    np.add.at(y, (slice(None),) * (dim % x.ndim) + (index,), alpha * source)
    return y


def _combined(x: np.ndarray, places: Any, src: np.ndarray, reduce: str, include_self: bool) -> np.ndarray:
    """What arrives at each place, combined by a NumPy function that counts repetitions."""
    arrived, combine = np.zeros(x.shape, bool), {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}
    arrived[places] = True
    start = {"prod": 1.0, "amax": -np.inf, "amin": np.inf}.get(reduce, 0.0)
    y = x.copy() if include_self else np.where(arrived, start, x)
    combine.get(reduce, np.add).at(y, places, src)
    if reduce == "mean":
        count = np.where(arrived & (not include_self), 0.0, 1.0)
        np.add.at(count, places, 1.0)
        y /= count
    return y


def scatter_reduce(
    x: np.ndarray, dim: int, index: np.ndarray, src: np.ndarray, reduce: str, include_self: bool = True
) -> np.ndarray:
    return _combined(x, _places(index, dim), src[tuple(slice(n) for n in index.shape)], reduce, include_self)


def index_reduce(
    x: np.ndarray, dim: int, index: np.ndarray, source: np.ndarray, reduce: str, include_self: bool = True
) -> np.ndarray:
    return _combined(x, (slice(None),) * (dim % x.ndim) + (index,), source, reduce, include_self)


def index_copy(x: np.ndarray, dim: int, index: np.ndarray, source: np.ndarray) -> np.ndarray:
    y = x.copy()
    y[(slice(None),) * (dim % x.ndim) + (index,)] = source
    return y


def diagonal_scatter(x: np.ndarray, src: np.ndarray, offset: int = 0, dim1: int = 0, dim2: int = 1) -> np.ndarray:
    y = x.copy()
    places = np.diagonal(np.arange(x.size).reshape(x.shape), offset, dim1, dim2)
    y.reshape(-1)[places] = src
    return y


def index_put(
    x: np.ndarray, indices: tuple[np.ndarray, ...], values: np.ndarray, accumulate: bool = False
) -> np.ndarray:
    y = x.copy()
    if accumulate:
        np.add.at(y, tuple(indices), values)
    else:
        y[tuple(indices)] = values
    return y


def take_along_dim(x: np.ndarray, indices: np.ndarray, dim: int | None = None) -> np.ndarray:
    return x.ravel()[indices.ravel()] if dim is None else np.take_along_axis(x, indices, axis=dim)


def sort(x: np.ndarray, dim: int = -1, descending: bool = False) -> tuple[np.ndarray, np.ndarray]:
    i = argsort(x, dim, descending)
    return (np.take_along_axis(x, i, axis=dim), i) if x.ndim else (x, i)


def argsort(x: np.ndarray, dim: int = -1, descending: bool = False) -> np.ndarray:
    return np.argsort(-x if descending else x, axis=dim, kind="stable") if x.ndim else np.array(0)


def topk(x: np.ndarray, k: int, dim: int = -1, largest: bool = True) -> tuple[np.ndarray, np.ndarray]:
    values, indices = sort(x, dim, largest)
    return narrow(values, dim, 0, k), narrow(indices, dim, 0, k)


def tensordot(x: np.ndarray, y: np.ndarray, dims: Any = 2) -> np.ndarray:
    if not isinstance(dims, int):  # PyTorch broadcasts sizes of 1, NumPy does not
        for i, j in zip(*dims, strict=True):
            x = x.sum(i, keepdims=True) if y.shape[j] == 1 else x
            y = y.sum(j, keepdims=True) if x.shape[i] == 1 else y
    return np.tensordot(x, y, axes=dims)


def linear(x: np.ndarray, weight: np.ndarray, bias: Any = None) -> np.ndarray:
    return np.matmul(x, weight.T) + (0.0 if bias is None else bias)


def addmm(x: np.ndarray, a: np.ndarray, b: np.ndarray, *, beta: float = 1, alpha: float = 1) -> np.ndarray:
    return beta * x + alpha * np.matmul(a, b)


def reduced(losses: np.ndarray, reduction: str, weight: Any = None) -> Any:
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / (losses.size if weight is None else weight)


def mse_loss(x: np.ndarray, target: np.ndarray, reduction: str = "mean") -> Any:
    return reduced((x - target) ** 2, reduction)


def huber_loss(x: np.ndarray, target: np.ndarray, reduction: str = "mean", delta: float = 1.0) -> Any:
    d = np.abs(x - target)
    return reduced(np.where(d < delta, d**2 / 2, delta * (d - delta / 2)), reduction)


def bce_with_logits(
    x: np.ndarray, target: np.ndarray, weight: Any = 1.0, reduction: str = "mean", pos_weight: Any = 1.0
) -> Any:
    losses = -(pos_weight * target * special.log_expit(x) + (1 - target) * special.log_expit(-x)) * weight
    return reduced(losses, reduction)


def l1_loss(x: np.ndarray, target: np.ndarray, reduction: str = "mean") -> Any:
    return reduced(np.abs(x - target), reduction)


def nll_loss(
    x: np.ndarray, target: np.ndarray, weight: Any = None, reduction: str = "mean", ignore_index: int = -100
) -> Any:
    """Class scores along dimension 1 (0 for a single sample)."""
    if x.ndim == 1:
        return nll_loss(x[None], np.asarray(target)[None], weight, "sum", ignore_index) / (
            1.0 if weight is None or reduction != "mean" else weight[target]
        )
    kept = target != ignore_index
    safe = np.where(kept, target, 0)
    w = (np.ones(x.shape[1]) if weight is None else weight)[safe] * kept
    losses = -np.take_along_axis(x, np.expand_dims(safe, 1), axis=1).squeeze(1) * w
    return reduced(losses, reduction, w.sum())


def cross_entropy(
    x: np.ndarray,
    target: np.ndarray,
    weight: Any = None,
    reduction: str = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:
    dim = 1 if x.ndim > 1 else 0
    logs = log_softmax(x, dim)
    classes = x.shape[dim]
    if target.dtype.kind == "f":
        soft = target * (1 - label_smoothing) + label_smoothing / classes
        w = np.ones(classes) if weight is None else weight
        losses = -(logs * soft * w.reshape([-1 if d == dim else 1 for d in range(x.ndim)])).sum(dim)
        return reduced(losses, reduction, x.size / classes)
    plain = nll_loss(logs, target, weight, reduction, ignore_index)
    if label_smoothing == 0.0:
        return plain
    smooth = sum(
        nll_loss(logs[:, [c] * classes], np.where(target == ignore_index, ignore_index, 0), None, "none", ignore_index)
        for c in range(classes)
    )
    smooth = reduced(smooth, reduction, (target != ignore_index).sum())
    return (1 - label_smoothing) * plain + label_smoothing * smooth / classes


def layer_norm(
    x: np.ndarray, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> np.ndarray:
    dims = tuple(range(-len(normalized_shape), 0))
    y = (x - x.mean(dims, keepdims=True)) / np.sqrt(x.var(dims, keepdims=True) + eps)
    return y * (1.0 if weight is None else weight) + (0.0 if bias is None else bias)
