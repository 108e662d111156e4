"""Solutions of linear systems by any method, with the derivatives of the exact solution in every mode."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from .._tree import flatten, unflatten
from ..autograd._rules import differentiated, floating
from ..autograd.function import Function, FunctionCtx
from ..autograd.grad_mode import enable_grad, no_grad
from .batch import vmap
from .forward import jvp
from .reverse import vjp

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


def unwritten(name: str, who: str, f: Function_, first: int = 0) -> Function_:
    """``f``, refused where it writes to its arguments from ``first`` on: rules call it again with the same tensors."""

    @functools.wraps(f)
    def checked(*args: Any) -> Any:
        before = [_core._Contents(x) for x in flatten(args[first:])[0] if isinstance(x, Tensor)]
        found = f(*args)
        if any(contents.changed for contents in before):
            raise RuntimeError(
                f"{name}: the {who} changes an argument in place, so that its next call would meet other numbers; let "
                "it change a clone()"
            )
        return found

    return checked


class Spec:
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

    def refuse_captured(self, result: Any, who: str = "function", way_out: str = "pass it as an argument") -> None:
        """The arguments are plain numbers here: what is watched all the same came in by another way."""
        if differentiated(flatten(result)[0]):
            raise RuntimeError(
                f"{self.name}: the {who} reads a tensor that is being differentiated and is not an argument, so its "
                f"derivative would be lost; {way_out}"
            )


def _of_floating(f: Function_, values: tuple[Tensor, ...]) -> tuple[list[int], Function_, list[Tensor]]:
    """``f`` as a function of those of its tensors that have derivatives."""
    places = [i for i, x in enumerate(values) if floating(x)]

    def of_chosen(*chosen: Tensor) -> Any:
        full = list(values)
        for i, x in zip(places, chosen, strict=True):
            full[i] = x
        return f(*full)

    return places, of_chosen, [values[i] for i in places]


def pulled(f: Function_, values: tuple[Tensor, ...], g: Tensor) -> list[Any]:
    """The cotangents of the tensors among ``values`` for that of the result, None for those that have none."""
    places, of_chosen, chosen = _of_floating(f, values)
    found: list[Any] = [None] * len(values)
    if places:
        for i, x in zip(places, vjp(of_chosen, *chosen)[1](g, retain_graph=False), strict=True):
            found[i] = x
    return found


def pushed(f: Function_, values: tuple[Tensor, ...], ts: Any) -> Any:
    """The tangent of the result, None where nothing moves."""
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
            spec.examine(b, args)
            x = spec.solve(lambda v: spec.matvec(v, *args), b)
            spec.refuse_captured(x, "function solve", "let it read the system alone, or detach() that tensor")
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
        spec.prove_symmetric(x, values)
        w = _solved(spec.transposed(), g, values)
        by_args = pulled(lambda *vs: spec.matvec(x, *spec.args(vs)), tuple(values), -w)
        return (None, w, *by_args)

    @staticmethod
    def jvp(ctx: Any, _: Any, tb: Any, *ts: Any) -> Tensor:
        spec, (x, *values) = ctx.spec, ctx.saved_tensors
        moved = pushed(lambda *vs: spec.matvec(x, *spec.args(vs)), tuple(values), ts)
        right = tb if moved is None else -moved if tb is None else tb - moved
        return _solved(spec.again(), right, values)


class _Linear(Spec):
    """A linear map with parameters, and the ways to solve with it and with its transpose."""

    matvec: Function_
    solve: Function_
    transpose_solve: Function_ | None
    symmetric: bool
    #: Whether the map was written by the user, and may not be linear.
    given: bool

    def examine(self, b: Tensor, args: tuple[Any, ...]) -> None:
        """Look at the map before its system is solved: it may read what it must not, or be none of its kind."""
        if not b.numel():
            return
        probe = _core.arange(1, b.numel() + 1, dtype=b.dtype).cos().reshape(*b.shape)
        y = self.matvec(probe, *args)
        self.refuse_captured(y)
        if not isinstance(y, Tensor) or y.shape != b.shape:
            found = f"shape {list(y.shape)}" if isinstance(y, Tensor) else f"no tensor ({type(y).__name__})"
            raise ValueError(
                f"{self.name}: matvec returns {found} for a vector of shape {list(b.shape)}; it must return the shape "
                "of b"
            )
        # Twice a float is exact, and so it stays through sums and products: rounding does not disturb the comparison.
        if self.given:
            off, size = (self.matvec(-2 * probe, *args) + 2 * y).abs().max(), y.abs().max()
            if _some(off > size * (1e-4 if b.dtype == _core.float32 else 1e-5)):
                raise ValueError(
                    f"{self.name}: matvec is not linear: for -2·v it does not return -2 times what it returns for v "
                    "(some vector); move constant terms to b, or solve other equations with custom_root"
                )

    def prove_symmetric(self, like: Tensor, values: Any) -> None:
        """Look at a map that is taken for its own transpose: ⟨u, A·v⟩ = ⟨v, A·u⟩ for two random vectors.

        Random, because waves of two lengths tell convolutions from their transposes as little as equal vectors do.
        """
        if not self.symmetric or not like.numel():
            return
        args = self.args([v.detach() for v in values])
        draw = np.random.default_rng(0).standard_normal
        u, v = (_core.from_numpy(draw(tuple(like.shape))).to(like.dtype) for _ in range(2))

        def asymmetry() -> Any:
            with no_grad():
                au, av = self.matvec(u, *args), self.matvec(v, *args)
                off = ((u * av).sum() - (v * au).sum()).abs()
                return off, (u * av).abs().sum() + (v * au).abs().sum()

        # A rule of its own: what it reads here is no part of the derivative.
        off, size = _core._Rule(asymmetry)()
        if _some(off > size * (1e-4 if like.dtype == _core.float32 else 1e-8)):
            raise ValueError(
                f"{self.name}: matvec is not symmetric: ⟨u, A·v⟩ differs from ⟨v, A·u⟩ for some vectors u and v; leave "
                "symmetric=True out, and pass transpose_solve= where solve relies on symmetry"
            )

    def again(self) -> _Linear:
        """The same map for a further system: it need not be looked at as closely."""
        other = copy.copy(self)
        other.given = False
        return other

    def transposed(self) -> _Linear:
        if self.symmetric:
            return self.again()
        matvec = self.matvec
        solve = self.solve if self.transpose_solve is None else self.transpose_solve

        def back(v: Tensor, *args: Any) -> Tensor:
            # Any point will do: the map is linear.
            g: Tensor = vjp(lambda u: matvec(u, *args), _core.zeros_like(v))[1](v)[0]
            return g

        return _Linear(
            self.name,
            self._structure,
            self._leaves,
            matvec=back,
            solve=solve,
            transpose_solve=self.solve,
            symmetric=False,
            given=False,
        )


def _some(wrong: Tensor) -> bool:
    """Whether any number is true, in whatever lane."""
    while (level := _core._innermost([wrong])[0]) is not None:
        wrong = level.strip(wrong)
    return bool(wrong.any())


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
    which may be nested: captured ones that are being differentiated raise RuntimeError, as do those that ``solve``
    reads. ``solve(matvec, b)`` returns x for a ``matvec`` of one argument; by default the matrix is built and
    decomposed. ``transpose_solve`` does so for the transpose (default: ``solve``), and ``symmetric`` says that there is
    no difference. A singular system raises RuntimeError; a ``matvec`` that is seen not to be linear, or returns another
    shape than that of ``b``, ValueError, and so does the reverse mode of one that is not symmetric and should be.

    Derivative: dx = A⁻¹(db - dA·x), in either mode and to any order.

    >>> import rustgrad as rg
    >>> a = rg.tensor([[2.0, 0.0], [0.0, 4.0]])
    >>> f = lambda a: rg.func.custom_linear_solve(lambda x, a: a @ x, rg.ones(2), args=(a,)).sum()
    >>> rg.func.grad(f)(a)
    tensor([[-0.2500, -0.1250],
            [-0.1250, -0.0625]])
    """
    if not isinstance(b, Tensor) or not b.dtype.is_floating_point:
        kind = b.dtype if isinstance(b, Tensor) else type(b).__name__
        raise TypeError(
            f"custom_linear_solve: b must be a tensor of a float dtype, not {kind}; take complex numbers apart into "
            "real ones (rg.view_as_real)"
        )
    checked = unwritten("custom_linear_solve", "function matvec", matvec)
    return linear_solution(checked, b, solve, transpose_solve, symmetric, args=args, given=True)


def linear_solution(
    matvec: Function_,
    b: Tensor,
    solve: Function_ | None = None,
    transpose_solve: Function_ | None = None,
    symmetric: bool = False,
    *,
    args: tuple[Any, ...],
    given: bool = False,
    name: str = "custom_linear_solve",
) -> Tensor:
    """``custom_linear_solve`` of a map that is linear for sure unless it was ``given`` by the user."""
    leaves, structure = flatten(tuple(args))
    spec = _Linear(
        name,
        structure,
        leaves,
        matvec=matvec,
        solve=_dense if solve is None else solve,
        transpose_solve=transpose_solve,
        symmetric=symmetric,
        given=given,
    )
    return _solved(spec, b, spec.tensors)
