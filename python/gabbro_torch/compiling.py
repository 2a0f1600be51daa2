"""Compiles the layers of a module by torch.compile, if that makes its steps faster."""

import contextlib
import signal
import time
from collections.abc import Iterator

import torch
from torch import nn

EAGER_STEPS = 4  # steps before compilation; all but the first are timed
LIMIT = 300  # seconds that a compilation may take
TIMED_STEPS = 4  # steps after compilation; all but the first are timed


class Abandoned(Exception):
    """A compilation failed, or took longer than its limit. The step has to be repeated without it."""


class Compiling:
    """Compiles the layers of a module after some steps, and keeps what is faster.

    Layers are compiled one by one, so that what is repeated is compiled once. Only batches of the shape of a
    training step run compiled. The choice depends on times; both forms agree up to rounding.
    """

    def __init__(self, module: nn.Module, layers: list[nn.Module], device: torch.device) -> None:
        nested = {id(x) for layer in layers for x in layer.modules() if x is not layer}
        distinct = {id(layer): layer for layer in layers if id(layer) not in nested}
        self.layers = list(distinct.values()) or [module]
        self.device = device
        self.compiled: list[object] = []  # the compiled call of each layer; empty before compilation
        self.on = False  # the compiled calls are used
        self.shape: torch.Size | None = None  # of the tokens of a training step: [batch, time]
        self.eager_seconds: list[float] = []  # of each timed step without compilation
        self.compiled_seconds: list[float] = []  # of each step with it; the first one compiles
        self.cause = ""  # why compilation was abandoned

    def begin(self, stack: contextlib.ExitStack, tokens: torch.Tensor) -> bool:
        """Uses the compiled layers until `stack` ends, if they are chosen and rows have the length of training.

        Returns True if they are used.
        """
        if not self.on or self.shape is None or tokens.shape[1] != self.shape[1]:
            return False
        stack.enter_context(self._enabled())
        return True

    @contextlib.contextmanager
    def _enabled(self) -> Iterator[None]:
        for layer, call in zip(self.layers, self.compiled, strict=True):
            layer._compiled_call_impl = call
        try:
            yield
        finally:
            for layer in self.layers:
                layer._compiled_call_impl = None

    @contextlib.contextmanager
    def timed(self, shape: torch.Size) -> Iterator[None]:
        """Times a training step. Compiles when enough steps were timed, and later chooses what is faster."""
        if self.cause or len(self.compiled_seconds) >= TIMED_STEPS:
            yield
            return
        if shape != self.shape and not self.compiled:
            self.shape = shape
            self.eager_seconds.clear()
        if len(self.eager_seconds) == EAGER_STEPS and not self.compiled:
            self._compile()
        first = self.on and not self.compiled_seconds
        start = time.monotonic()
        try:
            with limited(LIMIT) if first else contextlib.nullcontext():
                yield
        except Exception as error:
            if not first:
                raise
            self.on = False
            self.cause = str(error).split("\n")[0] or f"compilation took more than {LIMIT} s"
            raise Abandoned(self.cause) from error
        (self.compiled_seconds if self.on else self.eager_seconds).append(time.monotonic() - start)
        if len(self.compiled_seconds) == TIMED_STEPS:
            self.on = mean(self.compiled_seconds[1:]) < mean(self.eager_seconds[1:])

    def _compile(self) -> None:
        for layer in self.layers:
            layer.compile(dynamic=False)
            self.compiled.append(layer._compiled_call_impl)
            layer._compiled_call_impl = None
        self.on = True

    def notes(self) -> list[str]:
        """Returns whether compiled layers are used, and why, for the result."""
        if self.cause:
            return [f"eager: {self.cause}"]
        if len(self.compiled_seconds) < 2:
            return ["eager"]
        compiled, eager = mean(self.compiled_seconds[1:]), mean(self.eager_seconds[1:])
        times = f"a step {compiled:.3g} s compiled, {eager:.3g} s eager"
        return [f"{'compiled' if self.on else 'eager'}: {times}, compilation {self.compiled_seconds[0]:.0f} s"]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in what it encloses after so many seconds."""

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
