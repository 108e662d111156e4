"""The op table: for every operator one line of sample calls and the NumPy expression it must equal."""

# ruff: noqa: E501 (the rows of tables stay rows)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import references as ref
import rustgrad as rg
from sampling import (
    A,
    C,
    Domain,
    Op,
    S,
    Sample,
    above_one,
    below,
    boolean,
    distinct,
    extended,
    large,
    one_zero,
    order,
    positive,
    real,
    two_zeros,
    unit,
)
from scipy import special

# fmt: off
OPS: list[Op] = []


def op(name: str, reference: Callable[..., Any], *samples: Sample, **flags: Any) -> None:
    OPS.append(Op(name, reference, samples, **flags))


def unary(name: str, reference: Callable[..., Any], *domains: Domain, **flags: Any) -> None:
    """A function of one number: on a vector, a matrix, a single number and nothing at all."""
    shapes = [(3,), (2, 3), (), (0, 2)]
    op(name, reference, *[S(A(*shape, domain=d)) for d in domains or (real,) for shape in shapes], **flags)


def binary(name: str, reference: Callable[..., Any], x: Domain = real, y: Domain = real, *more: Sample, **flags: Any) -> None:
    """A function of two numbers: same shapes, broadcasting both ways, single numbers, zero sizes."""
    pairs = [((3,), (3,)), ((2, 1, 3), (4, 1)), ((), (2,)), ((2, 2), ()), ((2, 0), (1, 1))]
    op(name, reference, *[S(A(*a, domain=x), A(*b, domain=y)) for a, b in pairs], *more, **flags)


F = "nn.functional."
NO = {"differentiable": False}
MAX = ref.extreme(np.max, np.argmax, np.maximum)
MIN = ref.extreme(np.min, np.argmin, np.minimum)

# Arithmetic
binary("add", lambda x, y, alpha=1: x + alpha * y, real, real, S(A(3), 2.5), S(A(2), A(2), alpha=0.5), linear=True, integers=True)
binary("sub", lambda x, y, alpha=1: x - alpha * y, real, real, S(A(3), 2.5), S(A(2), A(2), alpha=2), linear=True, integers=True)
binary("mul", np.multiply, real, real, S(A(3), -1.5), integers=True)
binary("div", ref.divide, real, positive, S(A(3), 4.0), *[S(A(4), A(4), rounding_mode=m) for m in ("trunc", "floor")], integers=True)
binary("true_divide", np.true_divide, real, positive, S(A(3), 0.5))
binary("floor_divide", np.floor_divide, real, positive, S(A(3), 0.7), differentiable=False, integers=True)
binary("remainder", np.mod, real, positive, S(A(4), A(4)), S(A(3), -0.7), integers=True)
binary("fmod", np.fmod, real, positive, S(A(4), A(4)), S(A(3), 0.7), integers=True)
op("__radd__", lambda x: 2.5 + x, S(A(2, 3)), S(A()), call=lambda x: 2.5 + x, linear=True, integers=True)
op("__rsub__", lambda x: 2.5 - x, S(A(2, 3)), S(A()), call=lambda x: 2.5 - x, linear=True)
op("__rmul__", lambda x: 2.5 * x, S(A(2, 3)), S(A()), call=lambda x: 2.5 * x, linear=True)
op("__rtruediv__", lambda x: 2.5 / x, S(A(2, 3)), S(A()), call=lambda x: 2.5 / x)
op("__rpow__", lambda x: 2.5**x, S(A(2, 3)), S(A()), call=lambda x: 2.5**x)
op("__rmatmul__", lambda y, x: x @ y, S(A(3, 2), A(2, 3)), S(A(3), A(2, 3)), call=lambda y, x: y.__rmatmul__(x))
unary("neg", np.negative, linear=True, integers=True)
unary("abs", np.abs, integers=True)
unary("sign", np.sign, integers=True)
unary("square", np.square, integers=True)
unary("reciprocal", np.reciprocal)
unary("positive", np.positive, linear=True, integers=True)
op("pow", np.power, *[S(A(3), p) for p in (2, 3, 0, 1)], *[S(A(2, 2, domain=positive), p) for p in (0.5, -1, -0.5, 1.7)],
   S(2.0, A(3)), S(0.5, A()), S(A(3), C(3, domain=below(4))), S(A(2, 1, domain=positive), A(3)), S(A(domain=positive), A(2)), S(A(0), 2))
