"""Memory and depth, each measured in a process of its own: long chains, endless loops, cycles."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PRELUDE = '''
import gc, sys
import rustgrad as rg

def resident():
    """Bytes of memory held now, where the system tells."""
    try:
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1]) * 4096
    except FileNotFoundError:
        import resource
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024

def steady(step, n, allowed=8 * 2**20):
    """Run a step n times; after a tenth of them, memory may not grow any more."""
    for _ in range(n // 10):
        step()
    gc.collect()
    before = resident()
    for _ in range(n - n // 10):
        step()
    gc.collect()
    grown = resident() - before
    assert grown <= allowed, f"grew by {grown / 2**20:.1f} MiB in {n} steps"
'''


def run(program: str, timeout: float = 600.0) -> str:
    """Run a program that must end well, and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=Path(__file__).parent,
    )
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_ten_million_operations_are_recorded_swept_and_dropped():
    out = run("""
        x = rg.tensor(1.0, dtype=rg.float64, requires_grad=True)
        y = x
        for _ in range(10_000_000):
            y = y + x
        y.backward()
        assert x.grad.item() == 10_000_001.0
        del y
        gc.collect()
        assert (x * 2).requires_grad
        print("done")
    """)
    assert out.strip() == "done"


def test_a_recorded_op_that_saves_nothing_costs_at_most_128_bytes():
    each = run("""
        x = rg.tensor(1.0, requires_grad=True)
        y = x
        for _ in range(1000):
            y = y + x
        before = resident()
        for _ in range(2_000_000):
            y = y + x
        print((resident() - before) / 2_000_000)
    """)
    assert float(each) <= 128.0


def test_ten_million_operations_are_dropped_without_a_sweep():
    assert (
        run("""
        x = rg.tensor(1.0, requires_grad=True)
        y = x
        for _ in range(10_000_000):
            y = y * 1.0
        del y
        gc.collect()
        print((x + 1).item())
    """).strip()
        == "2.0"
    )


def test_a_second_derivative_of_a_long_chain():
    assert (
        run("""
        x = rg.tensor(1.0, dtype=rg.float64, requires_grad=True)
        y = x
        for _ in range(200_000):
            y = y.sin()
        (g,) = rg.autograd.grad(y, x, create_graph=True)
        (h,) = rg.autograd.grad(g, x)
        assert h.isfinite().item()
        print("done")
    """).strip()
        == "done"
    )


def test_a_long_chain_of_views_and_writes():
    assert (
        run("""
        x = rg.ones(4, dtype=rg.float64, requires_grad=True)
        y = x * 1
        for k in range(100_000):
            y[k % 4].add_(x[k % 4])
        y.sum().backward()
        assert x.grad.tolist() == [25_001.0] * 4
        v = x.detach()
        for _ in range(1_000_000):
            v = v.view(4)
        del v
        print("done")
    """).strip()
        == "done"
    )


