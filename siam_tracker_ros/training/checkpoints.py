# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of a training run, of which the newest is whole at any moment, whenever the run is killed."""

import io
import logging
import os
import pathlib
import pickle
import zipfile
import zlib

import torch

from siam_tracker_ros.weights.checkpoint import write_atomic

logger = logging.getLogger(__name__)


class Checkpoints:
    """The files `step-00001000.pt` of a folder.

    Args:
        folder: need not be there before the first is saved.
        keep: how many of the newest are kept.
    """

    def __init__(self, folder, keep):
        self.folder, self.keep = pathlib.Path(folder), keep

    def paths(self):
        """The files that are there, whole or not, oldest first."""
        return sorted(self.folder.glob("step-*.pt"))

    def save(self, step, state):
        """Write a checkpoint and remove those that are too old.

        Args:
            step: number of steps done.
            state: of tensors and plain values.

        Raises:
            OSError: it cannot be written; those from before are as they were.
        """
        content = io.BytesIO()
        torch.save(state, content)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self.folder / f"step-{step:08d}.pt", content.getbuffer())
        for path in self.paths()[: -self.keep]:
            path.unlink()

    def newest_valid(self):
        """Path of the newest checkpoint that is whole, None where there is none; newer ones are put aside."""
        for path in reversed(self.paths()):
            reason = _damage(path)
            if reason is None:
                return path
            aside = path.with_suffix(".damaged")
            os.replace(path, aside)
            logger.warning("checkpoint %s is damaged (%s); it is now %s", path, reason, aside.name)
        return None


def load_checkpoint(path):
    """The state that `Checkpoints.save` wrote, on the CPU."""
    return torch.load(path, map_location="cpu", weights_only=True)


def _damage(path):
    """What is wrong with a checkpoint, None when it is whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()  # torch itself does not compare the checksums
        if broken is not None:
            return f"checksum of {broken}"
        load_checkpoint(path)
    except (
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        pickle.PickleError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        return str(error).split("\n")[0]
    return None
