# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The `run` script on a pretended machine: a copy of it beside stand-ins for Python, pip, CMake and g++."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ["run", "requirements", "overlay", "msg", "srv", "scripts", "package.xml", "CMakeLists.txt"]
TOOLS = "bash cat cp cut dirname env find flock ln ls mkdir nproc readlink rm sed sha256sum tail touch"

# Logs what it is asked for. A virtual environment of it holds a copy of it and one exported CMake file.
PYTHON = r"""#!/usr/bin/env bash
case "$*" in
  *sys.version_info*) echo "${FAKE_VERSION:-3.11}" ;;
  *"import ensurepip"*) [[ ${FAKE_LACKS:-} != *venv* ]] ;;
  *Python.h*) [[ ${FAKE_LACKS:-} != *headers* ]] ;;
  *"import rclpy"*) [[ ${FAKE_LACKS:-} != *rclpy* ]] ;;
  *"import torch"*) [[ ${FAKE_LACKS:-} != *torch* ]] ;;
  "-m venv "*)
    echo "$*" >>"$FAKE_LOG"
    environment=${!#}
    mkdir -p "$environment"/{bin,lib/python3.11/site-packages,share/std_msgs/cmake}
    cp "$0" "$environment/bin/python"
    cp "$FAKE_CMAKE" "$environment/bin/cmake"
    packages=/opt/python/cp311-cp311/lib/python3.11/site-packages
    echo "\"/opt/python/cp311-cp311/include/python3.11;$packages/numpy/_core/include\"" \
      >"$environment/share/std_msgs/cmake/export.cmake"
    ;;
  "-m pip "*)
    echo "$*" >>"$FAKE_LOG"
    if [[ -n ${FAKE_BROKEN:-} && $* == *"$FAKE_BROKEN"* ]]; then
      echo "no such package"
      exit 1
    fi
    ;;
  *'get_path("include")'*) echo /here/include/python ;;
  *numpy.get_include*) echo /here/numpy/include ;;
  *'get_path("purelib")'*) echo "${0%/bin/python}/lib/python3.11/site-packages" ;;
  *'version("torch")'*) echo 2.13.0+cpu ;;
  "-") cat >/dev/null ;;
  "-m pytest"* | */scripts/demo*)
    echo "$* in $PWD domain=${ROS_DOMAIN_ID:-} range=${ROS_AUTOMATIC_DISCOVERY_RANGE:-}"
    ;;
  *)
    echo "unexpected: $*" >&2
    exit 99
    ;;
esac
"""
CMAKE = r"""#!/usr/bin/env bash
if [[ $1 == -S ]]; then
  echo "cmake ${2##*/}" >>"$FAKE_LOG"
  mkdir -p "$4"
  for argument; do
    case $argument in -DCMAKE_INSTALL_PREFIX=*) echo "${argument#*=}" >"$4/prefix" ;; esac
  done
elif [[ $1 == --install ]]; then
  prefix=$(cat "$2/prefix")
  mkdir -p "$prefix/lib/python3.11/site-packages/${prefix##*/}/msg" "$prefix/share/${prefix##*/}/config"
fi
"""