# Rounding
for name, numpy_name in {"floor": "floor", "ceil": "ceil", "round": "round", "trunc": "trunc"}.items():
    unary(name, getattr(np, numpy_name))
unary("frac", lambda x: x - np.trunc(x), linear=False)
# Exponentials, logarithms, powers
for name in ("exp", "exp2", "expm1"):
    unary(name, getattr(np, name))
for name in ("log", "log2", "log10", "sqrt"):
    unary(name, getattr(np, name), positive)
unary("log1p", np.log1p, positive, unit)
unary("rsqrt", lambda x: 1 / np.sqrt(x), positive)
binary("logaddexp", np.logaddexp, real, real, S(A(3, domain=large), A(3, domain=large)))
binary("xlogy", special.xlogy, real, positive)
# Trigonometry
for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh"):
    unary(name, getattr(np, name))
for name, numpy_name in {"asin": "arcsin", "acos": "arccos", "atanh": "arctanh"}.items():
    unary(name, getattr(np, numpy_name), unit)
unary("atan", np.arctan)
unary("asinh", np.arcsinh)
unary("acosh", np.arccosh, above_one)
binary("atan2", np.arctan2)
binary("hypot", np.hypot)
# Special functions and activations
unary("erf", special.erf)
unary("erfc", special.erfc)
unary("erfinv", special.erfinv, unit)
unary("ndtr", special.ndtr, real, large)
unary("lgamma", special.gammaln, real, positive, large)
unary("digamma", special.digamma, real, positive)
op("polygamma", special.polygamma, S(1, A(3, domain=positive)), S(2, A(2, 3, domain=above_one)), S(0, A(2, domain=positive)), S(5, A(domain=positive)), S(1, A(0)))
unary("sigmoid", special.expit, real, large)
unary("relu", lambda x: np.maximum(x, 0), integers=True)
unary(F + "relu6", lambda x: np.clip(x, 0, 6), real, above_one)
unary(F + "silu", lambda x: x * special.expit(x), real, large)
unary(F + "selu", lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))))
unary(F + "logsigmoid", special.log_expit, real, large)
op(F + "leaky_relu", lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x), S(A(2, 3)), S(A(4), negative_slope=0.3), S(A()))
op(F + "elu", lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), S(A(2, 3)), S(A(4), alpha=0.3), S(A(0)))
op(F + "hardtanh", lambda x, min_val=-1.0, max_val=1.0: np.clip(x, min_val, max_val), S(A(2, 3)), S(A(5), min_val=-0.5, max_val=1.5))
op(F + "gelu", ref.gelu, S(A(2, 3)), S(A(4), approximate="tanh"), S(A(3, domain=large)), S(A()))
op(F + "softplus", ref.softplus, S(A(2, 3)), S(A(4), beta=2.0), S(A(4, domain=large)), S(A(4), threshold=0.55))
# Choosing
op("clamp", ref.clamp, S(A(2, 3), min=-0.5, max=1.0), S(A(4), min=0.0), S(A(4), max=0.5), S(A(2, 3), A(3), A(2, 1, domain=above_one)), S(A(), min=-1), S(A(0), max=1), integers=True)
op("clamp_min", ref.clamp, S(A(5), 0.5), S(A(2, 3), A(3)))
op("clamp_max", lambda x, m: ref.clamp(x, max=m), S(A(5), 0.5), S(A(2, 3), A(3)))
op("where", np.where, S(C(2, 3, domain=boolean), A(2, 3), A(3)), S(C(3, domain=boolean), A(2, 1), A()), S(C(3, domain=boolean), A(3), 1.5), S(C(3, domain=boolean), -1.0, A(3)), S(C(0, domain=boolean), A(0), A(1)))
binary("maximum", np.maximum, integers=True)
binary("minimum", np.minimum, integers=True)
op("lerp", lambda x, y, w: x + w * (y - x), S(A(3), A(3), 0.3), S(A(2, 3), A(3), A(2, 1)), S(A(), A(), 0.8))
op("addcmul", lambda x, a, b, value=1: x + value * a * b, S(A(3), A(3), A(3)), S(A(2, 3), A(3), A(2, 1), value=-0.5), S(A(), A(), A()))
op("addcdiv", lambda x, a, b, value=1: x + value * a / b, S(A(3), A(3), A(3, domain=positive)), S(A(2, 3), A(3), A(2, 1, domain=positive), value=2.0))
# Comparisons and logic
for name, numpy_name in {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}.items():
    binary(name, getattr(np, numpy_name), real, real, S(A(3), 0.5), S(C(5, domain=below(3)), C(5, domain=below(3))), S(A(9, domain=extended), A(9, domain=extended)), integers=True, **NO)
