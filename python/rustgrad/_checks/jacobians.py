"""Derivatives of one function at one point as the modes compute them, in real coordinates, with who is who by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._core import Tensor, grad
from ..autograd import forward_ad
from .differences import Array, GradcheckError, coordinates, numbers, tensor_along, units

Pull = Callable[[Array], Sequence[Array]]


def is_inexact(value: Any) -> bool:
    """Whether derivatives by this thing are possible at all."""
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


def reverse_jacobians(pull: Pull, output: Array) -> list[Array]:
    """Jacobians of one output by every input, row by row; ``pull`` maps cotangents to gradients, both coordinates."""
    rows = [pull(unit) for unit in units(output)]
    if not rows:
        return [np.zeros((0, g.size)) for g in pull(np.zeros(0))]
    return [np.stack(parts) for parts in zip(*rows, strict=True)]


@dataclass(frozen=True)
class Case:
    """A function at a point, and what its inputs and outputs are called in messages."""

    name: str
    func: Callable[..., Any]
    inputs: tuple[Any, ...]
    dtypes: bool
    input_name: Callable[[int], str]
    output_name: Callable[[int], str]

    def error(self, text: str) -> GradcheckError:
        return GradcheckError(f"{self.name}: {text}")

    @property
    def chosen(self) -> list[int]:
        """Positions of the inputs that require gradients."""
        return [i for i, x in enumerate(self.inputs) if isinstance(x, Tensor) and x.requires_grad]

    def call(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        out = self.func(*inputs)
        outputs = tuple(out) if isinstance(out, (tuple, list)) else (out,)
        for y in outputs:
            if not isinstance(y, Tensor):
                raise TypeError(
                    f"{self.name}: func returned a {type(y).__name__}; return a tensor or a tuple of tensors"
                )
        return outputs

    def outputs(self) -> dict[int, Tensor]:
        """The outputs that require gradients, by position."""
        return {k: y for k, y in enumerate(self.call(self.inputs)) if y.requires_grad}

    def values(self) -> list[Array]:
        return [coordinates(numbers(y)) for y in self.outputs().values()]

    def all_values(self) -> list[Array]:
        return [coordinates(numbers(y)) for y in self.call(self.inputs) if is_inexact(y)]

    def gradients(self, outputs: Sequence[Tensor], cotangents: Sequence[Tensor]) -> list[Array]:
        """Gradients of the chosen inputs in coordinates; zero where nothing depends on one."""
        xs = [self.inputs[i] for i in self.chosen]
        found = grad(list(outputs), xs, list(cotangents), retain_graph=True, allow_unused=True)
        named = zip(self.chosen, xs, found, strict=True)
        return [self._accept(g, x, f"reverse mode gave {self.input_name(i)} a gradient") for i, x, g in named]

    def pull(self, output: Tensor) -> Pull:
        like = numbers(output)
        return lambda vector: self.gradients([output], [tensor_along(vector, like)])

    def tangents(self, given: dict[int, Tensor]) -> dict[int, Array]:
        """Tangents of the outputs in coordinates, by position, from tangents of some inputs."""
        with forward_ad.dual_level():
            duals = [forward_ad.make_dual(x, given[i]) if i in given else x for i, x in enumerate(self.inputs)]
            pairs = [forward_ad.unpack_dual(y) if is_inexact(y) else None for y in self.call(duals)]
        return {
            k: self._accept(pair.tangent, pair.primal, f"forward mode gave {self.output_name(k)} a tangent")
            for k, pair in enumerate(pairs)
            if pair is not None
        }

    def forward_jacobians(self, i: int) -> dict[int, Array]:
        """Jacobians of every output by input ``i``, column by column."""
        like = numbers(self.inputs[i])
        columns = [self.tangents({i: tensor_along(unit, like)}) for unit in units(like)]
        if not columns:
            return {k: np.zeros((y.size, 0)) for k, y in self.tangents({}).items()}
        return {k: np.stack([column[k] for column in columns], axis=1) for k in columns[0]}

    def _accept(self, found: Tensor | None, like: Tensor, what: str) -> Array:
        wanted = numbers(like)
        if found is None:
            return np.zeros_like(coordinates(wanted))
        got = numbers(found)
        if got.shape != wanted.shape:
            raise self.error(f"{what} of shape {list(got.shape)} instead of {list(wanted.shape)}; sum or expand it")
        if (self.dtypes and got.dtype != wanted.dtype) or np.iscomplexobj(got) != np.iscomplexobj(wanted):
            raise self.error(f"{what} of dtype {got.dtype} instead of {wanted.dtype}; convert it with .to()")
        return coordinates(got)
