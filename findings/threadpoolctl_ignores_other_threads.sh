#!/usr/bin/env bash
# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# threadpoolctl 3.8.0 and 3.6.0, with the OpenBLAS of NumPy 2.4.6
# Expected: threadpool_limits holds from whichever thread of Python it is called, as in 3.6.0.
# Seen: since 3.8.0 the first thread that sets a limit owns OpenBLAS. A limit that another thread sets does nothing,
# without a word, for as long as the first thread lives, unless that one set its limit in a `with` statement.
# Why it matters: a program sets a limit once in its main thread and another one in the thread that tracks; only the
# first holds. With more threads than one, a product of 256 x 96 keeps another core busy for tens of milliseconds,
# which the threads of ONNX Runtime or OpenVINO then lack.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 3.6.0 3.8.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "threadpoolctl==$version" numpy==2.4.6
  (cd "$folder" && "$version/bin/python" - "$version") <<'END'
import sys
import threading

import numpy  # noqa: F401
from threadpoolctl import threadpool_info, threadpool_limits


def count():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"][0]


def in_another_thread():
    with threadpool_limits(limits=1, user_api="blas"):
        seen.append(count())


seen = []
for main_thread_sets in (False, True):
    if main_thread_sets:
        threadpool_limits(limits=2, user_api="blas")
    thread = threading.Thread(target=in_another_thread)
    thread.start()
    thread.join()
print(f"threadpoolctl {sys.argv[1]}: inside a limit of 1 in a second thread there are {seen[0]} threads,")
print(f"    and {seen[1]} where the main thread has set a limit of 2 before")
sys.exit(None if seen == [1, 1 if sys.argv[1] == "3.6.0" else 2] else "no longer as stated")
END
done