for name in ("isnan", "isinf", "isfinite", "logical_not"):
    unary(name, getattr(np, name), real, extended, **NO)
for name in ("logical_and", "logical_or", "logical_xor"):
    binary(name, getattr(np, name), real, real, S(C(4, domain=boolean), C(4, domain=boolean)), **NO)
BITS = [S(C(4, domain=below(16)), C(2, 4, domain=below(8))), S(C(4, domain=below(16)), 3), S(C(domain=below(16)), C(0, domain=below(4)))]
for name in ("and", "or", "xor"):
    op(f"bitwise_{name}", getattr(np, f"bitwise_{name}"), *BITS, **NO)
for name in ("left", "right"):
    op(f"bitwise_{name}_shift", getattr(np, f"{name}_shift"), *BITS, **NO)
op("bitwise_not", np.bitwise_not, S(C(4, domain=below(16))), S(C(3, domain=boolean)), **NO)
# Parts of complex numbers: the laws put complex numbers in place of real ones
unary("real", np.real, linear=True)
unary("conj", np.conj, linear=True)
unary("angle", np.angle)
op("complex", lambda x, y: np.stack(np.broadcast_arrays(x, y), -1), S(A(3), A(3)), S(A(2, 1), A(3)), S(A(), A()), call=lambda x, y: rg.view_as_real(rg.complex(x, y)), linear=True)
# Reductions
REDUCED = [S(A(2, 3, 2)), S(A(2, 3, 2), dim=1), S(A(2, 3), dim=-1, keepdim=True), S(A(2, 3, 2), dim=(0, -1)), S(A(2, 3, 2), dim=[0, 1], keepdim=True), S(A()), S(A(0, 3), dim=1)]
op("sum", ref.reduction(np.sum), *REDUCED, S(A(0)), S(A(3, 0), dim=1), linear=True, integers=True)
op("mean", ref.reduction(np.mean), *REDUCED, linear=True)
op("prod", ref.reduction(np.prod), S(A(2, 3)), S(A(2, 3), dim=1), S(A(2, 3), dim=-2, keepdim=True), S(A(4, domain=one_zero)), S(A(2, 3, domain=two_zeros), dim=1), S(A()), S(A(0)), integers=True)
VARIED = [S(A(2, 3, 2)), S(A(2, 3), dim=1), S(A(3, 2), dim=0, correction=0), S(A(2, 3, 2), dim=(0, 2), keepdim=True), S(A(5), dim=0, correction=2)]
op("var", ref.variance, *VARIED)
op("std", ref.deviation, *VARIED)
ORDERED = [S(A(2, 3, domain=distinct)), S(A(2, 3, domain=distinct), dim=1), S(A(3, 2, domain=distinct), dim=-2, keepdim=True), S(A()), S(A(0, 3), dim=1)]
op("max", MAX, *ORDERED, S(A(2, 3), A(3)), integers=True)
op("min", MIN, *ORDERED, S(A(2, 3), A(3)), integers=True)
op("amax", ref.reduction(np.max), *ORDERED, S(A(2, 3, 2, domain=distinct), dim=(0, 2)), integers=True)
op("amin", ref.reduction(np.min), *ORDERED, S(A(2, 3, 2, domain=distinct), dim=(0, 2)), integers=True)
op("argmax", ref.reduction(np.argmax), *ORDERED, **NO)
op("argmin", ref.reduction(np.argmin), *ORDERED, **NO)
op("any", ref.reduction(np.any), S(C(2, 3, domain=boolean)), S(A(2, 3), dim=1), S(A(2, 3), dim=0, keepdim=True), S(C(4, 2, domain=boolean), dim=1), S(C(0, domain=boolean)), **NO)
op("all", ref.reduction(np.all), S(C(2, 3, domain=boolean)), S(A(2, 3), dim=1), S(C(2, 3, domain=boolean), dim=0, keepdim=True), S(C(0, domain=boolean)), **NO)
op("logsumexp", ref.reduction(special.logsumexp), S(A(2, 3), dim=1), S(A(2, 3, 2), dim=(0, -1), keepdim=True), S(A(4, domain=large), dim=0), S(A(), dim=0))
NORMED = [S(A(2, 3)), S(A(2, 3), 2, dim=1), S(A(2, 3), 1, dim=0, keepdim=True), S(A(3, 2), 3.0, dim=-1), S(A(4, domain=distinct), float("inf")), S(A(2, 3), 0.5, dim=1)]
op("norm", ref.norm, *NORMED, S(A(2, 3, 2), 2, dim=(0, 1)), S(A(2, 3), "fro"))
op("linalg.vector_norm", ref.norm, *NORMED, S(A(2, 3, 2), 2, dim=(0, 1)), S(A(4, domain=distinct), -float("inf")))
op("linalg.norm", ref.norm, S(A(2, 3)), S(A(4), 3.0), S(A(2, 3), "fro"), S(A(2, 3), 1, dim=0, keepdim=True), S(A(2, 3, 2), "fro", dim=(0, 2)))
op("cumsum", lambda x, dim: np.cumsum(x, axis=dim), S(A(4), 0), S(A(2, 3), 1), S(A(3, 2), dim=-2), S(A(0), 0), linear=True, integers=True)
op("cumprod", lambda x, dim: np.cumprod(x, axis=dim), S(A(4), 0), S(A(2, 3), 1), S(A(4, domain=one_zero), dim=-1), S(A(5, domain=two_zeros), dim=0), integers=True)
# Shapes
op("reshape", np.reshape, S(A(2, 3), (3, 2)), S(A(2, 3), (-1,)), S(A(), (1, 1)), S(A(0, 2), (2, 0)), S(A(2, 6), (2, -1, 2)), linear=True, integers=True)
op("Tensor.view", lambda x, *s: x.reshape(s), S(A(2, 3), 3, 2), S(A(2, 3), -1), S(A(6), 2, 3), linear=True, strided=False)
op("permute", np.transpose, S(A(2, 3, 4), (2, 0, 1)), S(A(2, 3), (-1, 0)), S(A(), ()), linear=True, integers=True)
op("transpose", np.swapaxes, S(A(2, 3), 0, 1), S(A(2, 3, 2), -1, 0), S(A(3), 0, -1), linear=True)
op("t", np.transpose, S(A(2, 3)), S(A(3)), S(A()), linear=True)
op("T", lambda x: x.T, S(A(2, 3)), call=lambda x: x.T, linear=True)
op("mT", lambda x: np.swapaxes(x, -1, -2), S(A(2, 3, 4)), call=lambda x: x.mT, linear=True)
op("movedim", np.moveaxis, S(A(2, 3, 4), 0, -1), S(A(2, 3, 4), (0, 1), (2, 0)), linear=True)
op("Tensor.expand", ref.expand, S(A(2, 1), 2, 3), S(A(3), 2, -1), S(A(), 2, 2), S(A(1, 2), 0, 2), linear=True)
op("broadcast_to", np.broadcast_to, S(A(2, 1), (4, 2, 3)), S(A(), (2,)), linear=True)
op("broadcast_tensors", lambda *xs: np.broadcast_arrays(*xs), S(A(2, 1), A(3)), S(A(), A(2, 2), A(1)), linear=True)
op("squeeze", ref.squeeze, S(A(1, 2, 1)), S(A(1, 2, 1), 0), S(A(2, 1), dim=0), S(A(1, 2, 1), (0, -1)), S(A()), linear=True)
op("unsqueeze", np.expand_dims, S(A(2), 0), S(A(2, 3), -1), S(A(), 0), S(A(0), 1), linear=True)
op("flatten", lambda x, a=0, b=-1: x.reshape(x.shape[:a] + (-1,) + x.shape[b % x.ndim + 1 :]), S(A(2, 3, 2)), S(A(2, 3, 2), 1), S(A(2, 3, 2), 0, 1), linear=True)
op("ravel", np.ravel, S(A(2, 3)), S(A()), linear=True)
op("unflatten", ref.unflatten, S(A(2, 6), 1, (2, 3)), S(A(4, 3), 0, (2, 2)), linear=True)
op("cat", lambda xs, dim=0: np.concatenate(xs, axis=dim), S([A(2, 3), A(1, 3)]), S([A(2, 1), A(2, 2), A(2, 0)], dim=-1), S([A(3)]), linear=True, integers=True)
op("stack", lambda xs, dim=0: np.stack(xs, axis=dim), S([A(2, 3), A(2, 3)]), S([A(2), A(2), A(2)], dim=-1), S([A(), A()]), linear=True, integers=True)
op("hstack", np.hstack, S([A(2, 3), A(2, 1)]), S([A(2), A(3)]), linear=True)
op("vstack", np.vstack, S([A(2, 3), A(1, 3)]), S([A(2), A(2)]), linear=True)
op("split", ref.split, S(A(5, 2), 2), S(A(2, 5), [1, 4], dim=1), S(A(4), 4), linear=True)
op("chunk", ref.chunk, S(A(5), 2), S(A(2, 6), 3, dim=-1), linear=True)
op("unbind", lambda x, dim=0: [np.take(x, i, axis=dim) for i in range(x.shape[dim])], S(A(3, 2)), S(A(2, 3), dim=-1), S(A(2)), linear=True)
op("flip", np.flip, S(A(3), (0,)), S(A(2, 3), (0, 1)), S(A(2, 3), (-1,)), S(A(0, 2), (0,)), linear=True, integers=True)
op("roll", ref.roll, S(A(4), 1), S(A(2, 3), -1, 1), S(A(2, 3), (1, 2), (0, 1)), S(A(2, 3), 2), linear=True)
op("Tensor.repeat", lambda x, *n: np.tile(x, n), S(A(2), 3), S(A(2, 3), 2, 1, 2), S(A(), 2), linear=True)
op("tile", np.tile, S(A(2), (3,)), S(A(2, 3), (2,)), S(A(2), (2, 2)), linear=True)
op(F + "pad", ref.pad, S(A(3), (1, 2)), S(A(2, 3), (1, 0, 0, 2), value=1.5), S(A(2, 4), (-1, 1)), S(A(0, 2), (1, 1, 1, 0)))
op("tril", np.tril, S(A(3, 3)), S(A(2, 3, 4), 1), S(A(3, 2), -1), linear=True)
op("triu", np.triu, S(A(3, 3)), S(A(2, 3, 4), 1), S(A(3, 2), -1), linear=True)
op("diagonal", np.diagonal, S(A(3, 3)), S(A(2, 3, 4), 1, 1, 2), S(A(3, 2), -1), linear=True)
op("diag", np.diag, S(A(3)), S(A(3, 3)), S(A(2), 1), S(A(2, 3), -1), linear=True)
op("diag_embed", ref.diag_embed, S(A(3)), S(A(2, 2), 1), S(A(2, 2), -1), S(A(2, 3), 1, 0, 2), S(A(3, 2), dim1=-1, dim2=0), linear=True)
op("trace", np.trace, S(A(3, 3)), S(A(2, 3)), linear=True)
op("clone", np.copy, S(A(2, 3)), S(A()), S(A(0)), linear=True, integers=True)
# Indexing
op("getitem", lambda x, i: x[i], S(A(4), 1), S(A(4, 3), (slice(None, None, 2), -1)), S(A(2, 3), (Ellipsis, None, 0)), S(A(5), slice(3, 0, -1)), S(A(4, 3), C(2, domain=below(4))),
   S(A(4, 3), (C(2, 1, domain=below(4)), C(2, domain=below(3)))), S(A(3, 4), (slice(None), C(3, domain=below(4)))), S(A(2, 3, 4), (slice(1), slice(None, None, -1), C(2, domain=below(4)))),
   S(A(2, 3, 4), (C(2, domain=below(2)), slice(None), C(2, domain=below(4)))), S(A(), (None,)), S(A(0, 3), slice(None)), call=lambda x, i: x[i], linear=True, integers=True)
