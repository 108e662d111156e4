"""Derivatives of a function at a point: products with Jacobian and Hessian, and the whole matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import _core
from .. import func as _func
from .._core import Tensor
from ._refusal import not_differentiable
from .grad_mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = tuple[Tensor, ...]


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of ``func`` and the cotangents of its inputs for the cotangent ``v`` of the output: ``v @ J``.

    ``inputs``, the output and ``v`` are tensors or tuples of tensors. Shapes and dtypes: ``v`` has the output's (it may
    be left out for a single number), the result has the inputs'. Raises TypeError for other things than tensors,
    ValueError for another shape, and with ``strict`` RuntimeError where an output or an input takes no part.

    Derivative: with ``create_graph`` output and result are recorded on inputs that require a gradient.

    >>> import rustgrad as rg
    >>> x = rg.tensor([1.0, 2.0])
    >>> rg.autograd.functional.vjp(lambda x: x**2, x, rg.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        several_in, xs = _recorded("vjp", inputs, create_graph)
        several_out, ys = _tuple_of("vjp", "the output of the function", func(*xs))
        gs = _vector("vjp", v, ys, "output", create_graph)
        if strict:
            _must_depend("vjp", ys, xs)
        found = _filled(_pull(ys, xs, gs, create_graph), xs)
    if strict and create_graph:
        _must_vary("vjp", found)
    return _given(ys, several_out, create_graph), _given(found, several_in, create_graph)


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of ``func`` and its tangent for the tangent ``v`` of the inputs: ``J @ v``, in one forward pass.

    ``inputs``, the output and ``v`` are tensors or tuples of tensors. Shapes and dtypes: ``v`` has the inputs' (it may
    be left out for a single number), the result has the output's. Raises TypeError for other things than tensors,
    ValueError for another shape, and with ``strict`` RuntimeError where an output or an input takes no part. The pass
    is recorded as well, so that ``func`` may call ``autograd.grad``; ``rustgrad.func.jvp`` needs less memory.

    Derivative: with ``create_graph`` output and result are recorded on inputs that require a gradient.

    >>> import rustgrad as rg
    >>> x = rg.tensor([1.0, 2.0])
    >>> rg.autograd.functional.jvp(lambda x: x.prod(), x, rg.tensor([1.0, 0.0]))
    (tensor(2.), tensor(2.))
    """
    with enable_grad():
        _, xs = _recorded("jvp", inputs, create_graph)
        ts = _vector("jvp", v, xs, "inputs", create_graph)
        several, ys, slopes = _push("jvp", func, xs, dict(enumerate(ts)))
        if strict:
            _must_depend("jvp", ys, xs)
    if strict and create_graph:
        _must_vary("jvp", slopes)
    return _given(ys, several, create_graph), _given(slopes, several, create_graph)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of ``func``: the derivative of every element of its output by every element of its inputs.

    Shapes: the output's followed by the input's; a tuple for a tuple of outputs or of inputs, a tuple of tuples
    ``J[output][input]`` for both. Dtypes: the input's, or the output's in forward mode. Reverse mode sweeps once per
    element of the output, forward mode runs ``func`` once per element of the inputs; ``vectorize`` does all of them at
    once by ``rustgrad.func.vmap``. Raises TypeError for other things than tensors, ValueError for another strategy, and
    with ``strict`` RuntimeError where an output does not depend on an input.

    Derivative: with ``create_graph`` the result is recorded on inputs that require a gradient.

    >>> import rustgrad as rg
    >>> rg.autograd.functional.jacobian(lambda x: x**2, rg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    forward = _is_forward("jacobian", strategy)
    return _matrix("jacobian", func, inputs, create_graph, strict, vectorize, forward)


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of ``func``, which returns a single number: the Jacobian of its gradient.

    Shapes: that of the input twice; for a tuple of inputs a tuple of tuples, ``H[i][j]`` with the shape of input i
    followed by that of input j. Dtypes: that of input j, or with ``outer_jacobian_strategy="forward-mode"`` of input i.
    Raises as ``jacobian`` does, and ValueError if the output is not a single number.

    Derivative: with ``create_graph`` the result is recorded on inputs that require a gradient.

    >>> import rustgrad as rg
    >>> rg.autograd.functional.hessian(lambda x: (x**3).sum(), rg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    forward = _is_forward("hessian", outer_jacobian_strategy)

    def recorded(*xs: Tensor) -> Tensors:
        y = _number("hessian", func(*xs))
        return _filled(_pull((y,), xs, (_core.ones_like(y),), create_graph=True), xs)

    gradient = (lambda *xs: _value_and_gradient("hessian", func, xs)[1:]) if forward else recorded
    several, _ = _tuple_of("hessian", "inputs", inputs)
    found = _matrix("hessian", gradient, inputs, create_graph, strict, vectorize, forward)
    return found if several else found[0]


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of ``func``, a single number, and ``v @ H`` with its Hessian, by reverse mode over reverse mode.

    ``inputs`` and ``v`` are tensors or tuples of tensors. Shapes and dtypes: ``v`` and the result have the inputs'
    (``v`` may be left out for a single number). Raises TypeError for other things than tensors, ValueError for another
    shape or an output that is not a single number, and with ``strict`` RuntimeError where output or gradient do not
    depend on an input.

    Derivative: with ``create_graph`` output and result are recorded on inputs that require a gradient.

    >>> import rustgrad as rg
    >>> rg.autograd.functional.vhp(lambda x: (x**3).sum(), rg.tensor([1.0, 2.0]), rg.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        several, xs = _recorded("vhp", inputs, create_graph)
        gs = _vector("vhp", v, xs, "inputs", create_graph)
        y = _number("vhp", func(*xs))
        slopes = _pull((y,), xs, (_core.ones_like(y),), create_graph=True)
        if strict:
            _must_depend("vhp", (y,), xs)
            _must_depend("vhp", _filled(slopes, xs), xs, "gradient")
        found = _filled(_pull(_filled(slopes, xs), xs, gs, create_graph), xs)
    if strict and create_graph:
        _must_vary("vhp", found)
    return _given((y,), False, create_graph), _given(found, several, create_graph)


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The output of ``func``, a single number, and ``H @ v`` with its Hessian, by forward mode over reverse mode.

    ``inputs`` and ``v`` are tensors or tuples of tensors. Shapes and dtypes: ``v`` and the result have the inputs'
    (``v`` may be left out for a single number). Raises TypeError for other things than tensors, ValueError for another
    shape or an output that is not a single number, and with ``strict`` RuntimeError where output or gradient do not
    depend on an input.

    Derivative: with ``create_graph`` output and result are recorded on inputs that require a gradient.

    >>> import rustgrad as rg
    >>> rg.autograd.functional.hvp(lambda x: x.prod(), rg.tensor([2.0, 5.0]), rg.tensor([1.0, 0.0]))
    (tensor(10.), tensor([0., 1.]))
    """
    with enable_grad():
        several, xs = _recorded("hvp", inputs, create_graph)
        ts = _vector("hvp", v, xs, "inputs", create_graph)
        both = lambda *duals: _value_and_gradient("hvp", func, duals)
        # A record besides is worth its memory only to those who look at it.
        at = xs if create_graph or strict else tuple(x.detach() for x in xs)
        _, (y, *slopes), (_, *found) = _push("hvp", both, at, dict(enumerate(ts)))
        if strict:
            _must_depend("hvp", (y,), xs)
            _must_depend("hvp", slopes, xs, "gradient")
    if strict and create_graph:
        _must_vary("hvp", found)
    return _given((y,), False, create_graph), _given(found, several, create_graph)


def _matrix(
    name: str,
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool,
    strict: bool,
    vectorize: bool,
    forward: bool,
) -> Any:
    """The Jacobian of ``func`` in blocks [output][input], with the nesting of a tensor for a tensor."""
    with enable_grad():
        several_in, xs = _recorded(name, inputs, create_graph)
        if strict or not forward:
            several_out, ys = _tuple_of(name, "the output of the function", func(*xs))
            if strict:
                _must_depend(name, ys, xs, "gradient" if name == "hessian" else "output", each=True)
        if forward:
            # The plain tape cannot follow a batched tangent into an autograd.grad inside the function: unrecorded
            # inputs make that an error instead of a derivative that lacks a part.
            at = xs if create_graph or not vectorize else tuple(x.detach() for x in xs)
            several_out, columns = _columns(name, func, at, vectorize)
            blocks = list(zip(*columns, strict=True))
        else:
            blocks = [_rows(y, xs, create_graph, vectorize) for y in ys]
    if strict and create_graph:
        for row in blocks:
            _must_vary(name, row)
    rows = tuple(_given(row, several_in, create_graph) for row in blocks)
    return rows if several_out else rows[0]


def _rows(y: Tensor, xs: Tensors, create_graph: bool, vectorize: bool) -> Tensors:
    """The derivative of ``y`` by each input, one sweep per element of ``y``."""
    if not y.numel() or not y.requires_grad:
        return tuple(_core.zeros([*y.shape, *x.shape], dtype=x.dtype) for x in xs)

    def row(cotangent: Tensor) -> Tensors:
        return _filled(_pull((y,), xs, (cotangent,), create_graph, retain=True), xs)

    stacks = _over_units(row, y, vectorize)
    return tuple(s.reshape([*y.shape, *x.shape]) for s, x in zip(stacks, xs, strict=True))


def _columns(name: str, func: Callable[..., Any], xs: Tensors, vectorize: bool) -> tuple[bool, list[Tensors]]:
    """The derivative of every output by each input, one forward pass per element of the input."""
    several = False

    def push(at: int) -> Callable[[Tensor], Tensors]:
        def column(tangent: Tensor) -> Tensors:
            nonlocal several
            several, _, slopes = _push(name, func, xs, {at: tangent})
            return slopes

        return column

    columns = []
    for n, x in enumerate(xs):
        stacks = _over_units(push(n), x, vectorize)
        columns.append(tuple(s.movedim(0, -1).reshape([*s.shape[1:], *x.shape]) for s in stacks))
    return several, columns


def _over_units(f: Callable[[Tensor], Tensors], like: Tensor, vectorize: bool) -> Tensors:
    """The results of ``f`` for every unit vector of the space of ``like``, stacked."""
    n = like.numel()
    units = _core.eye(n, dtype=like.dtype).reshape([n, *like.shape])
    # Every pass is one through the same function, whatever random numbers it draws.
    if vectorize:
        return _func.vmap(f, randomness="same")(units)
    if not n:  # one call tells the shapes that nothing is stacked of
        return tuple(y.unsqueeze(0)[:0] for y in f(_core.zeros_like(like)))
    state, passes = _core.get_rng_state(), []
    for k in range(n):
        _core.set_rng_state(state)
        passes.append(f(units[k]))
    return tuple(_core.stack(parts) for parts in zip(*passes, strict=True))


def _push(
    name: str, func: Callable[..., Any], xs: Tensors, tangents: dict[int, Tensor]
) -> tuple[bool, Tensors, Tensors]:
    """Whether ``func`` returns a tuple, its outputs, and their tangents for those of some of the inputs."""
    level = _core.Level(name)
    try:
        duals = [level.make_dual(x, tangents[n]) if n in tangents else x for n, x in enumerate(xs)]
        several, out = _tuple_of(name, "the output of the function", func(*duals))
        pairs = [level.unpack_dual(y) for y in out]
    finally:
        level.exit()
    ys = tuple(y for y, _ in pairs)
    return several, ys, _filled([t for _, t in pairs], ys)


def _pull(
    ys: Sequence[Tensor], xs: Tensors, gs: Sequence[Tensor], create_graph: bool, retain: bool | None = None
) -> tuple[Tensor | None, ...]:
    """Cotangents of the inputs from those of the outputs, None where there is no dependence."""
    pairs = [(y, g) for y, g in zip(ys, gs, strict=True) if y.requires_grad]
    if not pairs:
        return (None,) * len(xs)
    outputs, cotangents = zip(*pairs, strict=True)
    return _core.grad(outputs, xs, cotangents, retain_graph=retain, create_graph=create_graph, allow_unused=True)


def _value_and_gradient(name: str, func: Callable[..., Any], xs: Tensors) -> Tensors:
    """The single number that ``func`` returns, then its gradients, on a tape of their own.

    Forward mode goes over them also where its tangents are batched; over the plain tape it would lose them.
    """
    y, pull = _func.vjp(lambda *inner: _number(name, func(*inner)), *xs)
    return y, *pull(_core.ones_like(y))


def _filled(found: Sequence[Tensor | None], like: Sequence[Tensor]) -> Tensors:
    return tuple(_core.zeros_like(x) if g is None else g for g, x in zip(found, like, strict=True))


def _given(found: Sequence[Tensor], several: bool, create_graph: bool) -> Any:
    """Results as the caller gets them: without their record unless it was asked for, a tensor for a tensor."""
    results = tuple(found) if create_graph else tuple(y.detach() for y in found)
    return results if several else results[0]


def _recorded(name: str, inputs: Any, create_graph: bool) -> tuple[bool, Tensors]:
    """Whether the inputs are a tuple, and new tensors for them that require a gradient."""
    several, given = _tuple_of(name, "inputs", inputs)
    for n, x in enumerate(given):
        if not x.is_floating_point():
            raise not_differentiable(
                f"{name}: input {n} of dtype {x.dtype} has no derivative; convert it to a float dtype first"
            )
    # New tensors, because the function may use the ones it was given as constants besides.
    xs = [x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_() for x in given]
    return several, tuple(xs)


def _tuple_of(name: str, what: str, value: Any) -> tuple[bool, Tensors]:
    several = isinstance(value, tuple)
    parts = value if several else (value,)
    if not parts:
        raise ValueError(f"{name}: {what} must not be an empty tuple; give at least one tensor")
    for part in parts:
        if not isinstance(part, Tensor):
            inside = f"a tuple with a {type(part).__name__} in it" if several else f"a {type(part).__name__}"
            raise TypeError(f"{name}: {what} must be a tensor or a tuple of tensors, not {inside}; convert it")
    return several, parts


def _vector(name: str, v: Any, like: Tensors, what: str, create_graph: bool) -> Tensors:
    """The tensors of ``v``, checked against those of ``like`` and of their dtypes; ones for a single number."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            shapes = ", ".join(str(list(x.shape)) for x in like)
            raise ValueError(f"{name}: v is needed unless the {what} is a single number, not {shapes}; pass v")
        return (_core.ones_like(like[0]),)
    _, vs = _tuple_of(name, "v", v)
    if len(vs) != len(like):
        raise ValueError(f"{name}: v has {len(vs)} tensors, but the {what} {len(like)}; give one for each")
    for n, (part, x) in enumerate(zip(vs, like, strict=True)):
        if part.shape != x.shape:
            raise ValueError(
                f"{name}: v[{n}] has shape {list(part.shape)}, but the {what} {list(x.shape)}; they must be equal"
            )
    vs = vs if create_graph else tuple(part.detach() for part in vs)
    return tuple(part.to(x.dtype) for part, x in zip(vs, like, strict=True))


def _number(name: str, out: Any) -> Tensor:
    """The output of a function that has a Hessian, checked to be one number."""
    if not isinstance(out, Tensor) or out.numel() != 1:
        found = list(out.shape) if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise ValueError(f"{name}: the function must return a single number, not {found}; reduce it, e.g. with .sum()")
    return out


def _is_forward(name: str, strategy: str) -> bool:
    if strategy not in ("forward-mode", "reverse-mode"):
        raise ValueError(f"{name}: there is no strategy {strategy!r}; use 'forward-mode' or 'reverse-mode'")
    return strategy == "forward-mode"


def _must_depend(name: str, ys: Sequence[Tensor], xs: Tensors, what: str = "output", each: bool = False) -> None:
    """Raise unless every output depends on an input and every input reaches an output (``each``: all pairs do)."""
    reached = [
        [g is not None for g in _pull((y,), xs, (_core.ones_like(y),), create_graph=False, retain=True)] for y in ys
    ]
    way_out = "and strict=True forbids that; pass strict=False for zeros"
    for n, row in enumerate(reached):
        if not any(row):
            raise RuntimeError(f"{name}: {what} {n} does not depend on the inputs, {way_out}")
        if each and not all(row):
            raise RuntimeError(f"{name}: {what} {n} does not depend on input {row.index(False)}, {way_out}")
    for n, column in enumerate(zip(*reached, strict=True)):
        if not any(column):
            raise RuntimeError(f"{name}: no {what} depends on input {n}, {way_out}")


def _must_vary(name: str, results: Sequence[Tensor]) -> None:
    for n, result in enumerate(results):
        if not result.requires_grad:
            raise RuntimeError(
                f"{name}: result {n} is constant, so create_graph=True has nothing to record, and strict=True forbids"
                " that; pass strict=False"
            )
