"""Whatever is passed to whatever function: a result or a Python exception of the usual types, never a panic."""

from __future__ import annotations

import inspect
import random
import warnings
from typing import Any

import numpy as np
import pytest
import rustgrad as rg

# What they do is not for this place: they change global state, write files or wait.
LEFT_OUT = {
    "set_default_dtype",
    "set_num_threads",
    "manual_seed",
    "seed",
    "empty_cache",
    "set_grad_enabled",
    "share_memory_",
}
USUAL = (
    TypeError,
    ValueError,
    IndexError,
    RuntimeError,
    MemoryError,
    OverflowError,
    AttributeError,
    BufferError,
    KeyError,
)


def pool() -> list[Any]:
    """Arguments that fit somewhere and nowhere else, made anew for every call."""
    leaf = rg.tensor([[0.5, -1.5, 2.0]], requires_grad=True)
    return [
        rg.tensor(1.5),
        rg.tensor(2),
        rg.zeros(0),
        rg.zeros(2, 0, 3),
        rg.arange(6.0).reshape(2, 3),
        rg.arange(6).reshape(2, 3),
        rg.arange(24.0).reshape(2, 3, 4).transpose(0, 2),
        rg.tensor([True, False, True]),
        rg.tensor([0, 2, 1]),
        rg.tensor([-5, 7]),
        rg.tensor([1 + 2j, 3 - 1j]),
        rg.tensor([float("nan"), float("inf"), -0.0]),
        rg.ones(3, dtype=rg.float32),
        rg.ones(2, 2).expand(3, 2, 2),
        leaf,
        leaf * 2,
        np.arange(3.0),
        np.float64(2.5),
        0,
        1,
        -1,
        3,
        -7,
        2**62,
        -(2**63),
        2**70,
        0.5,
        float("nan"),
        float("inf"),
        1j,
        True,
        None,
        "sum",
        "ij,jk->ik",
        (),
        (0,),
        (1, 0),
        (2, -1),
        (5, 5, 5),
        [0, 1],
        slice(None, None, -1),
        ...,
        rg.float64,
        rg.int64,
        rg.complex64,
        object(),
        lambda x: x,
    ]


def functions() -> list[tuple[str, Any, bool]]:
    found = []
    for module, prefix in ((rg, ""), (rg.nn.functional, "nn.functional."), (rg.linalg, "linalg.")):
        for name in sorted(vars(module)):
            thing = getattr(module, name)
            if callable(thing) and not inspect.isclass(thing) and not name.startswith("_") and name not in LEFT_OUT:
                found.append((prefix + name, thing, False))
    for name in sorted(vars(rg.Tensor)):
        if name not in LEFT_OUT and callable(getattr(rg.Tensor, name)) and not name.startswith("__"):
            found.append(("Tensor." + name, getattr(rg.Tensor, name), True))
    for name in (
        "__getitem__",
        "__setitem__",
        "__add__",
        "__rsub__",
        "__matmul__",
        "__pow__",
        "__iadd__",
        "__lshift__",
    ):
        found.append(("Tensor." + name, getattr(rg.Tensor, name), True))
    return found


EVERY = functions()


@pytest.mark.parametrize("name, function, method", EVERY, ids=[name for name, _, _ in EVERY])
def test_any_arguments_give_a_result_or_an_exception(name, function, method):
    source = random.Random(name)
    for attempt in range(150):
        things = pool()
        count = source.choice((0, 1, 1, 2, 2, 2, 3, 3, 4))
        arguments = [source.choice(things) for _ in range(count)]
        if method or source.random() < 0.6:
            arguments.insert(0, source.choice([t for t in things if isinstance(t, rg.Tensor)]))
        said = f"{name}{tuple(arguments)!r}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = function(*arguments)
                if isinstance(result, rg.Tensor):
                    repr(result)
        except USUAL:
            pass
        except BaseException as error:  # a panic is no Exception
            pytest.fail(f"attempt {attempt}: {said[:500]} raised {type(error).__name__}: {error}")