class Machine:
    """A folder with a copy of the sources, a home for programs, and a log of what they were asked to do."""

    def __init__(self, folder):
        self.root = folder / "repository"
        self.programs = folder / "programs"
        self.log = folder / "log.txt"
        self.root.mkdir()
        self.programs.mkdir()
        self.log.touch()
        for name in SOURCES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.root / name)
        for name in ("config", "launch", "siam_tracker_ros"):
            (self.root / name).mkdir()
        (self.root / "launch/tracker.launch.py").touch()
        (self.root / "config/tracker.yaml").touch()
        for name in TOOLS.split():
            (self.programs / name).symlink_to(shutil.which(name))
        self.add("python3", PYTHON)
        self.add("cmake", CMAKE)
        self.add("g++", "#!/bin/sh\n")
        self.add("make", "#!/bin/sh\n")
        self.add("uname", "#!/bin/sh\n[ $1 = -s ] && echo Linux || echo ${FAKE_MACHINE:-x86_64}\n")

    def add(self, name, text):
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def start(self, *arguments, **variables):
        """The finished process of ./run; what it had logged before is forgotten."""
        self.log.write_text("")
        environment = {
            "PATH": str(self.programs),
            "HOME": str(self.root.parent),
            "FAKE_LOG": str(self.log),
            "FAKE_CMAKE": str(self.programs / "cmake"),
            **variables,
        }
        return subprocess.run(
            [self.root / "run", *arguments],
            env=environment,
            cwd=self.root.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def steps(self):
        """What was done since the last start, one word a step."""
        return [name_step(line) for line in self.log.read_text().splitlines()]


def name_step(line):
    signs = {
        "-m venv": "python",
        "torch.txt": "torch",
        "pip uninstall": "uninstall",
        "pip install": "packages",
        "cmake tf2_msgs": "tf2_msgs",
        "cmake vision_msgs": "vision_msgs",
        "cmake source": "interfaces",
    }
    return next(step for sign, step in signs.items() if sign in line)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def prepared(machine):
    result = machine.start("exec", "true")
    assert result.returncode == 127, result.stderr  # there is no `true` among the programs
    return machine


NOTHING = ["exec", "bash", "-c", "exit 0"]
EVERYTHING = ["python", "torch", "packages", "tf2_msgs", "vision_msgs", "interfaces"]
ROS = {"ROS_DISTRO": "humble", "AMENT_PREFIX_PATH": "/nowhere/humble"}


@pytest.mark.parametrize("command", ["help", "-h", "--help"])
def test_help_names_every_command_and_prepares_nothing(machine, command):
    result = machine.start(command)
    assert (result.returncode, result.stderr, machine.steps()) == (0, "", [])
    for name in ("demo", "test", "exec", "shell", "clean", "help"):
        assert f"\n  {name} " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "expected demo, test, exec, shell, clean or help"),
        (["tset"], "unknown command: tset; expected demo"),
        ([""], "expected demo"),
        (["exec"], "exec needs a command, as in: ./run exec"),
    ],
)
def test_a_wrong_command_is_status_2_and_a_sentence(machine, arguments, sentence):
    result = machine.start(*arguments)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert machine.steps() == []


def test_exec_passes_arguments_output_and_status_on(prepared):
    words = ["two words", "", "*", "-x", "it's", 'a "quote"', "$HOME"]
    result = prepared.start("exec", "bash", "-c", 'printf "[%s]" "$@"; exit 7', "name", *words)
    assert result.returncode == 7
    assert result.stdout == "".join(f"[{word}]" for word in words)
    assert result.stderr == ""


def test_second_start_does_nothing(machine):
    first = machine.start(*NOTHING)
    assert first.returncode == 0, first.stderr
    assert machine.steps() == EVERYTHING
    assert first.stderr.count(" s\n") == len(EVERYTHING) + 1  # each step and the whole say how long they took
    second = machine.start(*NOTHING)
    assert (second.returncode, second.stderr, machine.steps()) == (0, "", [])


def test_the_folders_of_the_build_machine_are_replaced(prepared):
    exported = (prepared.root / ".venv/share/std_msgs/cmake/export.cmake").read_text()
    assert exported == '"/here/include/python;/here/numpy/include"\n'


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("msg/TrackerStatus.msg", ["interfaces"]),
        ("msg/Another.msg", ["interfaces"]),
        ("srv/InitTracker.srv", ["interfaces"]),
        ("CMakeLists.txt", ["interfaces"]),
        ("package.xml", ["interfaces"]),
        ("overlay/vision_msgs/msg/Point2D.msg", ["vision_msgs", "interfaces"]),
        ("overlay/tf2_msgs/msg/TFMessage.msg", ["tf2_msgs", "interfaces"]),
        ("requirements/test.txt", ["packages", "tf2_msgs", "vision_msgs", "interfaces"]),
        ("requirements/torch.txt", ["torch"]),
        ("config/tracker.yaml", []),
        ("launch/another.launch.py", []),
        ("siam_tracker_ros/another.py", []),
    ],
)
def test_a_change_repeats_what_depends_on_it_once(prepared, path, expected):
    with open(prepared.root / path, "a") as file:
        file.write("# changed\n")
    for steps in (expected, []):
        prepared.start(*NOTHING)
        assert prepared.steps() == steps


