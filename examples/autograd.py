"""First steps: a derivative backwards and forwards, then a curve fitted to real data with our gradient.

    python examples/autograd.py [--output examples/output/autograd.png]

The data are the 442 patients of scikit-learn's diabetes set (Efron, Hastie, Johnstone and Tibshirani, "Least angle
regression", 2004): how far the illness has gone on after a year, to be told from ten measurements.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import rustgrad as rg
from rustgrad.autograd import forward_ad
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes

BLUE, RED, GREY = "#2463a8", "#d1342f", "#8a8f98"
Numbers = np.ndarray[Any, np.dtype[np.float64]]


def show(what: str, found: Any, wanted: Any) -> None:
    """Print a result beside what it must be; end the program where they differ."""
    if not np.allclose(found, wanted, rtol=1e-5, atol=1e-12):
        raise SystemExit(f"{what}: found {found}, but it is {wanted}")
    print(f"  {what:<46} {found!s:>18}  ok")


def formula(x: rg.Tensor, y: rg.Tensor) -> rg.Tensor:
    return x * y + y**2


def backwards() -> None:
    print("Reverse mode: z = x*y + y**2 at x = 2, y = 3")
    x = rg.tensor(2.0, requires_grad=True)
    y = rg.tensor(3.0, requires_grad=True)
    z = formula(x, y)
    z.backward()
    show("z", z.item(), 15.0)
    show("x.grad = y", x.grad.item(), 3.0)
    show("y.grad = x + 2y", y.grad.item(), 8.0)


def forwards() -> None:
    print("Forward mode on the same function")
    point = (rg.tensor(2.0), rg.tensor(3.0))
    zero, one = rg.tensor(0.0), rg.tensor(1.0)

    value, along_x = rg.func.jvp(formula, point, (one, zero))
    _, along_y = rg.func.jvp(formula, point, (zero, one))
    show("func.jvp: value", value.item(), 15.0)
    show("func.jvp along x", along_x.item(), 3.0)
    show("func.jvp along y", along_y.item(), 8.0)

    with forward_ad.dual_level():
        x = forward_ad.make_dual(point[0], one)
        y = forward_ad.make_dual(point[1], one)
        primal, tangent = forward_ad.unpack_dual(formula(x, y))
        assert tangent is not None  # it depends on x and y
        show("forward_ad along (1, 1)", (primal.item(), tangent.item()), (15.0, 11.0))

    # Forward over reverse: the gradient's derivative along v is the Hessian [[0, 1], [1, 2]] times v.
    gradient = rg.func.grad(formula, argnums=(0, 1))
    _, (hx, hy) = rg.func.jvp(gradient, point, (one, one))
    show("Hessian times (1, 1), forward over reverse", (hx.item(), hy.item()), (1.0, 3.0))


def load() -> tuple[Numbers, Numbers]:
    """Measurements scaled to mean 0 and variance 1, and the progress of the illness in units of 100."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    x = (x - x.mean(0)) / x.std(0)
    return np.ascontiguousarray(x), y / 100


def unpack(p: rg.Tensor) -> tuple[rg.Tensor, rg.Tensor, rg.Tensor]:
    return p[0], p[1], p[2:]


def score(p: rg.Tensor, x: rg.Tensor) -> rg.Tensor:
    """The weighted sum of the measurements on which the curve is drawn."""
    _, shift, weights = unpack(p)
    return x @ weights + shift


def curve(p: rg.Tensor, z: rg.Tensor) -> rg.Tensor:
    """A floor, and above it a soft hinge: the illness cannot go on by less than nothing."""
    return p[0] + rg.nn.functional.softplus(z)


def loss_of(x: rg.Tensor, y: rg.Tensor) -> Callable[[rg.Tensor], rg.Tensor]:
    def loss(p: rg.Tensor) -> rg.Tensor:
        wrong = curve(p, score(p, x)) - y
        return (wrong * wrong).mean() + 1e-3 * (p * p).sum()

    return loss


def descend(loss: Callable[[rg.Tensor], rg.Tensor], start: Numbers, steps: int) -> tuple[Numbers, list[float]]:
    """Gradient descent with momentum (Polyak, 1964)."""
    p = rg.from_numpy(start.copy()).requires_grad_()
    speed = rg.zeros_like(p)
    losses = []
    for _ in range(steps):
        now = loss(p)
        now.backward()
        losses.append(now.item())
        with rg.no_grad():
            speed *= 0.95
            speed += p.grad
            p -= 0.1 * speed
        p.grad = None
    return p.detach().numpy(), losses


def quasi_newton(loss: Callable[[rg.Tensor], rg.Tensor], start: Numbers) -> tuple[Numbers, list[float]]:
    """The same by SciPy's L-BFGS-B, which asks for value and gradient at points of its choice."""
    losses = []

    def value_and_gradient(numbers: Numbers) -> tuple[float, Numbers]:
        p = rg.from_numpy(numbers.copy()).requires_grad_()
        now = loss(p)
        now.backward()
        losses.append(now.item())
        return now.item(), p.grad.numpy()

    result = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9})
    return result.x, losses


def draw(path: Path, x: Numbers, y: Numbers, p: Numbers, curves: dict[str, list[float]]) -> None:
    parameters = rg.from_numpy(p)
    z = score(parameters, rg.from_numpy(x)).numpy()
    line = np.linspace(z.min() - 0.3, z.max() + 0.3, 200)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    left.scatter(z, 100 * y, s=14, color=GREY, alpha=0.6, linewidths=0, label="442 patients")
    left.plot(
        line, 100 * curve(parameters, rg.from_numpy(line)).numpy(), color=RED, linewidth=2.5, label="fitted curve"
    )
    left.set(xlabel="weighted sum of ten measurements", ylabel="progress of the illness", title="The fit")
    best = min(min(losses) for losses in curves.values())
    for (name, losses), color in zip(curves.items(), (BLUE, RED), strict=True):
        above = np.maximum(np.minimum.accumulate(losses) - best, 1e-12)
        right.loglog(np.arange(1, len(losses) + 1), above, color=color, linewidth=2, label=name)
    right.set(xlabel="gradients computed", ylabel="loss above the least one", title="Two ways there")
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.grid(alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def fit(path: Path, steps: int) -> None:
    print("A curve through real data: progress = floor + log(1 + exp(x @ w + shift)), 442 patients")
    x, y = load()
    loss = loss_of(rg.from_numpy(x), rg.from_numpy(y))
    start = np.zeros(2 + x.shape[1])
    by_descent, descent = descend(loss, start, steps)
    by_newton, newton = quasi_newton(loss, start)
    print(f"  loss at the start {descent[0]:.6f}")
    show(f"gradient descent, {len(descent)} gradients", round(min(descent), 6), min(newton))
    show(f"SciPy's minimize, {len(newton)} gradients", round(min(newton), 6), min(descent))
    if not np.allclose(by_descent, by_newton, atol=1e-3):
        raise SystemExit("the two ways found different curves")
    draw(path, x, y, by_newton, {"gradient descent": descent, "SciPy's L-BFGS-B": newton})
    wrong = curve(rg.from_numpy(by_newton), score(rg.from_numpy(by_newton), rg.from_numpy(x))).numpy() - y
    print(f"  it explains {1 - wrong.var() / y.var():.0%} of the variance, picture in {path}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500, help="steps of gradient descent")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output" / "autograd.png")
    args = parser.parse_args()
    backwards()
    forwards()
    fit(args.output, args.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
