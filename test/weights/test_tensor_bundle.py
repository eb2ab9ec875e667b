# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reader of TensorFlow checkpoints, on files that an independent writer makes."""

import struct
import time

import numpy as np
import pytest
from golden_data import gradnet_schema, gradnet_state

from siam_tracker_ros import create_tracker
from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.weights.tensor_bundle import crc32c, is_bundle, read_bundle

TYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int64": 9, "bool": 10, "float16": 19}
MAGIC = 0xDB4775248B80FB57
DATA = "model.ckpt.data-00000-of-00001"


def slow_crc32c(data):
    """A bit at a time, from the definition."""
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0x82F63B78 if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


def masked(data):
    checksum = slow_crc32c(data)
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def entry(dtype, shape, shard, offset, size, checksum, more=b""):
    dims = b"".join(field(2, field(1, side)) for side in shape)
    parts = [field(1, dtype), field(2, dims), field(3, shard), field(4, offset), field(5, size)]
    return b"".join(parts) + varint(6 << 3 | 5) + struct.pack("<I", checksum) + more


def block(pairs, share=True, restart_every=16):
    """Keys that leave out what they share with the one before, except at every sixteenth."""
    out, restarts, before = b"", [], b""
    for index, (key, value) in enumerate(pairs):
        shared = 0
        if index % restart_every == 0:
            restarts.append(len(out))
        elif share:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    restarts = restarts or [0]
    return out + struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", len(restarts))


def table(pairs, block_of=9, compression=0):
    """A LevelDB table of sorted keys, some keys a block."""
    out, index = b"", []

    def put(content):
        nonlocal out
        handle = varint(len(out)) + varint(len(content))
        kind = bytes([compression])
        out += content + kind + struct.pack("<I", masked(content + kind))
        return handle

    pairs = sorted(pairs)
    for start in range(0, len(pairs), block_of):
        part = pairs[start : start + block_of]
        index.append((part[-1][0] + b"~", put(block(part))))
    handles = put(block([])) + put(block(index, share=False, restart_every=1))
    return out + handles.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def header(shards=1, big_endian=0):
    return b"", field(1, shards) + (field(2, 1) if big_endian else b"") + field(3, field(1, 1))


def write(folder, tensors, shards=1, more=b"", name="model.ckpt", **how):
    """A bundle of arrays, dealt out to the shards in turn; returns the index's path."""
    data, pairs = [b""] * shards, [header(shards, how.pop("big_endian", 0))]
    for number, (key, value) in enumerate(sorted(tensors.items())):
        raw, shard = value.tobytes(), number % shards
        kind = TYPES[value.dtype.name]
        pairs.append((key.encode(), entry(kind, value.shape, shard, len(data[shard]), len(raw), masked(raw), more)))
        data[shard] += raw
    for shard, content in enumerate(data):
        (folder / f"{name}.data-{shard:05d}-of-{shards:05d}").write_bytes(content)
    path = folder / f"{name}.index"
    path.write_bytes(table(pairs, **how))
    return path


@pytest.fixture
def tensors():
    rng = np.random.default_rng(0)
    values = {f"net/layer{index}/weights": rng.normal(size=(3, 2, index + 1)).astype("f4") for index in range(12)}
    values["net/layer0/flags"] = np.array([True, False, True])  # what follows starts off the 4-byte grid
    values["net/step"] = np.array(123456789012, "i8")
    values["net/empty"] = np.empty((0, 4), "f4")
    for kind in ("f8", "i4", "u1", "f2"):
        values[f"kinds/{kind}"] = rng.integers(0, 200, 5).astype(kind)
    return values


