# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of a training run. They are written atomically, so that one is valid whenever the run is killed."""

import io
import logging
import os
import pathlib
import pickle
import typing
import zipfile
import zlib

import torch

from siam_tracker_ros.outputs import write_atomic

logger = logging.getLogger(__name__)

State = dict[str, typing.Any]  # nested; the leaves are tensors and plain values


class Checkpoints:
    """The files `step-00001000.pt` of a folder.

    Args:
        folder: made with the first checkpoint.
        keep: number of newest checkpoints that are kept.
    """

    def __init__(self, folder: str | os.PathLike, keep: int) -> None:
        self.folder, self.keep = pathlib.Path(folder), keep

    def paths(self) -> list[pathlib.Path]:
        """Return the files, valid or not, oldest first."""
        return sorted(self.folder.glob("step-*.pt"))

    def save(self, step: int, state: State) -> None:
        """Write the checkpoint after `step` steps and remove the old ones.

        Raises:
            OSError: it cannot be written; the earlier checkpoints are unchanged.
        """
        content = io.BytesIO()
        torch.save(state, content)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self.folder / f"step-{step:08d}.pt", content.getbuffer())
        for path in self.paths()[: -self.keep]:
            path.unlink()

    def newest_valid(self) -> pathlib.Path | None:
        """Return the path of the newest valid checkpoint, None for none; damaged newer ones are renamed."""
        for path in reversed(self.paths()):
            reason = _damage(path)
            if reason is None:
                return path
            aside = path.with_suffix(".damaged")
            os.replace(path, aside)
            logger.warning("checkpoint %s is damaged (%s); renamed to %s", path, reason, aside.name)
        return None


def load_checkpoint(path: str | os.PathLike) -> State:
    """Load onto the CPU the state that `Checkpoints.save` wrote."""
    return torch.load(path, map_location="cpu", weights_only=True)


def _damage(path: pathlib.Path) -> str | None:
    """Return what is wrong with a checkpoint; None if it is valid."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()  # torch itself does not compare the checksums
        if broken is not None:
            return f"wrong checksum of {broken}"
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
