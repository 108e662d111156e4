"""Derivatives of solutions: of linear systems, roots, fixed points and minima, by the implicit function theorem.

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
from ..autograd._rules import differentiated
from ..autograd.function import Function, FunctionCtx
from ..autograd.grad_mode import enable_grad
from ._arguments import tensors
from ._minimise import by_bfgs
from .batch import vmap
from .forward import jvp
from .reverse import grad, vjp

Function_ = Callable[..., Any]


class _DenseSolve(Function):
    """x with A·x = b, for a matrix and a vector (with any leading dimensions), by NumPy's LU decomposition."""

    @staticmethod
    def forward(ctx: FunctionCtx, a: Tensor, b: Tensor) -> Tensor:
        try:
            x = np.linalg.solve(a.numpy(), b.numpy()[..., None])[..., 0]
        except np.linalg.LinAlgError:
            raise RuntimeError(
                f"custom_linear_solve: the {a.shape[-1]} × {a.shape[-1]} system is singular, so its solution has no "
                "derivative; change the problem, or pass solve= (e.g. by least squares)"
            ) from None
        return _core.from_numpy(np.ascontiguousarray(x))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], a: Tensor, b: Tensor) -> tuple[Tensor, int]:
        stacked = [
            x.expand(info.batch_size, *x.shape) if dim is None else x for x, dim in zip((a, b), in_dims, strict=True)
        ]
        return _DenseSolve.apply(*stacked), 0


def _dense(matvec: Function_, b: Tensor) -> Tensor:
    """The default solver of linear systems: the matrix, column by column, and its decomposition."""
    n = b.numel()
    columns = vmap(lambda v: matvec(v.reshape(*b.shape)).reshape(n))(_core.eye(n, dtype=b.dtype))
    return _DenseSolve.apply(columns.mT, b.reshape(n)).reshape(*b.shape)


class _Spec:
    """What a rule needs besides tensors: functions, and how their arguments are nested."""

    def __init__(self, name: str, structure: Any, leaves: list[Any], **functions: Any) -> None:
        self.name, self._structure = name, structure
        self._leaves = leaves
        self._places = [i for i, x in enumerate(leaves) if isinstance(x, Tensor)]
        self.__dict__.update(functions)

    @property
    def tensors(self) -> list[Tensor]:
        return [self._leaves[i] for i in self._places]

    def args(self, values: Any) -> tuple[Any, ...]:
        full = list(self._leaves)
        for i, value in zip(self._places, values, strict=True):
            full[i] = value
        nested: tuple[Any, ...] = unflatten(self._structure, full)
        return nested

    def refuse_captured(self, result: Any) -> None:
        """The arguments are plain numbers here: what is watched all the same came in by another way."""
        if differentiated(flatten(result)[0]):
            raise RuntimeError(
                f"{self.name}: the function reads a tensor that is being differentiated and is not an argument, so its "
                "derivative would be lost; pass it as an argument"
            )


def _of_floating(f: Function_, values: tuple[Tensor, ...]) -> tuple[list[int], Function_, list[Tensor]]:
    """``f`` as a function of those of its tensors that have derivatives."""
    places = [i for i, x in enumerate(values) if x.dtype.is_floating_point]

    def of_chosen(*chosen: Tensor) -> Any:
        full = list(values)
        for i, x in zip(places, chosen, strict=True):
            full[i] = x
        return f(*full)

    return places, of_chosen, [values[i] for i in places]


def _pulled(f: Function_, values: tuple[Tensor, ...], g: Tensor) -> list[Any]:
    places, of_chosen, chosen = _of_floating(f, values)
    found: list[Any] = [None] * len(values)
    if places:
        for i, x in zip(places, vjp(of_chosen, *chosen)[1](g, retain_graph=False), strict=True):
            found[i] = x
    return found


def _pushed(f: Function_, values: tuple[Tensor, ...], ts: Any) -> Any:
    places, of_chosen, chosen = _of_floating(f, values)
    moving = [k for k, i in enumerate(places) if ts[i] is not None]
    if not moving:
        return None
    given = tuple(_core.zeros_like(x) if ts[i] is None else ts[i] for i, x in zip(places, chosen, strict=True))
    return jvp(of_chosen, tuple(chosen), given)[1]


class _LinearSolve(Function):
    @staticmethod
    def forward(ctx: Any, spec: Any, b: Tensor, *values: Tensor) -> Tensor:
        b, args = b.detach(), spec.args([v.detach() for v in values])
        with enable_grad():
            spec.refuse_captured(spec.matvec(_core.zeros_like(b), *args))
        x = spec.solve(lambda v: spec.matvec(v, *args), b)
        if not isinstance(x, Tensor) or x.shape != b.shape:
            raise ValueError(f"custom_linear_solve: solve must return a tensor of shape {list(b.shape)}")
        x = x.detach()
        ctx.save_for_backward(x, *values)
        ctx.save_for_forward(x, *values)
        ctx.spec = spec
        return x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        spec, (x, *values) = ctx.spec, ctx.saved_tensors
        w = _solved(spec.transposed(), g, values)
        by_args = _pulled(lambda *vs: spec.matvec(x, *spec.args(vs)), tuple(values), -w)
        return (None, w, *by_args)

    @staticmethod
    def jvp(ctx: Any, _: Any, tb: Any, *ts: Any) -> Tensor:
        spec, (x, *values) = ctx.spec, ctx.saved_tensors
        moved = _pushed(lambda *vs: spec.matvec(x, *spec.args(vs)), tuple(values), ts)
        right = tb if moved is None else -moved if tb is None else tb - moved
        return _solved(spec, right, values)


