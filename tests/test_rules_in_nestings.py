"""Functions with rules of their own, nested in derivatives and lanes: right, or refused where a slope would be lost."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg
from laws import close
from rustgrad import NotDifferentiableError
from rustgrad.func import custom_jvp, custom_root, custom_vjp, grad, hessian, jacfwd, jacrev, jvp, linearize, vmap
from rustgrad.utils.checkpoint import checkpoint

X = rg.from_numpy(np.random.default_rng(3).uniform(-1, 1, (2, 3)))
T = rg.from_numpy(np.random.default_rng(4).uniform(-1, 1, (2, 3)))


def by_residuals():
    sine = custom_vjp(lambda x: rg.sin(x))
    sine.defvjp(lambda x: (rg.sin(x), rg.cos(x)), lambda slope, g: (g * slope,))
    return sine


def by_tangent():
    sine = custom_jvp(lambda x: rg.sin(x))
    sine.defjvp(lambda xs, ts: (sine(*xs), ts[0] * xs[0].cos()))
    return sine


class Sine(rg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return rg.sin(x)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()


class OfASlopeOfItsOwn(rg.autograd.Function):
    """What it saved is neither argument nor output: nobody knows how it depends on them."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(rg.cos(x))
        return rg.sin(x)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


SINES = {
    "custom_vjp": by_residuals(),
    "custom_jvp": by_tangent(),
    "Function": Sine.apply,
    "checkpoint": lambda x: checkpoint(rg.sin, x),
}
rows = lambda sine: lambda x: (sine(x) * sine(x).sum()).sum()
total = lambda sine: lambda x: vmap(rows(sine))(x).sum()
SECOND = {
    "grad of vmap of grad": lambda s: grad(lambda x: (vmap(grad(rows(s)))(x) * T).sum())(X),
    "grad of grad of vmap": lambda s: grad(lambda x: (grad(total(s))(x) * T).sum())(X),
    "vmap of grad of grad": lambda s: vmap(lambda x, t: grad(lambda x: (grad(rows(s))(x) * t).sum())(x))(X, T),
    "jvp of vmap of grad": lambda s: jvp(vmap(grad(rows(s))), (X,), (T,))[1],
    "jvp of grad of vmap": lambda s: jvp(grad(total(s)), (X,), (T,))[1],
    "grad of vmap of jvp": lambda s: grad(lambda x: vmap(lambda x, t: jvp(rows(s), (x,), (t,))[1])(x, T).sum())(X),
    "grad of jvp of vmap": lambda s: grad(lambda x: jvp(total(s), (x,), (T,))[1])(X),
    "jvp of jvp of vmap": lambda s: jvp(lambda x: jvp(total(s), (x,), (x.cos(),))[1], (X,), (T,))[1],
    "jvp of linearize of vmap": lambda s: jvp(lambda x: linearize(total(s), x)[1](T), (X,), (T,))[1],
    "vmap of hessian": lambda s: vmap(hessian(rows(s)))(X),
    "jacfwd of vmap of jacrev": lambda s: jacfwd(vmap(jacrev(rows(s))))(X),
    "jacrev of vmap of jacfwd": lambda s: jacrev(vmap(jacfwd(rows(s))))(X),
}


@pytest.mark.parametrize("nesting", SECOND)
@pytest.mark.parametrize("sine", SINES)
def test_rules_are_differentiated_through_lanes(sine, nesting):
    found, wanted = (SECOND[nesting](s).numpy() for s in (SINES[sine], rg.sin))
    assert np.abs(wanted).max() > 0.1
    close([found], [wanted], 1e-12, 1e-12, nesting)


FIRST = {
    "grad": lambda s: grad(lambda x: s(x).sum())(X),
    "jvp": lambda s: jvp(s, (X,), (T,))[1],
    "vmap of grad": lambda s: vmap(grad(lambda x: s(x).sum()))(X),
    "jacrev": lambda s: jacrev(s)(X),
    "jacfwd": lambda s: jacfwd(s)(X),
    "a vectorized sweep": lambda s: rg.autograd.functional.jacobian(s, X, vectorize=True),
    "backward": lambda s: rg.autograd.grad(s(x := X.clone().requires_grad_()).sum(), x)[0],
}


@pytest.mark.parametrize("way", FIRST)
def test_what_a_rule_saved_for_itself_serves_the_first_derivative(way):
    found, wanted = (FIRST[way](s).numpy() for s in (OfASlopeOfItsOwn.apply, rg.sin))
    close([found], [wanted], 1e-13, 0.0, way)


def recorded_twice(s):
    x = X.clone().requires_grad_()
    (g,) = rg.autograd.grad(s(x).sum() + (x * x).sum(), x, create_graph=True)
    return rg.autograd.grad(g.sum(), x)


linear = lambda s: lambda x: s(x).sum()
REFUSED = {
    **{name: SECOND[name] for name in SECOND},
    "grad of grad": lambda s: grad(lambda x: grad(linear(s))(x).sum())(X),
    "grad of vmap of grad, one lane each": lambda s: grad(lambda x: vmap(grad(linear(s)))(x).sum())(X),
    "jvp of grad": lambda s: jvp(grad(linear(s)), (X,), (T,)),
    "create_graph": recorded_twice,
}


@pytest.mark.parametrize("nesting", REFUSED)
def test_what_a_rule_saved_for_itself_does_not_pass_for_a_constant(nesting):
    with pytest.raises(NotDifferentiableError, match=r"^OfASlopeOfItsOwn: .* return it as a further output"):
        REFUSED[nesting](OfASlopeOfItsOwn.apply)


def test_captured_tensors_do_not_hide_behind_lanes():
    w = rg.tensor(2.0, dtype=rg.float64)
    checkpointed = lambda w: vmap(lambda x: checkpoint(lambda x: (x * w).sin().sum(), x))(X).sum()
    assert grad(checkpointed)(w).item() == pytest.approx((X * (X * w).cos()).sum().item())

    def rooted(w):
        root = custom_root(lambda z, y: z - y * w)(lambda z, y: y * w)
        return vmap(lambda y: root(y * 0, y).sum())(X).sum()

    with pytest.raises(RuntimeError, match=r"custom_root: .* so its derivative would be lost; pass it as an argument"):
        grad(rooted)(w)


def test_series_and_patterns_look_into_a_checkpoint():
    f = lambda x: checkpoint(lambda x: (x[1:] * x[:-1]).sin(), x)
    plain = lambda x: (x[1:] * x[:-1]).sin()
    x, v = X.reshape(-1), T.reshape(-1)
    for found, wanted in zip(*(rg.func.taylor(g, x, v, 3, method="pass") for g in (f, plain)), strict=True):
        close([found.numpy()], [wanted.numpy()], 1e-13, 1e-14, "coefficient")
    assert (
        rg.func.hess_diag(lambda x: f(x).sum())(x).tolist() == rg.func.hess_diag(lambda x: plain(x).sum())(x).tolist()
    )
    assert rg.func.jacobian_sparsity(f, x).nnz == rg.func.jacobian_sparsity(plain, x).nnz == 10
