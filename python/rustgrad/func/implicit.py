"""Derivatives of solutions: of roots, fixed points and minima, by the implicit function theorem.

At x with F(x, θ) = 0 the derivative is -J⁻¹·∂F/∂θ with J = ∂F/∂x, whatever found x (Christianson 1994, Blondel et al.
2022). The rules below are written in differentiable operations, so they hold in every mode and to any order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from .._tree import flatten, unflatten
from ..autograd.function import Function
from ..autograd.grad_mode import enable_grad
from ._arguments import tensors
from ._linear import Spec, linear_solution, pulled, pushed, unwritten
from ._minimise import by_bfgs
from .forward import jvp
from .reverse import grad, vjp

Function_ = Callable[..., Any]


def _refuse_complex(spec: Spec, x: Tensor) -> None:
    if x.dtype.is_complex:
        raise TypeError(
            f"{spec.name}: derivatives are those of real solutions and residuals, not of {x.dtype}; take complex "
            "numbers apart into real ones (rg.view_as_real)"
        )


class _Root(Function):
    """The solution x of F(x, θ) = 0 as a function of θ."""

    @staticmethod
    def forward(ctx: Any, spec: Any, x: Tensor, *values: Tensor) -> Tensor:
        with enable_grad():
            residual = spec.residual(x.detach(), *spec.args([v.detach() for v in values]))
            spec.refuse_captured(residual)
        if not isinstance(residual, Tensor) or residual.shape != x.shape:
            shape = list(residual.shape) if isinstance(residual, Tensor) else type(residual).__name__
            raise ValueError(
                f"{spec.name}: the residual has shape {shape} and the solution {list(x.shape)}; make them equal"
            )
        if not x.dtype.is_complex:
            _refuse_complex(spec, residual)
        x = x.detach().clone()
        ctx.save_for_backward(x, *values)
        ctx.save_for_forward(x, *values)
        ctx.spec = spec
        return x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        spec, (x, *values) = ctx.spec, ctx.saved_tensors
        _refuse_complex(spec, x)
        w = linear_solution(
            lambda v, x, vs: vjp(lambda u: spec.residual(u, *spec.args(vs)), x)[1](v)[0],
            g,
            spec.solve,
            args=(x, list(values)),
            name=spec.name,
        )
        by_args = pulled(lambda *vs: spec.residual(x, *spec.args(vs)), tuple(values), -w)
        return (None, None, *by_args)

    @staticmethod
    def jvp(ctx: Any, _: Any, __: Any, *ts: Any) -> Any:
        spec, (x, *values) = ctx.spec, ctx.saved_tensors
        _refuse_complex(spec, x)
        moved = pushed(lambda *vs: spec.residual(x, *spec.args(vs)), tuple(values), ts)
        if moved is None:
            return None
        return linear_solution(
            lambda v, x, vs: jvp(lambda u: spec.residual(u, *spec.args(vs)), (x,), (v,))[1],
            -moved,
            spec.solve,
            args=(x, list(values)),
            name=spec.name,
        )


class _Packing:
    """A tree of tensors as one vector."""

    def __init__(self, tree: Any, name: str) -> None:
        leaves, self._structure = flatten(tree)
        self._shapes = [tuple(x.shape) for x in tensors(leaves, name)]
        self._lone = isinstance(tree, Tensor)

    def pack(self, tree: Any) -> Tensor:
        leaves, _ = flatten(tree)
        return leaves[0] if self._lone else _core.cat([x.reshape(-1) for x in leaves])

    def unpack(self, x: Tensor) -> Any:
        if self._lone:
            return x
        leaves, start = [], 0
        for shape in self._shapes:
            size = int(np.prod(shape, dtype=np.int64))
            leaves.append(x[start : start + size].reshape(*shape))
            start += size
        return unflatten(self._structure, leaves)


def _detached(tree: Any) -> Any:
    leaves, structure = flatten(tree)
    return unflatten(structure, [x.detach() if isinstance(x, Tensor) else x for x in leaves])


def _differentiated(name: str, residual: Function_, solver: Function_, solve: Function_ | None) -> Function_:
    # The start may be overwritten: nothing depends on it.
    solver = unwritten(name, "solver", solver, first=1)

    @functools.wraps(solver)
    def wrapped(init: Any, *args: Any) -> Any:
        found = solver(_detached(init), *_detached(tuple(args)))
        packing = _Packing(found, name)
        leaves, structure = flatten(tuple(args))
        Spec(name, structure, leaves).refuse_captured(
            found, "solver", "pass it as an argument, or detach() it if it only helps to find the solution"
        )

        def packed(x: Tensor, *arguments: Any) -> Tensor:
            return packing.pack(residual(packing.unpack(x), *arguments))

        spec = Spec(name, structure, leaves, residual=packed, solve=solve)
        return packing.unpack(_Root.apply(spec, packing.pack(_detached(found)), *spec.tensors))

    return wrapped


def custom_root(residual: Function_, *, solve: Function_ | None = None) -> Callable[[Function_], Function_]:
    """A decorator for solvers ``solver(init, *args)`` of ``residual(x, *args) = 0``: derivatives of x by ``args``.

    Shapes: x and the residual are nested alike; ``init`` has no influence on the solution and no derivative. The solver
    sees plain numbers and may be any program; tensors it or the residual depend on are given in ``args``, which may be
    nested: captured ones that are being differentiated raise RuntimeError (what only helps to find the solution can be
    detached). So does a residual that overwrites what it is given, or a solver that overwrites ``args``. ``solve``
    solves the linear systems, as in ``custom_linear_solve``.

    Derivative: -J⁻¹·∂residual/∂args, in either mode and to any order.

    >>> import rustgrad as rg
    >>> @rg.func.custom_root(lambda x, a: x**2 - a)
    ... def root(x, a):
    ...     for _ in range(20):
    ...         x = (x + a / x) / 2
    ...     return x
    >>> rg.func.grad(root, argnums=1)(rg.tensor(1.0), rg.tensor(4.0))
    tensor(0.2500)
    """
    checked = unwritten("custom_root", "residual", residual)
    return lambda solver: _differentiated("custom_root", checked, solver, solve)


def custom_fixed_point(func: Function_, *, solve: Function_ | None = None) -> Callable[[Function_], Function_]:
    """A decorator for solvers ``solver(init, *args)`` of ``x = func(x, *args)``: derivatives of x by ``args``.

    Shapes, arguments and errors: those of ``custom_root``.

    Derivative: (I - ∂func/∂x)⁻¹·∂func/∂args, in either mode and to any order.

    >>> import rustgrad as rg
    >>> f = lambda x, a: (x + a / x) / 2
    >>> @rg.func.custom_fixed_point(f)
    ... def root(x, a):
    ...     for _ in range(20):
    ...         x = f(x, a)
    ...     return x
    >>> rg.func.grad(root, argnums=1)(rg.tensor(1.0), rg.tensor(4.0))
    tensor(0.2500)
    """

    checked = unwritten("custom_fixed_point", "function", func)

    def residual(x: Any, *args: Any) -> Any:
        new, structure = flatten(checked(x, *args))
        return unflatten(structure, [a - b for a, b in zip(new, flatten(x)[0], strict=True)])

    return lambda solver: _differentiated("custom_fixed_point", residual, solver, solve)


def argmin(objective: Function_, solver: Function_ | None = None, *, solve: Function_ | None = None) -> Function_:
    """The function ``(init, *args)`` whose result x minimises ``objective(x, *args)``, with derivatives by ``args``.

    ``solver(init, *args)`` finds the minimum by any method and sees plain numbers; by default SciPy's BFGS does, with
    our gradients, and raises RuntimeError where it does not succeed. Shapes, arguments and errors: those of
    ``custom_root``, for the gradient of the objective.

    Derivative: -H⁻¹·∂²objective/∂x∂args, in either mode and to any order.

    >>> import rustgrad as rg
    >>> ridge = rg.func.argmin(lambda x, a: (x - 3) ** 2 + a * x**2)
    >>> rg.func.grad(ridge, argnums=1)(rg.tensor(0.0, dtype=rg.float64), rg.tensor(2.0, dtype=rg.float64)).item()
    -0.333...
    """
    checked = unwritten("argmin", "objective", objective)
    chosen = by_bfgs(checked) if solver is None else solver
    wrapped = _differentiated("argmin", lambda x, *args: grad(checked)(x, *args), chosen, solve)
    functools.update_wrapper(wrapped, objective)
    return wrapped
