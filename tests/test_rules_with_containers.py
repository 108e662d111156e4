"""Functions that keep their arguments in a list on ctx: first derivatives are right, others right or refused."""

from __future__ import annotations

import pytest
import rustgrad as rg
from rustgrad import func
from rustgrad.autograd import Function, grad
from rustgrad.autograd.function import once_differentiable

F64 = rg.float64
X = rg.tensor([1.0, 2.0], dtype=F64)


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.kept = [x]
        return x**3

    @staticmethod
    def backward(ctx, g):
        return 3 * g * ctx.kept[0] ** 2


class CubeApart(Function):
    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.kept = {"inputs": inputs}

    @staticmethod
    def backward(ctx, g):
        return 3 * g * ctx.kept["inputs"][0] ** 2


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.kept = (x.exp(),)
        return ctx.kept[0]

    @staticmethod
    def backward(ctx, g):
        return g * ctx.kept[0]


class Once(Function):
    forward = Cube.forward

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        return rg.as_tensor(3 * g.numpy() * ctx.kept[0].detach().numpy() ** 2)


def total(rule):
    return lambda x: rule.apply(x).sum()


SECOND = {
    "forward over reverse": func.hessian,
    "reverse over reverse": lambda f: func.jacrev(func.jacrev(f)),
    "forward over forward": lambda f: func.jacfwd(func.jacfwd(f)),
}


@pytest.mark.parametrize("rule", [Cube, CubeApart, Exp])
def test_first_derivatives(rule):
    wanted = (X.exp() if rule is Exp else 3 * X**2).tolist()
    assert func.grad(total(rule))(X).tolist() == wanted
    assert func.jvp(rule.apply, (X,), (rg.ones_like(X),))[1].tolist() == wanted
    assert func.vmap(func.grad(rule.apply))(X).tolist() == wanted


@pytest.mark.parametrize("nesting", SECOND)
@pytest.mark.parametrize("rule", [Cube, Exp, Once])
def test_second_derivatives_are_refused(rule, nesting):
    with pytest.raises(rg.NotDifferentiableError, match=f"{rule.__name__}: "):
        SECOND[nesting](total(rule))(X)


@pytest.mark.parametrize("nesting", SECOND)
def test_a_context_of_every_level_holds_what_it_should(nesting):
    assert SECOND[nesting](total(CubeApart))(X).tolist() == [[6.0, 0.0], [0.0, 12.0]]


def test_plain_double_backward():
    def twice(rule):
        x = X.clone().requires_grad_(True)
        (g,) = grad(rule.apply(x).sum(), x, create_graph=True)
        return grad((g + x).sum(), x)[0]

    assert twice(Cube).tolist() == [7.0, 13.0]
    with pytest.raises(rg.NotDifferentiableError, match=r"Exp: .*list, tuple or dict"):
        twice(Exp)
    with pytest.raises(rg.NotDifferentiableError, match=r"Once: .*once_differentiable"):
        twice(Once)


def test_constants_in_a_list_are_constants():
    class Weighted(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.weights = [rg.tensor([1.0, 10.0], dtype=F64)]
            return x * x * ctx.weights[0]

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x * ctx.weights[0]

    assert func.hessian(total(Weighted))(X).tolist() == [[2.0, 0.0], [0.0, 20.0]]


def test_the_pattern_of_a_rule_that_is_differentiable_once_is_not_empty():
    class Attribute(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.x = x
            return x**3

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return rg.as_tensor(3 * g.numpy() * ctx.x.detach().numpy() ** 2)

    assert func.hessian_sparsity(total(Attribute), X).nnz >= 2
