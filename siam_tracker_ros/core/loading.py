# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Networks from weights: the variant that the weights are of, and which method that is."""

import os
import pathlib
import typing
from collections.abc import Mapping

import torch

from siam_tracker_ros.core.method import Method
from siam_tracker_ros.core.network import MIN_LIKENESS, Network, State
from siam_tracker_ros.core.registry import list_models
from siam_tracker_ros.core.running import Weights, weights_file_name
from siam_tracker_ros.errors import WeightsError
from siam_tracker_ros.weights.checkpoint import load_weights, read_weights, unwrap


def read_network(method: Method, weights: Weights) -> Network:
    """Make the network of a method with weights, see `create_tracker`.

    Raises:
        WeightsError: the weights are missing, damaged or made for another network.
    """
    if isinstance(weights, str) and weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return method.network_class.for_state({})
    if weights is None:
        weights = method.shipped_weights
        if weights is None:
            source = f"get {method.checkpoint} from {method.published} and" if method.published else "train it and"
            raise WeightsError(
                f'no weights come with {method.name}; {source} give its path as weights, or "random" to try without'
            )
    if isinstance(weights, Mapping):
        what = "the given mapping"
        return load_network(method, unwrap(weights, what), what)
    if isinstance(weights, (str, os.PathLike)):
        if (file := pathlib.Path(weights, weights_file_name(method))).is_file():  # a folder of graphs
            weights = file
        return load_network(method, read_weights(weights), f"weights file {weights}")
    raise WeightsError(f'weights is {type(weights).__name__}, expected None, a path, a mapping or "random"')


def load_network(method: Method, weights: Mapping[str, typing.Any], what: str) -> Network:
    """Make the variant of a method's network that weights were saved from, and load them.

    Args:
        method: whose network to make.
        weights: mapping of name to tensor or array, with the authors' names or ours.
        what: name of the source, for the message.

    Raises:
        WeightsError: names missing, unexpected or of another shape; the message says which model the weights look like.
    """
    state = method.network_class.own_state(weights, what)
    network = method.network_class.for_state(state)
    try:
        load_weights(network, state, what)
    except WeightsError as error:
        similar = identify(weights, what)
        if not similar or method in similar:
            raise
        names = " or ".join(other.name for other in similar)
        raise WeightsError(f"{error}; it looks like weights of {names}, not of {method.name}") from error
    return network


def identify(weights: State, what: str) -> tuple[Method, ...]:
    """Return the methods whose network has most in common with weights; () for none.

    Args:
        weights: mapping of name to tensor or array, with the authors' names or ours.
        what: name of the source, for the message.

    Raises:
        WeightsError: several parts of the weights look like the network of one method.
    """
    classes = {method.network_class for method in list_models()}
    likeness = {network: network.likeness(network.translate_state_dict(weights)) for network in classes}
    if max(likeness.values()) < MIN_LIKENESS:  # the network may be a part of what was saved
        likeness = {network: network.likeness(network.own_state(weights, what)) for network in classes}
    best = max(likeness.values())
    return tuple(method for method in list_models() if likeness[method.network_class] == best >= MIN_LIKENESS)
