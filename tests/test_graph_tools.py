"""What is said of graphs: saved-tensor hooks, edges, batched cotangents, segments, anomalies, strong zeros."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest
import rustgrad as rg
from rustgrad.autograd import grad, graph
from rustgrad.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential

F64 = rg.float64
ONES = rg.ones(2)


def leaf(values):
    return rg.tensor(values, dtype=F64, requires_grad=True)


def test_saved_tensors_pass_through_the_hooks():
    count = [0, 0]

    def pack(t):
        count[0] += 1
        return t.detach().numpy().copy()

    def unpack(a):
        count[1] += 1
        return rg.from_numpy(a)

    x = leaf([1.0, 2.0])
    with graph.saved_tensors_hooks(pack, unpack):
        y = (x.exp() * x).sum()
    y.backward()
    assert np.allclose(x.grad.numpy(), np.exp([1.0, 2.0]) * [2.0, 3.0]) and count[0] == count[1] > 0
    with graph.saved_tensors_hooks(lambda t: t, lambda t: 10 * t):
        y = (x * x).sum()
    assert grad(y, x)[0].tolist() == [20.0, 40.0]


def test_hooks_that_fail():
    x = leaf([1.0])
    with graph.saved_tensors_hooks(lambda t: t, lambda t: 5):
        y = x * x
    with pytest.raises(TypeError, match="unpack hook must return a tensor"):
        y.sum().backward()
    with graph.saved_tensors_hooks(lambda t: {}["no"], lambda t: t), pytest.raises(KeyError):
        x * x
    with (
        graph.saved_tensors_hooks(lambda t: t.detach().mul_(2), lambda t: t),
        pytest.raises(RuntimeError, match=r"changed the saved tensor of shape \[1\] in place by mul_"),
    ):
        x * (x + 1)
    with graph.disable_saved_tensors_hooks("not here"), pytest.raises(RuntimeError, match="not here"):
        graph.saved_tensors_hooks(lambda t: t, lambda t: t).__enter__()


def test_save_on_disk_writes_reads_and_removes(tmp_path):
    x = rg.randn(200, 200, dtype=F64).requires_grad_()
    with graph.save_on_disk(tmp_path):
        y = x.exp().sin().sum()
    assert list(tmp_path.iterdir())
    (found,) = grad(y, x)
    assert np.allclose(found.numpy(), np.cos(np.exp(x.detach().numpy())) * np.exp(x.detach().numpy()))
    del y
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_edges_stand_for_tensors():
    x = leaf([1.0, 2.0])
    y = x * 2
    edge = graph.get_gradient_edge(y)
    assert edge.output_nr == 0 and grad((y**2).sum(), edge)[0].tolist() == [4.0, 8.0]
    assert grad(edge, x, grad_outputs=rg.ones(2, dtype=F64))[0].tolist() == [2.0, 2.0]
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        graph.get_gradient_edge(y.detach())


def test_batched_cotangents():
    x = leaf([1.0, 2.0])
    eye = rg.eye(2, dtype=F64)
    (rows,) = grad(x**3, x, grad_outputs=eye, is_grads_batched=True, create_graph=True)
    assert rows.tolist() == [[3.0, 0.0], [0.0, 12.0]] and grad(rows.sum(), x)[0].tolist() == [6.0, 12.0]
    with pytest.raises(ValueError, match=r"the gradient has shape \[5\] but the output"):
        grad(x**2, x, grad_outputs=rg.ones(3, 5, dtype=F64), is_grads_batched=True)


def test_a_hook_of_many_gradients():
    a, b, c = leaf([1.0]), leaf([2.0]), leaf([3.0])
    seen = []
    handle = graph.register_multi_grad_hook((a, b, c), seen.append)
    (a * b).sum().backward()
    handle.remove()
    (a * b * c).sum().backward()
    assert [[None if g is None else g.tolist() for g in gs] for gs in seen] == [[[2.0], [1.0], None]]
    graph.register_multi_grad_hook((a, b), lambda g: seen.append(g), mode="any")
    (a * b).sum().backward()
    assert len(seen) == 2


@pytest.mark.parametrize("segments", [1, 2, 3])
def test_checkpoint_sequential(segments):
    layers, runs = [rg.sin, rg.exp, lambda x: x * x], []

    def counted(layer):
        return lambda x: (runs.append(layer), layer(x))[1]

    x = leaf([1.0, 2.0])
    y = checkpoint_sequential([counted(f) for f in layers], segments, x, use_reentrant=False)
    (found,) = grad(y.sum(), x)
    at = np.array([1.0, 2.0])
    assert np.allclose(found.numpy(), 2 * np.exp(2 * np.sin(at)) * np.cos(at))
    # The last segment is not recomputed, as in PyTorch.
    assert len(runs) == 3 + 3 // segments * (segments - 1)


def test_a_second_run_that_differs_is_refused():
    runs = []

    def f(x):
        runs.append(x)
        return x.exp() * 2 if len(runs) == 1 else x * 2

    with pytest.raises(CheckpointError, match="the second run saved 0 tensors and the first 1"):
        checkpoint(f, leaf([1.0]), use_reentrant=False).sum().backward()


def test_an_anomaly_names_the_line():
    x = leaf([-1.0, 1.0])
    with rg.autograd.detect_anomaly(check_nan=True):
        root = x.sqrt()  # this line
        with pytest.raises(RuntimeError, match=r"`sqrt` gives a gradient with NaN") as found:
            root.sum().backward()
    assert "root = x.sqrt()  # this line" in str(found.value)


class Broken(rg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, g):
        raise ValueError("inside")


def test_an_error_of_a_rule_names_the_line_under_detect_anomaly():
    def raised(transform):
        with pytest.raises(ValueError, match=r"^inside") as found:
            transform()
        return "".join(getattr(found.value, "__notes__", []))

    sum_of = lambda x: Broken.apply(x).sum()  # this line
    with rg.autograd.detect_anomaly():
        y = sum_of(leaf([1.0]))
        ways = y.backward, lambda: rg.func.grad(sum_of)(rg.ones(2)), lambda: rg.func.jvp(sum_of, (ONES,), (ONES,))
        for way in ways:
            note = raised(way)
            assert note.startswith("Broken: the function whose rule raised this was called here:\n")
            assert note.count("# this line") == 1 and "rustgrad/autograd" not in note
    assert not raised(sum_of(leaf([1.0])).backward)


def test_strong_zeros_and_the_way_out():
    f = lambda x: rg.where(x > 0.5, x.log(), 0.0).sum()
    masked = lambda x: x.sqrt().masked_fill(x < 0.5, 0.0).sum()
    indexed = lambda x: x.sqrt()[1:].sum()
    at = rg.tensor([0.0, 1.0], dtype=F64)
    for g, slope in ((f, 1.0), (masked, 0.5), (indexed, 0.5)):
        assert rg.func.grad(g)(at).tolist() == [0.0, slope]
        assert rg.func.jacfwd(g)(at).tolist() == [0.0, slope]
        with rg.autograd.set_strong_zeros(False):
            assert math.isnan(rg.func.grad(g)(at)[0].item())
    assert rg.func.grad(f)(at).tolist() == [0.0, 1.0]
