# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sizes of the inputs and outputs of lite's network."""

STRIDE = 16  # pixels of a crop per cell
TEMPLATE_SIDE = 128  # pixels of the template crop: twice the root of the target's area
SEARCH_SIDE = 256  # pixels of the search crop: four times the root of the target's area
TEMPLATE_FACTOR = 2.0
SEARCH_FACTOR = 4.0
TEMPLATE_CELLS = TEMPLATE_SIDE // STRIDE
SEARCH_CELLS = SEARCH_SIDE // STRIDE
SEARCH_LOOKS = (SEARCH_CELLS, 2 * SEARCH_CELLS, 4 * SEARCH_CELLS)  # cells of the maps that the refinement looks at
TEMPLATE_LOOKS = (2 * TEMPLATE_CELLS, 4 * TEMPLATE_CELLS)
CHANNELS = 96  # of the features
FUSED_CHANNELS = 128
MASK_SIDE = SEARCH_SIDE // 2  # cells of a mask of the search region
