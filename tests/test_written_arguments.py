"""Functions that write in place to what they are given: every transform differentiates by what was given."""

import typing

import numpy as np
import pytest
import rustgrad as rg
from rustgrad import func

X = rg.tensor([0.3, -0.7, 1.1], dtype=rg.float64)
C = rg.tensor([1.5, 0.5, -2.0], dtype=rg.float64)


def written(x, c=C):
    """sin(2 x) c: the argument is overwritten twice, once through a view."""
    x.mul_(2.0)
    whole = x.view(x.shape)
    whole.sin_()
    return x * c


def plain(x, c=C):
    return (x * 2.0).sin() * c


class Pair(typing.NamedTuple):
    a: typing.Any
    b: typing.Any


REVERSE = {
    "vjp": lambda f: func.vjp(f, X)[1](C),
    "vjp of a tuple": lambda f: func.vjp(lambda x: (f(x), x), X)[1]((C, X * 0.0)),
    "vjp of a dict": lambda f: func.vjp(lambda x: {"y": f(x)}, X)[1]({"y": C}),
    "vjp with aux": lambda f: func.vjp(lambda x: (f(x), 1), X, has_aux=True)[1](C),
    "vjp by a pair": lambda f: func.vjp(lambda p: f(p.a, p.b), Pair(X, C))[1](C),
    "vjp by two": lambda f: func.vjp(f, X, C)[1](C),
    "grad": lambda f: func.grad(lambda x: f(x).sum())(X),
    "grad by two": lambda f: func.grad(lambda x, c: f(x, c).sum(), argnums=(0, 1))(X, C),
    "grad by name": lambda f: func.grad(lambda x, c: f(x, c).sum(), argnums="x")(X, c=C),
    "grad by a pair": lambda f: func.grad(lambda p: f(p.a, p.b).sum())(Pair(X, C)),
    "grad with aux": lambda f: func.grad(lambda x: (f(x).sum(), 1), has_aux=True)(X)[0],
    "value_and_grad": lambda f: func.value_and_grad(lambda p: f(p["x"]).sum())({"x": X})[1],
    "jacrev": lambda f: func.jacrev(f)(X),
    "jacrev in chunks": lambda f: func.jacrev(f, chunk_size=1)(X),
    "jacobian": lambda f: func.jacobian(f, mode="reverse")(X),
    "jacrev by two": lambda f: func.jacrev(f, argnums=(0, 1))(X, C),
    "vmap of grad": lambda f: func.vmap(func.grad(lambda x, c: f(x, c)))(X.clone(), C),
    "grad of vmap": lambda f: func.grad(lambda x: func.vmap(f)(x, C).sum())(X),
    "vhp": lambda f: func.vhp(lambda x: f(x).sum(), (X,), (C,)),
    "hvp": lambda f: func.hvp(lambda x: f(x).sum(), (X,), (C,)),
    "ggnvp": lambda f: func.ggnvp(f, lambda y: (y * y).sum(), (X,), (C,)),
    "hessian": lambda f: func.hessian(lambda x: f(x).sum())(X),
    "hess_diag": lambda f: func.hess_diag(lambda x: f(x).sum())(X),
    "laplacian": lambda f: func.laplacian(lambda x: f(x).sum())(X),
    "jvp": lambda f: func.jvp(f, (X,), (C,)),
    "jvp of a tuple": lambda f: func.jvp(lambda x: (f(x), x + 1.0)[0], (X,), (C,)),
    "linearize": lambda f: func.linearize(lambda x: {"y": f(x)}, X)[1](C),
    "jacfwd": lambda f: func.jacfwd(f)(X),
    "taylor": lambda f: func.taylor(f, X, C, order=3),
    "sparse_jacobian": lambda f: func.sparse_jacobian(f)(X).toarray(),
    "sparse_hessian": lambda f: func.sparse_hessian(lambda x: f(x).sum())(X).toarray(),
    "third order": lambda f: func.jacrev(func.hessian(lambda x: f(x).sum()))(X),
    "jvp of jacrev": lambda f: func.jvp(func.jacrev(f), (X,), (C,)),
    "autograd.functional": lambda f: rg.autograd.functional.jacobian(lambda x: f(x * 1.0), X),
}


def arrays(tree):
    leaves = tree if isinstance(tree, list) else [tree]
    flat = []
    for leaf in leaves:
        if isinstance(leaf, rg.Tensor):
            flat.append(leaf.numpy())
        elif isinstance(leaf, dict):
            flat += arrays(list(leaf.values()))
        elif isinstance(leaf, (tuple, list)):
            flat += arrays(list(leaf))
        else:
            flat.append(np.asarray(leaf))
    return flat


