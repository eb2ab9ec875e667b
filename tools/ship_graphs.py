# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write the graphs that come with the package, beside the shipped weights, from which they read theirs.

usage: ./run exec python -m tools.ship_graphs

They let `lite` track without torch. Run it after the weights were trained anew or the network was changed; a test fails
until then.
"""

from siam_tracker_ros.core.loading import read_network
from siam_tracker_ros.core.registry import list_models
from siam_tracker_ros.core.running import graph_file_name
from siam_tracker_ros.executors.export import export_graph, share_weights
from siam_tracker_ros.outputs import write_atomic


def main() -> None:
    """Write the graphs of every method with shipped weights."""
    for method in list_models():
        weights = method.shipped_weights
        if weights is None or method.weights:  # those of another method
            continue
        network = read_network(method, None).eval().requires_grad_(False)  # its norms stay: fused, the weights change
        for name, (function, inputs) in network.graphs().items():
            path = weights.parent / graph_file_name(method, name)
            write_atomic(path, share_weights(export_graph(function, inputs, fuse_norms=False), weights))
            print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
