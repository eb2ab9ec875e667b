#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# pyquaternion 0.9.9, spatialmath-python 1.1.18, NumPy 2.4.6
# Expected: a rotation matrix of float32, as networks, GPUs and many drivers give it, makes a quaternion that is as exact
# as the matrix.
# Seen: Quaternion(matrix=...) refuses most of them: "Matrix must be orthogonal". The bound for the zeros of R R^T is an
# absolute one of 1e-8, less than float32 can be. UnitQuaternion and SO3 of spatialmath refuse 500 of 500, with
# "invalid rotation matrix" and "bad argument to constructor". Those that are exact in float32, such as the identity and
# quarter turns, pass. scipy's Rotation.from_matrix takes all of them.
# Why it matters: code that was tried with a camera that looks straight ahead fails as soon as it is turned. A conversion to
# float64 is not enough: the numbers stay off by 1e-7. Orthogonalize first, for example by Rotation.from_matrix(R).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  pyquaternion==0.9.9 spatialmath-python==1.1.18 scipy==1.17.1 numpy==2.4.6

cat >"$folder/probe.py" <<'END'
import sys

import numpy as np
from pyquaternion import Quaternion
from scipy.spatial.transform import Rotation
from spatialmath import SO3, UnitQuaternion

MAKERS = {
    "pyquaternion.Quaternion": lambda matrix: Quaternion(matrix=matrix),
    "spatialmath.UnitQuaternion": UnitQuaternion,
    "spatialmath.SO3": SO3,
    "scipy Rotation.from_matrix": Rotation.from_matrix,
}
exact = Rotation.random(500, rng=np.random.default_rng(0)).as_matrix()


def refused(make, matrices):
    count, words = 0, ""
    for matrix in matrices:
        try:
            make(matrix)
        except ValueError as error:
            count, words = count + 1, str(error)
    return count, words


shares = {}
for name, make in MAKERS.items():
    counts = [refused(make, matrices) for matrices in (exact, exact.astype(np.float32), [np.eye(3, dtype=np.float32)])]
    shares[name] = [count for count, _ in counts]
    print(f"{name}: refused {counts[0][0]} of 500 in float64, {counts[1][0]} in float32; {counts[1][1]}")
*others, scipy = shares.values()
as_stated = all(double == one == 0 and single > 250 for double, single, one in others) and scipy == [0, 0, 0]
sys.exit(None if as_stated else "no longer as stated")
END
"$folder/venv/bin/python" -W ignore "$folder/probe.py"