op("mask", lambda x, m: x[m], S(A(2, 3), C(2, 3, domain=boolean)), S(A(4, 2), C(4, domain=boolean)), call=lambda x, m: x[m], linear=True, batched=False)
op("select", lambda x, dim, i: np.take(x, i, axis=dim), S(A(3, 2), 0, 1), S(A(2, 3), -1, -2), linear=True)
op("narrow", ref.narrow, S(A(4), 0, 1, 2), S(A(2, 4), -1, 0, 3), S(A(3), 0, 2, 0), linear=True)
op("index_select", lambda x, dim, i: np.take(x, np.atleast_1d(i), axis=dim) if x.ndim else x, S(A(3, 2), 0, C(4, domain=below(3))), S(A(2, 3), -1, C(2, domain=below(3))), S(A(), 0, C(1, domain=below(1))), S(A(3, 2), 0, C(domain=below(3))), linear=True)
op("gather", ref.gather, S(A(3, 2), 0, C(4, 2, domain=below(3))), S(A(2, 3), 1, C(1, 4, domain=below(3))), S(A(3), -1, C(2, domain=below(3))), S(A(5), 0, C(2, 0, domain=below(5))), linear=True)
op("scatter", ref.scatter, S(A(3, 2), 0, C(3, 2, domain=order(0)), A(3, 2)), S(A(2, 3), -1, C(1, 3, domain=order(1)), A(2, 3)), S(A(4), 0, C(2, domain=below(4)), 1.5), S(A(3), 0, C(2, 0, domain=below(3)), A(1, 2)),
   *[S(A(3, 2), 0, C(4, 2, domain=below(3)), A(4, 2), reduce=r) for r in ("add", "multiply")])
