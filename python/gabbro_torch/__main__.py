"""Answers the calls of gabbro-worker on standard input and output, until its end.

usage: python -m gabbro_torch [PROCESSES [DEVICE]]
"""

import os
import sys
import tempfile
import traceback
from typing import Any, BinaryIO

import torch

from . import messages
from .model import DeviceError, Model, check_device, is_out_of_memory
from .team import Team


class Server:
    """The models of a job, by their numbers."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.models: dict[int, Model] = {}

    def answer(self, head: dict[str, Any], arrays: messages.Arrays) -> tuple[dict[str, Any], list]:
        """Returns the reply to a call. Process 0 of the team gets all calls, the others only those of COLLECTIVE."""
        call, number = head["call"], head.get("model", 0)
        if call == "hello":
            return {}, []
        if call == "open":
            torch.set_num_threads(max(1, head["threads"] // self.team.size))
            self.models[number] = Model(head, self.team)
            return {}, []
        model = self.models[number]
        match call:
            case "close":
                del self.models[number]
                return {}, []
            case "restore":
                model.restore(arrays)
                return {}, []
            case "step":
                report = model.step(arrays, head["update"])
                numbers = [report["loss"], report["gradient_norm"], float(report["updated"]), model.peak_bytes()]
                return {}, [("report", torch.tensor(numbers, dtype=torch.float64))]
            case "losses" | "score":
                return {}, model.score(arrays, greedy=call == "score")
            case "weights":
                return {}, model.weights()
            case "moments":
                return {}, model.moments()
            case "describe":
                return {"text": model.describe()}, []
        raise ValueError(f"unknown call '{call}'")


COLLECTIVE = ("open", "close", "restore", "step")  # calls in which all processes of the team take part


def describe(error: BaseException) -> str:
    """Returns an error in one line, and prints its traceback to the log, unless the line says all."""
    text = str(error).strip().split("\n")[0] or type(error).__name__
    if isinstance(error, DeviceError):
        return text
    traceback.print_exception(error)
    if is_out_of_memory(error):
        return f"out of memory, even with one row at a time: {text}"
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"


def serve(team: Team, inputs: BinaryIO, outputs: BinaryIO) -> None:
    """Answers calls until the worker ends. If a call fails, its reply is the error."""
    server = Server(team)
    while True:
        message = messages.read(inputs) if team.rank == 0 else None
        if team.rank > 0 or message is None or message[0]["call"] in COLLECTIVE:
            message = team.share(message)
        if message is None:
            return
        try:
            head, arrays = server.answer(*message)
        except Exception as error:
            if team.rank > 0:
                raise
            head, arrays = {"error": describe(error)}, []
        if team.rank == 0:
            messages.write(outputs, head, arrays)


def main() -> None:
    # Output of libraries must not get into the messages.
    outputs = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    device = sys.argv[2] if len(sys.argv) > 2 else "cpu"
    try:
        check_device(device)
        if torch.device(device).type == "cuda":
            torch.use_deterministic_algorithms(True, warn_only=True)
        team = Team(size, device)
    except Exception as error:
        if messages.read(sys.stdin.buffer) is not None:
            messages.write(outputs, {"error": describe(error)})
        sys.exit(1)
    with tempfile.TemporaryDirectory(prefix="inductor-") as cache:
        # Compiled code is not shared between runs, since the program of a run is not trusted.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
        serve(team, sys.stdin.buffer, outputs)


if __name__ == "__main__":
    main()
