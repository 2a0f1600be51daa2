"""torch.compile, where it pays."""

import contextlib
import signal
import time
from collections.abc import Iterator

import torch
from torch import nn

EAGER_STEPS = 4  # steps before compilation; all but the first are timed
LIMIT = 300  # seconds that a compilation may take
TIMED_STEPS = 4  # steps after it; all but the first are timed


class Abandoned(Exception):
    """A compilation failed, or took longer than its limit. The step has to be repeated without it."""


class Compiling:
    """Compiles the layers of a module after some steps, and keeps what is faster.

    Layers are compiled one by one, so that what is repeated is compiled once. Only batches of the shape of a
    training step run compiled. The choice depends on times; both forms agree up to rounding.
    """

    def __init__(self, module: nn.Module, layers: list[nn.Module], device: torch.device) -> None:
        nested = {id(x) for layer in layers for x in layer.modules() if x is not layer}
        self.layers = [layer for layer in layers if id(layer) not in nested] or [module]
        self.device = device
        self.compiled: list[object] = []  # what calls the compiled layers, once there is something
        self.on = False
        self.shape: torch.Size | None = None
        self.eager: list[float] = []
        self.fast: list[float] = []
        self.seconds = 0.0
        self.cause = ""

    def begin(self, stack: contextlib.ExitStack, tokens: torch.Tensor) -> bool:
        """Runs what follows within `stack` compiled if that is chosen and the rows have the length of training."""
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
        """Times a training step, and decides when enough were timed."""
        if self.cause or len(self.fast) >= TIMED_STEPS:
            yield
            return
        if shape != self.shape and not self.compiled:
            self.shape = shape
            self.eager.clear()
        if len(self.eager) == EAGER_STEPS and not self.compiled:
            self._compile()
        first = self.on and not self.fast
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
        (self.fast if self.on else self.eager).append(time.monotonic() - start)
        if first:
            self.seconds = self.fast[0]
        if len(self.fast) == TIMED_STEPS:
            self.on = mean(self.fast[1:]) < mean(self.eager[1:])

    def _compile(self) -> None:
        for layer in self.layers:
            layer.compile(dynamic=False)
            self.compiled.append(layer._compiled_call_impl)
            layer._compiled_call_impl = None
        self.on = True

    def notes(self) -> list[str]:
        if self.cause:
            return [f"eager: {self.cause}"]
        if len(self.fast) < 2:
            return ["eager"]
        times = f"a step {mean(self.fast[1:]):.3g} s compiled, {mean(self.eager[1:]):.3g} s eager"
        return [f"{'compiled' if self.on else 'eager'}: {times}, compilation {self.seconds:.0f} s"]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises TimeoutError after so many seconds."""

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
