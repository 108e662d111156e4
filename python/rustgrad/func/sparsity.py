"""Sparse Jacobians and Hessians: the pattern by following index sets, a colouring, and few products for all entries."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .. import _core
from .._core import DataDependentError, Tensor
from ._arguments import name_of, real
from ._chunks import Budget, chunks
from .forward import _pushed_forward
from .reverse import _Gradient, _pullback

Function = Callable[..., Any]
Indices = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Sparsity:
    """Which entries of a derivative matrix can differ from zero, and a colouring that recovers them from few products.

    ``shape`` is that of the matrix; entry k lies in the column ``indices[k]``, those of row i from ``offsets[i]`` on.
    ``colors`` gives each column (each row for ``mode="reverse"``) one of ``color_count`` colours, and ``seeds`` as many
    products with the matrix; entry k is read from the product of colour ``read_color[k]`` at ``read_place[k]``. Valid
    for every point at which the program takes the same way; ``where`` does not count as another one, but other
    positions do, as ``sort`` or ``max`` along a dimension find them.
    """

    shape: tuple[int, int]
    offsets: Indices
    indices: Indices
    mode: Literal["forward", "reverse", "symmetric"]
    colors: Indices
    color_count: int
    read_color: Indices
    read_place: Indices

    @property
    def nnz(self) -> int:
        """The number of entries that can differ from zero.

        Derivative: none, it is structure.

        >>> import rustgrad as rg
        >>> rg.func.jacobian_sparsity(rg.sin, rg.ones(5)).nnz
        5
        """
        return len(self.indices)

    def matrix(self, values: Any) -> Any:
        """These entries, (nnz), as a ``scipy.sparse`` CSR array.

        Derivative: none, the entries are plain numbers.

        >>> import rustgrad as rg
        >>> rg.func.jacobian_sparsity(rg.sin, rg.ones(2)).matrix([3.0, 4.0]).toarray()
        array([[3., 0.],
               [0., 4.]])
        """
        from scipy.sparse import csr_array

        return csr_array((values, self.indices, self.offsets), shape=self.shape)

    def recovered(self, products: Any) -> Any:
        """The matrix from its products with the sums of unit vectors of each colour, one product per row.

        Shape: products are (color_count, rows), or (color_count, columns) for ``mode="reverse"``.

        Derivative: none, the entries are plain numbers.

        >>> import numpy as np
        >>> import rustgrad as rg
        >>> rg.func.jacobian_sparsity(rg.sin, rg.ones(2)).recovered(np.array([[3.0, 4.0]])).toarray()
        array([[3., 0.],
               [0., 4.]])
        """
        return self.matrix(products[self.read_color, self.read_place])

    def __repr__(self) -> str:
        n, m = self.shape
        return f"Sparsity({n} × {m}, {self.nnz} entries, {self.color_count} colours, mode={self.mode!r})"


def _point(x: Any, function: str) -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(f"{function}: the argument must be a tensor, not a {type(x).__name__}")
    if not x.dtype.is_floating_point:
        raise TypeError(f"{function}: the argument must be of a float dtype, not {x.dtype}")
    # Structure has no derivative, but numbers do: without their history, func.grad would find a silent zero.
    watched = x.detach() if function.endswith("_sparsity") else x
    if _core._innermost([watched])[0] is not None:
        raise RuntimeError(
            f"{function}: returns a SciPy matrix of plain numbers and cannot run inside another transform"
        )
    return x.detach()


def _followed(func: Function, x: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any], function: str) -> Any:
    """The pattern of the Jacobian of ``func``."""
    level = _core.Level("sparsity")
    try:
        y = func(level.follow(x), *args, **kwargs)
        if not isinstance(y, Tensor):
            raise TypeError(f"{function}: the function must return a tensor, not a {type(y).__name__}")
        value, offsets, members = level.unfollow(y)
    finally:
        level.exit()
    return _core._Pattern(value.numel(), x.numel(), offsets, members)


def _numpy(t: Tensor) -> Indices:
    return t.numpy()


def jacobian_sparsity(
    func: Function, x: Tensor, *args: Any, mode: Literal["auto", "forward", "reverse"] = "auto", **kwargs: Any
) -> Sparsity:
    """The pattern of the Jacobian of ``func`` by its first argument at ``x``, with a colouring.

    Columns are coloured for products by forward mode, rows for reverse mode (Curtis, Powell and Reid 1974); ``"auto"``
    takes the one with fewer colours. Shape: (elements of the output, elements of ``x``). Functions with rules of their
    own count for what the rules read, and as dense where that cannot be followed (NumPy, comparisons, ``detach``).
    Raises MemoryError where the matrix is dense, TypeError for an argument or a result that is no tensor.

    Derivative: none, it is structure.

    >>> import rustgrad as rg
    >>> rg.func.jacobian_sparsity(lambda x: x[1:] * x[:-1], rg.ones(1000))
    Sparsity(999 × 1000, 1998 entries, 2 colours, mode='forward')
    """
    return _jacobian_sparsity("jacobian_sparsity", func, _point(x, "jacobian_sparsity"), args, kwargs, mode)


def _jacobian_sparsity(
    function: str, func: Function, x: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any], mode: str
) -> Sparsity:
    """``jacobian_sparsity`` under the name of the function that the user called."""
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f'{function}: mode={mode!r} is not one of "auto", "forward", "reverse"')
    pattern = _followed(func, x, args, kwargs, function)
    offsets, indices = _numpy(pattern.offsets()), _numpy(pattern.indices())
    rows = np.repeat(np.arange(pattern.shape[0]), np.diff(offsets))
    longest_row, longest_column = np.diff(offsets).max(initial=0), np.bincount(indices).max(initial=0)
    forward = backward = None
    # Columns take as many colours as the longest row has entries, or more, and vice versa: what promises to take fewer
    # goes first, and the other way gives up where it needs more. A line that is nearly full would take n² steps.
    if mode == "forward" or (mode == "auto" and longest_row <= longest_column):
        forward = pattern.color_columns()
    if mode != "forward":
        most = None if forward is None else max(forward[1] - 1, 0)
        backward = pattern.transpose().color_columns(most)
    if mode == "auto" and forward is None and backward is not None:
        forward = pattern.color_columns(backward[1])
    if forward is not None and (backward is None or forward[1] <= backward[1]):
        colors = _numpy(forward[0])
        return Sparsity(pattern.shape, offsets, indices, "forward", colors, forward[1], colors[indices], rows)
    assert backward is not None
    colors = _numpy(backward[0])
    return Sparsity(pattern.shape, offsets, indices, "reverse", colors, backward[1], colors[rows], indices)


def hessian_sparsity(func: Function, x: Tensor, *args: Any, **kwargs: Any) -> Sparsity:
    """The pattern of the Hessian of ``func``, a single number, by its first argument at ``x``, with a star colouring.

    Symmetric entries are recovered together, which takes fewer colours than columns alone (Gebremedhin, Manne and
    Pothen 2005). Shape: (n, n) for n elements. Raises MemoryError where the matrix is dense, TypeError for an argument
    that is no tensor.

    Derivative: none, it is structure.

    >>> import rustgrad as rg
    >>> rg.func.hessian_sparsity(lambda x: (x[1:] * x[:-1]).sin().sum(), rg.ones(1000))
    Sparsity(1000 × 1000, 2998 entries, 3 colours, mode='symmetric')
    """
    return _hessian_sparsity("hessian_sparsity", func, _point(x, "hessian_sparsity"), args, kwargs)


def _hessian_sparsity(
    function: str, func: Function, x: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Sparsity:
    """``hessian_sparsity`` under the name of the function that the user called."""
    pattern = _followed(_Gradient(func, function=function).alone, x, args, kwargs, function).symmetrized()
    colors, count = pattern.color_star()
    places, read = pattern.recover_star(colors, count)
    return Sparsity(
        pattern.shape,
        _numpy(pattern.offsets()),
        _numpy(pattern.indices()),
        "symmetric",
        _numpy(colors),
        count,
        _numpy(read),
        _numpy(places),
    )


def _products(of_seeds: Function, like: Tensor, out: int, sparsity: Sparsity, budget: Budget) -> Any:
    """``of_seeds`` of the sum of unit vectors of each colour, as rows."""
    kind = np.float64 if like.dtype == _core.float64 else np.float32
    products = np.empty((sparsity.color_count, out), dtype=kind)
    budget.check_result(sparsity.nnz * kind().itemsize)

    def numbers(found: Tensor) -> Any:
        real([found], budget.function)
        if _core._innermost([found])[1] != "plain":
            raise RuntimeError(
                f"{budget.function}: returns a SciPy matrix of plain numbers, but the function reads a tensor that is "
                "being differentiated; detach() that tensor, or use func.jacobian or func.hessian"
            )
        return found.reshape(-1, out).numpy()

    for start, stop in chunks(sparsity.color_count, budget):
        wanted = np.arange(start, stop)[:, None] == sparsity.colors[None, :]
        seeds = _core.from_numpy(wanted.astype(kind)).reshape(stop - start, *like.shape)
        if stop - start == 1:
            products[start:stop] = numbers(of_seeds(seeds[0]))
            continue
        level = _core.Level("vmap", stop - start, "same")
        try:
            found = level.unbatch(of_seeds(level.batch(seeds)), stop - start)
            found = None if level.refused else found  # a rule caught the refusal, and found something else
        except DataDependentError as refused:
            if getattr(refused, "level", None) != level.id:
                raise
            found = None
        finally:
            level.exit()
        if found is None:  # a rule asks for plain numbers: colour by colour
            for k in range(start, stop):
                products[k : k + 1] = numbers(of_seeds(seeds[k - start]))
        else:
            products[start:stop] = numbers(found)
    return products


def _fitting(sparsity: Sparsity | None, shape: tuple[int, int], function: str) -> None:
    if sparsity is not None and sparsity.shape != shape:
        raise ValueError(f"{function}: the sparsity is of shape {sparsity.shape}, but the matrix has shape {shape}")


def sparse_jacobian(
    func: Function,
    *,
    sparsity: Sparsity | None = None,
    mode: Literal["auto", "forward", "reverse"] = "auto",
    check: bool = False,
    chunk_size: int | None = None,
    max_bytes: int | None = None,
    progress: bool = False,
) -> Function:
    """A function that returns the Jacobian of ``func`` by its first argument as a ``scipy.sparse`` CSR array.

    Shape: (elements of the output, elements of the argument), both flattened. The pattern and its colouring come from
    ``jacobian_sparsity``, at every call unless ``sparsity`` is given; then as many products as there are colours give
    all entries. ``check=True`` compares with products along random directions and raises RuntimeError where the
    pattern does not fit. Options: those of ``jacrev``, for the products.

    Derivative: none, the result is plain numbers; differentiate products (``jvp``, ``vjp``) instead.

    >>> import rustgrad as rg
    >>> rg.func.sparse_jacobian(lambda x: x[1:] - x[:-1])(rg.ones(3)).toarray()
    array([[-1.,  1.,  0.],
           [ 0., -1.,  1.]], dtype=float32)
    """
    budget = Budget("sparse_jacobian", chunk_size, max_bytes, progress)

    @functools.wraps(func)
    def wrapped(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        x = _point(x, "sparse_jacobian")
        known = _jacobian_sparsity("sparse_jacobian", func, x, args, kwargs, mode) if sparsity is None else sparsity
        if known.mode == "symmetric":
            raise ValueError(
                "sparse_jacobian: the sparsity is that of a Hessian, which is recovered by symmetry; "
                "use jacobian_sparsity"
            )
        of_x = lambda z: func(z, *args, **kwargs)
        if known.mode == "forward":
            y_size = known.shape[0]
            _fitting(known, (y_size, x.numel()), "sparse_jacobian")
            products = _products(
                lambda t: _pushed_forward("sparse_jacobian", of_x, (x,), (t,))[1], x, y_size, known, budget
            )
        else:
            y, pull = _pullback("sparse_jacobian", of_x, (x,))
            _fitting(known, (y.numel(), x.numel()), "sparse_jacobian")
            products = _products(lambda g: pull(g)[0], y, x.numel(), known, budget)
        found = known.recovered(products)
        if check:
            _check(
                found,
                lambda t: _pushed_forward("sparse_jacobian", of_x, (x,), (t,))[1],
                x,
                "sparse_jacobian",
                name_of(func),
            )
        return found

    return wrapped


def sparse_hessian(
    func: Function,
    *,
    sparsity: Sparsity | None = None,
    check: bool = False,
    chunk_size: int | None = None,
    max_bytes: int | None = None,
    progress: bool = False,
) -> Function:
    """A function that returns the Hessian of ``func``, a single number, by its first argument, as a SciPy CSR array.

    Shape: (n, n) for an argument of n elements. Pattern, options and ``check``: as ``sparse_jacobian``, by
    ``hessian_sparsity`` and forward over reverse mode. Time and memory grow with n times the number of colours.

    Derivative: none, the result is plain numbers; differentiate products (``hvp``) instead.

    >>> import rustgrad as rg
    >>> rosenbrock = lambda x: (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    >>> rg.func.sparse_hessian(rosenbrock)(rg.ones(3)).toarray()
    array([[ 802., -400.,    0.],
           [-400., 1002., -400.],
           [   0., -400.,  200.]], dtype=float32)
    """
    budget = Budget("sparse_hessian", chunk_size, max_bytes, progress)

    @functools.wraps(func)
    def wrapped(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        x = _point(x, "sparse_hessian")
        known = _hessian_sparsity("sparse_hessian", func, x, args, kwargs) if sparsity is None else sparsity
        _fitting(known, (x.numel(), x.numel()), "sparse_hessian")
        gradient = _Gradient(func, function="sparse_hessian").alone
        slope = lambda z: gradient(z, *args, **kwargs)
        product = lambda t: _pushed_forward("sparse_hessian", slope, (x,), (t,))[1]
        found = known.recovered(_products(product, x, x.numel(), known, budget))
        if check:
            _check(found, product, x, "sparse_hessian", name_of(func))
        return found

    return wrapped


def _check(found: Any, product: Function, x: Tensor, function: str, name: str) -> None:
    """Compare with the product along a random direction: what a wrong pattern merges or drops shows there.

    How far rounding takes products is measured: they are linear, so P(d + e) - P(d) - P(e) is rounding alone.
    """
    rng = np.random.default_rng(0)
    kind = np.float64 if x.dtype == _core.float64 else np.float32
    n = x.numel()
    along = lambda d: product(_core.from_numpy(d).reshape(*x.shape)).reshape(-1).numpy()
    # Several lengths: rounding can cancel along one of them.
    lengths = np.array([[1.0], [1.0], [7.3], [53.0]])
    direction, *others = (lengths * rng.uniform(0.5, 1.5, (4, n)) * rng.choice([-1, 1], (4, n))).astype(kind)
    exact = along(direction)
    # Rows without a number cannot be compared, and must not hide the others.
    largest = lambda v: v[np.isfinite(v)].max(initial=0.0)
    with np.errstate(invalid="ignore"):
        off = np.abs(found @ direction - exact)
        rounding = max(largest(np.abs(along(direction + d) - exact - along(d))) for d in others)
    size = abs(found) @ abs(direction) + np.abs(exact)
    tolerance = 1e-4 if kind is np.float32 else 1e-8
    wrong = off > tolerance * (size + largest(size) * 1e-3) + 1e3 * rounding
    if wrong.any():
        row = int(np.argmax(wrong))
        raise RuntimeError(
            f"{function}: the pattern does not fit {name} at this point: row {row} times a random direction is "
            f"{exact[row]} and the sparse matrix gives {(found @ direction)[row]}; find the sparsity at this point"
        )
