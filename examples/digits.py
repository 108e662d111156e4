"""Train a small network on real handwritten digits and draw what it learned.

    python examples/digits.py [--epochs 30] [--output examples/output/digits.png]

The data are the 1797 images of 8 × 8 pixels that ship inside scikit-learn (from the UCI machine learning repository:
E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits", 1998). A fifth of them is held out; the program
fails unless at least 97 % of it are recognised.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import rustgrad as rg
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

F = rg.nn.functional
WANTED = 0.97
WIDTHS = (64, 256, 128, 10)
NOISE = 0.2
BLUE, RED, GREY = "#2463a8", "#d1342f", "#8a8f98"


@dataclass
class Data:
    train_x: rg.Tensor
    train_y: rg.Tensor
    test_x: rg.Tensor
    test_y: rg.Tensor


def load(seed: int) -> Data:
    """The digits with pixels from 0 to 1, a fifth held out with every digit in it equally often."""
    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images / 16, labels, test_size=0.2, stratify=labels, random_state=seed)
    train_x, test_x = (rg.from_numpy(part.astype(np.float32)) for part in split[:2])
    train_y, test_y = (rg.from_numpy(part.astype(np.int64)) for part in split[2:])
    return Data(train_x, train_y, test_x, test_y)


def new_parameters() -> list[rg.Tensor]:
    """A weight and a bias per layer, drawn so that signals keep their size through relu (He et al. 2015)."""
    parameters = []
    for inputs, outputs in itertools.pairwise(WIDTHS):
        parameters.append((rg.randn(inputs, outputs) * math.sqrt(2 / inputs)).requires_grad_())
        parameters.append(rg.zeros(outputs).requires_grad_())
    return parameters


def network(parameters: list[rg.Tensor], x: rg.Tensor) -> rg.Tensor:
    """Scores of the ten digits for every row of ``x``."""
    *hidden, last_w, last_b = parameters
    for w, b in zip(hidden[::2], hidden[1::2], strict=True):
        x = (x @ w + b).relu()
    return x @ last_w + last_b


def batches(data: Data, size: int) -> Iterator[tuple[rg.Tensor, rg.Tensor]]:
    """The training data once, in random order and with noise on the pixels: so few images would be learned by heart."""
    order = rg.randperm(len(data.train_y))
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        x = data.train_x[rows]
        yield x + NOISE * rg.randn(*x.shape), data.train_y[rows]


@dataclass
class Adam:
    """Steps scaled by running means of the gradient and of its square (Kingma and Ba, 2015, algorithm 1)."""

    parameters: list[rg.Tensor]
    rate: float = 3e-3
    decay: tuple[float, float] = (0.9, 0.999)
    step_count: int = 0
    means: list[tuple[rg.Tensor, rg.Tensor]] = field(init=False)

    def __post_init__(self) -> None:
        self.means = [(rg.zeros_like(p), rg.zeros_like(p)) for p in self.parameters]

    @rg.no_grad()
    def step(self, slowdown: float = 1.0) -> None:
        self.step_count += 1
        keep1, keep2 = self.decay
        rate = slowdown * self.rate * math.sqrt(1 - keep2**self.step_count) / (1 - keep1**self.step_count)
        for p, (first, second) in zip(self.parameters, self.means, strict=True):
            first += (1 - keep1) * (p.grad - first)
            second += (1 - keep2) * (p.grad * p.grad - second)
            p -= rate * first / (second.sqrt() + 1e-8)
            p.grad = None


@rg.no_grad()
def predict(parameters: list[rg.Tensor], x: rg.Tensor) -> rg.Tensor:
    return network(parameters, x).argmax(dim=1)


def accuracy(parameters: list[rg.Tensor], x: rg.Tensor, y: rg.Tensor) -> float:
    return float((predict(parameters, x) == y).sum().item()) / len(y)


@dataclass
class History:
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)


def train(data: Data, epochs: int, batch: int) -> tuple[list[rg.Tensor], History]:
    parameters = new_parameters()
    optimizer = Adam(parameters)
    history = History()
    with tqdm(range(epochs), unit="epoch", desc="training", dynamic_ncols=True) as bar:
        for epoch in bar:
            for x, y in batches(data, batch):
                loss = F.cross_entropy(network(parameters, x), y)
                loss.backward()
                optimizer.step(slowdown=0.5 + 0.5 * math.cos(math.pi * epoch / epochs))
                history.losses.append(loss.item())
            history.accuracies.append(accuracy(parameters, data.test_x, data.test_y))
            bar.set_postfix(loss=f"{history.losses[-1]:.4f}", held_out=f"{history.accuracies[-1]:.1%}", refresh=False)
    return parameters, history


def draw(path: Path, data: Data, predictions: Any, history: History) -> None:
    """The loss curve with the held-out accuracy below, and a grid of held-out digits; wrong ones come first, in red."""
    figure = plt.figure(figsize=(12, 5.6), layout="constrained")
    panels: Any = figure.subfigures(1, 2, width_ratios=(1, 1.12), wspace=0.04)
    curves, grid = panels

    above, below = curves.subplots(2, 1, height_ratios=(2, 1))
    losses = np.array(history.losses)
    per_epoch = len(losses) // len(history.accuracies)
    steps = (np.arange(len(losses)) + 1) / per_epoch
    window = min(per_epoch, len(losses))
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    above.semilogy(steps, np.maximum(losses, 1e-6), color=BLUE, alpha=0.25, linewidth=0.8, label="each mini-batch")
    above.semilogy(steps[window - 1 :], smooth, color=BLUE, linewidth=2, label="mean over an epoch")
    above.set_ylabel("cross-entropy")
    above.legend(frameon=False)
    epochs = np.arange(1, len(history.accuracies) + 1)
    below.axhline(100 * WANTED, color=GREY, linewidth=1, linestyle="--")
    below.plot(epochs, 100 * np.array(history.accuracies), color=RED, linewidth=2, marker="o", markersize=3)
    below.set(xlabel="epoch", ylabel="held out, % right", ylim=(90, 100.5))
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
        axes.set_xlim(0, len(epochs))

    labels = data.test_y.numpy()
    wrong = np.flatnonzero(predictions != labels)
    right = np.flatnonzero(predictions == labels)
    chosen = np.concatenate([wrong[:16], right])[:48]
    for axes, n in zip(grid.subplots(6, 8).flat, chosen, strict=True):
        missed = predictions[n] != labels[n]
        axes.imshow(
            data.test_x[int(n)].reshape(8, 8).numpy(), cmap="Reds" if missed else "gray_r", interpolation="nearest"
        )
        title = f"{predictions[n]}, is {labels[n]}" if missed else str(predictions[n])
        axes.set_title(
            title, fontsize=9, pad=2, color=RED if missed else "black", weight="bold" if missed else "normal"
        )
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(color=RED if missed else "#d5d8dc", linewidth=2 if missed else 0.8)
    share = len(right) / len(labels)
    grid.suptitle(f"{share:.1%} of {len(labels)} held-out digits recognised, {len(wrong)} not", fontsize=12)
    curves.suptitle("Training by backward()", fontsize=12)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output" / "digits.png")
    args = parser.parse_args()
    if args.epochs < 1 or args.batch < 1:
        parser.error("--epochs and --batch must be at least 1")

    rg.manual_seed(args.seed)
    data = load(args.seed)
    start = time.perf_counter()
    parameters, history = train(data, args.epochs, args.batch)
    seconds = time.perf_counter() - start
    reached = history.accuracies[-1]
    draw(args.output, data, predict(parameters, data.test_x).numpy(), history)
    print(f"{len(history.losses)} steps in {seconds:.1f} s, final loss {history.losses[-1]:.4f}")
    print(f"held-out accuracy {reached:.2%} (at least {WANTED:.0%} wanted), picture in {args.output}")
    return 0 if reached >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
