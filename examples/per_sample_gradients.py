"""The gradient of every single sample, all at once, picks out wrong labels.

    python examples/per_sample_gradients.py [--output examples/output/per_sample_gradients.png]

The data are the 1797 digits of 8 × 8 pixels that ship inside scikit-learn (E. Alpaydin and C. Kaynak, "Optical
recognition of handwritten digits", 1998). Five labels of a hundred are replaced by wrong ones on purpose. After a short
training, before the network has learned the wrong ones by heart, they are the ones that still pull hardest at it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import rustgrad as rg
from rustgrad.func import grad, vmap
from sklearn.datasets import load_digits

RED = "#d1342f"
SHARE, WANTED = 0.05, 0.8
Parameters = dict[str, rg.Tensor]


def load(rng: np.random.Generator) -> tuple[rg.Tensor, rg.Tensor, Any]:
    """Images with pixels from 0 to 1, labels of which some are wrong, and which those are."""
    images, labels = load_digits(return_X_y=True)
    wrong = np.zeros(len(labels), dtype=bool)
    wrong[rng.choice(len(labels), int(SHARE * len(labels)), replace=False)] = True
    labels = np.where(wrong, (labels + rng.integers(1, 10, len(labels))) % 10, labels)
    return rg.from_numpy((images / 16).astype(np.float32)), rg.from_numpy(labels.astype(np.int64)), wrong


def new_parameters() -> Parameters:
    return {
        "w1": rg.randn(64, 32) * (2 / 64) ** 0.5,
        "b1": rg.zeros(32),
        "w2": rg.randn(32, 10) * (2 / 32) ** 0.5,
        "b2": rg.zeros(10),
    }


def loss(p: Parameters, image: rg.Tensor, label: rg.Tensor) -> rg.Tensor:
    """The cross-entropy of one image, or the mean over many."""
    hidden = (image @ p["w1"] + p["b1"]).relu()
    return rg.nn.functional.cross_entropy(hidden @ p["w2"] + p["b2"], label)


def train(images: rg.Tensor, labels: rg.Tensor, epochs: int) -> Parameters:
    """Stochastic gradient descent with steps that shrink to nothing."""
    p = new_parameters()
    gradient = grad(loss)
    for epoch in range(epochs):
        rate = 0.2 * (1 - epoch / epochs)
        for rows in rg.randperm(len(labels)).split(64):
            g = gradient(p, images[rows], labels[rows])
            p = {name: p[name] - rate * g[name] for name in p}
    return p


def check(p: Parameters, gradients: Parameters, images: rg.Tensor, labels: rg.Tensor, count: int) -> float:
    """How far the first gradients are from those that a loop finds."""
    apart = 0.0
    for n in range(count):
        alone = grad(loss)(p, images[n], labels[n])
        apart = max(apart, *((alone[name] - gradients[name][n]).abs().max().item() for name in p))
    return apart


def draw(path: Path, images: rg.Tensor, labels: rg.Tensor, order: Any, wrong: Any) -> None:
    """The images whose gradients are longest, with their labels; red ones were given a wrong label on purpose."""
    figure, grid = plt.subplots(4, 10, figsize=(11, 5.2), layout="constrained")
    for axes, n in zip(grid.flat, order, strict=False):
        axes.imshow(images[int(n)].reshape(8, 8).numpy(), cmap="Reds" if wrong[n] else "gray_r")
        axes.set_title(f"“{labels[int(n)].item()}”", fontsize=10, pad=2, color=RED if wrong[n] else "black")
        axes.set(xticks=[], yticks=[])
    figure.suptitle("The forty images that pull hardest, with the labels they came with (red: wrong on purpose)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output" / "per_sample_gradients.png")
    args = parser.parse_args()
    rg.manual_seed(0)
    images, labels, wrong = load(np.random.default_rng(0))
    p = train(images, labels, args.epochs)

    start = time.perf_counter()
    gradients = vmap(grad(loss), in_dims=(None, 0, 0))(p, images, labels)
    seconds = time.perf_counter() - start
    apart = check(p, gradients, images, labels, 20)
    print(f"{len(labels)} gradients of {sum(w.numel() for w in p.values())} numbers each in {seconds:.3f} s")
    print(f"twenty of them differ from a loop's by at most {apart:.1e}")

    norms = sum(g.flatten(1).square().sum(dim=1) for g in gradients.values()).sqrt().numpy()
    order = np.argsort(-norms)
    count = int(wrong.sum())
    precision = float(wrong[order[:count]].mean())
    print(f"median norm {np.median(norms[~wrong]):.3f} of right labels, {np.median(norms[wrong]):.3f} of wrong ones")
    print(f"of the {count} longest gradients {precision:.1%} belong to wrong labels (by chance: {SHARE:.0%})")
    draw(args.output, images, labels, order, wrong)
    print(f"picture in {args.output}")
    return 0 if apart < 1e-5 and precision >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
