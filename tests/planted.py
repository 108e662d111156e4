"""Functions with right derivatives, and the means to plant wrong ones."""

from __future__ import annotations

import numpy as np
import rustgrad as rg
from rustgrad.autograd import forward_ad


def leaf(*numbers, dtype=rg.float64):
    values = numbers[0] if len(numbers) == 1 else list(numbers)
    return rg.tensor(values, dtype=dtype, requires_grad=True)


def tangent(x):
    return forward_ad.unpack_dual(x).tangent


def hooked(y, hook):
    """``y`` as a new tensor whose gradient goes through ``hook``, in reverse mode alone."""
    y = y * 1.0
    if y.requires_grad and tangent(y) is None:
        y.register_hook(hook)
    return y


FUNCTIONS = {
    "one input": (lambda x: x * x.sin(), [(2, 3)]),
    "a number": (lambda x: x.exp(), [()]),
    "two inputs": (lambda a, b: a @ b.tanh(), [(2, 3), (3, 2)]),
    "two outputs": (lambda a, b: (a * b, (a / b).sum()), [(3,), (3,)]),
    "unused input": (lambda a, b: a * a, [(2,), (2,)]),
    "the input itself": (lambda x: x, [(2,)]),
    "a view": (lambda x: x.t()[0], [(2, 2)]),
    "outputs of one node": (lambda x: x.unbind(0), [(3, 2)]),
    "values and positions": (lambda x: tuple(x.sort()), [(5,)]),
    "linear": (lambda x: 3 * x, [(2,)]),
    "empty": (lambda x: x * x, [(0, 2)]),
    "empty output": (lambda x: x[:0], [(2,)]),
    "written in place": (lambda x: x.clone().mul_(x).exp_(), [(3,)]),
}


def drawn(shapes):
    rng = np.random.default_rng(1)
    return tuple(rg.from_numpy(np.asarray(rng.uniform(0.5, 2.0, s))).requires_grad_(True) for s in shapes)
