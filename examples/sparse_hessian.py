"""A sparse Hessian for SciPy: the shape of a hanging chain, found by trust-constr in a few iterations.

A chain of n links hangs between two points. Its shape minimises potential energy under one constraint per link: its
length. The Hessian of the Lagrangian is banded; `sparse_hessian` finds that by itself.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import rustgrad as rg
from rustgrad import func
from scipy.optimize import NonlinearConstraint, minimize

LINKS = 60
SPAN, LENGTH = 1.0, 1.6


def nodes(x: rg.Tensor) -> rg.Tensor:
    """All nodes, (n + 1, 2): the free ones between the two that are held."""
    ends = rg.tensor([[0.0, 0.0], [SPAN, 0.0]], dtype=rg.float64)
    return rg.cat([ends[:1], x.reshape(-1, 2), ends[1:]])


def energy(x: rg.Tensor) -> rg.Tensor:
    """The height of all links' midpoints, added up, and a little stiffness that keeps the problem regular."""
    y = nodes(x)
    bend = y[2:] - 2 * y[1:-1] + y[:-2]
    return (y[1:, 1] + y[:-1, 1]).sum() / 2 + 1e-3 * (bend**2).sum()


def stretch(x: rg.Tensor) -> rg.Tensor:
    """How much longer than allowed each link is, squared lengths, (n,)."""
    link = nodes(x)[1:] - nodes(x)[:-1]
    return (link**2).sum(1) * (LINKS / LENGTH) ** 2 - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output" / "sparse_hessian.png")
    output = parser.parse_args().output
    output = output / "sparse_hessian.png" if output.is_dir() else output

    t = np.linspace(0, 1, LINKS + 1)[1:-1]
    start = np.stack([SPAN * t, -0.5 * np.sin(np.pi * t)], axis=1).reshape(-1)
    x0 = rg.from_numpy(start)
    weighted = lambda x, v: (stretch(x) * v).sum()
    ones = rg.ones(LINKS, dtype=rg.float64)
    of_energy, of_links = func.hessian_sparsity(energy, x0), func.hessian_sparsity(weighted, x0, ones)
    of_stretch = func.jacobian_sparsity(stretch, x0)
    print(f"Hessian of the energy: {of_energy}\nHessian of the links:  {of_links}\nJacobian:              {of_stretch}")

    slope = func.grad(energy)
    hessian = func.sparse_hessian(energy, sparsity=of_energy, check=True)
    curvature = func.sparse_hessian(weighted, sparsity=of_links)
    jacobian = func.sparse_jacobian(stretch, sparsity=of_stretch)
    tensor = lambda v: rg.from_numpy(np.array(v))
    links = NonlinearConstraint(
        lambda v: stretch(tensor(v)).numpy(),
        0.0,
        0.0,
        jac=lambda v: jacobian(tensor(v)),
        hess=lambda v, w: curvature(tensor(v), tensor(w)),
    )
    begin = time.perf_counter()
    found = minimize(
        lambda v: energy(tensor(v)).item(),
        start,
        jac=lambda v: slope(tensor(v)).numpy(),
        hess=lambda v: hessian(tensor(v)),
        constraints=[links],
        method="trust-constr",
        options={"maxiter": 300, "gtol": 1e-8},
    )
    seconds = time.perf_counter() - begin
    violation = np.abs(stretch(tensor(found.x)).numpy()).max()
    print(f"{found.nit} iterations in {seconds:.1f} s, energy {found.fun:.6f}, links off by {violation:.1e}")
    if violation > 1e-6:
        raise SystemExit("the chain does not hold together")

    output.parent.mkdir(parents=True, exist_ok=True)
    picture, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
    shape = nodes(tensor(found.x)).numpy()
    left.plot(*nodes(x0).numpy().T, color="0.7", label="start")
    left.plot(*shape.T, "o-", markersize=2.5, label="at rest")
    left.set(title="a chain at rest", aspect="equal")
    left.legend()
    right.spy(hessian(tensor(found.x)) + curvature(tensor(found.x), ones), markersize=1.5)
    right.set_title(f"Hessian of the Lagrangian, {of_energy.color_count + of_links.color_count} products")
    picture.tight_layout()
    picture.savefig(output, dpi=120)
    print(f"picture in {output}")


if __name__ == "__main__":
    main()
