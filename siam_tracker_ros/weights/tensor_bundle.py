# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads a TensorFlow checkpoint, a "tensor bundle", without TensorFlow.

A bundle is two kinds of files: `NAME.index`, a LevelDB table with the type, shape, place and checksum of each tensor;
and `NAME.data-00000-of-00001` (or several such shards) with the values, little-endian. Every checksum is verified.
"""

import dataclasses
import functools
import math
import os
import pathlib
import re
import typing
from collections.abc import Iterator, Sequence

import numpy as np

from siam_tracker_ros.errors import WeightsError

_PART = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_FOOTER = 48  # bytes: two block handles, padding, magic number
_MAGIC = bytes.fromhex("57fb808b247547db")
_TRAILER = 5  # bytes after a block: compression, checksum
_HEADER = ""  # the key of the bundle's own entry
_TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 17: "<u2", 19: "<f2"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # kinds of fields of protocol buffers

Handle = tuple[int, int]  # offset and size of a block in bytes


def is_bundle(path: str | os.PathLike[str]) -> bool:
    """True if a path names a file of a bundle (.index, .meta, .data-...), or the prefix of its files."""
    path = pathlib.Path(path)
    return bool(_PART.search(path.name)) or (not path.is_file() and _index_path(path).is_file())


def read_bundle(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read all tensors of a bundle.

    Args:
        path: any of its files, or the prefix of their names (`model.ckpt` for `model.ckpt.index`).

    Returns:
        Mapping of name to array.

    Raises:
        WeightsError: a file is missing, cut short or damaged, or a tensor does not hold numbers.
    """
    index_path = _index_path(path)
    table = _read_table(index_path, _read_file(index_path))
    try:
        header = dict(_fields(table.pop(_HEADER)))
        entries = {name: _Entry.parse(value) for name, value in table.items()}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise WeightsError(f"{index_path} is a table, but not the index of a TensorFlow checkpoint") from error
    if header.get(2, 0) != 0:
        raise WeightsError(f"{index_path} was written on a big-endian machine, expected a little-endian checkpoint")
    count = header.get(1, 1)
    prefix = _PART.sub("", index_path.name)
    shards = {}
    for shard in sorted({entry.shard for entry in entries.values()}):
        shard_path = index_path.with_name(f"{prefix}.data-{shard:05d}-of-{count:05d}")
        shards[shard] = shard_path, np.frombuffer(_read_file(shard_path), np.uint8)
    return {name: _read_tensor(name, entry, *shards[entry.shard]) for name, entry in entries.items()}


def _index_path(path: str | os.PathLike[str]) -> pathlib.Path:
    path = pathlib.Path(path)
    return path.with_name(_PART.sub("", path.name) + ".index")


def _read_file(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{path} of a TensorFlow checkpoint cannot be read ({error.strerror}); "
            "its .index and its .data files must lie side by side"
        ) from error


@dataclasses.dataclass(frozen=True)
class _Entry:
    """A tensor in the index."""

    type: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    sliced: bool

    @classmethod
    def parse(cls, message: bytes) -> "_Entry":
        fields = dict(_fields(message))
        shape = tuple(dict(_fields(size)).get(1, 0) for key, size in _fields(fields.get(2, b"")) if key == 2)
        return cls(
            fields.get(1, 0), shape, fields.get(3, 0), fields.get(4, 0), fields.get(5, 0), fields.get(6, 0), 7 in fields
        )


def _read_tensor(name: str, entry: _Entry, path: pathlib.Path, data: np.ndarray) -> np.ndarray:
    if entry.type not in _TYPES or entry.sliced:
        kind = "is stored in slices" if entry.sliced else f"has TensorFlow's type number {entry.type}"
        raise WeightsError(f"{path}: tensor {name} {kind}, expected whole tensors of numbers")
    dtype = np.dtype(_TYPES[entry.type])
    if entry.size != math.prod(entry.shape) * dtype.itemsize:
        raise WeightsError(f"{path}: tensor {name} of shape {entry.shape} has {entry.size} bytes; the index is damaged")
    raw = data[entry.offset : entry.offset + entry.size]
    if raw.size != entry.size:
        raise WeightsError(
            f"{path} is cut short: {data.size} bytes, tensor {name} ends at {entry.offset + entry.size}; fetch it again"
        )
    if _masked(crc32c(raw)) != entry.checksum:
        raise WeightsError(f"{path}: checksum of tensor {name} is wrong, the file is damaged; fetch it again")
    return raw.copy().view(dtype).reshape(entry.shape)


