"""What transforms say and give at the edges: names in errors, outputs and inputs without derivatives or elements."""

from __future__ import annotations

import pytest
import rustgrad as rg
from rustgrad import func

F64 = rg.float64
X = rg.tensor([1.0, 2.0], dtype=F64)
along = lambda x: rg.ones_like(x)

#: Every transform as a function of a function and a point.
CALLS = {
    "vjp": lambda f, x: func.vjp(f, x)[1](along(x)),
    "jvp": lambda f, x: func.jvp(f, (x,), (along(x),)),
    "grad": lambda f, x: func.grad(f)(x),
    "grad_and_value": lambda f, x: func.grad_and_value(f)(x),
    "value_and_grad": lambda f, x: func.value_and_grad(f)(x),
    "linearize": lambda f, x: func.linearize(f, x)[1](along(x)),
    "jacrev": lambda f, x: func.jacrev(f)(x),
    "jacfwd": lambda f, x: func.jacfwd(f)(x),
    "jacobian": lambda f, x: func.jacobian(f)(x),
    "hessian": lambda f, x: func.hessian(f)(x),
    "hess_diag": lambda f, x: func.hess_diag(f)(x),
    "laplacian": lambda f, x: func.laplacian(f)(x),
    "hvp": lambda f, x: func.hvp(f, (x,), (along(x),)),
    "vhp": lambda f, x: func.vhp(f, (x,), (along(x),)),
    "ggnvp": lambda f, x: func.ggnvp(f, lambda y: y.sum(), (x,), (along(x),)),
    "sparse_jacobian": lambda f, x: func.sparse_jacobian(f)(x),
    "sparse_hessian": lambda f, x: func.sparse_hessian(f)(x),
    "jacobian_sparsity": func.jacobian_sparsity,
    "hessian_sparsity": func.hessian_sparsity,
}
GRADIENTS = ["grad", "grad_and_value", "value_and_grad", "hvp", "vhp", "sparse_hessian", "hessian_sparsity"]