op("scatter_reduce", ref.scatter_reduce, *[S(A(3, 2, domain=distinct), 0, C(4, 2, domain=below(3)), A(4, 2, domain=distinct), r, include_self=s) for r in ("sum", "prod", "mean", "amax", "amin") for s in (True, False)])
op("index_reduce", ref.index_reduce, *[S(A(2, 4, domain=distinct), -1, C(3, domain=below(3)), A(2, 3, domain=distinct), r, include_self=s) for r in ("prod", "mean", "amax", "amin") for s in (True, False)])
op("scatter_add", ref.scatter_add, S(A(3, 2), 0, C(4, 2, domain=below(3)), A(4, 2)), S(A(2, 3), -1, C(2, 4, domain=below(3)), A(3, 5)), linear=True)
op("index_add", ref.index_add, S(A(3, 2), 0, C(4, domain=below(3)), A(4, 2)), S(A(2, 3), -1, C(2, domain=below(3)), A(2, 2), alpha=0.5), linear=True)
op("index_copy", ref.index_copy, S(A(3, 2), 0, C(3, domain=order(0)), A(3, 2)), S(A(2, 4), -1, C(2, domain=order(0)), A(2, 2)), linear=True)
op("take", lambda x, i: x.ravel()[i], S(A(2, 3), C(2, 2, domain=below(6))), S(A(), C(3, domain=below(1))), linear=True)
op("diagonal_scatter", ref.diagonal_scatter, S(A(3, 3), A(3)), S(A(2, 3, 4), A(3, 2), 1, 0, 2), S(A(3, 2), A(2), -1), linear=True)
op("index_put", ref.index_put, S(A(4, 2), (C(2, domain=order(0)),), A(2, 2)), S(A(4), (C(5, domain=below(4)),), A(5), accumulate=True), S(A(2, 3), (C(3, domain=below(2)), C(3, domain=order(0))), A()))
op("masked_fill", lambda x, m, v: np.where(m, v, x), S(A(2, 3), C(2, 3, domain=boolean), 1.5), S(A(2, 3), C(3, domain=boolean), A()), S(A(), C(domain=boolean), 0.0))
op("masked_select", lambda x, m: x[np.broadcast_to(m, x.shape)], S(A(2, 3), C(2, 3, domain=boolean)), S(A(2, 3), C(3, domain=boolean)), batched=False, linear=True)
op("take_along_dim", ref.take_along_dim, S(A(3, 2), C(4, 2, domain=below(3)), 0), S(A(2, 3), C(2, 1, domain=below(3)), dim=-1), S(A(2, 3), C(4, domain=below(6))), linear=True)
op("sort", ref.sort, S(A(5, domain=distinct)), S(A(2, 3, domain=distinct), 0), S(A(2, 3, domain=distinct), dim=-1, descending=True), S(A()), S(A(0, 2)))
op("argsort", ref.argsort, S(A(5, domain=distinct)), S(A(2, 3, domain=distinct), dim=0, descending=True), **NO)
op("topk", ref.topk, S(A(5, domain=distinct), 2), S(A(3, 4, domain=distinct), 3, dim=-1, largest=False), S(A(3, 2, domain=distinct), 1, dim=0))
op("nonzero", lambda x: np.argwhere(x), S(C(2, 3, domain=boolean)), S(C(4, domain=extended)), S(C(0, domain=boolean)), batched=False, **NO)
# Matrices
op("matmul", np.matmul, S(A(2, 3), A(3, 4)), S(A(3), A(3)), S(A(2, 3), A(3)), S(A(3), A(3, 2)), S(A(2, 1, 2, 3), A(4, 3, 2)), S(A(3), A(2, 3, 2)), S(A(2, 2, 3), A(3)), S(A(2, 0), A(0, 3)), S(A(0, 2), A(2, 1)))
op("mm", np.matmul, S(A(2, 3), A(3, 4)), S(A(1, 5), A(5, 1)))
op("bmm", np.matmul, S(A(2, 2, 3), A(2, 3, 2)), S(A(0, 2, 3), A(0, 3, 1)))
op("mv", np.matmul, S(A(2, 3), A(3)))
op("dot", np.dot, S(A(4), A(4)), S(A(0), A(0)))
op("outer", np.outer, S(A(2), A(3)), S(A(0), A(2)))
op("inner", np.inner, S(A(3), A(3)), S(A(2, 3), A(4, 3)))
op("kron", np.kron, S(A(2, 2), A(1, 3)))
op("einsum", np.einsum, S("ij,jk->ik", A(2, 3), A(3, 2)), S("ii->i", A(3, 3)), S("ij->", A(2, 3)), S("bij,bjk,k->bi", A(2, 2, 3), A(2, 3, 2), A(2)), S("...i,i->...", A(2, 2, 3), A(3)), S("ij,kj", A(2, 3), A(2, 3)), S("i,j->ij", A(2), A(3)))
op("tensordot", ref.tensordot, S(A(2, 3, 4), A(3, 4, 2)), S(A(2, 3), A(3, 2), dims=1), S(A(2, 3, 4), A(4, 2), dims=([2, 0], [0, 1])), S(A(2), A(3), dims=0), S(A(1, 1, 2), A(2, 3, 1), dims=([0, 1], [2, 1])))
op("addmm", ref.addmm, S(A(2, 4), A(2, 3), A(3, 4)), S(A(4), A(2, 3), A(3, 4), beta=0.5, alpha=2.0))
op("baddbmm", ref.addmm, S(A(2, 2, 2), A(2, 2, 3), A(2, 3, 2)), S(A(2), A(2, 2, 3), A(2, 3, 2), beta=2.0, alpha=-1.0))
op(F + "linear", ref.linear, S(A(2, 3), A(4, 3), A(4)), S(A(3), A(4, 3)), S(A(2, 2, 3), A(1, 3), A(1)), S(A(0, 3), A(2, 3), A(2)))
# Networks
op("softmax", lambda x, dim: special.softmax(x, axis=dim) if x.size else x, S(A(2, 3), dim=1), S(A(3, 2), dim=0), S(A(4, domain=large), dim=-1), S(A(), dim=0), S(A(0, 3), dim=1))
op("log_softmax", ref.log_softmax, S(A(2, 3), dim=1), S(A(3, 2), dim=0), S(A(4, domain=large), dim=-1))
op(F + "mse_loss", ref.mse_loss, S(A(2, 3), A(2, 3)), *[S(A(4), A(4), reduction=r) for r in ("sum", "none")])
op(F + "huber_loss", ref.huber_loss, S(A(2, 3), A(2, 3)), S(A(4), A(4), reduction="sum", delta=0.5))
op(F + "binary_cross_entropy_with_logits", ref.bce_with_logits, S(A(2, 3), A(2, 3, domain=unit)), S(A(4), A(4), pos_weight=A(4, domain=positive), reduction="none"), S(A(2, 3), A(2, 3), weight=A(3), reduction="sum"))
op(F + "l1_loss", ref.l1_loss, S(A(2, 3), A(2, 3)), *[S(A(4), A(4), reduction=r) for r in ("sum", "none")])
op(F + "nll_loss", ref.nll_loss, S(A(4, 3), C(4, domain=below(3))), S(A(3), C(domain=below(3))), S(A(4, 3), C(4, domain=below(3)), weight=C(3, domain=positive)), S(A(2, 3, 2), C(2, 2, domain=below(3)), reduction="sum"),
   S(A(4, 3), C(4, domain=below(3)), ignore_index=1, reduction="none"))
