"""A design as a module with its optimizer: the calls of exec::Model (src/exec/model.h)."""

import contextlib
import linecache
import math
import resource
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.adamw import adamw
from torch.utils.checkpoint import checkpoint

from .compiling import Abandoned, Compiling
from .messages import Arrays
from .team import Team

NOT_SCORED = -1  # the target of a position that is not scored

Tensors = list[tuple[str, torch.Tensor]]


@dataclass
class Weight:
    """A parameter of the graph and the parameter of the module that holds it.

    The module's array is the graph's, with its axes permuted by `order` and then reshaped.
    """

    name: str
    parameter: nn.Parameter
    shape: list[int]  # in the graph
    order: list[int]

    def to_module(self, array: torch.Tensor) -> torch.Tensor:
        return array.permute(self.order).reshape(self.parameter.shape)

    def from_module(self, array: torch.Tensor) -> torch.Tensor:
        permuted = array.reshape([self.shape[i] for i in self.order])
        inverse = [self.order.index(i) for i in range(len(self.order))]
        return permuted.permute(inverse)


class Untied(nn.Module):
    """The embedding of a tied design in checks for leaks: the input has a table of its own beside `weight`."""

    def __init__(self, tied: nn.Embedding) -> None:
        super().__init__()
        self.weight = tied.weight
        self.input = nn.Parameter(tied.weight.detach().clone())
        self.embedding_dim = tied.embedding_dim

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return F.embedding(tokens, self.input)


def load_module(source: str, name: str) -> nn.Module:
    """Returns a module of the class `name` of a model.py."""
    file = f"<design {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)  # for tracebacks
    space = types.ModuleType("design")
    exec(compile(source, file, "exec"), space.__dict__)  # noqa: S102  (the worker wrote it, from a Gab program)
    module: nn.Module = getattr(space, name)()
    return module


class DeviceError(ValueError):
    """The device is not available."""


def check_device(device: str) -> None:
    """Raises DeviceError if there is no such device."""
    kind = torch.device(device)
    if kind.type == "cpu":
        return
    count = torch.cuda.device_count()
    if kind.type != "cuda" or (kind.index or 0) >= count:
        hint = "list the GPUs with nvidia-smi" if torch.version.cuda else "this PyTorch was built without CUDA"
        raise DeviceError(f"{device} is not available: PyTorch {torch.__version__} finds {count} GPUs; {hint}")


