# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers that the authors' released code produced, and the stand-in weights that it ran with.

The weights are made from each tensor's key and shape alone, so none are stored. The rules keep random networks alive:
activations neither vanish nor explode and boxes stay finite.
"""

import functools
import json
import lzma
import pathlib
import re
import zlib

import numpy as np
import torch

GOLDEN = pathlib.Path(__file__).parent / "golden"


def golden(name):
    """Arrays of one file, for example `golden("pysot/siamrpn_alex_dwxcorr")`; mapping of name to array."""
    with np.load(GOLDEN / f"{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


def golden_json(name):
    """Content of one JSON file, for example `golden_json("pysot/keys_siammask_sharp")`."""
    return json.loads(lzma.open(GOLDEN / f"{name}.json.xz").read())


@functools.cache
def pysot_video():
    """Twelve frames, uint8 (240, 320, 3), and the true boxes (12, 4) as x, y, w, h."""
    video = golden("pysot/video_12")
    return video["frames"], video["boxes"]


@functools.cache
def ocean_video():
    """Twelve frames, uint8 (240, 320, 3), and the true boxes (12, 4) as centre x, centre y, w, h."""
    video = golden("ocean_gradnet/synth_video")
    return video["frames"], next(video[key] for key in video if key != "frames")


def pysot_shapes(config):
    """Official keys and shapes of a PySOT or SiamMask configuration."""
    (shapes,) = golden_json(f"pysot/keys_{config}").values()
    return shapes


@functools.lru_cache(1)  # several tests in a row ask for the same, of up to 300 MB
def pysot_state(config):
    """Stand-in weights in the official key schema of a configuration: key to array, not to be written to."""
    return {key: _pysot_tensor(key, tuple(shape)) for key, shape in pysot_shapes(config).items()}


def _uniform(key, count, low, high):
    raw = np.random.PCG64(zlib.crc32(key.encode())).random_raw(int(count))
    return low + (high - low) * ((raw >> np.uint64(11)).astype(np.float64) * 2.0**-53)


_DAMPED = re.compile(r"(\.bn3|downsample\.1|features\.15|layer5\.1)\.weight$")


def _pysot_tensor(key, shape):
    count = int(np.prod(shape, dtype=np.int64))
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith(("cls_weight", "loc_weight")):
        value = _uniform(key, count, -1, 1)
    elif key.endswith("running_var"):
        value = _uniform(key, count, 0.5, 1.5)
    elif key.endswith(("running_mean", ".bias")):
        value = _uniform(key, count, -0.1, 0.1)
    elif len(shape) == 1:
        value = _uniform(key, count, 0.5, 1.5) * (0.4 if _DAMPED.search(key) else 0.6 if "conv.7." in key else 1)
    else:
        value = _pysot_kernel(key, shape, count)
    return value.reshape(shape).astype(np.float32)


def _pysot_kernel(key, shape, count):
    fan_in = shape[0] if "deconv" in key else shape[1] * shape[2] * shape[3]
    bound = np.sqrt(6 / fan_in)
    value = _uniform(key, count, -bound, bound).reshape(shape)
    if shape[1] == 3:  # it sees raw pixels
        return (value - value.mean((2, 3), keepdims=True)) / 16
    if re.search(r"\.head\.0\.weight$", key):  # it sees sums of products
        return (value - value.mean(1, keepdims=True)) * 0.02
    if re.search(r"\.head\.3\.weight$", key):
        return value * {10: 1, 20: 0.15}.get(shape[0], 0.5)
    if "refine_" in key:  # smooth kernels, so that masks form blobs
        side = 5 if "deconv" in key else 3
        blocks = value.reshape(shape[0], shape[1], shape[2] // side, side, shape[3] // side, side)
        value = (blocks.mean((3, 5), keepdims=True) * side + 0.2 * blocks).reshape(shape)
        return (value - value.mean()) * {"deconv": 0.01, "post2": 1}.get(key.split(".")[1], 0.4)
    return value


_OCEAN_SCHEMAS = ("Ocean(align=True)", "Ocean(align=False)", "extra keys of Ocean(online", "classifier keys")


def ocean_shapes(align=True, online=False):
    """Official keys and shapes of TracKit's Ocean; `online` adds the online stage and the classifier, without align."""
    schema = golden_json("ocean_gradnet/ocean_state_dict_schema")
    whole, align_head, stage, classifier = (
        next(keys for title, keys in schema.items() if title.startswith(start)) for start in _OCEAN_SCHEMAS
    )
    shapes = {key: shape for key, shape in whole.items() if align or key not in set(align_head)}
    return {**shapes, **stage, **classifier} if online else shapes


