"""Several processes that train one model, each on its part of every batch."""

import os
import shutil
import subprocess
import sys
import tempfile

import torch
import torch.distributed as dist


class Team:
    """The processes of a job. A team of one needs no torch.distributed.

    Process 0 talks to the worker and starts the others, unless a launcher such as torchrun did (RANK).
    """

    def __init__(self, size: int, device: str) -> None:
        self.rank, self.size = int(os.environ.get("RANK", 0)), size
        self.device = torch.device(device)
        self.children: list[subprocess.Popen[bytes]] = []
        if size == 1:
            return
        if "GABBRO_TEAM" not in os.environ and "RANK" not in os.environ:
            self._start_others()
        if self.device.type == "cuda":
            self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", self.rank)))
            torch.cuda.set_device(self.device)
        # Processes that process 0 started meet at a file; those of a launcher meet as its variables say.
        meeting = os.environ.get("GABBRO_TEAM")
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo",
            init_method=f"file://{meeting}" if meeting else "env://",
            world_size=size,
            rank=self.rank,
        )
        self.control = dist.new_group(backend="gloo")
        dist.barrier(self.control)
        if meeting and self.rank == 0:
            shutil.rmtree(os.path.dirname(meeting), ignore_errors=True)

    def _start_others(self) -> None:
        for library in ("GLOO", "NCCL"):  # all processes are on this machine, and a sandbox has only a loopback
            os.environ.setdefault(f"{library}_SOCKET_IFNAME", "lo")
        os.environ["GABBRO_TEAM"] = os.path.join(tempfile.mkdtemp(prefix="team-"), "meeting")
        for rank in range(1, self.size):
            environment = os.environ | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            command = [sys.executable, "-m", "gabbro_torch", *sys.argv[1:]]
            self.children.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL))

    def share(self, message: object) -> object:
        """Returns the message of process 0, in all processes."""
        if self.size == 1:
            return message
        box = [message]
        dist.broadcast_object_list(box, src=0, group=self.control)
        return box[0]

    def rows(self, count: int) -> range:
        """Returns the rows of a batch of `count` rows that this process works on."""
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def add(self, tensors: list[torch.Tensor]) -> None:
        """Replaces each tensor by its sum over the processes."""
        if self.size > 1:
            for work in [dist.all_reduce(x, async_op=True) for x in tensors]:
                work.wait()
