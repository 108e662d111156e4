"""A layer that is a fixed point: z = tanh(W·z + U·x + b), trained without recording a single step of its solver.

    python examples/implicit_layer.py [--output examples/output/implicit_layer.png]

The data are the 1797 digits of 8 × 8 pixels that ship inside scikit-learn (E. Alpaydin and C. Kaynak, "Optical
recognition of handwritten digits", 1998). The layer is as deep as its solver makes it (S. Bai, J. Z. Kolter and
V. Koltun, "Deep Equilibrium Models", 2019); its gradient comes from the implicit function theorem, and is compared with
that of two hundred steps written out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import rustgrad as rg
from rustgrad.func import custom_fixed_point, grad, grad_and_value
from sklearn.datasets import load_digits
from tqdm import tqdm

WIDTH, TRAINED, BATCH, WANTED = 24, 1300, 100, 0.93
Parameters = dict[str, rg.Tensor]
steps_taken: list[int] = []


def load() -> tuple[rg.Tensor, rg.Tensor]:
    """Images with pixels from 0 to 1 in a random order, and their labels."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    return rg.from_numpy(images[order] / 16), rg.from_numpy(labels[order].astype(np.int64))


def new_parameters() -> Parameters:
    normal = lambda rows, columns: rg.randn(rows, columns, dtype=rg.float64) / rows**0.5
    return {
        "w": 0.3 * normal(WIDTH, WIDTH),
        "u": normal(64, WIDTH),
        "b": rg.zeros(WIDTH, dtype=rg.float64),
        "out": normal(WIDTH, 10),
    }


def step(z: rg.Tensor, p: Parameters, x: rg.Tensor) -> rg.Tensor:
    """One round of the layer. W is scaled so that its rows' sums stay below one: then there is one fixed point."""
    w = p["w"] * (0.9 / p["w"].abs().sum(dim=0).max().clamp(min=0.9))
    return (z @ w + x @ p["u"] + p["b"]).tanh()


def by_neumann(matvec, b: rg.Tensor) -> rg.Tensor:
    """v with (∂step/∂z - 1)·v = b, as the fixed point of v = ∂step/∂z·v - b: no matrix is built."""
    v = -b
    for _ in range(300):
        change = matvec(v) - b
        v = v + change
        if change.abs().max().item() <= 1e-11 * b.abs().max().item():
            break
    return v


@custom_fixed_point(step, solve=by_neumann)
def equilibrium(z: rg.Tensor, p: Parameters, x: rg.Tensor) -> rg.Tensor:
    """Rounds until nothing moves; the derivative does not look in here."""
    rounds, moved = 0, 1.0
    while moved > 1e-11 and rounds < 300:
        before, z = z, step(z, p, x)
        rounds, moved = rounds + 1, (z - before).abs().max().item()
    steps_taken.append(rounds)
    return z


def unrolled(z: rg.Tensor, p: Parameters, x: rg.Tensor) -> rg.Tensor:
    """The same layer with every round recorded, to compare with."""
    for _ in range(200):
        z = step(z, p, x)
    return z


def loss(p: Parameters, x: rg.Tensor, y: rg.Tensor, layer=equilibrium) -> rg.Tensor:
    z = layer(rg.zeros(len(x), WIDTH, dtype=rg.float64), p, x)
    return rg.nn.functional.cross_entropy(z @ p["out"], y)


def accuracy(p: Parameters, x: rg.Tensor, y: rg.Tensor) -> float:
    z = equilibrium(rg.zeros(len(x), WIDTH, dtype=rg.float64), p, x)
    return float(((z @ p["out"]).numpy().argmax(axis=1) == y.numpy()).mean())


def draw(path: Path, losses: list[float], depths: list[int]) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    left.plot(losses)
    left.set(title="loss", xlabel="step of training", yscale="log")
    right.plot(depths, color="#d1342f")
    right.set(title="rounds until the layer is at rest", xlabel="step of training", ylim=(0, None))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output" / "implicit_layer.png")
    args = parser.parse_args()
    output = args.output / "implicit_layer.png" if args.output.is_dir() else args.output
    rg.manual_seed(0)
    images, labels = load()
    p = new_parameters()
    losses, slope = [], grad_and_value(loss)
    batches = [rows for _ in range(args.epochs) for rows in rg.randperm(TRAINED).split(BATCH)]
    steps_taken.clear()
    for rows in tqdm(batches, desc="training", file=sys.stderr):
        g, value = slope(p, images[rows], labels[rows])
        p = {name: p[name] - 0.8 * g[name] for name in p}
        losses.append(value.item())
    depths = list(steps_taken)

    few = slice(0, 20)
    implicit = grad(loss)(p, images[few], labels[few])
    explicit = grad(loss)(p, images[few], labels[few], layer=unrolled)
    apart = max((implicit[name] - explicit[name]).abs().max().item() for name in p)
    right = accuracy(p, images[TRAINED:], labels[TRAINED:])
    print(
        f"{len(losses)} steps, loss {losses[0]:.3f} to {losses[-1]:.3f}; {min(depths)} to {max(depths)} rounds a layer"
    )
    print(f"the gradient differs from that of 200 recorded rounds by at most {apart:.1e}")
    print(f"{right:.1%} of {len(labels) - TRAINED} new digits are read right")
    draw(output, losses, depths)
    print(f"picture in {output}")
    return 0 if apart < 1e-8 and right >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