def _read_table(path: pathlib.Path, content: bytes) -> dict[str, bytes]:
    """All keys and values of a LevelDB table."""
    if content[-len(_MAGIC) :] != _MAGIC or len(content) < _FOOTER:
        raise WeightsError(f"{path} is cut short, or not the index of a TensorFlow checkpoint; fetch it again")
    try:
        footer = content[-_FOOTER:]
        metadata, start = _handle(footer, 0)
        index, _ = _handle(footer, start)
        list(_block(path, content, metadata))  # nothing of use in it, but its checksum is verified
        blocks = [_handle(value, 0)[0] for _, value in _block(path, content, index)]
        return {key.decode(): value for block in blocks for key, value in _block(path, content, block)}
    except (IndexError, ValueError) as error:
        raise WeightsError(f"{path} is damaged; fetch it again") from error


def _handle(content: bytes, start: int) -> tuple[Handle, int]:
    """The handle at a position, and the position after it."""
    offset, start = _varint(content, start)
    size, start = _varint(content, start)
    return (offset, size), start


def _block(path: pathlib.Path, content: bytes, handle: Handle) -> Iterator[tuple[bytes, bytes]]:
    """Check a block of a table and yield its keys and values; a key is stored without its prefix of the one before."""
    offset, size = handle
    block = content[offset : offset + size + _TRAILER]
    compression, checksum = block[size], int.from_bytes(block[size + 1 :], "little")
    if len(block) != size + _TRAILER or _masked(crc32c(block[: size + 1])) != checksum:
        raise WeightsError(f"{path} is damaged: the checksum of the block at byte {offset} is wrong; fetch it again")
    if compression:
        raise WeightsError(
            f"{path} is compressed (kind {compression}), expected an index as TensorFlow writes it, without; "
            "save the checkpoint again with TensorFlow's own Saver"
        )
    restarts = int.from_bytes(block[size - 4 : size], "little")
    end = size - 4 * (restarts + 1)
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        own, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + own]
        position += own
        yield key, block[position : position + length]
        position += length


def _varint(content: Sequence[int], position: int) -> tuple[int, int]:
    """The number in base 128, lowest digit first, at a position, and the position after it."""
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def _fields(message: bytes) -> Iterator[tuple[int, typing.Any]]:
    """Field numbers and values, int or bytes, of a message of protocol buffers."""
    position = 0
    value: int | bytes
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
            value, position = int.from_bytes(message[position : position + size], "little"), position + size
        elif kind == _BYTES:
            size, position = _varint(message, position)
            value, position = message[position : position + size], position + size
        else:
            raise ValueError(f"field of kind {kind}")
        yield tag >> 3, value


def _masked(checksum: int) -> int:
    """A checksum as LevelDB stores it, since a plain one is weak for data that holds checksums."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes | np.ndarray) -> int:
    """Castagnoli checksum (CRC-32C) of bytes or of a uint8 array.

    The remainder of a message is linear in it, so it is computed for all pairs of neighbouring 4-byte words at once,
    then for all pairs of pairs: a few vector operations per level instead of one step per byte. Zeros in front change
    nothing.
    """
    data = np.frombuffer(data, np.uint8)
    words = np.concatenate([np.zeros(-len(data) % 4, np.uint8), data]).view("<u4")
    level = 2
    while len(words) > 1:
        if len(words) % 2:
            words = np.concatenate([np.zeros(1, words.dtype), words])
        words = _append_zeros(words[::2], level) ^ words[1::2]
        level += 1
    remainder = _append_zeros(words, 2)
    start = np.array([0xFFFFFFFF], np.uint32)
    for level in range(len(data).bit_length()):
        if len(data) >> level & 1:
            start = _append_zeros(start, level)
    return int(~np.bitwise_xor.reduce(np.concatenate([remainder, start])) & np.uint32(0xFFFFFFFF))


def _append_zeros(remainders: np.ndarray, level: int) -> np.ndarray:
    """Remainders (N,) of the messages with 2**level zero bytes appended."""
    low, high = _append_tables(level)
    return low[remainders & 0xFFFF] ^ high[remainders >> 16]


@functools.cache
def _append_tables(level: int) -> tuple[np.ndarray, np.ndarray]:
    """Tables (65536,) of `_append_zeros` for the lower and the upper half of a remainder."""
    bits = np.left_shift(np.uint32(1), np.arange(32, dtype=np.uint32))
    if level:
        bits = _append_zeros(_append_zeros(bits, level - 1), level - 1)
    else:
        for _ in range(8):
            bits = bits >> 1 ^ np.where(bits & 1, np.uint32(0x82F63B78), np.uint32(0))
    tables = []
    for half in (bits[:16], bits[16:]):
        table = np.zeros(1, np.uint32)
        for bit in half:
            table = np.concatenate([table, table ^ bit])
        tables.append(table)
    return tables[0], tables[1]
