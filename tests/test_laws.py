"""Every operator of the table against every law."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import laws
import numpy as np
import pytest
import rustgrad as rg
from samples import OPS
from sampling import Case, Op, tensors

DIFFERENTIABLE = [op for op in OPS if op.differentiable]


def every(ops: list[Op]) -> Any:
    return pytest.mark.parametrize("op", ops, ids=lambda op: op.name)


@contextlib.contextmanager
def told(case: Case) -> Iterator[None]:
    """A failure names the sample."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in {case}")
        raise


def each(op: Op, law: Callable[[Case], None]) -> None:
    for case in op.cases():
        with told(case):
            law(case)


@every(OPS)
def test_value(op):
    each(op, lambda c: laws.check_value(c.function(), c.expected(), c.xs))


@every([op for op in OPS if op.integers])
def test_value_of_integers(op):
    def law(case):
        xs = [np.asarray(case.rng.integers(1, 7, x.shape)) for x in case.xs]
        if not xs or isinstance(case.sample.kwargs.get("alpha"), float):
            return
        found = laws.numbers(case.function()(*[rg.from_numpy(x) for x in xs]))
        laws.close(found, case.expected(xs), 1e-6, 0.0, "value of integers")

    each(op, law)


@every(DIFFERENTIABLE)
def test_jvp_is_the_limit_of_differences(op):
    each(op, lambda c: laws.check_jvp(c.function(floats=True), c.xs, c.rng))


@every(DIFFERENTIABLE)
def test_vjp_is_the_transpose_of_jvp(op):
    each(op, lambda c: laws.check_vjp(c.function(floats=True), c.xs, c.rng))


@every(DIFFERENTIABLE)
def test_second_order_agrees_in_every_nesting(op):
    each(op, lambda c: laws.check_second(c.function(floats=True), c.xs, c.rng))


@every([op for op in OPS if op.linear])
def test_linear_ops_are_linear(op):
    def law(case):
        f = case.function(floats=True)
        zeros = [np.zeros_like(x) for x in case.xs]
        ts = laws.directions(case.rng, case.xs)
        constant = laws.values(f, zeros)
        wanted = [a - b for a, b in zip(laws.values(f, ts), constant, strict=True)]
        found = laws.numbers(laws.forward(f, tensors(case.xs), tensors(ts)))
        laws.close(found, wanted, 1e-12, 1e-12, "the tangent of a linear op is the op of the tangent")

    each(op, law)


@every(DIFFERENTIABLE)
def test_forward_mode_goes_through_the_reverse_rule(op):
    each(op, lambda c: laws.check_jvp_of_vjp(c.function(floats=True), c.xs, c.rng))


@every(DIFFERENTIABLE)
def test_taylor_mode_is_nested_forward_mode(op):
    each(op, lambda c: laws.check_taylor(c.function(floats=True), c.xs, c.rng))


@every(OPS)
def test_vmap_is_a_loop(op):
    each(op, lambda c: laws.check_vmap(c.function(), c.xs))


@every([op for op in OPS if op.batched])
def test_vmap_goes_over_indices_and_masks(op):
    each(op, lambda c: laws.check_vmap(c.whole(), c.arrays))


@every([op for op in OPS if not op.batched])
def test_vmap_refuses_what_gives_every_lane_another_shape(op):
    def law(case):
        with pytest.raises(RuntimeError, match=r"^(index|masked_select|nonzero): .*where\(\)"):
            laws.check_vmap(case.whole(), case.arrays)

    each(op, law)


@every(DIFFERENTIABLE)
def test_vmap_nests_with_derivatives(op):
    each(op, lambda c: laws.check_vmap_derivatives(c.function(floats=True), c.xs, c.rng))


@every(OPS)
def test_complex_numbers_are_taken_by_all_laws_or_refused(op):
    each(op, lambda c: laws.check_complex(c.function(), lambda: c.expected(c.zs), c.zs, c.rng) if c.xs else None)


@every(OPS)
def test_float32_follows_float64(op):
    def law(case):
        single = case.function(floats=True, dtype=np.float32)
        laws.check_single(case.function(floats=True), single, case.xs, case.rng, op.differentiable, op.single)

    each(op, lambda case: law(case) if case.function(floats=True)(*tensors(case.xs)) else None)


@every([op for op in OPS if op.strided])
def test_layout_does_not_matter(op):
    each(op, lambda c: laws.check_layouts(c.function(floats=True), c.xs, c.rng, op.differentiable))


@every(OPS)
def test_threads_do_not_matter(op):
    def law(case):
        f = case.function()
        laws.check_threads(lambda: laws.values(f, case.xs))

    each(op, law)


@every([op for op in OPS if not op.differentiable])
def test_results_without_slope_require_no_gradient(op):
    def law(case):
        for y in case.function()(*tensors(case.xs, requires_grad=True)):
            assert not y.requires_grad or y.is_floating_point()

    each(op, law)


@every(DIFFERENTIABLE)
def test_nothing_is_recorded_without_need(op):
    def law(case):
        f = case.function()
        assert not any(y.requires_grad for y in f(*tensors(case.xs)))
        with rg.no_grad():
            results = f(*tensors(case.xs, requires_grad=True))
        assert not any(y.requires_grad and y.grad_fn is not None for y in results)

    each(op, law)


@every(DIFFERENTIABLE)
def test_inputs_and_cotangents_are_left_alone(op):
    def law(case):
        f = case.function(floats=True)
        xs = tensors(case.xs, requires_grad=True)
        ys = f(*xs)
        gs = tensors(laws.directions(case.rng, laws.numbers(ys)))
        before = [a.detach().numpy().copy() for a in (*xs, *gs)]
        rg.autograd.grad(ys, xs, gs)
        laws.close(laws.numbers((*xs, *gs)), before, 0.0, 0.0, "an input or cotangent was written to")

    each(op, law)


LARGE: dict[str, Callable[..., Any]] = {
    "sum": lambda x: x.sum(),
    "sum of rows": lambda x: x.sum(dim=1),
    "sum of columns": lambda x: x.sum(dim=0),
    "mean": lambda x: x.mean(),
    "var": lambda x: x.var(dim=0),
    "norm": lambda x: x.norm(),
    "logsumexp": lambda x: rg.logsumexp(x, dim=1),
    "softmax": lambda x: rg.softmax(x, dim=0),
    "cumsum": lambda x: x.cumsum(dim=1),
    "pointwise chain": lambda x: (x.sin() * x.exp() + 1.0).tanh(),
    "strided": lambda x: x.t().exp(),
    "matmul": lambda x: x[:, :500] @ x[:500, :],
    "matrix vector": lambda x: x @ x[0],
    "sort": lambda x: x.sort(dim=0)[0],
    "gather": lambda x: x[:, rg.arange(0, x.shape[1], 3)],
    "scatter": lambda x: x.index_add(0, rg.arange(x.shape[0]) % 7, x),
    "broadcast": lambda x: x + x[:1] * x[:, :1],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=str)
@pytest.mark.parametrize("name", LARGE)
def test_threads_do_not_matter_for_large_inputs(name, dtype):
    rng = np.random.default_rng(3)
    array = rng.standard_normal((701, 503)).astype(dtype)

    def both():
        x = rg.from_numpy(array.copy()).requires_grad_(True)
        y = LARGE[name](x)
        (y * y).sum().backward()
        return laws.numbers([y, x.grad])

    laws.check_threads(both)
