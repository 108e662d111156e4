"""Transforms of the same functions in several libraries, and what a derivative costs beside its function."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from .cases import CHAINS, arrays, numbers
from .measure import Case, Code, Figure, least

LIBRARIES = ("rustgrad", "torch", "jax")


def tools(module: Any) -> SimpleNamespace:
    """The transforms of a library under common names. JAX compiles its programs; compilation is not timed."""
    if module.__name__ == "jax":
        names = {name: getattr(module, name) for name in ("jvp", "vjp", "grad", "jacrev", "jacfwd", "hessian", "vmap")}
        return SimpleNamespace(**names, np=module.numpy, compiled=module.jit, done=module.block_until_ready)
    func = module.func
    names = {name: getattr(func, name) for name in ("jvp", "vjp", "grad", "jacrev", "jacfwd", "hessian", "vmap")}
    return SimpleNamespace(**names, np=module, compiled=lambda f: f, done=lambda y: y)


def given(module: Any, *parts: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    if module.__name__ == "jax":
        return tuple(module.numpy.asarray(part) for part in parts)
    return arrays(module, *parts)


def program(make: Callable[[SimpleNamespace], Callable[..., Any]], *parts: np.ndarray[Any, Any]) -> dict[str, Any]:
    """A function of the tools and of the same numbers, ready to be timed in every library."""

    def prepare(module: Any) -> Code:
        tool = tools(module)
        run, values = tool.compiled(make(tool)), given(module, *parts)
        tool.done(run(*values))
        return Code("done(run(*values))", {"run": run, "values": values, "done": tool.done})

    return dict.fromkeys(LIBRARIES, prepare)


def network(tool: SimpleNamespace) -> Callable[..., Any]:
    return lambda x, w1, b1, w2, b2: w2 @ tool.np.tanh(w1 @ x + b1) + b2


def weights(inputs: int, hidden: int, outputs: int) -> tuple[np.ndarray[Any, Any], ...]:
    shapes = ((hidden, inputs), (hidden,), (outputs, hidden), (outputs,))
    return tuple((numbers(*shape, seed=i) - 0.5) * np.float32(0.3) for i, shape in enumerate(shapes))


def rosenbrock(x: Any) -> Any:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def every(threads: list[int]) -> Iterator[Case]:
    small, x, t = weights(32, 64, 32), numbers(32, seed=7), numbers(32, seed=8)

    def jvp(tool: SimpleNamespace) -> Callable[..., Any]:
        f = network(tool)
        return lambda x, t, *w: tool.jvp(lambda x: f(x, *w), (x,), (t,))

    yield Case("transform", "jvp of a 32→64→32 network", program(jvp, x, t, *small), at_least=10)
    for name in ("jacrev", "jacfwd"):

        def jacobian(tool: SimpleNamespace, name: str = name) -> Callable[..., Any]:
            f = network(tool)
            return lambda x, *w: getattr(tool, name)(lambda x: f(x, *w))(x)

        yield Case("transform", f"{name} of a 32→64→32 network", program(jacobian, x, *small), at_least=3)
    for n, limit in ((50, 10), (100, None)):
        point = numbers(n, dtype=np.float64)
        dense = program(lambda tool: tool.hessian(rosenbrock), point)
        yield Case("transform", f"Hessian of Rosenbrock, n = {n}", dense, at_least=limit)
    point, direction = numbers(50, dtype=np.float64), numbers(50, dtype=np.float64, seed=1)
    product = program(lambda tool: lambda x, v: tool.jvp(tool.grad(rosenbrock), (x,), (v,)), point, direction)
    yield Case("transform", "hvp of Rosenbrock, forward over reverse, n = 50", product, at_least=5)

    def per_sample(tool: SimpleNamespace) -> Callable[..., Any]:
        f = network(tool)
        loss = lambda w, x, y: ((f(x, *w) - y) ** 2).sum()
        return lambda x, y, *w: tool.vmap(tool.grad(loss), (None, 0, 0))(w, x, y)

    x, y, w = numbers(256, 64, seed=5), numbers(256, 10, seed=6), weights(64, 128, 10)
    for count in threads:
        lanes = program(per_sample, x, y, *w)
        yield Case("transform", "per-sample gradients, 256 lanes, 64→128→10", lanes, count, at_least=2)


def costs(threads: list[int], rounds: int) -> Iterator[Figure]:
    """How many times the function itself a derivative takes, in rustgrad alone.

    Many rounds: slow moments last for seconds, and are slower still for what moves more memory.
    """
    try:
        import rustgrad as rg
    except ImportError:
        return
    for count, (n, shown) in itertools.product(threads, ((10_000, "10⁴"), (1_000_000, "10⁶"))):
        rg.set_num_threads(count)
        x, t = given(rg, numbers(n), numbers(n, seed=1))
        for name, f in CHAINS.items():
            plain = Code("f(x)", {"f": f, "x": x})

            def reverse(keep: bool, f: Any = f, x: Any = x, t: Any = t) -> Any:
                return rg.func.vjp(f, x)[1](t, retain_graph=keep)

            forward = lambda f=f, x=x, t=t: rg.func.jvp(f, (x,), (t,))
            ways = [("jvp", forward, 2.5)]
            ways += [
                ("vjp", functools.partial(reverse, False), 4.0),
                ("vjp, graph kept,", functools.partial(reverse, True), 4.0),
            ]
            for mode, run, limit in ways:
                base, derivative = least([plain, Code("run()", {"run": run})], rounds)
                what = f"{mode} beside the {name} chain, {shown} f32"
                yield _ratio(what, derivative / base, limit, count)
    rg.set_num_threads(1)
    (x,) = given(rg, numbers(100, dtype=np.float64))
    gradient, hessian = rg.func.grad(rosenbrock), rg.func.hessian(rosenbrock)
    base, dense = least([Code("f(x)", {"f": gradient, "x": x}), Code("f(x)", {"f": hessian, "x": x})], rounds)
    yield _ratio("dense Hessian of Rosenbrock, n = 100, beside its gradient", dense / base, 60.0)
    yield from _sparse(rg)


def _sparse(rg: Any) -> Iterator[Figure]:
    first = None
    for n in (10_000, 100_000, 1_000_000):
        (x,) = given(rg, numbers(n, dtype=np.float64))
        (seconds,) = least([Code("f(x)", {"f": rg.func.sparse_hessian(rosenbrock), "x": x})], 3, sample=0.0)
        first = first or seconds / n
        values = {"rustgrad": seconds}
        note = "of the first"
        yield Figure(
            "transform",
            f"sparse Hessian of Rosenbrock, n = {n}",
            1,
            "s",
            values,
            seconds / n / first,
            None,
            2.0,
            False,
            note,
        )


def _ratio(name: str, ratio: float, limit: float, threads: int = 1) -> Figure:
    return Figure("transform", name, threads, "×", {"rustgrad": ratio}, ratio, None, limit, False)