def equal(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value.dtype == second[name].dtype
        np.testing.assert_array_equal(value, second[name])
    return True


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("ending", ["", ".index", ".meta", ".data-00000-of-{:05d}"])
def test_a_bundle_reads_back_by_any_of_its_names(tmp_path, tensors, shards, ending):
    write(tmp_path, tensors, shards)
    path = tmp_path / ("model.ckpt" + ending.format(shards))
    assert is_bundle(path)
    assert is_bundle(str(path))
    values = read_bundle(path)
    assert equal(tensors, values)
    assert all(value.flags.writeable and value.flags.aligned for value in values.values())


def test_the_authors_schema_reads_back(tmp_path):
    """Their names, shapes and offsets, with Momentum and all; the values made up, their checksums by the fast rule."""
    schema, made = gradnet_schema(), gradnet_state()
    data, pairs, expected = bytearray(max(e["offset"] + e["size"] for e in schema.values())), [header()], {}
    for name, known in schema.items():
        initial = np.full(known["shape"], 0.1, "f4")
        value = initial if name.endswith("_z/conv/biases") else made.get(name, initial)
        expected[name], raw = value, value.tobytes()
        assert len(raw) == known["size"]
        data[known["offset"] : known["offset"] + known["size"]] = raw
        checksum = crc32c(raw)
        checksum = (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF
        pairs.append((name.encode(), entry(1, known["shape"], 0, known["offset"], known["size"], checksum)))
        if name.endswith(("scala1_z/conv/biases", "scala2_z/conv/biases")):  # in the released file still as initialized
            assert checksum == known["crc32c_masked"]
    (tmp_path / DATA).write_bytes(data)
    (tmp_path / "model.ckpt.index").write_bytes(table(pairs, block_of=40))
    assert equal(expected, read_bundle(tmp_path / "model.ckpt"))
    network = create_tracker("gradnet", weights=tmp_path / DATA, device="cpu").network
    kernel = network.search_backbone.stage5.conv.weight  # the only stage without a norm, so as it is in the file
    np.testing.assert_array_equal(kernel, expected["siamese/scala5/conv/weights"].transpose(3, 2, 0, 1))


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_checksums_of_the_standard(data, checksum):
    assert crc32c(data) == slow_crc32c(data) == checksum


@pytest.mark.parametrize("size", [*range(1, 18), 63, 64, 65, 1023, 4099])
def test_checksums_of_all_lengths(size):
    data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
    assert crc32c(data) == slow_crc32c(data.tobytes())


def test_the_checksum_is_fast_enough_for_a_network():
    data = np.zeros(33_000_000, np.uint8)
    start = time.process_time()
    crc32c(data)
    assert time.process_time() - start < 3


def flip(path, byte, bit=0):
    content = bytearray(path.read_bytes())
    content[byte] ^= 1 << bit
    path.write_bytes(content)


def test_no_flipped_bit_of_the_index_goes_unseen(tmp_path, tensors):
    """Except in the footer's padding, which holds nothing."""
    path = write(tmp_path, tensors)
    content = path.read_bytes()
    padding = range(len(content[:-8].rstrip(b"\0")), len(content) - 8)
    for byte in range(len(content)):
        flip(path, byte, byte % 8)
        try:
            values = read_bundle(path)
        except WeightsError:
            pass
        else:
            assert byte in padding
            assert equal(tensors, values)
        path.write_bytes(content)


def test_a_flipped_bit_of_the_data_names_the_tensor(tmp_path):
    tensors = {name: np.arange(8, dtype="f4") for name in ("a", "b", "c")}
    path = write(tmp_path, tensors)
    content = (tmp_path / DATA).read_bytes()
    for byte in range(len(content)):
        flip(tmp_path / DATA, byte, byte % 8)
        with pytest.raises(WeightsError, match=f"checksum of tensor {'abc'[byte // 32]} is wrong"):
            read_bundle(path)
        (tmp_path / DATA).write_bytes(content)


@pytest.mark.parametrize("part", ["model.ckpt.index", DATA])
def test_no_cut_goes_unseen(tmp_path, tensors, part):
    path = write(tmp_path, tensors)
    content = (tmp_path / part).read_bytes()
    for size in (0, 1, 7, 8, 47, 48, 60, len(content) // 2, len(content) - 1):
        (tmp_path / part).write_bytes(content[:size])
        with pytest.raises(WeightsError, match=f"{part}.*(cut short|damaged)"):
            read_bundle(path)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "model.ckpt.index").unlink(), "model.ckpt.index .*cannot be read.*side by side"),
        (lambda folder: (folder / DATA).unlink(), "data-00000-of-00001 .*cannot be read.*side by side"),
        (lambda folder: (folder / DATA).write_bytes(b"1234"), "is cut short: 4 bytes, tensor a ends at 12"),
        (lambda folder: write(folder, {"a": np.ones(3, "f4")}, compression=1), "compressed .kind 1.*Saver"),
        (lambda folder: write(folder, {"a": np.ones(3, "f4")}, big_endian=1), "big-endian"),
        (lambda folder: write(folder, {"a": np.ones(3, "f4")}, more=field(7, b"")), "tensor a is stored in slices"),
        (lambda folder: put_entries(folder, []), "not the index of a TensorFlow checkpoint"),
        (lambda folder: put_entries(folder, [header(), (b"a", b"\x03\x01")]), "not the index of a TensorFlow"),
        (lambda folder: put_entries(folder, [header(), (b"a", entry(7, [3], 0, 0, 12, 0))]), "type number 7"),
        (lambda folder: put_entries(folder, [header(), (b"a", entry(1, [4], 0, 0, 12, 0))]), "shape .4,. has 12 bytes"),
        (lambda folder: put_entries(folder, [header(), (b"a", entry(1, [3], 0, 1 << 60, 12, 0))]), "cut short"),
    ],
)
def test_each_fault_has_its_sentence(tmp_path, spoil, sentence):
    write(tmp_path, {"a": np.ones(3, "f4"), "b": np.ones(3, "f4")})
    spoil(tmp_path)
    with pytest.raises(WeightsError, match=sentence):
        read_bundle(tmp_path / "model.ckpt")


def put_entries(folder, pairs):
    (folder / "model.ckpt.index").write_bytes(table(pairs))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_shard_is_named(tmp_path, tensors, missing):
    path = write(tmp_path, tensors, shards=3)
    (tmp_path / f"model.ckpt.data-{missing:05d}-of-00003").unlink()
    with pytest.raises(WeightsError, match=f"data-{missing:05d}-of-00003 .*cannot be read"):
        read_bundle(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(100), bytes(48)])
def test_another_file_is_no_bundle(tmp_path, content):
    other = tmp_path / "model.pth"
    other.write_bytes(content)
    assert not is_bundle(other)
    assert not is_bundle(tmp_path / "absent")
    (tmp_path / "model.index").write_bytes(content)
    with pytest.raises(WeightsError, match="not the index of a TensorFlow checkpoint"):
        read_bundle(tmp_path / "model.index")