def is_out_of_memory(error: BaseException) -> bool:
    """Returns True if an error says that the device or the machine is out of memory."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error)


class Model:
    """A design with its weights and the state of their optimizer."""

    def __init__(self, about: dict[str, Any], team: Team) -> None:
        self.team, self.device = team, team.device
        self.dtype = torch.float64 if about["dtype"] == "float64" else torch.float32
        self.bf16 = about["dtype"] == "bf16"
        self.module = load_module(about["source"], about["class"])
        if about["untied"]:
            self.module.embedding = Untied(self.module.embedding)
        self.module.to(self.device, self.dtype)
        self.layers = [layer for x in self.module.modules() if isinstance(x, nn.ModuleList) for layer in x]
        parameters = dict(self.module.named_parameters())
        if len(parameters) != len(about["weights"]):
            raise ValueError(f"the module has {len(parameters)} parameters, but the graph has {len(about['weights'])}")
        self.weights_of = [
            Weight(w["name"], parameters[w["key"]], w["shape"], w["order"]) for w in about["weights"]
        ]
        self.parameters = [w.parameter for w in self.weights_of]
        # The first and second moments of AdamW; with Muon the first is its momentum.
        self.first = [torch.zeros_like(p, memory_format=torch.contiguous_format) for p in self.parameters]
        self.second = [torch.zeros_like(p, memory_format=torch.contiguous_format) for p in self.parameters]
        self.steps = 0  # updates made
        self.rows: int = about["rows"]  # rows of a micro-batch; 0: all
        self.recomputes = False  # layers recompute their activations for the gradient
        self.notes: list[str] = []  # for the result: how memory was saved
        self.compiling = Compiling(self.module, self.layers, self.device) if about["compile"] else None

    # ---- weights ----

    def restore(self, arrays: Arrays) -> None:
        """Sets weights, and moments where they are given. The arrays are named as in checkpoints."""
        with torch.no_grad():
            for i, weight in enumerate(self.weights_of):
                for name, target in (
                    (weight.name, weight.parameter),
                    ("m/" + weight.name, self.first[i]),
                    ("v/" + weight.name, self.second[i]),
                ):
                    if name in arrays:
                        target.copy_(weight.to_module(arrays[name]))
        if "steps" in arrays:
            self.steps = round(arrays["steps"].item())

    def weights(self) -> Tensors:
        return [(w.name, w.from_module(w.parameter).float()) for w in self.weights_of]

    def moments(self) -> Tensors:
        out = [("steps", torch.tensor([float(self.steps)]))]
        for weight, first, second in zip(self.weights_of, self.first, self.second, strict=True):
            out.append(("m/" + weight.name, weight.from_module(first).float()))
            out.append(("v/" + weight.name, weight.from_module(second).float()))
        return out

    # ---- training ----

    def step(self, batch: Arrays, update: dict[str, Any]) -> dict[str, Any]:
        """Makes one update by AdamW or Muon. Loss and gradient norm are those before it.

        There is no update if one of them is not finite.
        """
        scored = max(1, int((batch["targets"] != NOT_SCORED).sum()))
        loss = self._gradient(batch, scored)
        norm = self._norm()
        updated = math.isfinite(loss) and math.isfinite(norm)
        if updated:
            self._apply(norm, update)
        for p in self.parameters:
            p.grad = None
        return {"loss": loss, "gradient_norm": norm, "updated": updated}

    def _gradient(self, batch: Arrays, scored: int) -> float:
        """Leaves the gradient of the mean loss over `scored` positions in the parameters, and returns that loss.

        If memory is short, it tries again with fewer rows at a time.
        """
        while True:
            error: Exception | None = None
            loss = torch.zeros((), dtype=torch.float64, device=self.device)
            try:
                with self.compiling.timed(batch["tokens"].shape) if self.compiling else contextlib.nullcontext():
                    loss = self._accumulate(batch, scored)
                    if self.device.type == "cuda":
                        torch.cuda.synchronize(self.device)
            except Exception as e:
                if not (isinstance(e, Abandoned) or is_out_of_memory(e)):
                    raise
                error = e.with_traceback(None)
            # All processes try again if one of them could not.
            short, abandoned = error is not None and is_out_of_memory(error), isinstance(error, Abandoned)
            failures = torch.tensor([float(short), float(abandoned)], device=self.device)
            self.team.add([failures])
            if not failures.any():
                self.team.add([loss, *(p.grad for p in self.parameters if p.grad is not None)])
                return loss.item()
            for p in self.parameters:
                p.grad = None
            if failures[0]:
                self._save_memory(batch["tokens"].shape[0], error)

    def _accumulate(self, batch: Arrays, scored: int) -> torch.Tensor:
        """Adds the gradient of this process's rows, and returns their share of the mean loss."""
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        own_rows = self.team.rows(batch["tokens"].shape[0])
        for start, end in self._parts(own_rows):
            part = {name: x[start:end].to(self.device) for name, x in batch.items()}
            with self._precision():
                logits = self._logits(part["tokens"], part.get("starts"))
            loss = summed_loss(logits, part["targets"])
            (loss / scored).backward()
            total += loss.detach()
        for p in self.parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        return total / scored

    def _save_memory(self, rows: int, error: Exception | None) -> None:
        """Halves the rows of a micro-batch, rounded up; at one row, recomputes activations. Raises if both are done."""
        now = self.rows or -(-rows // self.team.size)
        if now == 1 and (self.recomputes or not self.layers):
            raise error or MemoryError("another process of the team is out of memory")
        self.recomputes = self.recomputes or now == 1
        self._use_rows(-(-now // 2))

    def _use_rows(self, rows: int) -> None:
        """Sets the rows of a micro-batch after memory was short."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.rows = rows
        how = ", activations recomputed" if self.recomputes else ""
        self.notes = [f"out of memory: {rows} rows at a time{how}"]

    def _norm(self) -> float:
        norms = torch.stack([torch.linalg.vector_norm(p.grad).double() for p in self.parameters])
        return math.sqrt(float((norms * norms).sum()))

    def _apply(self, norm: float, update: dict[str, Any]) -> None:
        """Updates by AdamW or Muon, with the learning rate and weight decay that the worker gives each parameter."""
        clip = update["clip"]
        divisor = torch.full((), norm / clip if 0 < clip < norm else 1.0, device=self.device)
        groups: dict[tuple[float, float], list[int]] = {}
        with torch.no_grad():
            for i, (rate, decay, matrix) in enumerate(
                zip(update["rates"], update["decays"], update["muon"], strict=True)
            ):
                if matrix is None:
                    groups.setdefault((rate, decay), []).append(i)
                else:
                    self._muon(i, self.parameters[i].grad / divisor, rate * decay, matrix)
            for (rate, decay), members in groups.items():
                adamw(
                    [self.parameters[i] for i in members],
                    [self.parameters[i].grad.contiguous() for i in members],
                    [self.first[i] for i in members],
                    [self.second[i] for i in members],
                    [],
                    [torch.full((), float(self.steps), device=self.device) for _ in members],
                    fused=True,
                    grad_scale=divisor,
                    amsgrad=False,
                    beta1=update["beta1"],
                    beta2=update["beta2"],
                    lr=rate,
                    weight_decay=decay,
                    eps=update["epsilon"],
                    maximize=False,
                )
        self.steps += 1

    def _muon(self, i: int, gradient: torch.Tensor, decay: float, matrix: dict[str, Any]) -> None:
        """Updates a parameter by Muon with Nesterov momentum, as the matrix that src/exec/rates.h describes.

        `decay` is the share of the weight that is taken away.
        """
        weight, momentum = self.weights_of[i], self.first[i]
        momentum.lerp_(gradient, 1 - matrix["momentum"])
        ahead = weight.from_module(gradient.lerp(momentum, matrix["momentum"])).permute(matrix["order"])
        direction = orthogonalized(ahead.reshape(matrix["rows"], matrix["columns"])).reshape(ahead.shape)
        inverse = [matrix["order"].index(k) for k in range(ahead.dim())]
        weight.parameter.mul_(1 - decay)
        weight.parameter.sub_(weight.to_module(direction.permute(inverse)), alpha=matrix["size"])

    # ---- scoring ----

    def score(self, batch: Arrays, greedy: bool) -> Tensors:
        """Returns the loss of each position in nats; with `greedy`, also whether its target is the likeliest token."""
        while True:
            try:
                return self._score(batch, greedy)
            except Exception as error:
                rows = self.rows or batch["tokens"].shape[0]
                if not is_out_of_memory(error) or rows == 1:
                    raise
                self._use_rows(-(-rows // 2))

    def _score(self, batch: Arrays, greedy: bool) -> Tensors:
        losses, hits = [], []
        with torch.no_grad():
            for start, end in self._parts(range(batch["tokens"].shape[0])):
                part = {name: x[start:end].to(self.device) for name, x in batch.items()}
                with self._precision():
                    logits = self._logits(part["tokens"], part.get("starts"))
                losses.append(position_losses(logits, part["targets"]).float().cpu())
                if greedy:
                    hits.append((logits.argmax(-1) == part["targets"]).cpu())
        out = [("losses", torch.cat(losses))]
        return [*out, ("greedy", torch.cat(hits))] if greedy else out

    # ---- training and scoring ----

    def _parts(self, rows: range) -> Iterator[tuple[int, int]]:
        """Yields the start and the end of each micro-batch."""
        size = self.rows or max(1, len(rows))
        for start in range(rows.start, rows.stop, size):
            yield start, min(start + size, rows.stop)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def _logits(self, tokens: torch.Tensor, starts: torch.Tensor | None) -> torch.Tensor:
        """Returns the logits. The number of a document is the position at which it starts."""
        with contextlib.ExitStack() as stack:
            # Compiled layers always get numbers of documents.
            if self.compiling and self.compiling.begin(stack, tokens) and starts is None:
                starts = torch.zeros_like(tokens)
            if self.recomputes and torch.is_grad_enabled():
                stack.enter_context(recomputed(self.layers))
            return self.module(tokens, starts)

    def describe(self) -> str:
        """Returns the version, the device and what was adapted, for the result."""
        where = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "the CPU"
        text = f"PyTorch {torch.__version__} on {where}"
        if self.team.size > 1:
            text = f"{text}, {self.team.size} processes"
        return ", ".join([text, *self.notes, *(self.compiling.notes() if self.compiling else [])])

    def peak_bytes(self) -> int:
        """Returns the most memory that was held so far: on the GPU, or by this process."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def orthogonalized(matrix: torch.Tensor) -> torch.Tensor:
    """Returns the matrix with singular values of about 1, by Newton-Schulz iterations.

    src/exec/torch/optimizer.cc explains the numbers.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (torch.linalg.vector_norm(x) + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if tall else x


def summed_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Returns the sum of the losses of the scored positions, in nats."""
    return position_losses(logits, targets).double().sum()


def position_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Returns the loss of each position in nats, at least in single precision; 0 where it is not scored."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    logits = logits.expand(*targets.shape, -1)  # a module may return one row for all
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=NOT_SCORED, reduction="none")
    return losses.view(targets.shape)


@contextlib.contextmanager
def recomputed(layers: list[nn.Module]) -> Iterator[None]:
    """Makes layers keep only their inputs for the gradient, in what it encloses."""

    def wrapped(forward: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: checkpoint(forward, *args, use_reentrant=False)

    distinct = {id(layer): layer for layer in layers}.values()  # a shared layer stands in several places
    for layer in distinct:
        layer.forward = wrapped(layer.forward)
    try:
        yield
    finally:
        for layer in distinct:
            del layer.forward
