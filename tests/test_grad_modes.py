"""no_grad, enable_grad, set_grad_enabled and inference_mode, as context managers and as decorators."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg


def leaf(number: float):
    return rg.tensor(number, dtype=rg.float64, requires_grad=True)


def same(tensor, wanted):
    np.testing.assert_allclose(tensor.detach().numpy(), wanted, rtol=1e-12)


def test_modes_as_contexts():
    x = leaf(1.0)
    with rg.no_grad():
        assert not rg.is_grad_enabled() and not (x * 2).requires_grad
        with rg.enable_grad():
            assert rg.is_grad_enabled() and (x * 2).requires_grad
        assert not (x * 2).requires_grad
    with rg.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert rg.is_grad_enabled() and (x * 2).requires_grad
    rg.set_grad_enabled(False)
    assert not rg.is_grad_enabled()
    rg.set_grad_enabled(True)
    with rg.inference_mode():
        assert rg.is_inference_mode_enabled() and not (x * 2).requires_grad
    assert not rg.is_inference_mode_enabled()
    with rg.inference_mode(mode=False):
        assert (x * 2).requires_grad


def test_modes_survive_exceptions():
    for mode in (rg.no_grad, rg.inference_mode, lambda: rg.set_grad_enabled(False)):
        with pytest.raises(KeyError), mode():
            raise KeyError
        assert rg.is_grad_enabled()


def test_modes_as_decorators():
    x = leaf(1.0)

    @rg.no_grad()
    def double(t):
        """Twice."""
        return t * 2

    @rg.enable_grad()
    def triple(t):
        return t * 3

    @rg.inference_mode()
    def quadruple(t):
        return t * 4

    @rg.no_grad
    def bare(t):
        return t * 5

    @rg.set_grad_enabled(False)
    def six(t):
        return t * 6

    assert double.__name__ == "double" and double.__doc__ == "Twice."
    assert rg.is_grad_enabled()
    assert not any(f(x).requires_grad for f in (double, quadruple, bare, six))
    with rg.no_grad():
        assert triple(x).requires_grad

    @rg.no_grad()
    def generator():
        yield rg.is_grad_enabled()
        yield rg.is_grad_enabled()

    seen = []
    for inside in generator():
        seen.append((inside, rg.is_grad_enabled()))
    assert seen == [(False, True), (False, True)]


def test_new_leaves_inside_no_grad_require_gradients():
    with rg.no_grad():
        x = rg.ones(2, requires_grad=True)
        x.add_(1)
    (x * 2).sum().backward()
    same(x.grad, [2.0, 2.0])


def test_generators_are_thrown_at_and_closed_in_their_mode():
    seen = []

    @rg.no_grad()
    def caught():
        try:
            yield 1
        except ValueError:
            yield rg.is_grad_enabled()

    @rg.no_grad()
    def closed():
        try:
            yield 1
        finally:
            seen.append(rg.is_grad_enabled())

    generator = caught()
    next(generator)
    assert generator.throw(ValueError()) is False
    generator = closed()
    next(generator)
    generator.close()
    assert seen == [False] and rg.is_grad_enabled()


def test_inference_mode_can_be_switched_off_inside_of_itself():
    w = rg.ones(2, requires_grad=True)
    with rg.inference_mode():
        with rg.inference_mode(False):
            assert (w * 2).requires_grad
        with rg.enable_grad():
            assert not (w * 2).requires_grad
    assert (w * 2).requires_grad
