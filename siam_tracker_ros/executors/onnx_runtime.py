# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime in place of torch, for what a network does in every frame: on a CPU it takes about half the time.

The graphs are made in memory, of the network as it is, so that there is one file of weights and nothing is written.
"""

import inspect
import io
import warnings

import numpy as np
import torch

OPSET = 17  # the newest that torch 2.0 writes
SIZE = 16  # of the example for a size that varies
SPIN_US = 20  # microseconds that a thread waits awake for its next piece of work
SPIN_BOUNDED_SINCE = (1, 26)  # ONNX Runtime; before it, a thread that may spin does so for milliseconds


def use_onnx_runtime(network):
    """Have ONNX Runtime execute, on the CPU, the methods that a network's ONNX_INPUTS name; return the network.

    The sessions keep the weights that the network has now, and as many threads as torch uses now.

    Args:
        network: a Network on the CPU with an ONNX_INPUTS, in eval mode.
    """
    for name, shapes in network.ONNX_INPUTS.items():
        setattr(network, name, OnnxFunction(network, name, shapes))
    network.runtime = "onnx"
    return network


class OnnxFunction:
    """A method of a network, of tensors alone, executed by ONNX Runtime.

    Args:
        network: a torch module in eval mode.
        name: of the method.
        shapes: of its arguments, None for sizes that vary.
    """

    def __init__(self, network, name, shapes):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        # A thread that spins while it waits for another takes the core that the other one needs, wherever other
        # programs run as well. On two busy cores half of `lite`'s frames took less than 39 ms without, 275 ms with it.
        # A few microseconds of it spare the short waits between layers the way to sleep and back: an eighth of a frame.
        can_bound = tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= SPIN_BOUNDED_SINCE
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(can_bound)))
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_US))
        graph = _export(network, name, shapes)
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._inputs = [value.name for value in self._session.get_inputs()]

    def __call__(self, *tensors):
        """Return what the method does: a tensor, or a tuple of several. Float32 on the CPU, of the shapes declared."""
        # Not `contiguous`: torch would share so little work among threads, which then wait for each other.
        arrays = (np.ascontiguousarray(tensor.numpy()) for tensor in tensors)
        answers = self._session.run(None, dict(zip(self._inputs, arrays, strict=True)))
        tensors = tuple(torch.from_numpy(answer) for answer in answers)
        return tensors if len(tensors) > 1 else tensors[0]


class _Module(torch.nn.Module):
    """A function as a module without parameters, as which weights are constants of the graph."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


def _export(network, name, shapes):
    """Return a method of a network as the bytes of an ONNX graph."""
    names = [f"input_{index}" for index in range(len(shapes))]
    varying = {
        name: {axis: f"{name}_{axis}" for axis, size in enumerate(shape) if size is None}
        for name, shape in zip(names, shapes)
    }
    example = tuple(torch.zeros([SIZE if size is None else size for size in shape]) for shape in shapes)
    # Tracing takes a fraction of the time of the newer exporter, which torch before 2.5 does not know, and needs fewer
    # packages. Torch warns that it is the older one; what the tracer warns of would be a fault and is let through.
    tracing = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    graph = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            _Module(getattr(network, name)),
            example,
            graph,
            input_names=names,
            dynamic_axes=varying,
            opset_version=OPSET,
            **tracing,
        )
    return graph.getvalue()
