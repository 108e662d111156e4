"""Newton's method finds the exact logistic regression of real data in a handful of steps.

    python examples/newton_logistic.py [--output examples/output/newton_logistic.png]

The data are the 569 tumours of scikit-learn's breast cancer set (Street, Wolberg and Mangasarian, "Nuclear feature
extraction for breast tumor diagnosis", 1993): benign or not, to be told from thirty measurements. The gradient comes
from reverse mode, the Hessian from forward mode over it, and the coefficients are those that scikit-learn finds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import rustgrad as rg
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

BLUE, RED = "#2463a8", "#d1342f"
PENALTY = 1.0
Function = Callable[[rg.Tensor], rg.Tensor]


def loss_of(x: rg.Tensor, y: rg.Tensor) -> Function:
    """Minus the log-likelihood plus a penalty on the squared weights; the intercept comes last and goes free."""

    def loss(p: rg.Tensor) -> rg.Tensor:
        weights, intercept = p[:-1], p[-1]
        margins = (2 * y - 1) * (x @ weights + intercept)
        return -rg.nn.functional.logsigmoid(margins).sum() + 0.5 * PENALTY * (weights @ weights)

    return loss


def hessian(loss: Function) -> Function:
    """The matrix of second derivatives: the gradient pushed along every unit vector, all at once."""
    gradient = rg.func.grad(loss)

    def matrix(p: rg.Tensor) -> rg.Tensor:
        along = lambda v: rg.func.jvp(gradient, (p,), (v,))[1]
        return rg.func.vmap(along)(rg.eye(len(p), dtype=p.dtype))

    return matrix


def newton(loss: Function, p: rg.Tensor) -> tuple[rg.Tensor, list[float]]:
    """Steps to the minimum of the parabola that touches the loss; also the norm of the gradient before each."""
    value_and_slope, curvature = rg.func.grad_and_value(loss), hessian(loss)
    norms: list[float] = []
    for step in range(30):
        g, value = value_and_slope(p)
        norms.append(g.norm().item())
        # Quadratic convergence: the norm over the square of the last one stays near a constant.
        ratio = f"{norms[-1] / norms[-2] ** 2:13.2e}" if step else ""
        print(f"  {step:>4} {value.item():>14.8f} {norms[-1]:>12.2e}{ratio}")
        if norms[-1] < 1e-9:
            return p, norms
        direction = rg.from_numpy(np.linalg.solve(curvature(p).numpy(), -g.numpy()))
        # Far from the minimum the parabola may promise too much: halve the step until the loss falls.
        length = 1.0
        while loss(p + length * direction).item() > value.item() + 1e-9:
            length /= 2
        p = p + length * direction
    raise SystemExit(f"no minimum after 30 steps, the gradient is still {norms[-1]:.1e}")


def descend(loss: Function, p: rg.Tensor, rate: float, steps: int) -> list[float]:
    """The norms of the gradients on the way of gradient descent, for comparison."""
    norms = []
    for _ in range(steps):
        g = rg.func.grad(loss)(p)
        norms.append(g.norm().item())
        p = p - rate * g
    return norms


def draw(path: Path, norms: list[float], others: list[float]) -> None:
    figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
    axes.semilogy(norms, color=RED, linewidth=2, marker="o", label="Newton's method")
    axes.semilogy(others, color=BLUE, linewidth=2, label="gradient descent")
    axes.set(xlabel="step", ylabel="norm of the gradient", title="Near the minimum each step doubles the right digits")
    axes.legend(frameon=False)
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output" / "newton_logistic.png")
    args = parser.parse_args()
    measured, benign = load_breast_cancer(return_X_y=True)
    measured = StandardScaler().fit_transform(measured)
    loss = loss_of(rg.from_numpy(measured), rg.from_numpy(benign.astype(np.float64)))
    start = rg.zeros(measured.shape[1] + 1, dtype=rg.float64)

    print("  step           loss   |gradient|   over last²")
    found, norms = newton(loss, start)
    steepest = np.linalg.eigvalsh(hessian(loss)(start).numpy())[-1]
    draw(args.output, norms, descend(loss, start, 1 / steepest, 3 * len(norms)))

    theirs = LogisticRegression(C=1 / PENALTY, solver="newton-cholesky", tol=1e-12).fit(measured, benign)
    wanted = np.append(theirs.coef_[0], theirs.intercept_)
    apart = float(np.abs(found.numpy() - wanted).max())
    right = float(((measured @ wanted[:-1] + wanted[-1] > 0) == benign).mean())
    print(f"coefficients differ from scikit-learn's by at most {apart:.1e}; {right:.1%} of the tumours told right")
    print(f"picture in {args.output}")
    return 0 if apart < 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
