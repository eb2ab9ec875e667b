# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One folder per method: its network, its tracker, its training, and a page about it."""

from siam_tracker_ros.methods import gradnet, lite, ocean, ocean_online, siammask, siamrcr, siamrpn

METHODS = (  # the default first
    *lite.METHODS,
    *siamrpn.METHODS,
    *siammask.METHODS,
    *ocean.METHODS,
    *ocean_online.METHODS,
    *siamrcr.METHODS,
    *gradnet.METHODS,
)
