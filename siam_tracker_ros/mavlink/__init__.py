# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A MAVLink camera that follows what a ground station marks: the camera protocol and its links, without ROS.

    settings.py   what can be set
    regions.py    from the parameters of a command to a box
    stations.py   who listens on each link, and how often the target's status is wanted there
    camera.py     the protocol: commands in, acknowledgements and messages out; neither sockets nor threads
    links.py      UDP, TCP and serial

Messages are those of pymavlink's dialect `common` for MAVLink 2, whose module is imported by its own name.
`pymavlink.mavutil` is not used: it chooses one dialect and one version of the protocol for a whole process when it is
first imported, and chooses again when a connection meets the other version.
"""
