"""Context managers and decorators that switch recording for plain tensors on and off."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from .. import _core

F = TypeVar("F", bound=Callable[..., Any])


class _Mode:
    """A mode usable as ``with mode():``, as ``@mode()`` and, without arguments, as ``@mode``."""

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(self, *exc: object) -> None:
        raise NotImplementedError

    def _again(self) -> Any:
        return type(self)()

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generate(*args: Any, **kwargs: Any) -> Any:
                # The mode holds while the generator runs, not while its consumer does.
                generator = function(*args, **kwargs)
                go_on: Callable[[], Any] = lambda: next(generator)
                while True:
                    with self._again():
                        try:
                            item = go_on()
                        except StopIteration as stop:
                            return stop.value
                    try:
                        sent = yield item
                        go_on = functools.partial(generator.send, sent)
                    except GeneratorExit:
                        with self._again():
                            generator.close()
                        raise
                    except BaseException as error:
                        go_on = functools.partial(generator.throw, error)

            return generate  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if args and callable(args[0]) and not isinstance(args[0], bool):
            instance = super().__new__(cls)
            instance.__init__()  # type: ignore[misc]
            wrapped: Any = instance(args[0])
            return wrapped
        return super().__new__(cls)


class no_grad(_Mode):
    """Do not record operations on tensors that require a gradient.

    >>> import rustgrad as rg
    >>> x = rg.tensor(2.0, requires_grad=True)
    >>> with rg.no_grad():
    ...     y = x * 3
    >>> y.requires_grad
    False
    """

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(_core._set_grad_enabled(False))

    def __exit__(self, *exc: object) -> None:
        _core._set_grad_enabled(self._before.pop())


class enable_grad(_Mode):
    """Record operations again inside ``no_grad``.

    >>> import rustgrad as rg
    >>> x = rg.tensor(2.0, requires_grad=True)
    >>> with rg.no_grad(), rg.enable_grad():
    ...     (x * 3).requires_grad
    True
    """

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        # Nothing that inference mode computes is ever recorded.
        self._before.append(_core._set_grad_enabled(not _core.is_inference_mode_enabled()))

    def __exit__(self, *exc: object) -> None:
        _core._set_grad_enabled(self._before.pop())


class set_grad_enabled(_Mode):
    """Switch recording on or off: at once when called, until the end of the block under ``with``.

    >>> import rustgrad as rg
    >>> with rg.set_grad_enabled(False):
    ...     rg.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        self._mode = mode
        self._before = _core._set_grad_enabled(mode)

    def __enter__(self) -> None:
        _core._set_grad_enabled(self._mode)

    def __exit__(self, *exc: object) -> None:
        _core._set_grad_enabled(self._before)

    def __call__(self, function: F) -> F:
        _core._set_grad_enabled(self._before)
        return super().__call__(function)

    def _again(self) -> _Mode:
        return set_grad_enabled(self._mode)


class inference_mode(_Mode):
    """Like ``no_grad``, for code whose results never take part in a derivative.

    >>> import rustgrad as rg
    >>> with rg.inference_mode():
    ...     rg.is_inference_mode_enabled(), rg.is_grad_enabled()
    (True, False)
    """

    def __init__(self, mode: bool = True) -> None:
        self._mode = mode
        self._before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        # Switched off inside of itself, recording goes on; outside of it, it stays as it is.
        recording = not self._mode and (_core.is_inference_mode_enabled() or _core.is_grad_enabled())
        self._before.append((_core._set_inference(self._mode), _core._set_grad_enabled(recording)))

    def __exit__(self, *exc: object) -> None:
        inference, recording = self._before.pop()
        _core._set_inference(inference)
        _core._set_grad_enabled(recording)

    def _again(self) -> _Mode:
        return inference_mode(self._mode)
