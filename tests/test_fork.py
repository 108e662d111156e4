"""Processes that fork while other threads compute."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, threading, time
import rustgrad as rg
import rustgrad.func  # a module that a thread is importing stays locked in a child

rg.set_num_threads(2)
stop = threading.Event()

def work():
    x = rg.rand(60_000, requires_grad=True)
    while not stop.is_set():
        y = x
        for _ in range(20):
            y = (y * x).sin()
        y.sum().backward()
        large = rg.rand(300_000)
        rg.func.jvp(lambda x: (x * x + x).sin() * x, (large,), (large,))

threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
hung = 0
for _ in range(120):
    child = os.fork()
    if child == 0:
        x = rg.rand(200_000, requires_grad=True)
        (x * x).sin().sum().backward()
        large = rg.rand(300_000)
        y, dy = rg.func.jvp(lambda x: (x * x + x).sin() * x, (large,), (large,))
        y.add_(dy)
        os._exit(0)
    patience = time.monotonic() + 20
    while not os.waitpid(child, os.WNOHANG)[0]:
        if time.monotonic() > patience:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            hung += 1
            break
        time.sleep(0.002)
    if hung:
        break
stop.set()
for thread in threads:
    thread.join()
print("hung", hung)
"""


@pytest.mark.skipif(
    sys.platform != "linux",
    reason="forks are made safe on Linux, where multiprocessing forks by default; others start processes afresh",
)
def test_a_child_computes_whatever_other_threads_did_when_it_was_made():
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["hung", "0"]
