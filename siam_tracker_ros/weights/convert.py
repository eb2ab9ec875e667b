# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turns a checkpoint of the authors into a file of our own: one format, our names, no code in it."""

import pathlib

import torch

from siam_tracker_ros.core.registry import find_model, identify, load_network
from siam_tracker_ros.errors import InvalidInputError, WeightsError
from siam_tracker_ros.weights.checkpoint import read_weights, save_weights


def convert_weights(source, target, model=None, half=False):
    """Write the weights of a checkpoint as safetensors with our names.

    Args:
        source: path of a checkpoint in any format that `read_weights` knows.
        target: path to write, ending in .safetensors; a file of that name is replaced.
        model: name of the model; None: the one whose network the checkpoint fits.
        half: whether to store 16 bits a number in place of 32.

    Returns:
        The models, as a tuple of Method, that take the file written.

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
    infos = (find_model(model),) if model is not None else identify(weights)
    if not infos:
        first = ", ".join(sorted(map(str, weights))[:3])
        raise WeightsError(f"{what} looks like no model here ({len(weights)} keys, first: {first}); name the model")
    save_weights(load_network(infos[0], weights, what), target, torch.float16 if half else torch.float32)
    return infos
