# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Converts checkpoints of the authors to our own format: safetensors, our names, no code."""

import os
import pathlib

import torch

from siam_tracker_ros.core.loading import identify, load_network
from siam_tracker_ros.core.method import Method
from siam_tracker_ros.core.registry import find_model
from siam_tracker_ros.errors import InvalidInputError, WeightsError
from siam_tracker_ros.weights.checkpoint import read_weights, save_weights


def convert_weights(
    source: str | os.PathLike[str], target: str | os.PathLike[str], model: str | None = None, half: bool = False
) -> tuple[Method, ...]:
    """Write the weights of a checkpoint as safetensors with our names.

    Args:
        source: path of a checkpoint in any format that `read_weights` knows.
        target: path to write, ending in .safetensors; an existing file is replaced.
        model: name of the model; None: the one whose network the checkpoint fits.
        half: whether to store 16 bits per number instead of 32.

    Returns:
        The methods that take the new file.

    Raises:
        InvalidInputError: the target is not named .safetensors, or its folder is missing.
        WeightsError: the source cannot be read or fits no model.
    """
    target = pathlib.Path(target)
    if target.suffix != ".safetensors":
        raise InvalidInputError(f"output is {target}, expected a name that ends in .safetensors")
    if not target.parent.is_dir():
        raise InvalidInputError(f"folder {target.parent} does not exist; make it, then write {target.name}")
    weights = read_weights(source)
    what = f"weights file {source}"
    methods = (find_model(model),) if model is not None else identify(weights, what)
    if not methods:
        first = ", ".join(sorted(map(str, weights))[:3])
        raise WeightsError(f"{what} looks like no model here ({len(weights)} keys, first: {first}); name the model")
    save_weights(load_network(methods[0], weights, what), target, torch.float16 if half else torch.float32)
    return methods
