"""Shared set-up of the Python tests: Hypothesis settings, and the same random numbers and grad mode for every test."""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis
import pytest
import rustgrad as rg

sys.path.insert(0, str(Path(__file__).parent))

hypothesis.settings.register_profile(
    "rustgrad",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much],
)
hypothesis.settings.register_profile("thorough", parent=hypothesis.settings.get_profile("rustgrad"), max_examples=2000)
hypothesis.settings.load_profile("rustgrad")


@pytest.fixture(autouse=True)
def fresh_state():
    """Every test starts from one seed, and leaves modes and thread count as it found them."""
    threads = rg.get_num_threads()
    rg.manual_seed(0)
    yield
    left_on = rg.is_grad_enabled()
    rg.set_grad_enabled(True)
    rg.set_num_threads(threads)
    assert left_on, "the test left gradients switched off"
