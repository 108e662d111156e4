"""Norms of vectors and matrices, as ``torch.linalg``."""

from __future__ import annotations

from typing import Any

from ._core import Tensor

__all__ = ["norm", "vector_norm"]


def vector_norm(
    x: Tensor, ord: float = 2, dim: int | tuple[int, ...] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of order ``ord`` of vectors over the dimensions ``dim``, all of them by default.

    Shape: ``dim`` is dropped, or kept as size 1 with ``keepdim``. Floats, or converted by ``dtype``.

    Derivative: sign(x) (abs(x) / norm)ᵒʳᵈ⁻¹, and 0 at the origin.

    >>> import rustgrad as rg
    >>> rg.linalg.vector_norm(rg.tensor([3.0, 4.0]))
    tensor(5.)
    """
    result: Tensor = x.norm(ord, dim, keepdim, dtype)
    return result


def norm(
    A: Tensor, ord: Any = None, dim: int | tuple[int, ...] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of a tensor: of all its elements by default, or of vectors over one dimension.

    Shape, dtypes: as ``vector_norm``. Raises ValueError for orders of matrices other than "fro".

    Derivative: as ``vector_norm``.

    >>> import rustgrad as rg
    >>> rg.linalg.norm(rg.ones(2, 2))
    tensor(2.)
    """
    two = A.ndim == 2 if dim is None else isinstance(dim, tuple) and len(dim) == 2
    if ord is not None and two and ord != "fro":
        raise ValueError(f"norm: the matrix norm {ord!r} is not supported; use None or 'fro', or vector_norm")
    return vector_norm(A, 2 if ord in (None, "fro") else ord, dim, keepdim, dtype=dtype)
