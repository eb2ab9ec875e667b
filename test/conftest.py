# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import gc
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import hypothesis
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # for tools; at the end, where it hides no installed siam_tracker_ros with its messages
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="siam_tracker_test_")  # of the processes that tests start
HAS_ROS = importlib.util.find_spec("rclpy") is not None

# The same examples in every run, however busy the machine is.
hypothesis.settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("repeatable")

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
    shutil.rmtree(os.environ["XDG_CACHE_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def unmeasured():
    """No runtime is chosen by a measurement, in fixtures that several tests share neither. Yield the real memory."""
    from siam_tracker_ros.executors import choice  # found by the path above

    recall = choice.recall
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "recall", _remembered)
        yield recall


@pytest.fixture
def measured(unmeasured, monkeypatch, tmp_path):
    """What "auto" takes is measured, and remembered in an empty folder of this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("siam_tracker_ros.executors.choice.recall", unmeasured)


@pytest.fixture(autouse=True, scope="session")
def nothing_kept():
    """No compiled graph is kept from one test to another. Yield what keeps and recalls them."""
    from siam_tracker_ros.executors import kept_graphs

    real = kept_graphs.keep, kept_graphs.recall
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_graphs, "keep", lambda name, description, compiled: None)
        patch.setattr(kept_graphs, "recall", lambda name, description: None)
        yield real


@pytest.fixture(autouse=True)
def repeatable():
    """The same random numbers in every test, and no more threads than the smallest machine has."""
    torch.manual_seed(0)
    threads = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2  # each of several processes has a core
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def _remembered(key):
    """The way to run a model that "auto" remembers in tests: torch where it may, else ONNX Runtime."""
    names, _, precisions = key.partition(",")[0].partition(" by ")[2].rpartition(" in ")
    usual = [name for name in ("torch", "onnx") if name in names.split(" or ")]
    return f"{usual[0]} in fp32" if usual and "fp32" in precisions.split(" or ") else None


@pytest.fixture
def one_thread(repeatable):
    """For small networks: two threads wait for each other at every layer where other programs use the cores too."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def shared_data():
    """Folder with the reference sequences and training crops that lie beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the reference data (../shared/data) is not on this machine")
    return folder