def ocean_state(align=True, online=False):
    """Stand-in weights in TracKit's key schema: key to array, not to be written to."""
    return {key: _ocean_tensor(key, tuple(shape)) for key, shape in ocean_shapes(align, online).items()}


# Where the released code's own initial values stay, computed as it does: in single precision.
_DISTANCE = torch.arange(100, dtype=torch.float32).reshape(1, 100, 1, 1) * 0.1
_LABEL = torch.exp(-1 / 2 * (_DISTANCE / 0.85) ** 2)
_OCEAN_DEFAULTS = {
    "adjust": np.float32([0.1]),
    "filter_optimizer.log_step_length": np.float32([np.log(0.9)]),
    "filter_optimizer.filter_reg": np.float32([0.1]),
    "filter_optimizer.label_map_predictor.weight": (_LABEL - _LABEL.min()).numpy(),
    "filter_optimizer.target_mask_predictor.0.weight": (3 * torch.tanh(2 - _DISTANCE)).numpy(),
    "filter_optimizer.spatial_weight_predictor.weight": np.ones((1, 100, 1, 1)),
}
_OCEAN_GAIN = (
    (r"(^|\.)features\.conv1\.weight$", 1 / 8),
    (r"bn3\.weight$", 0.3),
    (r"neck\.downsample\.1\.weight$", 0.013),
    (r"_encode\.matrix\d\d_[ks]\.1\.weight$", 0.3),
    (r"connect_model\d?\.bbox_pred\.weight$", 0.5),
    (r"connect_model\d?\.cls_pred\.weight$", 8),
    (r"align_head\.rpn_cls\.weight$", 0.4),
    (r"classifier\.filter_initializer\.filter_conv\.weight$", 0.5),
)
_OCEAN_SHIFT = (
    (r"connect_model\d?\.bias$", 3.4),
    (r"connect_model\d?\.cls_pred\.bias$", -60),
    (r"align_head\.rpn_cls\.bias$", 4.5),
)


@functools.cache  # many tests ask for the same, 180 MB in all
def _ocean_tensor(key, shape):
    for ending, value in _OCEAN_DEFAULTS.items():
        if key.endswith(ending):
            return value.astype(np.float32)
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    if key.endswith("running_mean"):
        value = generator.normal(0, 0.05, shape)
    elif key.endswith("running_var"):
        value = generator.uniform(0.5, 1.5, shape)
    elif re.search(r"connect_model\d?\.bias$", key):
        value = generator.normal(0, 0.15, shape)
    elif key.endswith("weight") and len(shape) > 1:
        value = generator.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
    elif key.endswith("weight"):
        value = generator.uniform(0.5, 1.5, shape)
    else:
        value = generator.normal(0, 0.05, shape)
    for pattern, factor in _OCEAN_GAIN:
        value = value * (factor if re.search(pattern, key) else 1)
    for pattern, offset in _OCEAN_SHIFT:
        value = value + (offset if re.search(pattern, key) else 0)
    return value.astype(np.float32)


def gradnet_schema(checkpoint="base_l5_1t_49/model_epoch49"):
    """Variables of one of GradNet's TensorFlow checkpoints: name to dtype, shape, offset, size and checksum."""
    schema = golden_json("ocean_gradnet/gradnet_ckpt_schema")[checkpoint]
    return {name: entry for name, entry in schema.items() if name != "__header__"}


def gradnet_state(checkpoint="base_l5_1t_49/model_epoch49"):
    """Stand-in weights under TensorFlow's names, kernels as height, width, in, out."""
    state = {name: _gradnet_tensor(name, tuple(entry["shape"])) for name, entry in gradnet_schema(checkpoint).items()}
    return {name: value for name, value in state.items() if value is not None}


_GRADNET_GAIN = (
    (r"scala1(_z)?/conv/weights$", 1 / 64),
    (r"scala5(_z)?/conv/weights$", 0.02),
    (r"t_scala5_zz/conv/weights$", 20),
)


def _gradnet_tensor(name, shape):
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    tail = name.rsplit("/", 1)[-1]
    if tail == "weights":
        value = generator.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
    elif tail in ("gamma", "moving_variance"):
        value = generator.uniform(0.5, 1.5, shape)
    elif tail in ("biases", "beta", "moving_mean"):
        value = generator.normal(0, 0.05, shape)
    else:
        return None
    for pattern, factor in _GRADNET_GAIN:
        value = value * (factor if re.search(pattern, name) else 1)
    return value.astype(np.float32)
