"""The programs that are timed: from an addition of two numbers to a training step."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from .measure import Case, Code

DTYPES = {"f32": np.float32, "f64": np.float64}
BOTH = ("rustgrad", "torch")


def numbers(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).uniform(0.25, 0.75, shape).astype(dtype)


def arrays(module: Any, *parts: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    """The same numbers in a library: NumPy's arrays stay what they are."""
    return parts if module is np else tuple(module.from_numpy(part.copy()) for part in parts)


def in_all(statement: str, *parts: np.ndarray[Any, Any]) -> dict[str, Any]:
    """``statement`` on a, b, … in every library."""

    def make(module: Any) -> Code:
        return Code(statement, dict(zip("abcd", arrays(module, *parts), strict=False)))

    return dict.fromkeys((*BOTH, "numpy"), make)


def leaves(module: Any, *parts: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    return tuple(part.requires_grad_() for part in arrays(module, *parts))


def small() -> Iterator[Case]:
    """`a + b` of a few numbers: the cost of one op, plain and recorded for the gradient."""
    for n in (1, 4, 16):
        a, b = numbers(n), numbers(n, seed=1)
        plain = in_all("a + b", a, b)

        def recorded(module: Any, a: Any = a, b: Any = b) -> Code:
            return Code("a + b", dict(zip("ab", leaves(module, a, b), strict=True)))

        yield Case("small", f"a + b, n = {n}", plain, against="numpy", at_least=1 / 0.5)
        yield Case(
            "small",
            f"a + b recorded, n = {n} (NumPy: plain)",
            dict.fromkeys(BOTH, recorded) | {"numpy": plain["numpy"]},
            against="numpy",
            at_least=1 / 0.8,
        )


def chain_of_scalars(module: Any) -> Code:
    x = module.tensor(0.5, requires_grad=True)

    def run() -> None:
        y = x
        for _ in range(50):
            y = (y * x).sin()
        y.backward()
        x.grad = None

    return Code("run()", {"run": run})


def classic(module: Any) -> Code:
    def run() -> None:
        x = module.tensor(2.0, requires_grad=True)
        y = module.tensor(3.0, requires_grad=True)
        z = x * y + y**2
        z.backward()

    return Code("run()", {"run": run})


def scalars() -> Iterator[Case]:
    yield Case("scalar", "chain of 100 ops, forward + backward", dict.fromkeys(BOTH, chain_of_scalars), at_least=10)
    yield Case("scalar", "x*y + y**2 with backward", dict.fromkeys(BOTH, classic), at_least=8)


CHAINS = {
    "arithmetic": lambda x: ((x * x + x) * x - x) / (x + 1.0),
    "smooth": lambda x: (x.sin() * x.exp()).tanh() + x.log(),
    "network": lambda x: (x.sigmoid() * x).relu() + (1.0 + x.exp()).log(),
}


def pointwise(threads: list[int]) -> Iterator[Case]:
    """Chains on 10⁶ elements, forward and backward, and one large addition."""
    for count in threads:
        for kind, dtype in DTYPES.items():
            for name, chain in CHAINS.items():

                def make(module: Any, chain: Any = chain, dtype: Any = dtype) -> Code:
                    (x,) = leaves(module, numbers(1_000_000, dtype=dtype))

                    def run() -> None:
                        chain(x).sum().backward()
                        x.grad = None

                    return Code("run()", {"run": run})

                title = f"{name} chain, 10⁶ {kind}, forward + backward"
                yield Case("pointwise", title, dict.fromkeys(BOTH, make), count, at_least=1.5)
        for kind, dtype in DTYPES.items():

            def add(module: Any, dtype: Any = dtype) -> Code:
                a, b = arrays(module, numbers(10_000_000, dtype=dtype), numbers(10_000_000, dtype=dtype, seed=1))
                return Code("a + b", {"a": a, "b": b})

            title = f"a + b, 10⁷ {kind}"
            yield Case("pointwise", title, dict.fromkeys((*BOTH, "numpy"), add), count, at_least=1.3)


def reductions(threads: list[int], side: int) -> Iterator[Case]:
    """Over rows, columns and everything of a square matrix."""
    statements = {
        "sum": ("a.sum({})", "a.sum({})"),
        "amax": ("a.max({})", "a.amax({})"),
        "var": ("a.var({}, ddof=1)", "a.var({})"),
        "logsumexp": (None, "a.logsumexp({})"),
    }
    for count in threads:
        for kind, dtype in DTYPES.items():
            # One memory for all: how it lies in pages decides more than who reads it.
            square = numbers(side, side, dtype=dtype)
            for name, (in_numpy, in_torch) in statements.items():
                for axis in (0, 1, None):

                    def make(
                        module: Any,
                        square: Any = square,
                        axis: Any = axis,
                        np_code: Any = in_numpy,
                        code: Any = in_torch,
                    ) -> Code:
                        a = square if module is np else module.from_numpy(square)
                        every = "(0, 1)" if axis is None else str(axis)
                        return Code((np_code if module is np else code).format(every), {"a": a})

                    made = dict.fromkeys(BOTH if in_numpy is None else (*BOTH, "numpy"), make)
                    where = "all" if axis is None else f"axis {axis}"
                    yield Case("reduction", f"{name}, {where}, {side}² {kind}", made, count, at_least=1.0)


def products(threads: list[int], largest: int) -> Iterator[Case]:
    """Square matrix products. NumPy brings its own BLAS with its own threads, so it is not in the race."""
    for count in threads:
        for kind, dtype in DTYPES.items():
            n = 8
            while n <= largest:

                def make(module: Any, n: int = n, dtype: Any = dtype) -> Code:
                    a, b = arrays(module, numbers(n, n, dtype=dtype), numbers(n, n, dtype=dtype, seed=1))
                    return Code("a @ b", {"a": a, "b": b})

                yield Case("matmul", f"{n}×{n} {kind}", dict.fromkeys(BOTH, make), count, at_least=1.0)
                n *= 2


def training_step(module: Any) -> Code:
    """A step of examples/digits.py: its network, batch size and optimizer, on made-up pixels."""
    widths = (64, 256, 128, 10)
    pairs = list(itertools.pairwise(widths))
    weights = leaves(module, *[(numbers(*pair) - 0.5) * np.float32((2 / pair[0]) ** 0.5) for pair in pairs])
    biases = leaves(module, *[np.zeros(pair[1], np.float32) for pair in pairs])
    parameters = [*weights, *biases]
    means = [(module.zeros_like(p), module.zeros_like(p)) for p in parameters]
    (x,) = arrays(module, numbers(32, 64))
    (y,) = arrays(module, np.arange(32, dtype=np.int64) % 10)
    cross_entropy = module.nn.functional.cross_entropy

    def run() -> None:
        h = x
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            h = (h @ w + b).relu()
        cross_entropy(h @ weights[-1] + biases[-1], y).backward()
        with module.no_grad():
            for p, (first, second) in zip(parameters, means, strict=True):
                first += 0.1 * (p.grad - first)
                second += 0.001 * (p.grad * p.grad - second)
                p -= 1e-3 * first / (second.sqrt() + 1e-8)
                p.grad = None

    return Code("run()", {"run": run})


def training(threads: list[int]) -> Iterator[Case]:
    for count in threads:
        yield Case("training", "a step on digits, batch of 32", dict.fromkeys(BOTH, training_step), count, at_least=2)


def every(threads: list[int], quick: bool) -> Iterator[Case]:
    """All cases, the cheap ones first."""
    yield from small()
    yield from scalars()
    yield from training(threads)
    yield from pointwise(threads)
    yield from reductions(threads, 1024 if quick else 4096)
    yield from products(threads, 512 if quick else 2048)
