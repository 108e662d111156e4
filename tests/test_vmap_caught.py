"""A function that catches the refusal of numbers under ``vmap`` still runs lane by lane, or is refused."""

from __future__ import annotations

import warnings

import pytest
import rustgrad as rg
from rustgrad.func import jacrev, vmap

X = rg.tensor([-1.0, 2.0])


def catching(x):
    try:
        return x * 2 if x > 0 else -x
    except Exception:
        return x * 0


@pytest.mark.filterwarnings("ignore:.*lane by lane")
@pytest.mark.parametrize("given", [{}, {"chunk_size": 1}, {"chunk_size": 3}, {"out_dims": (0,)}])
def test_runs_lane_by_lane(given):
    assert vmap(catching, **given)(X).tolist() == [1, 4]


def test_warns_once():
    def f(x):
        return catching(x)

    with pytest.warns(UserWarning, match=r"vmap: f asks .* lane by lane.*it catches the refusal"):
        vmap(f)(X)


@pytest.mark.filterwarnings("ignore:.*lane by lane")
def test_writes_before_it_are_not_repeated():
    x = X.clone()

    def f(x):
        x.add_(1)
        return catching(x)

    assert vmap(f)(x).tolist() == [0, 6]
    assert x.tolist() == [0, 3]


def test_is_refused_where_nothing_may_run_lane_by_lane():
    with pytest.raises(rg.DataDependentError, match="catches the refusal"):
        vmap(catching, fallback="error")(X)


@pytest.mark.filterwarnings("ignore:.*lane by lane")
def test_the_level_that_was_asked_runs_again():
    pairs = rg.tensor([[1.0, -2.0], [3.0, 4.0]])
    wanted = [[2, 2], [6, 8]]
    assert vmap(vmap(catching))(pairs).tolist() == wanted
    assert vmap(lambda row: vmap(lambda x, s: catching(s) + 0 * x, (0, None))(row, row[0]))(pairs).tolist() == [
        [2, 2], [6, 6],
    ]  # fmt: skip


def test_other_exceptions_pass():
    def f(x):
        try:
            float(x)
        except Exception as error:
            raise KeyError("own") from error

    with pytest.raises(KeyError, match="own"):
        vmap(f)(X)


def test_what_the_library_answers_itself_is_no_refusal():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbers = rg.tensor([[0, 1], [1, 0]])
        assert vmap(lambda i: rg.nn.functional.one_hot(i, 2), fallback="error")(numbers).shape == (2, 2, 2)
        rows = rg.arange(6.0).reshape(3, 2)
        assert vmap(lambda i: rows[i].max(i), fallback="error")(rg.tensor([0, 2])).tolist() == [[0, 1], [4, 5]]
        assert vmap(lambda x: (repr(x), f"{x}", x)[2], fallback="error")(X).tolist() == [-1, 2]


class Halved(rg.autograd.Function):
    """A function whose rules ask for numbers and catch the refusal."""

    @staticmethod
    def forward(x):
        try:
            return rg.tensor(x.item() / 2)
        except Exception:
            return x * 0

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, g):
        try:
            return rg.tensor(g.item() / 2)
        except Exception:
            return g * 0


@pytest.mark.filterwarnings("ignore:.*lane by lane")
def test_rules_of_functions_that_catch_it():
    assert vmap(Halved.apply)(X).tolist() == [-0.5, 1]
    x = X.clone().requires_grad_()
    y = Halved.apply(x[0]) + Halved.apply(x[1]) * 2
    (g,) = rg.autograd.grad(y, x, grad_outputs=rg.tensor([1.0, 2.0]), is_grads_batched=True)
    assert g.tolist() == [[0.5, 1], [1, 2]]
    both = lambda x: rg.stack([Halved.apply(x[0]), Halved.apply(x[1])])
    assert jacrev(both)(X).tolist() == [[0.5, 0], [0, 0.5]]


def test_a_function_that_answers_for_itself_does_not_make_all_run_lane_by_lane():
    seen = []

    class Own(rg.autograd.Function):
        @staticmethod
        def forward(x):
            return rg.tensor(x.item() / 2)

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

    def f(x):
        seen.append(x)
        return Own.apply(x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert vmap(f)(X).tolist() == [-0.5, 1]
    assert len(seen) == 1