def test_launch_and_config_files_are_used_where_they_are(prepared):
    share = prepared.root / ".venv/overlay/siam_tracker_ros/share/siam_tracker_ros"
    for name in ("config", "launch"):
        assert (share / name).resolve() == prepared.root / name


def test_another_python_makes_another_environment(prepared):
    prepared.start(*NOTHING, FAKE_VERSION="3.12")
    assert prepared.steps() == EVERYTHING


def test_kilted_gets_an_environment_of_its_own_and_the_same_steps(prepared):
    environment = ["exec", "bash", "-c", "echo $VIRTUAL_ENV"]
    result = prepared.start(*environment, SIAM_TRACKER_ROS="kilted")
    assert result.stdout == f"{prepared.root}/.venv-wheels-kilted\n", result.stderr
    assert prepared.steps() == EVERYTHING
    assert "ros-kilted.txt" in prepared.log.read_text() and "ros-jazzy.txt" not in prepared.log.read_text()
    for distribution, folder in (("kilted", ".venv-wheels-kilted"), ("jazzy", ".venv"), ("", ".venv")):
        result = prepared.start(*environment, SIAM_TRACKER_ROS=distribution)
        assert (result.stdout, prepared.steps()) == (f"{prepared.root}/{folder}\n", [])


def test_torch_is_installed_before_packages_that_need_any_torch(machine):
    machine.start(*NOTHING)
    lines = machine.log.read_text().splitlines()
    assert "torch.txt" in next(line for line in lines if "pip install" in line)
    assert "test.txt" in next(line for line in lines if "pip install" in line and "torch.txt" not in line)


def test_one_folder_for_two_distributions_is_made_anew(machine):
    for distribution in ("jazzy", "kilted"):
        machine.start(*NOTHING, SIAM_TRACKER_ENV="environment", SIAM_TRACKER_ROS=distribution)
        assert machine.steps() == EVERYTHING


@pytest.mark.parametrize("broken", ["ros-jazzy.txt", "torch.txt"])
def test_a_failed_step_shows_its_log_and_the_next_start_recovers(machine, broken):
    result = machine.start("exec", "bash", "-c", "echo started", FAKE_BROKEN=broken)
    assert (result.returncode, result.stdout) == (1, "")
    assert "no such package" in result.stderr
    assert "could not finish" in result.stderr
    result = machine.start("exec", "bash", "-c", "echo started")
    assert (result.returncode, result.stdout) == (0, "started\n")
    assert machine.steps() == EVERYTHING  # what pip had written before is not trusted
    machine.start(*NOTHING)
    assert machine.steps() == []


def test_an_interrupted_build_is_repeated_alone(prepared):
    (prepared.root / ".venv/.siam_tracker/interfaces").unlink()
    prepared.start(*NOTHING)
    assert prepared.steps() == ["interfaces"]


