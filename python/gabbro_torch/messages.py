"""Messages between the worker and this process: a JSON head, and arrays as raw little-endian bytes.

A message is the sizes of head and body in bytes (two unsigned 64-bit numbers), the head, and the body. The head
lists its arrays, in the order of the body, as {"name", "dtype", "shape"}.
"""

import ctypes
import json
import math
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import torch

DTYPES = {"int64": torch.int64, "float32": torch.float32, "float64": torch.float64, "bool": torch.bool}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
SIZES = struct.Struct("<QQ")

Arrays = dict[str, torch.Tensor]


def read(stream: BinaryIO) -> tuple[dict[str, Any], Arrays] | None:
    """Returns the next message, or None at the end of the stream."""
    sizes = stream.read(SIZES.size)
    if len(sizes) < SIZES.size:
        return None
    head_size, body_size = SIZES.unpack(sizes)
    head = json.loads(_read_all(stream, head_size))
    body = _read_all(stream, body_size)
    arrays: Arrays = {}
    offset = 0
    for entry in head.get("arrays", []):
        dtype, count = DTYPES[entry["dtype"]], math.prod(entry["shape"])
        flat = torch.frombuffer(body, dtype=dtype, count=count, offset=offset) if count else torch.empty(0, dtype=dtype)
        arrays[entry["name"]] = flat.view(entry["shape"])
        offset += count * dtype.itemsize
    if offset != body_size:
        raise ValueError(f"a message has {body_size} bytes, but its arrays have {offset}")
    return head, arrays


def write(stream: BinaryIO, head: dict[str, Any], arrays: Sequence[tuple[str, torch.Tensor]] = ()) -> None:
    """Writes a message. Sets head["arrays"]."""
    parts = [(name, x.detach().cpu().contiguous()) for name, x in arrays]
    head["arrays"] = [{"name": name, "dtype": NAMES[x.dtype], "shape": list(x.shape)} for name, x in parts]
    text = json.dumps(head).encode()
    stream.write(SIZES.pack(len(text), sum(x.nbytes for _, x in parts)))
    stream.write(text)
    for _, x in parts:
        if x.numel():
            stream.write(_view(x))
    stream.flush()


def _view(x: torch.Tensor) -> memoryview:
    """Returns the bytes of a contiguous array, without a copy."""
    return memoryview((ctypes.c_ubyte * x.nbytes).from_address(x.data_ptr()))


def _read_all(stream: BinaryIO, size: int) -> bytearray:
    out = bytearray(size)
    view, done = memoryview(out), 0
    while done < size:
        count = stream.readinto(view[done:])
        if not count:
            raise EOFError("the worker ended within a message")
        done += count
    return out
