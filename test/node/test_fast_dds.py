# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import os

import pytest

from siam_tracker_ros.node.fast_dds import IMAGES_PROFILE, make_room_for_images

VERSION_2, VERSION_3 = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"


@pytest.mark.parametrize(
    ("shares", "configured", "expected"),
    [
        (["fastrtps"], {}, {VERSION_2: str(IMAGES_PROFILE)}),
        (["fastdds"], {}, {VERSION_3: str(IMAGES_PROFILE)}),
        (["workspace", "fastdds"], {}, {VERSION_3: str(IMAGES_PROFILE)}),
        (["fastdds"], {VERSION_2: "mine.xml"}, {VERSION_2: "mine.xml"}),
        (["fastrtps"], {VERSION_3: "mine.xml"}, {VERSION_3: "mine.xml"}),
        ([], {}, {VERSION_2: str(IMAGES_PROFILE)}),
    ],
)
def test_only_the_variable_of_the_installed_version_is_set(tmp_path, monkeypatch, shares, configured, expected):
    prefixes = []
    for number, share in enumerate(shares):
        prefixes.append(tmp_path / str(number))
        (prefixes[-1] / "share" / share).mkdir(parents=True)
    monkeypatch.setattr(os, "environ", {"AMENT_PREFIX_PATH": os.pathsep.join(map(str, prefixes)), **configured})
    make_room_for_images()
    assert {name: value for name, value in os.environ.items() if name != "AMENT_PREFIX_PATH"} == expected


def test_the_profile_is_there():
    assert "segment_size" in IMAGES_PROFILE.read_text()