@pytest.mark.parametrize(
    ("variables", "without", "expected"),
    [
        ({}, ["g++"], "sudo apt install g++"),
        ({"FAKE_LACKS": "venv"}, [], "sudo apt install python3.11-venv"),
        ({"FAKE_LACKS": "venv headers"}, ["g++"], "sudo apt install python3.11-venv python3.11-dev g++"),
        ({}, ["python3"], "sudo apt install python3-venv python3-dev"),
        ({"FAKE_VERSION": "3.9"}, [], "Python 3.10, 3.11, 3.12 or 3.13 is needed, but python3 is 3.9"),
        ({"FAKE_VERSION": "3.14"}, [], "Python 3.10, 3.11, 3.12 or 3.13 is needed, but python3 is 3.14"),
        ({"SIAM_TRACKER_PYTHON": "/no/python"}, [], "names /no/python, which does not start"),
        ({"FAKE_MACHINE": "aarch64"}, [], "sudo apt install ros-humble-ros-base"),
        ({**ROS, "FAKE_LACKS": "rclpy"}, [], "cannot import rclpy although ROS 2 humble is sourced"),
        (ROS, ["make"], "sudo apt install make"),
        ({"SIAM_TRACKER_ROS": "rolling"}, [], "SIAM_TRACKER_ROS is rolling, expected jazzy or kilted"),
        ({**ROS, "SIAM_TRACKER_ROS": "kilted"}, [], "asks for the wheels of kilted, but ROS 2 humble is sourced"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_done(machine, variables, without, expected):
    for name in without:
        (machine.programs / name).unlink()
    result = machine.start("test", **variables)
    assert result.returncode == 1
    assert expected in result.stderr
    assert machine.steps() == []
    assert not list(machine.root.glob(".venv*"))


def test_a_fitting_python_is_preferred_to_giving_up(machine):
    machine.add("python3.12", PYTHON)
    machine.add("python3", "#!/usr/bin/env bash\necho 3.9\n")
    result = machine.start(*NOTHING)
    assert result.returncode == 0, result.stderr
    assert "with python3.12" in result.stderr


@pytest.mark.parametrize("command", ["clean", "test"])
def test_a_folder_of_somebody_else_is_left_alone(machine, command):
    folder = machine.root.parent / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    result = machine.start(command, SIAM_TRACKER_ENV=str(folder))
    assert result.returncode == 1
    assert f"{folder} was not made by this script" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_clean_removes_the_environment_and_nothing_else(prepared):
    before = {path.name for path in prepared.root.iterdir()}
    assert prepared.start("clean").returncode == 0
    assert {path.name for path in prepared.root.iterdir()} == before - {".venv"}
    assert prepared.start("clean").returncode == 0


def test_a_sourced_ros_is_used_with_its_own_messages(machine):
    prefix = machine.root.parent / "humble"
    for package in ("tf2_msgs", "vision_msgs"):
        (prefix / "share" / package).mkdir(parents=True)
    ros = {**ROS, "AMENT_PREFIX_PATH": str(prefix)}
    result = machine.start("exec", "bash", "-c", "echo $AMENT_PREFIX_PATH", **ros)
    assert result.returncode == 0, result.stderr
    assert machine.steps() == ["python", "packages", "interfaces"]
    environment = machine.root / ".venv-humble"
    assert result.stdout == f"{environment}/overlay/siam_tracker_ros:{prefix}\n"


def test_a_sourced_ros_without_messages_or_torch_gets_them(machine):
    result = machine.start(*NOTHING, FAKE_LACKS="torch", **ROS)
    assert result.returncode == 0, result.stderr
    assert machine.steps() == EVERYTHING
    assert "--system-site-packages" in machine.log.read_text()
    assert "ros-jazzy" not in machine.log.read_text()


def test_an_index_for_torch_is_used_and_remembered(prepared):
    prepared.start(*NOTHING, TORCH_INDEX_URL="file:///builds/cuda")
    assert prepared.steps() == ["uninstall", "torch"]
    assert "--index-url file:///builds/cuda" in prepared.log.read_text()
    for variables in ({}, {"TORCH_INDEX_URL": "file:///builds/cuda"}):
        prepared.start(*NOTHING, **variables)
        assert prepared.steps() == []
    prepared.start(*NOTHING, TORCH_INDEX_URL="file:///builds/cpu")
    assert prepared.steps() == ["uninstall", "torch"]


def test_test_and_demo_are_isolated_and_get_their_arguments(prepared):
    tested = prepared.start("test", "-k", "two words").stdout
    assert tested.startswith(f"-m pytest -k two words in {prepared.root} domain=")
    assert "domain= " not in tested and "range=LOCALHOST" in tested
    chosen = {"ROS_DOMAIN_ID": "42", "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
    shown = prepared.start("demo", "--box", "1,2,3,4", **chosen).stdout
    assert shown.startswith(f"{prepared.root}/scripts/demo --box 1,2,3,4 in ")
    assert f" in {prepared.root.parent} domain=42 range=SUBNET" in shown


def test_exec_leaves_the_choice_of_the_network_to_the_user(prepared):
    variables = "${ROS_DOMAIN_ID-none} ${ROS_AUTOMATIC_DISCOVERY_RANGE-none} ${ROS_LOCALHOST_ONLY-none}"
    assert prepared.start("exec", "bash", "-c", f"echo {variables}").stdout == "none none none\n"
