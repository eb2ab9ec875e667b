# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How ImageNet classifiers take their images, and how their weights become those of a backbone here."""

import re

IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
IMAGENET_STD_RGB = (0.229, 0.224, 0.225)


def rename_imagenet(state, backbone_keys):
    """Return a state in a backbone's own names.

    Args:
        state: mapping of name to tensor, in the names of the published trackers' ImageNet files.
        backbone_keys: function of the name that checkpoints give the backbone and of ours, which returns renaming rules.
    """
    rules = backbone_keys("imagenet", "own")
    renamed = {}
    for name, value in state.items():
        name = f"imagenet.{name}"
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        renamed[name.removeprefix("own.")] = value
    return renamed
