"""The numbers behind ``gradcheck``: differences, comparisons, and complex functions by PyTorch's convention."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg
from rustgrad._checks import differences as _differences
from rustgrad._checks import jacobians as _jacobians
from rustgrad._checks import modes as _gradcheck_modes
from rustgrad.autograd import GradcheckError

# Complex tensors cannot require gradients yet; the numbers behind the checks of them can be tested.
Z = np.array([[1 + 2j, -0.5j], [0.3, 2 - 1j]])
COMPLEX = {
    # Cotangent to gradient, by the conjugate Wirtinger derivatives of each function.
    "square": (lambda z: z * z, lambda g: g * np.conj(2 * Z)),
    "conj": (lambda z: z.conj(), lambda g: np.conj(g)),
    "product with its conjugate": (lambda z: z * z.conj(), lambda g: 2 * Z * g.real),
    "real": (lambda z: z.real, lambda g: g + 0j),
    "imag": (lambda z: z.imag, lambda g: 1j * g),
    "abs": (lambda z: z.abs(), lambda g: g * Z / np.abs(Z)),
    "exp": (lambda z: z.exp(), lambda g: g * np.conj(np.exp(Z))),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_jacobians(name):
    f, gradient = COMPLEX[name]
    z = rg.from_numpy(Z.copy())
    y = _differences.numbers(f(z))
    values = lambda: [_differences.coordinates(_differences.numbers(f(z)))]
    (numerical,) = _differences.numerical_jacobians(values, _differences.numbers(z), 1e-6)
    pull = lambda v: [_differences.coordinates(gradient(_differences.from_coordinates(v, y)))]
    (analytic,) = _jacobians.reverse_jacobians(pull, y)
    assert analytic.shape == (y.size * (2 if np.iscomplexobj(y) else 1), 8)
    assert _differences.worst(analytic, numerical, 1e-7, 1e-7) is None
    np.testing.assert_array_equal(z.numpy(), Z)
    # Without the conjugate the same comparison fails.
    wrong = lambda v: [_differences.coordinates(1j * gradient(_differences.from_coordinates(v, y)))]
    assert _differences.worst(_jacobians.reverse_jacobians(wrong, y)[0], numerical, 1e-7, 1e-7) is not None
    direction = np.arange(8.0)
    (product,) = _differences.numerical_product(values, _differences.numbers(z), direction, 1e-6)
    np.testing.assert_allclose(product, numerical @ direction, rtol=1e-6, atol=1e-8)


class Formula(_jacobians.Case):
    """A case whose gradients come from a formula instead of from the library."""

    @property
    def chosen(self):
        return [0]

    def outputs(self):
        return dict(enumerate(self.call(self.inputs)))

    def gradients(self, outputs, cotangents):
        (g,) = cotangents
        return [_differences.coordinates(COMPLEX[self.name][1](g.numpy()) * self.factor)]

    factor = 1.0


class Wrong(Formula):
    factor = np.array([[1.0, 1.0], [1.0, 1j]])


@pytest.mark.parametrize("name", COMPLEX)
def test_checks_of_complex_functions(name):
    tol = _gradcheck_modes.Tolerance(1e-6, 1e-6, 1e-6, 0.0)
    names = lambda i: f"input {i}", lambda k: f"output {k}"

    def checks(cls):
        case = cls(name, COMPLEX[name][0], (rg.from_numpy(Z.copy()),), True, *names)
        yield lambda: _gradcheck_modes.check_reverse_slow(case, tol, _gradcheck_modes.numerical_tables(case, tol))
        yield lambda: _gradcheck_modes.check_fast(case, tol, True, False)

    for check in checks(Formula):
        check()
    for check in checks(Wrong):
        with pytest.raises(
            GradcheckError, match=r"of output 0 at \[1, 1\].* by input 0 at \[1, 1\] \((real|imaginary)"
        ):
            check()


def test_complex_coordinates():
    v = _differences.coordinates(Z.T)
    np.testing.assert_array_equal(v[:4], [1, 2, 0.3, 0])
    np.testing.assert_array_equal(_differences.from_coordinates(v, Z.T), Z.T)
    single = Z.astype(np.complex64)
    assert _differences.from_coordinates(_differences.coordinates(single), single).dtype == np.complex64
    assert _differences.place(3, Z) == "[0, 1] (imaginary part)"
    assert _differences.place(4, Z) == "[1, 0] (real part)"
    assert _differences.place(3, Z.real) == "[1, 1]"


def test_the_worst_of_two_arrays():
    a = np.array([[1.0, 2.0], [3.0, np.nan]])
    assert _differences.worst(a, a, 0.0, 0.0, equal_nan=True) is None
    assert _differences.worst(a, a, 1.0, 1.0)[0] == (1, 1)
    b = np.array([[1.0, 2.5], [3.6, np.nan]])
    assert _differences.worst(a, b, 0.1, 0.0, equal_nan=True) == ((1, 0), 3.0, 3.6)
    assert _differences.worst(a[:0], b[:0], 0.0, 0.0) is None