@pytest.mark.parametrize("name", CALLS)
def test_results_that_are_no_tensors(name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: .*float"):
        CALLS[name](lambda x: 3.0, X)


@pytest.mark.parametrize("name", CALLS)
def test_integers_have_no_derivatives(name):
    with pytest.raises((TypeError, rg.NotDifferentiableError), match=f"^{name}: .*int64.*"):
        CALLS[name](lambda x: (x * 1.5).sum(), rg.tensor([1, 2]))


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_of_single_numbers(name):
    with pytest.raises(ValueError, match=rf"^{name}: the function must return a 0-d tensor, not \[2\]"):
        CALLS[name](lambda x: x * x, X)
    with pytest.raises(TypeError, match=f"^{name}: the function must return a real number, not .*complex"):
        CALLS[name](lambda x: (x * 1j).sum(), X)


@pytest.mark.parametrize("name", GRADIENTS)
def test_errors_from_inside_of_the_function_keep_their_names(name):
    with pytest.raises(ValueError, match=r"^grad: the function must return a 0-d tensor, not \[2\]"):
        CALLS[name](lambda x: func.grad(lambda y: y * y)(x).sum(), X)


@pytest.mark.parametrize("name", ["hessian", "jacrev", "jacfwd", "jacobian"])
def test_complex_results_are_refused_by_name(name):
    with pytest.raises(rg.NotDifferentiableError, match=f"^{name}: a function of complex numbers"):
        CALLS[name](lambda x: x * 1j, X)


@pytest.mark.parametrize("dtype", [rg.int64, rg.bool])
@pytest.mark.parametrize("name", ["jacrev", "jacfwd", "jacobian", "hessian", "hess_diag", "laplacian"])
def test_outputs_without_derivatives_give_zeros_that_can_hold_some(name, dtype):
    for f in (lambda x: (3 * x).to(dtype), lambda x: rg.ones(2, dtype=dtype)):
        found = CALLS[name](f, X)
        assert (found.dtype, found.abs().sum().item()) == (F64, 0)
    square, other = CALLS[name](lambda x: (x * x, x.to(dtype)), X)
    assert (other.dtype, other.shape, other.abs().sum().item()) == (F64, square.shape, 0)
    assert square.abs().sum().item() > 0


def test_outputs_without_derivatives_by_inputs_of_several_dtypes():
    f = lambda x, y: (x.sum() + y.sum()).to(rg.int64)
    for transform in (func.jacrev, func.jacfwd):
        found = transform(f, argnums=(0, 1))(X, rg.ones(3))
        assert [(g.dtype, list(g.shape)) for g in found] == [(F64, [2]), (rg.float32, [3])]


EMPTY = rg.zeros(0, 3, dtype=F64)
NUMBER, VECTOR, NOTHING = lambda x: (x**3).sum(), lambda x: rg.stack([x.sum(), x.sum()]), lambda x: x * 2
SHAPES = {
    "jacrev": ([0, 3], [2, 0, 3], [0, 3, 0, 3]),
    "jacfwd": ([0, 3], [2, 0, 3], [0, 3, 0, 3]),
    "jacobian": ([0, 3], [2, 0, 3], [0, 3, 0, 3]),
    "hessian": ([0, 3, 0, 3], [2, 0, 3, 0, 3], [0, 3, 0, 3, 0, 3]),
    "hess_diag": ([0, 3], [2, 0, 3], [0, 3, 0, 3]),
    "laplacian": ([], [2], [0, 3]),
    "sparse_jacobian": ((1, 0), (2, 0), (0, 0)),
}


@pytest.mark.parametrize("options", [{}, {"chunk_size": 1}, {"max_bytes": 1000}])
@pytest.mark.parametrize("name", SHAPES)
def test_arguments_without_elements(name, options):
    for f, shape in zip((NUMBER, VECTOR, NOTHING), SHAPES[name], strict=True):
        found = getattr(func, name)(f, **options)(EMPTY)
        assert type(shape)(found.shape) == shape
        assert str(found.dtype).endswith("float64") and not abs(found).sum()


def test_arguments_without_elements_beside_others():
    f = lambda xs: (xs[0] ** 3).sum() + (xs[1] ** 3).sum()
    empty, other = func.hess_diag(f)((EMPTY, X))
    assert list(empty.shape) == [0, 3] and other.tolist() == (6 * X).tolist()
    assert func.laplacian(f)((EMPTY, X)).item() == 18.0
    with pytest.raises(ValueError, match=r"hess_diag: .* no tensors"):
        func.hess_diag(lambda x: rg.ones(2))(())


def test_second_derivatives_of_nothing_under_other_transforms():
    total = lambda x: func.laplacian(NUMBER)(x) + func.hess_diag(NUMBER)(x).sum()
    assert func.grad(total)(EMPTY).shape == EMPTY.shape
    assert func.vmap(func.hess_diag(NUMBER))(rg.zeros(4, 0)).shape == (4, 0)
    assert func.vmap(func.laplacian(NUMBER))(rg.zeros(0, 4)).shape == (0,)


@pytest.mark.parametrize("name", ["hvp", "vhp", "ggnvp"])
def test_products_with_nothing(name):
    (found,) = CALLS[name](NUMBER, EMPTY)
    assert (found.shape, found.dtype) == (EMPTY.shape, F64)


def test_the_minimum_over_nothing():
    assert func.argmin(lambda x, a: (x * x).sum() + a)(EMPTY, rg.tensor(1.0, dtype=F64)).shape == EMPTY.shape


def test_no_lanes():
    assert list(func.vmap(NUMBER)(EMPTY).shape) == [0]
    assert list(func.vmap(func.hessian(NUMBER))(EMPTY).shape) == [0, 3, 3]


@pytest.mark.parametrize(
    "name", ["relu6", "hardtanh", "elu", "selu", "leaky_relu", "silu", "gelu", "softplus", "logsigmoid"]
)
def test_activations_refuse_in_their_own_name(name):
    with pytest.raises(TypeError, match=f"^{name}: "):
        getattr(rg.nn.functional, name)(rg.tensor([1.0 + 1.0j]))


def test_limits_refuse_in_their_own_name():
    with pytest.raises(TypeError, match=r"^clamp: "):
        rg.tensor([1.0 + 1.0j]).clamp(0.0)
