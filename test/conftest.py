# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import gc
import importlib.util
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # for tools; at the end, where it hides no installed siam_tracker_ros with its messages
HAS_ROS = importlib.util.find_spec("rclpy") is not None

# Without ROS the library still has its tests; those in this folder import rclpy or messages.
collect_ignore = [] if HAS_ROS else ["node"]


def pytest_report_header():
    return [] if HAS_ROS else "left out, because rclpy cannot be imported: test/node"


def pytest_collection_modifyitems(items):
    """Mark what a folder or a file name says; `slow` stands in the files themselves."""
    for item in items:
        if item.path.parent.name == "node" or item.path.stem in ("test_ros_nodes", "test_ros_page"):
            item.add_marker("ros")
        if item.path.stem.endswith("_golden"):
            item.add_marker("golden")


def pytest_collection_finish():
    """Imported modules stay: a node that collects garbage when it drops its network need not search them each time."""
    gc.freeze()


def pytest_unconfigure():
    gc.unfreeze()  # or libraries tell at the exit of what was never collected


@pytest.fixture(autouse=True)
def repeatable():
    """The same random numbers in every test, and no more threads than the smallest machine has."""
    torch.manual_seed(0)
    torch.set_num_threads(2)


@pytest.fixture
def one_thread(repeatable):
    """For small networks: two threads wait for each other at every layer where other programs use the cores too."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data():
    """Folder with the reference sequences and training crops that lie beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the reference data (../shared/data) is not on this machine")
    return folder
