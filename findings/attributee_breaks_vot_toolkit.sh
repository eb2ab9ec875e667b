#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# attributee 0.1.10, which a fresh installation of vot-toolkit brings
# Expected: the package can be imported on the versions of Python that it is installed on, and vot-toolkit starts.
# Seen: on Python 3.11 and later the import ends with "TypeError: dataclass_transform() takes 0 positional arguments
# but 1 was given": typing's dataclass_transform is used without a call. With 0.1.9 everything works.
# Why it matters: `pip install vot-toolkit` ends in a program that does not start. The remedy is `pip install
# attributee==0.1.9`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check attributee==0.1.10

newer=$(cd "$folder" && venv/bin/python -c 'import attributee' 2>&1 | tail -n 1 || true)
echo "import of attributee 0.1.10: $newer"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check attributee==0.1.9
older=$(cd "$folder" && venv/bin/python -c 'import attributee; print("works")' 2>&1 | tail -n 1)
echo "import of attributee 0.1.9: $older"
[[ $newer == *"dataclass_transform() takes 0 positional arguments"* && $older == works ]] || {
  echo "no longer as stated" >&2
  exit 1
}
