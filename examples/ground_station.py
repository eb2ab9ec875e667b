# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small MAVLink ground station over UDP: mark a target in the camera's video, and print what the camera says of it.

python3 examples/ground_station.py 0.63,0.51,0.70,0.63

The numbers are left, top, right and lower side of the box in fractions of the image. The camera is `mavlink_camera`,
which sends to udpout:127.0.0.1:14550 by default.
"""

import argparse
import socket
import time
from collections.abc import Iterator, Sequence

from pymavlink.dialects.v20 import common as mavlink

STATION = 255, 190  # system id and component id, as QGroundControl has them
PERIOD_S = 1.0  # between two heartbeats, and two attempts


def talk(opened: socket.socket, corners: Sequence[float]) -> Iterator[str]:
    """Mark a target as soon as a camera is heard, and yield a sentence for each message about it, without an end.

    Args:
        opened: a UDP socket, bound to the port that the camera sends to.
        corners: left, top, right and lower side of the box, 0 to 1.
    """
    station = mavlink.MAVLink(None, *STATION)
    station.robust_parsing = True
    opened.settimeout(PERIOD_S / 10)
    is_marked, attempts, last_s = False, 0, 0.0
    while True:
        try:
            data, camera_address = opened.recvfrom(65535)
        except TimeoutError:
            continue
        for message in station.parse_buffer(data) or ():
            kind = message.get_type()
            if kind == "COMMAND_ACK" and message.command == mavlink.MAV_CMD_CAMERA_TRACK_RECTANGLE:
                is_marked = is_marked or message.result == mavlink.MAV_RESULT_ACCEPTED
                yield f"the camera answers {mavlink.enums['MAV_RESULT'][message.result].name}"
            elif kind == "STATUSTEXT":
                yield f"the camera says: {message.text}"
            elif kind == "CAMERA_TRACKING_IMAGE_STATUS":
                box = message.rec_top_x, message.rec_top_y, message.rec_bottom_x, message.rec_bottom_y
                status = mavlink.enums["CAMERA_TRACKING_STATUS_FLAGS"][message.tracking_status].name
                yield f"{status} {', '.join(f'{value:.3f}' for value in box)}"
            elif (
                kind == "HEARTBEAT" and message.type == mavlink.MAV_TYPE_CAMERA and time.monotonic() > last_s + PERIOD_S
            ):
                last_s = time.monotonic()
                answers = [mavlink.MAVLink_heartbeat_message(mavlink.MAV_TYPE_GCS, 8, 0, 0, 4, 3)]
                if not is_marked:
                    camera = message.get_srcSystem(), message.get_srcComponent()
                    command = mavlink.MAV_CMD_CAMERA_TRACK_RECTANGLE
                    answers.append(mavlink.MAVLink_command_long_message(*camera, command, attempts, *corners, 0, 0, 0))
                    attempts = min(attempts + 1, 255)
                for answer in answers:
                    opened.sendto(answer.pack(station), camera_address)
                    station.seq = (station.seq + 1) % 256


def main() -> None:
    """Print what the camera says until Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("box", help="left,top,right,bottom in fractions of the image")
    parser.add_argument("--port", type=int, default=14550)
    arguments = parser.parse_args()
    corners = [float(value) for value in arguments.box.split(",")]
    if len(corners) != 4:
        parser.error(f"the box is {arguments.box}, expected four numbers: left,top,right,bottom")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", arguments.port))
        try:
            for sentence in talk(opened, corners):
                print(sentence, flush=True)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
