# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whitened features: without what all cells have in common, so that what is left tells things apart."""

import dataclasses

import numpy as np
import numpy.typing as npt

from siam_tracker_ros.core.finite import check_finite

MIN_ENERGY = 1e-5


@dataclasses.dataclass(frozen=True, eq=False)
class Whitening:
    """Subtracts the mean and equalizes the variance of all directions.

    Attributes:
        mean: float32 (C,).
        projection: float32 (C, C), symmetric.
    """

    mean: npt.NDArray[np.float32]
    projection: npt.NDArray[np.float32]

    @classmethod
    def of(cls, features: np.ndarray, shrinkage: float) -> "Whitening":
        """Whitening from the statistics of all cells of features.

        Args:
            features: (..., C).
            shrinkage: share of the mean variance that is added to each variance: few cells tell little of directions
                that hardly vary.

        Raises:
            NetworkOutputError: a feature is NaN or infinite.
        """
        check_finite("features", features)
        cells = features.reshape(-1, features.shape[-1]).astype(np.float64)
        mean = cells.mean(0)
        cells = cells - mean
        variances, directions = np.linalg.eigh(cells.T @ cells / len(cells))
        floor = shrinkage * variances.mean().clip(0) + MIN_ENERGY
        projection = directions * (variances.clip(0) + floor) ** -0.5 @ directions.T
        return cls(mean.astype(np.float32), projection.astype(np.float32))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Whiten features (..., C)."""
        return (features - self.mean) @ self.projection