op(F + "cross_entropy", ref.cross_entropy, S(A(4, 3), C(4, domain=below(3))), S(A(4, 3), C(4, domain=below(3)), weight=C(3, domain=positive)), S(A(4, 3), C(4, domain=below(3)), reduction="none", ignore_index=0),
   S(A(5, 3), C(5, domain=below(3)), label_smoothing=0.1), S(A(2, 3, 2), C(2, 2, domain=below(3)), reduction="sum"), S(A(3), C(domain=below(3))), S(A(4, 3), A(4, 3, domain=positive)))
op(F + "one_hot", lambda i, n: np.eye(n, dtype=np.int64)[i], S(C(4, domain=below(3)), 3), S(C(2, 2, domain=below(3)), 5), **NO)
op(F + "embedding", lambda i, w: w[i], S(C(4, domain=below(3)), A(3, 2)), S(C(2, 2, domain=below(3)), A(3, 2)), linear=True)
op(F + "dropout", lambda x, p=0.5, training=True: x if not training else x / (1 - p), S(A(2, 3), p=0.0), S(A(3), p=0.5, training=False), linear=True)
op(F + "layer_norm", ref.layer_norm, S(A(2, 4), (4,)), S(A(2, 4), (4,), A(4), A(4)), S(A(2, 2, 3), (2, 3), A(2, 3), eps=0.1), S(A(2, 4), (4,), None, A(4)))

BY_NAME = {row.name: row for row in OPS}