@pytest.mark.parametrize("way", REVERSE)
def test_derivatives_are_by_what_was_given(way):
    x, c = X.numpy().copy(), C.numpy().copy()
    found, wanted = arrays(REVERSE[way](written)), arrays(REVERSE[way](plain))
    if way == "vmap of grad":  # writes to a lane reach the caller's tensor: the copy was given
        np.testing.assert_allclose(wanted[0], 2 * np.cos(2 * x) * c, rtol=1e-14)
    assert len(found) == len(wanted) > 0
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(X.numpy(), x)
    np.testing.assert_array_equal(C.numpy(), c)


def test_a_linear_rule_that_writes_to_its_slopes_is_transposed_right():
    def slope(primals, tangents):
        (x,), (t,) = primals, tangents
        t = t * 1.0
        t.mul_(3.0)
        return x * 3.0, t

    @func.custom_jvp
    def triple(x):
        return x * 3.0

    triple.defjvp(slope)
    assert func.grad(lambda x: triple(x).sum())(X).tolist() == [3.0, 3.0, 3.0]


class Spoils(rg.autograd.Function):
    """x, with rules that overwrite what they are given."""

    @staticmethod
    def forward(x):
        return x * 1.0

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, g):
        return g.mul_(10.0)

    @staticmethod
    def jvp(ctx, t):
        return t.mul_(10.0)


def spoils_by_rule():
    f = func.custom_vjp(lambda x: x * 1.0)
    f.defvjp(lambda x: (x * 1.0, None), lambda _, g: (g[:].mul_(10.0),))
    return f


@pytest.mark.parametrize("n", [3, 5000])
@pytest.mark.parametrize("f", [Spoils.apply, spoils_by_rule()], ids=["Function", "custom_vjp"])
def test_rules_that_overwrite_a_shared_gradient_are_refused(f, n):
    """`x * 2 + f(x)` gives both terms the same cotangent, and a sum hands its tangent on as it is."""
    x, ones = rg.ones(n, requires_grad=True), rg.ones(n)
    way_out = r"the rule changes in place what it is given, .* let it change a clone\(\)"
    with pytest.raises(RuntimeError, match=way_out):
        (x * 2.0 + f(x)).backward(ones.clone())
    with pytest.raises(RuntimeError, match=way_out):
        func.vjp(lambda x: x * 2.0 + f(x), ones)[1](ones.clone())
    with pytest.raises(RuntimeError, match=f"{way_out}|not linear"):
        func.jvp(lambda x: (lambda y: f(y) + y)(x + 1.0), (ones,), (ones,))


def overwrites(x, a):
    """x² - a, in the memory of x."""
    x.mul_(x.clone())
    x.sub_(a)
    return x


def overwrites_parameter(x, a):
    a.mul_(-1.0)
    return x * x + a


IMPLICIT = {
    "residual": lambda a, bad: func.custom_root(bad)(lambda x, a: a.sqrt())(a.clone() * 0 + 1, a),
    "function": lambda a, bad: func.custom_fixed_point(bad)(lambda x, a: a.sqrt())(a.clone() * 0 + 1, a),
    "objective": lambda a, bad: func.argmin(lambda x, a: bad(x, a).sum(), lambda x, a: a.sqrt())(a * 0 + 1, a),
    "function matvec": lambda a, bad: func.custom_linear_solve(lambda v, b: bad(v, b), a, args=(a * 2,)),
}


@pytest.mark.parametrize("bad", [overwrites, overwrites_parameter])
@pytest.mark.parametrize("mode", ["value", "grad", "jvp", "vmap"])
@pytest.mark.parametrize("who", IMPLICIT)
def test_implicit_functions_refuse_what_overwrites_its_arguments(who, mode, bad):
    f = lambda a: IMPLICIT[who](a, bad)
    a = rg.tensor([2.0, 3.0], dtype=rg.float64)
    run = {
        "value": lambda: f(a),
        "grad": lambda: func.grad(lambda a: f(a).sum())(a),
        "jvp": lambda: func.jvp(f, (a,), (a,)),
        "vmap": lambda: func.vmap(f)(rg.ones(3, 2, dtype=rg.float64)),
    }
    with pytest.raises(RuntimeError, match=f"the {who} changes an argument in place|clone\\(\\) what detach"):
        run[mode]()


def test_a_solver_may_overwrite_its_start_but_not_its_arguments():
    def newton(x, a):
        for _ in range(30):
            x.add_(a / x).mul_(0.5)
        return x

    def spoils(x, a):
        return a.sqrt_()

    residual = lambda x, a: x * x - a
    a = rg.tensor(4.0, dtype=rg.float64)
    assert func.grad(lambda a: func.custom_root(residual)(newton)(rg.ones((), dtype=rg.float64), a))(a) == 0.25
    with pytest.raises(RuntimeError, match="custom_root: the solver changes an argument in place"):
        func.grad(lambda a: func.custom_root(residual)(spoils)(rg.ones((), dtype=rg.float64), a))(a.clone())
