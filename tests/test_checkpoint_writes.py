"""Checkpointed functions that write in place: derivatives are those of the plain function, or an error says why not."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg
from laws import close, differences, numbers
from rustgrad.autograd.graph import save_on_cpu
from rustgrad.utils.checkpoint import CheckpointError, checkpoint
from sampling import tensors

X = [np.array([0.3, 0.5, -0.8])]


def chain(x):
    z = x * 1.0
    z.mul_(x).sin_().add_(0.5)
    return z


def kept_and_overwritten(x):
    z = x.sin()
    y = z * z
    z[0] = 2.0
    return y + z * x


def written_through_views(x):
    z = x.exp()
    z[:2].mul_(x[1:])
    z[-1].sin_()
    return z * z


def differentiates_itself(x):
    (slope,) = rg.autograd.grad(chain(x).sum(), x, create_graph=True)
    return slope.mul_(x) * x


WRITERS = [chain, kept_and_overwritten, written_through_views, differentiates_itself]


def point():
    return tensors(X, requires_grad=True)


@pytest.mark.parametrize("f", WRITERS, ids=lambda f: f.__name__)
def test_what_is_overwritten_in_the_second_run_is_kept_for_the_sweep(f):
    x = point()
    found = rg.autograd.grad(checkpoint(f, *x).sum(), x)
    value = lambda z: [np.asarray(y.sum()) for y in numbers([f(*tensors(z, requires_grad=True))])]
    units = [[np.asarray(row)] for row in np.eye(3)]
    wanted = np.array([differences(value, X, unit)[0] for unit in units])
    close(numbers(found), [wanted], 1e-7, 1e-8, f.__name__)


@pytest.mark.parametrize("f", WRITERS, ids=lambda f: f.__name__)
def test_second_derivatives_of_what_is_overwritten(f):
    x = point()
    (slope,) = rg.autograd.grad(checkpoint(f, *x).sum(), x, create_graph=True)
    found = rg.autograd.grad(slope.sum(), x)

    def slopes(z):
        inputs = tensors(z, requires_grad=True)
        return numbers(rg.autograd.grad(checkpoint(f, *inputs).sum(), inputs))

    close(numbers(found), differences(slopes, X, [np.ones(3)]), 1e-7, 1e-8, f.__name__)


def test_a_sweep_may_be_repeated():
    (x,) = point()
    y = checkpoint(kept_and_overwritten, x).sum()
    (first,) = rg.autograd.grad(y, x, retain_graph=True)
    (second,) = rg.autograd.grad(y, x)
    assert first.tolist() == second.tolist()


def test_an_argument_that_was_written_to_is_noticed():
    (x,) = point()
    y = x * 1.0
    z = checkpoint(rg.sin, y).sum()
    y.mul_(2.0)
    with pytest.raises(CheckpointError, match=r"checkpoint: an argument was changed in place .*; pass a clone\(\)"):
        z.backward()
    unchecked = checkpoint(rg.sin, x, determinism_check="none").sum()
    with rg.no_grad():
        x.add_(1.0)
    np.testing.assert_allclose(numbers(rg.autograd.grad(unchecked, x))[0], np.cos(X[0] + 1.0))


def test_save_on_cpu_changes_nothing():
    (x,) = point()
    with save_on_cpu():
        y = chain(x).sum()
    assert numbers(rg.autograd.grad(y, x))[0].tolist() == numbers(rg.autograd.grad(chain(x).sum(), x))[0].tolist()
    with save_on_cpu(pin_memory=True):
        y = kept_and_overwritten(x).sum()
    with pytest.raises(RuntimeError, match=r"was changed in place afterwards"):
        y.backward()