LOOPS = {
    "training": """
        w = rg.zeros(8, requires_grad=True)
        x = rg.linspace(0, 1, 8)
        def step():
            ((w * x - 1.0) ** 2).sum().backward()
            with rg.no_grad():
                w.sub_(w.grad * 0.01)
            w.grad = None
        steady(step, 1_000_000)
    """,
    "recording without a sweep": """
        w = rg.ones(8, requires_grad=True)
        steady(lambda: (w * 2).sin().sum(), 1_000_000)
    """,
    "values only": """
        w = rg.ones(8)
        steady(lambda: (w * 2).sin().sum(), 1_000_000)
    """,
    "a state carried along, cut by detach": """
        w = rg.tensor(0.5, requires_grad=True)
        state = [rg.tensor(1.0)]
        def step():
            state[0] = (state[0] * w).tanh()
            state[0].backward()
            w.grad = None
            state[0] = state[0].detach()
        steady(step, 1_000_000)
    """,
    "a state written in place": """
        w = rg.tensor(0.5)
        state = rg.ones(4)
        def step():
            state.mul_(w).add_(1.0)
            state[0] = 0.0
        steady(step, 1_000_000)
    """,
    "accumulation": """
        w = rg.ones(4, requires_grad=True)
        steady(lambda: (w * 3).sum().backward(), 1_000_000)
    """,
    "forward mode": """
        x, t = rg.ones(4), rg.ones(4)
        steady(lambda: rg.func.jvp(lambda z: (z.sin() * z).sum(), (x,), (t,)), 100_000)
    """,
    "dual levels": """
        from rustgrad.autograd import forward_ad as fwd
        x, t = rg.ones(4), rg.ones(4)
        def step():
            with fwd.dual_level():
                y = fwd.make_dual(x, t) * 2
                fwd.unpack_dual(y)
        steady(step, 100_000)
    """,
    "nested transforms": """
        x, t = rg.ones(4), rg.ones(4)
        f = lambda z: (z.sin() * z).sum()
        def step():
            rg.func.jvp(rg.func.grad(f), (x,), (t,))
            rg.func.grad(lambda z: rg.func.jvp(f, (z,), (t,))[1])(x)
        steady(step, 30_000)
    """,
    "failing transforms": """
        x, t = rg.ones(4), rg.ones(4)
        def fail(z):
            y = z * 2
            raise KeyError(y.shape)
        def step():
            try:
                rg.func.jvp(fail, (x,), (t,))
            except KeyError:
                pass
        steady(step, 100_000)
    """,
    "created graphs": """
        x = rg.ones(4, requires_grad=True)
        def step():
            (g,) = rg.autograd.grad((x.sin() * x).sum(), x, create_graph=True)
            rg.autograd.grad(g.sum(), x)
        steady(step, 100_000)
    """,
    "failing sweeps": """
        x = rg.ones(4, requires_grad=True)
        def step():
            y = x.exp()
            y.detach().zero_()
            try:
                y.sum().backward()
            except RuntimeError:
                pass
        steady(step, 100_000)
    """,
    "hooks and handles": """
        x = rg.ones(4, requires_grad=True)
        def step():
            handle = x.register_hook(lambda g: g)
            (x * 2).sum().backward()
            x.grad = None
            handle.remove()
        steady(step, 100_000)
    """,
    "numpy and back": """
        import numpy as np
        a = np.ones(1000)
        steady(lambda: rg.from_dlpack(np.from_dlpack(rg.from_numpy(a) + 1)).numpy().sum(), 100_000)
    """,
    "pickles": """
        import pickle
        x = rg.ones(100)
        steady(lambda: pickle.loads(pickle.dumps(x, 5)), 100_000)
    """,
    "errors": """
        x, y = rg.ones(2), rg.ones(3)
        def step():
            try:
                x + y
            except (ValueError, RuntimeError):
                pass
        steady(step, 100_000)
    """,
    "views kept and dropped": """
        base = [rg.ones(16, requires_grad=True) * 1]
        def step():
            view = base[0].view(4, 4)[1:, ::2]
            view.mul_(1.0)
            base[0] = base[0].detach()
        steady(step, 100_000)
    """,
    "sizes that never repeat": """
        n = [0]
        def step():
            n[0] += 1
            rg.ones(1000 + n[0] % 5000).add_(1)
        steady(step, 100_000, allowed=64 * 2**20)
    """,
}


@pytest.mark.parametrize("name", LOOPS)
def test_memory_is_constant_in_a_loop_of(name):
    run(LOOPS[name])


def test_saved_tensors_go_as_the_sweep_passes():
    """A deep chain of large tensors needs at its peak what it saved, and a sweep gives it back."""
    run("""
        x = rg.ones(2**20, requires_grad=True)
        start = resident()
        def once():
            y = x
            for _ in range(20):
                y = y.sin()
            held = resident() - start
            y.sum().backward()
            x.grad = None
            return held
        once()
        after = resident()
        for _ in range(10):
            assert once() < 400 * 2**20
        assert resident() - after < 200 * 2**20
    """)


def test_a_graph_dies_in_another_thread():
    assert (
        run("""
        import threading
        x = rg.ones((), requires_grad=True)
        box = [x]
        for _ in range(1_000_000):
            box[0] = box[0] * 1.0
        thread = threading.Thread(target=box.clear)
        thread.start()
        thread.join()
        print((x * 2).item())
    """).strip()
        == "2.0"
    )


def test_hooks_that_know_their_tensor_are_collected():
    """A hook may close over its tensor: the circle goes when nobody else holds the tensor."""
    import gc
    import weakref

    import rustgrad as rg

    def circle(register, leaf):
        x = rg.ones(3, requires_grad=True)
        y = x if leaf else x * 2
        register(y, lambda *_: y)
        return weakref.ref(y)

    ways = {
        "tensor": lambda y, f: y.register_hook(f),
        "node": lambda y, f: (y * 1).grad_fn.next_functions[0][0].register_prehook(f),
    }
    for register in ways.values():
        for leaf in (True, False):
            seen = circle(register, leaf)
            gc.collect()
            assert seen() is None
    seen = circle(lambda y, f: y.register_post_accumulate_grad_hook(f), True)
    gc.collect()
    assert seen() is None
