"""How one line of the op table becomes functions of tensors and the arrays to call them with."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rustgrad as rg

Domain = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def real(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers in (-2, 2), at least 0.1 away from every multiple of 1/2, where kinks and jumps live."""
    return np.asarray(rng.integers(-4, 4, shape) * 0.5 + rng.uniform(0.1, 0.4, shape))


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(rng.uniform(0.2, 2.0, shape))


def unit(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers in (-1, 1), away from the ends."""
    return np.asarray(rng.uniform(-0.85, 0.85, shape))


def above_one(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(rng.uniform(1.1, 3.0, shape))


def large(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers far into the tails, where careless formulas overflow."""
    return np.asarray(rng.choice([-1.0, 1.0], shape) * rng.uniform(20.0, 60.0, shape))


def distinct(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers at least 0.2 apart in random order: no ties for sorting and extremes."""
    n = int(np.prod(shape))
    return (rng.permutation(n).reshape(shape) - n / 2) * 0.3 + rng.uniform(0.0, 0.1, shape)


def one_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers with a single zero among them: products have to survive it."""
    x = real(rng, shape)
    x.flat[x.size // 2] = 0.0
    return x


def two_zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    x = one_zero(rng, shape)
    x.flat[-1] = 0.0
    return x


def boolean(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(rng.random(shape) < 0.5)


def extended(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """What questions about numbers are asked of: infinities, NaN, zeros and ordinary ones."""
    return np.asarray(rng.choice([np.nan, np.nan, np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.0], shape))


def below(high: int) -> Domain:
    """Integers in [0, high)."""
    return lambda rng, shape: np.asarray(rng.integers(0, high, shape))


def order(dim: int) -> Domain:
    """Along ``dim`` every index once, in random order."""

    def domain(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        counting = np.arange(shape[dim]).reshape([-1 if d == dim % len(shape) else 1 for d in range(len(shape))])
        return rng.permuted(np.broadcast_to(counting, shape), axis=dim)

    return domain


@dataclass(frozen=True)
class Input:
    """A tensor argument of a sample: differentiated when its domain gives floats, unless ``fixed``."""

    shape: tuple[int, ...]
    domain: Domain = real
    fixed: bool = False


def A(*shape: int, domain: Domain = real) -> Input:
    """A floating-point input."""
    return Input(shape, domain)


def C(*shape: int, domain: Domain) -> Input:
    """A constant input: indices, masks, weights that are not differentiated."""
    return Input(shape, domain, fixed=True)


@dataclass(frozen=True)
class Sample:
    """One call: arguments in which every ``Input`` stands for a tensor."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def S(*args: Any, **kwargs: Any) -> Sample:
    return Sample(args, kwargs)


@dataclass(frozen=True)
class Op:
    """A row of the table: where the op lives, what NumPy says it computes, and calls worth checking."""

    name: str
    reference: Callable[..., Any]
    samples: tuple[Sample, ...]
    call: Callable[..., Any] | None = None
    differentiable: bool = True
    linear: bool = False
    integers: bool = False
    batched: bool = True  # whether vmap goes over its constant inputs as well: indices, masks
    strided: bool = True
    single: float = 1.0  # how many times wider than usual float32 may be

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = self.call or operator.attrgetter(self.name)(rg)
        return function(*args, **kwargs)

    def cases(self) -> Iterator[Case]:
        for number, sample in enumerate(self.samples):
            yield Case(self, sample, number)


def leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    if isinstance(tree, (list, tuple)):
        for part in tree:
            yield from leaves(part)
    else:
        yield tree


def replace(tree: Any, values: Iterator[Any]) -> Any:
    """The tree with every Input exchanged for the next value."""
    if isinstance(tree, dict):
        return {key: replace(part, values) for key, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(replace(part, values) for part in tree)
    return next(values) if isinstance(tree, Input) else tree


def outputs(result: Any) -> tuple[Any, ...]:
    """All tensors (or arrays) of a result, one after another."""
    return tuple(leaf for leaf in leaves(result))


@dataclass
class Case:
    """An op with one sample and the numbers drawn for it."""

    op: Op
    sample: Sample
    number: int
    arrays: list[np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.number, *self.op.name.encode()])
        self.inputs = [leaf for leaf in leaves((self.sample.args, self.sample.kwargs)) if isinstance(leaf, Input)]
        self.arrays = [leaf.domain(rng, leaf.shape) for leaf in self.inputs]
        self.rng = rng

    def __str__(self) -> str:
        return f"{self.op.name}[{self.number}] with {self.sample.args} {self.sample.kwargs}"

    @property
    def xs(self) -> list[np.ndarray]:
        """The inputs that are differentiated."""
        return [a for a, i in zip(self.arrays, self.inputs, strict=True) if not i.fixed]

    def expected(self, xs: list[np.ndarray] | None = None) -> tuple[np.ndarray, ...]:
        """What NumPy computes."""
        args, kwargs = self._fill(self.xs if xs is None else xs, lambda a: a)
        return tuple(np.asarray(y) for y in leaves(self.op.reference(*args, **kwargs)))

    def function(self, floats: bool = False, dtype: Any = np.float64) -> Callable[..., tuple[Any, ...]]:
        """The op as a function of the differentiated tensors; ``floats`` keeps what can have slopes."""

        def constant(a: np.ndarray) -> Any:
            return rg.from_numpy(a.astype(dtype) if a.dtype.kind == "f" else a.copy())

        def f(*xs: Any) -> tuple[Any, ...]:
            args, kwargs = self._fill(xs, constant)
            result = outputs(self.op(*args, **kwargs))
            return tuple(y for y in result if y.is_floating_point() or y.is_complex()) if floats else result

        return f

    def whole(self) -> Callable[..., tuple[Any, ...]]:
        """The op as a function of all its tensors, the constant ones as well."""

        def f(*xs: Any) -> tuple[Any, ...]:
            given = iter(xs)
            args, kwargs = replace((self.sample.args, self.sample.kwargs), given)
            return outputs(self.op(*args, **kwargs))

        return f

    @property
    def zs(self) -> list[np.ndarray]:
        """The inputs that are differentiated with complex numbers, whose parts are in the same domain."""
        zs = [np.asarray(x, np.complex128) for x in self.xs]
        for z in zs:
            z.imag = np.roll(z.real.ravel(), 1).reshape(z.shape)
        return zs

    def _fill(self, xs: Any, constant: Callable[[np.ndarray], Any]) -> Any:
        given = iter(xs)
        values = (constant(a) if i.fixed else next(given) for a, i in zip(self.arrays, self.inputs, strict=True))
        return replace((self.sample.args, self.sample.kwargs), values)


def tensors(xs: list[np.ndarray], dtype: Any = np.float64, requires_grad: bool = False) -> list[Any]:
    """Fresh tensors with these numbers; real ones of floating point become ``dtype``."""
    arrays = [np.array(x, dtype=dtype if x.dtype.kind == "f" else x.dtype) for x in xs]
    return [rg.from_numpy(a).requires_grad_(requires_grad) for a in arrays]
