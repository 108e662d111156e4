"""Every in-place form computes, and differentiates, as the method of its name; those of views keep the storage."""

from __future__ import annotations

import numpy as np
import pytest
import rustgrad as rg
from samples import OPS
from sampling import Case, replace

#: What fills, draws or changes flags, instead of computing from the tensor's own elements.
OTHERS = set("bernoulli_ copy_ detach_ exponential_ fill_ normal_ random_ requires_grad_ uniform_ zero_".split())
VIEWS = set("squeeze_ swapaxes_ swapdims_ t_ transpose_ unsqueeze_".split())
FORMS = [name for name in dir(rg.Tensor) if name.endswith("_") and name[0] != "_" and name not in OTHERS | VIEWS]


def cases_of(form: str) -> list[Case]:
    """Samples of the operator behind a form, which may be in the table under another name."""
    method = getattr(rg.Tensor, form[:-1])
    return [case for op in OPS if getattr(rg.Tensor, op.name, None) is method for case in op.cases()]


@pytest.mark.parametrize("form", FORMS)
def test_an_in_place_form_is_its_method(form):
    tried = 0
    for case in cases_of(form):
        args, kwargs = replace((case.sample.args, case.sample.kwargs), iter([rg.tensor(a) for a in case.arrays]))
        x = next((a for a in args if isinstance(a, rg.Tensor)), None)
        if x is None:
            continue
        others = [a for a in args if a is not x]
        x.requires_grad_(x.is_floating_point())
        wanted = getattr(x, form[:-1])(*others, **kwargs)
        if wanted.shape != x.shape:
            continue
        tried += 1
        y = x.clone()
        address = y.data_ptr()
        assert getattr(y, form)(*others, **kwargs) is y
        assert y.data_ptr() == address
        np.testing.assert_array_equal(y.detach().numpy(), wanted.detach().to(y.dtype).numpy())
        if wanted.requires_grad:
            g = rg.rand(y.shape, dtype=y.dtype)
            np.testing.assert_allclose(
                rg.autograd.grad(y, x, g)[0].numpy(), rg.autograd.grad(wanted, x, g)[0].numpy(), rtol=1e-12
            )
    assert tried, f"no sample of the table tries {form}"


@pytest.mark.parametrize(("turn", "seen"), [
    (lambda t: t.transpose_(0, -1), lambda a: np.swapaxes(a, 0, -1)),
    (lambda t: t.swapaxes_(0, 1), lambda a: np.swapaxes(a, 0, 1)),
    (lambda t: t.squeeze_(), np.squeeze),
    (lambda t: t.squeeze_(1), lambda a: np.squeeze(a, 1)),
    (lambda t: t.unsqueeze_(-1), lambda a: a[..., None]),
    (lambda t: t.squeeze_(1).t_(), lambda a: a[:, 0].T),
])  # fmt: skip
@pytest.mark.parametrize("part_of_a_family", [False, True])
def test_views_in_place_show_the_same_storage(turn, seen, part_of_a_family):
    a = np.arange(6.0).reshape(2, 1, 3)
    x = rg.tensor(a, requires_grad=True)
    y = x * 1
    row = y[0] if part_of_a_family else None
    assert turn(y) is y and y.data_ptr() == (y.detach()).data_ptr()
    np.testing.assert_array_equal(y.detach().numpy(), seen(a))
    y.mul_(y.detach().clone() + 1)
    if row is not None:
        np.testing.assert_array_equal(row.detach().numpy(), (a * (a + 1))[0])
        row.mul_(2)
    factor = np.where(np.arange(2)[:, None, None] == 0, 2.0 if part_of_a_family else 1.0, 1.0)
    np.testing.assert_array_equal(y.detach().numpy(), seen(a * (a + 1) * factor))
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), (a + 1) * factor)


def test_a_leaf_that_is_followed_is_not_turned():
    x = rg.zeros(2, 3, requires_grad=True)
    for grad_mode in (rg.enable_grad, rg.no_grad):
        with grad_mode(), pytest.raises(RuntimeError, match=r"t_: .*leaf"):
            x.t_()
    assert x.shape == (2, 3)


@pytest.mark.parametrize("overwrite", [
    lambda y: y.zero_(), lambda y: y.fill_(2.0), lambda y: y.copy_(rg.ones(3)), lambda y: y.__setitem__(..., 1.0),
    lambda y: y.normal_(), lambda y: y[:].zero_(),
])  # fmt: skip
def test_what_constants_are_written_over_stays_followed_with_slope_zero(overwrite):
    x = rg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 3
    overwrite(y)
    assert y.requires_grad and not y.is_leaf
    (y * x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())
    z = x * 3
    with rg.no_grad():
        z.zero_()
    assert z.requires_grad  # its history is as before: no_grad writes are not seen
    w = rg.ones(3)
    assert not w.zero_().requires_grad
