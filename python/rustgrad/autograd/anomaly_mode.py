"""Anomaly detection: a NaN that a sweep makes, and errors of rules in Python, name the lines that recorded the op."""

from __future__ import annotations

from .. import _core


class detect_anomaly:
    """Inside, operations remember where they were recorded, and a NaN made by a sweep raises there.

    The RuntimeError names the operator, the input, and the lines of the program that led to it. Errors that a rule of a
    ``Function`` raises get these lines as a note. With ``check_nan=False`` only the places are noted. Slow: for finding
    mistakes.

    >>> import rustgrad as rg
    >>> x = rg.tensor(0.0, requires_grad=True)
    >>> with rg.autograd.detect_anomaly():
    ...     (x.sqrt() * 0 / 0).backward()
    Traceback (most recent call last):
    ...
    RuntimeError: backward: `div` gives a gradient with NaN to its input 0; it was recorded here:
    ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._mode: bool | None = check_nan
        self._before: list[bool | None] = []

    def __enter__(self) -> None:
        self._before.append(_core._set_detecting(self._mode))

    def __exit__(self, *exc: object) -> None:
        _core._set_detecting(self._before.pop())


class set_detect_anomaly(detect_anomaly):
    """Switch anomaly detection on or off: at once when called, until the end of the block under ``with``.

    >>> import rustgrad as rg
    >>> with rg.autograd.set_detect_anomaly(True):
    ...     rg.is_anomaly_enabled()
    True
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        super().__init__(check_nan)
        self._mode = check_nan if mode else None
        self._before.append(_core._set_detecting(self._mode))

    def __enter__(self) -> None:
        _core._set_detecting(self._mode)


class set_strong_zeros:
    """What zero times infinity is in a derivative: at once when called, until the end of the block under ``with``.

    Zero, the default: a cotangent that is zero, as those of the branch that ``where`` did not choose, stays zero
    whatever the slope is, so no NaN of an unused branch reaches a gradient. With ``False`` it is NaN, as in plain
    arithmetic.

    >>> import rustgrad as rg
    >>> f = lambda x: rg.where(x > 0, x.sqrt(), 0.0)
    >>> rg.func.grad(f)(rg.tensor(0.0))
    tensor(0.)
    >>> with rg.autograd.set_strong_zeros(False):
    ...     rg.func.grad(f)(rg.tensor(0.0))
    tensor(nan)
    """

    def __init__(self, mode: bool) -> None:
        self._weak = not mode
        self._before = _core._set_weak_zeros(self._weak)

    def __enter__(self) -> None:
        _core._set_weak_zeros(self._weak)

    def __exit__(self, *exc: object) -> None:
        _core._set_weak_zeros(self._before)