class _Linear(_Spec):
    """A linear map with parameters, and the ways to solve with it and with its transpose."""

    matvec: Function_
    solve: Function_
    transpose_solve: Function_ | None
    symmetric: bool

    def transposed(self) -> _Linear:
        if self.symmetric:
            return self
        matvec = self.matvec
        solve = self.solve if self.transpose_solve is None else self.transpose_solve

        def back(v: Tensor, *args: Any) -> Tensor:
            # Any point will do: the map is linear.
            pulled: Tensor = vjp(lambda u: matvec(u, *args), _core.zeros_like(v))[1](v)[0]
            return pulled

        return _Linear(
            self.name,
            self._structure,
            self._leaves,
            matvec=back,
            solve=solve,
            transpose_solve=self.solve,
            symmetric=False,
        )


def _solved(spec: _Linear, b: Tensor, values: Any) -> Tensor:
    found: Tensor = _LinearSolve.apply(spec, b, *values)
    return found


def custom_linear_solve(
    matvec: Function_,
    b: Tensor,
    solve: Function_ | None = None,
    transpose_solve: Function_ | None = None,
    symmetric: bool = False,
    *,
    args: tuple[Any, ...] = (),
) -> Tensor:
    """Solve ``matvec(x, *args) = b`` for x by any method, with the derivatives of the exact solution.

    ``matvec`` is linear in its first argument, of the shape of ``b``; tensors it depends on are given in ``args``,
    which may be nested: captured ones that are being differentiated raise RuntimeError. ``solve(matvec, b)`` returns x
    for a ``matvec`` of one argument; by default the matrix is built and decomposed. ``transpose_solve`` does so for the
    transpose (default: ``solve``), and ``symmetric`` says that there is no difference. A singular system raises
    RuntimeError.

    Derivative: dx = A⁻¹(db - dA·x), in either mode and to any order.

    >>> import rustgrad as rg
    >>> a = rg.tensor([[2.0, 0.0], [0.0, 4.0]])
    >>> f = lambda a: rg.func.custom_linear_solve(lambda x, a: a @ x, rg.ones(2), args=(a,)).sum()
    >>> rg.func.grad(f)(a)
    tensor([[-0.2500, -0.1250],
            [-0.1250, -0.0625]])
    """
    leaves, structure = flatten(tuple(args))
    spec = _Linear(
        "custom_linear_solve",
        structure,
        leaves,
        matvec=matvec,
        solve=_dense if solve is None else solve,
        transpose_solve=transpose_solve,
        symmetric=symmetric,
    )
    if not isinstance(b, Tensor) or not b.dtype.is_floating_point:
        raise TypeError("custom_linear_solve: b must be a tensor of a float dtype")
    return _solved(spec, b, spec.tensors)


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
        x = x.detach().clone()
        ctx.save_for_backward(x, *values)
        ctx.save_for_forward(x, *values)
        ctx.spec = spec
        return x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        spec, (x, *values) = ctx.spec, ctx.saved_tensors
        w = custom_linear_solve(
            lambda v, x, vs: vjp(lambda u: spec.residual(u, *spec.args(vs)), x)[1](v)[0],
            g,
            spec.solve,
            args=(x, list(values)),
        )
        by_args = _pulled(lambda *vs: spec.residual(x, *spec.args(vs)), tuple(values), -w)
        return (None, None, *by_args)

    @staticmethod
    def jvp(ctx: Any, _: Any, __: Any, *ts: Any) -> Any:
        spec, (x, *values) = ctx.spec, ctx.saved_tensors
        moved = _pushed(lambda *vs: spec.residual(x, *spec.args(vs)), tuple(values), ts)
        if moved is None:
            return None
        return custom_linear_solve(
            lambda v, x, vs: jvp(lambda u: spec.residual(u, *spec.args(vs)), (x,), (v,))[1],
            -moved,
            spec.solve,
            args=(x, list(values)),
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
    @functools.wraps(solver)
    def wrapped(init: Any, *args: Any) -> Any:
        found = solver(_detached(init), *_detached(tuple(args)))
        packing = _Packing(found, name)
        leaves, structure = flatten(tuple(args))

        def packed(x: Tensor, *arguments: Any) -> Tensor:
            return packing.pack(residual(packing.unpack(x), *arguments))

        spec = _Spec(name, structure, leaves, residual=packed, solve=solve)
        return packing.unpack(_Root.apply(spec, packing.pack(_detached(found)), *spec.tensors))

    return wrapped


def custom_root(residual: Function_, *, solve: Function_ | None = None) -> Callable[[Function_], Function_]:
    """A decorator for solvers ``solver(init, *args)`` of ``residual(x, *args) = 0``: derivatives of x by ``args``.

    Shapes: x and the residual are nested alike; ``init`` has no influence on the solution and no derivative. The solver
    sees plain numbers and may be any program; tensors it or the residual depend on are given in ``args``, which may be
    nested: captured ones that are being differentiated raise RuntimeError. ``solve`` solves the linear systems, as in
    ``custom_linear_solve``.

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
    return lambda solver: _differentiated("custom_root", residual, solver, solve)


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

    def residual(x: Any, *args: Any) -> Any:
        new, structure = flatten(func(x, *args))
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
    chosen = by_bfgs(objective) if solver is None else solver
    wrapped = _differentiated("argmin", lambda x, *args: grad(objective)(x, *args), chosen, solve)
    functools.update_wrapper(wrapped, objective)
    return wrapped
