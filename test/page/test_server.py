# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page's server with real connections; test_page.py has a real browser."""

import asyncio
import itertools
import json
import socket
import threading
from concurrent.futures import Future

import aiohttp
import numpy as np
import pytest
from page_testing import DEADLINE, SETTINGS, Host, connected, decoded, hosting, picture_bgr, tracked, until

from siam_tracker_ros.errors import InvalidInputError, InvalidSettingError
from siam_tracker_ros.page import server as server_module
from siam_tracker_ros.page.access import Access
from siam_tracker_ros.page.commands import MAX_REQUEST_BYTES, Pause, Reset, SetValue, Start
from siam_tracker_ros.page.pictures import encode_picture
from siam_tracker_ros.page.server import MAX_IN_FLIGHT, MAX_VIEWERS, WRONG_TOKEN
from siam_tracker_ros.settings import to_values

TOKEN = "a-token-of-23-characters"
BOX = [40.0, 30.0, 60.0, 50.0]


@pytest.fixture
def host():
    with hosting() as host:
        yield host


@pytest.fixture
def encoded(monkeypatch):
    """Numbers of the pictures that were encoded."""
    numbers = []

    def encode(picture, number):
        numbers.append(number)
        return encode_picture(picture, number)

    monkeypatch.setattr(server_module, "encode_picture", encode)
    return numbers


def test_a_box_comes_with_the_stamp_of_the_picture_that_was_seen(host):
    async def draw():
        async with connected(host.server) as viewer:
            first = host.show(targets=[tracked()])
            header, jpeg = await viewer.picture()
            host.show()
            await viewer.picture()
            answer = await viewer.ask("init", stamp_ns=header["stamp_ns"], box_xywh=BOX)
            return first, header, jpeg, answer

    first, header, jpeg, answer = asyncio.run(draw())
    assert host.commands == [Start(first, tuple(BOX))]
    assert answer == {"type": "answer", "id": 1, "ok": True, "text": "init is done"}
    assert header["targets"][0]["box_xywh"] == [40, 30, 60, 50]
    assert np.abs(decoded(jpeg).astype(int) - picture_bgr()).mean() < 3


def test_the_offer_says_what_can_be_asked_for(host):
    async def look():
        async with connected(host.server) as viewer:
            return await viewer.receive("offer"), await viewer.receive("values")

    offer, values = asyncio.run(look())
    assert (offer["title"], offer["keep_s"]) == ("clip.mp4", 2.0)
    assert offer["commands"] == ["init", "reset", "pause", "set", "restart", "save"]
    lost_frames = next(setting for setting in offer["settings"] if setting["name"] == "lost_frames")
    assert (lost_frames["kind"], lost_frames["low"], lost_frames["high"]) == ("int", 1, 1000)
    assert values["values"] == to_values(SETTINGS)


def test_other_values_are_shown_to_all(host):
    async def look():
        async with connected(host.server) as first, connected(host.server) as second:
            for viewer in (first, second):
                await viewer.receive("values")
            host.server.set_values({"lost_frames": 9})
            return [(await viewer.receive("values"))["values"] for viewer in (first, second)]

    assert asyncio.run(look()) == [{"lost_frames": 9}] * 2


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (InvalidInputError("no image of that stamp is kept"), "no image of that stamp is kept"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    ],
)
def test_what_is_refused_is_answered_and_the_next_is_done(failure, text):
    outcomes = iter([failure, "held"])
    with hosting(lambda command: next(outcomes)) as host:

        async def ask():
            async with connected(host.server) as viewer:
                refused = await viewer.ask("init", stamp_ns="1", box_xywh=BOX)
                return refused, await viewer.ask("init", stamp_ns="2", box_xywh=BOX)

        refused, done = asyncio.run(ask())
    assert (refused["ok"], refused["text"]) == (False, text)
    assert (done["ok"], done["text"]) == (True, "held")


def test_a_command_that_raises_at_once_is_answered():
    def perform(command):
        raise InvalidInputError("the node is inactive, expected active")

    with hosting(perform) as host:

        async def ask():
            async with connected(host.server) as viewer:
                return await viewer.ask("reset")

        assert asyncio.run(ask())["text"] == "the node is inactive, expected active"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a JSON object"),
        ("[" * 4000, "expected a JSON object"),
        ('{"type":"init","id":1,"stamp_ns":"1","box_xywh":[1,2,3]}', "box_xywh is [1, 2, 3], expected four"),
        ('{"type":"fly","id":1}', "type is 'fly', expected one of"),
        ('{"type":"set","id":1,"name":"model","value":"x"}', "setting 'model' is not offered here, expected one of"),
        ('{"type":"save","id":1}', "save is not offered here, expected one of init, reset, pause, set"),
    ],
)
def test_a_bad_request_is_refused_with_a_sentence_and_the_connection_stays(text, words):
    with hosting(commands=(Start, Reset, Pause, SetValue)) as host:

        async def ask():
            async with connected(host.server) as viewer:
                await viewer.send(text)
                refusal = await viewer.receive("answer")
                return refusal, await viewer.ask("reset")

        refusal, done = asyncio.run(ask())
        assert not refusal["ok"] and words in refusal["text"]
        assert done["ok"] and host.commands == [Reset()]


def test_bytes_are_refused_and_too_long_a_request_ends_the_connection(host):
    async def ask():
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"http://127.0.0.1:{host.server.port}/socket") as connection:
                messages = []
                for request in (b"\xff\x00", b"x" * MAX_REQUEST_BYTES):
                    await connection.send_bytes(request)
                    messages.append((await connection.receive()).json())
                    while messages[-1]["type"] != "answer":
                        messages.append((await connection.receive()).json())
                await connection.send_str("x" * (MAX_REQUEST_BYTES + 1))
                while (await asyncio.wait_for(connection.receive(), DEADLINE)).type == aiohttp.WSMsgType.TEXT:
                    pass
                return [message for message in messages if message["type"] == "answer"], connection.close_code

    refusals, code = asyncio.run(ask())
    assert [(refusal["ok"], "expected a JSON object" in refusal["text"]) for refusal in refusals] == [(False, True)] * 2
    assert code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
    assert host.commands == []


def test_one_viewer_asks_for_one_thing_at_a_time_and_others_are_served():
    slow = Future()
    with hosting(lambda command: slow if isinstance(command, Start) else "done") as host:

        async def ask():
            async with connected(host.server) as first, connected(host.server) as second:
                request = {"type": "init", "id": 1, "stamp_ns": "1", "box_xywh": BOX}
                await first.send(json.dumps(request))
                await asyncio.to_thread(host.wait_for_commands, 1)
                await first.send('{"type":"reset","id":2}')
                refusal = await first.receive("answer")
                other = await second.ask("reset")
                host.show()
                await first.picture()
                slow.set_result("held")
                return refusal, other, await first.receive("answer")

        refusal, other, late = asyncio.run(ask())
    assert not refusal["ok"] and refusal["id"] == 2 and "expected one at a time" in refusal["text"]
    assert other["ok"]
    assert late["ok"] and late["id"] == 1 and late["text"] == "held"


def test_without_an_answer_the_viewer_is_told(monkeypatch):
    monkeypatch.setattr(server_module, "ANSWER_S", 0.05)
    with hosting(lambda command: Future()) as host:

        async def ask():
            async with connected(host.server) as viewer:
                return await viewer.ask("reset")

        assert "there is no answer after" in asyncio.run(ask())["text"]


def test_a_command_that_is_done_after_its_viewer_or_the_server_has_gone_harms_nobody(caplog):
    slow = [Future(), Future()]
    jobs = iter(slow)
    with hosting(lambda command: next(jobs)) as host:

        async def leave():
            async with connected(host.server) as viewer:
                await viewer.send('{"type":"reset","id":1}')
                await asyncio.to_thread(host.wait_for_commands, 1)
            await until(lambda: not host.server._viewers)
            slow[0].set_result("done")  # which a cancelled future would refuse
            async with connected(host.server) as viewer:
                await viewer.send('{"type":"reset","id":1}')
                await asyncio.to_thread(host.wait_for_commands, 2)
                await asyncio.to_thread(host.server.close)

        asyncio.run(leave())
    slow[1].set_result("done")
    assert not caplog.records


def test_without_viewers_nothing_is_encoded(host, encoded):
    class Untouched:
        """Stands for an image and for targets that nobody may look at."""

    def offer_pictures():
        for _ in range(100):
            host.show(image_bgr=Untouched(), targets=Untouched())

    async def come_and_go():
        offer_pictures()
        host.show()
        async with connected(host.server) as viewer:
            host.show()
            await viewer.picture()
        await until(lambda: not host.server.is_watched)
        before = list(encoded)
        offer_pictures()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), host.server._loop).result(
            DEADLINE
        )  # all it was told is done
        return before

    assert not host.server.is_watched
    host.show()
    assert len(asyncio.run(come_and_go())) == len(encoded) <= 2


def test_a_new_viewer_sees_the_newest_picture_at_once(host):
    host.show()
    newest = host.show()

    async def look():
        async with connected(host.server) as viewer:
            return await viewer.picture()

    assert asyncio.run(look())[0]["stamp_ns"] == str(newest)


def test_a_slow_viewer_gets_fewer_pictures_and_then_the_newest(host, encoded):
    async def look():
        async with connected(host.server) as slow:
            await slow.receive("values")
            for _ in range(MAX_IN_FLIGHT):  # one at a time, each on its way before the next is there
                host.show()
                await slow.picture(seen=False)
            await until(lambda: not host.server.is_watched)
            for _ in range(50):
                newest = host.show()
            await slow.seen()
            header, _ = await slow.picture(seen=False)
            return newest, header

    newest, header = asyncio.run(look())
    assert header["stamp_ns"] == str(newest)
    assert len(encoded) == MAX_IN_FLIGHT + 1


def test_viewers_share_what_is_encoded_and_do_not_wait_for_each_other(host, encoded):
    async def look():
        async with connected(host.server) as quick, connected(host.server) as slow, connected(host.server) as other:
            for viewer in (quick, slow, other):
                await viewer.receive("values")
            for _ in range(20):
                stamp = host.show()
                for viewer in (quick, other):
                    header, _ = await viewer.picture()
                    assert header["stamp_ns"] == str(stamp)
            return [(await slow.picture(seen=False))[0]["number"] for _ in range(MAX_IN_FLIGHT)]

    numbers = asyncio.run(look())
    assert numbers == sorted(numbers)
    assert encoded == list(range(1, 21))


def dead_connection(port):
    """Return a socket that has asked for the pictures and never reads."""
    dead = socket.create_connection(("127.0.0.1", port))
    dead.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    dead.sendall(
        f"GET /socket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert dead.recv(12) == b"HTTP/1.1 101"
    return dead


def test_a_dead_viewer_takes_nothing_from_the_others_and_is_cut_off(monkeypatch, encoded):
    monkeypatch.setattr(server_module, "HEARTBEAT_S", 0.5)
    noise = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)  # half a megabyte as JPEG
    with hosting() as host, dead_connection(host.server.port) as dead:

        async def look():
            async with connected(host.server) as viewer:
                for number in range(1, 11):
                    stamp = host.show(image_bgr=noise)
                    header, _ = await viewer.picture()
                    assert (header["stamp_ns"], header["number"]) == (str(stamp), number)
                assert len(host.server._viewers) == 2
                await until(lambda: len(host.server._viewers) == 1)
                assert (await viewer.ask("reset"))["ok"]

        asyncio.run(look())
        dead.close()
    assert encoded == list(range(1, 11))


def test_closing_does_not_wait_for_a_dead_viewer():
    host = Host()
    with dead_connection(host.server.port):
        closing = threading.Thread(target=host.server.close)
        closing.start()
        closing.join(DEADLINE)
        assert not closing.is_alive()
    host.server.close()


def test_a_viewer_comes_back_and_the_server_too():
    with hosting() as host:
        port = host.server.port

        for _ in range(2):
            stamp = host.show()
            assert asyncio.run(_first_stamp(host.server)) == str(stamp)
        host.server.close()
        again = Host(access=Access(port=port))  # the port is free at once
        again.show()
        assert asyncio.run(_first_stamp(again.server)) == str(10**9)
        again.server.close()


async def _first_stamp(server):
    async with connected(server) as viewer:
        return (await viewer.picture())[0]["stamp_ns"]


def test_a_picture_that_cannot_be_drawn_ends_the_connection_not_the_server(host, caplog):
    class Broken:
        @property
        def mask(self):
            raise RuntimeError("the device is gone")

    async def look():
        async with connected(host.server) as viewer:
            await viewer.receive("values")
            host.show(targets=[tracked(outline=Broken())])
            with pytest.raises(AssertionError, match="CLOSE"):
                await viewer.picture()
        host.show()
        return await _first_stamp(host.server)

    assert asyncio.run(look()) == str(2 * 10**9)
    assert "a picture could not be sent" in caplog.text


def test_a_quiet_connection_says_that_it_is_there(monkeypatch):
    monkeypatch.setattr(server_module, "ALIVE_S", 0.02)
    with hosting() as host:

        async def look():
            async with connected(host.server) as viewer:
                for _ in range(3):
                    await viewer.receive("alive")

        asyncio.run(look())


def test_no_more_viewers_than_may_be(host):
    async def look():
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{host.server.port}/socket"
            viewers = [await session.ws_connect(url) for _ in range(MAX_VIEWERS)]
            for viewer in viewers:
                assert (await viewer.receive()).json()["type"] == "offer"
            one_more = await session.ws_connect(url)
            message = await one_more.receive()
            return one_more.close_code, message.extra

    assert asyncio.run(look()) == (4429, f"{MAX_VIEWERS} viewers are connected, no more may be")


@pytest.mark.parametrize("path", ["/", "/socket"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.org"}, {"Origin": "null"}, {"Host": "evil.org", "Origin": "http://evil.org"}]
)
def test_another_web_page_is_refused(host, path, headers):
    async def ask():
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{host.server.port}{path}"
            if path == "/socket":
                with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                    await session.ws_connect(url, headers=headers)
                return refusal.value.status
            async with session.get(url, headers=headers) as response:
                assert "expected" in await response.text()
                return response.status

    assert asyncio.run(ask()) == 403
    assert not host.server._viewers


def test_the_page_itself_may_connect(host):
    async def look():
        async with connected(host.server, origin=f"http://127.0.0.1:{host.server.port}") as viewer:
            return await viewer.receive("offer")

    assert asyncio.run(look())["title"] == "clip.mp4"


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], "%00", TOKEN])
def test_a_viewer_has_to_know_the_token(token):
    with hosting(access=Access(port=0, token=TOKEN)) as host:
        host.show()

        async def look():
            async with connected(host.server, token=token) as viewer:
                if token == TOKEN:
                    return await viewer.receive("offer")
                message = await viewer._socket.receive()
                return message.type, message.data, message.extra

        seen = asyncio.run(look())
    if token == TOKEN:
        assert seen["type"] == "offer"
    else:
        assert seen == (aiohttp.WSMsgType.CLOSE, WRONG_TOKEN, "the token is missing or wrong")


def test_the_page_is_whole_and_may_not_be_framed(host):
    async def load():
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{host.server.port}/") as response:
                return response.headers, await response.text()

    headers, html = asyncio.run(load())
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "http://" not in html and "https://" not in html and "//cdn" not in html


@pytest.mark.parametrize("path", ["/page.html", "/../access.py", "/%2e%2e/access.py", "/static/x", "/socket/x"])
def test_no_file_is_served_by_name(host, path):
    async def load():
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{host.server.port}{path}") as response:
                return response.status

    assert asyncio.run(load()) == 404


@pytest.mark.parametrize("request_bytes", [b"no http\r\n\r\n", b"GET / HTTP/1.1\r\nHost: \0\r\n\r\n", b"\x16\x03\x01"])
def test_what_is_no_http_is_answered_and_not_logged(host, request_bytes, caplog):
    with socket.create_connection(("127.0.0.1", host.server.port), DEADLINE) as connection:
        connection.sendall(request_bytes + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.") and not caplog.records


def test_an_address_that_cannot_be_had_is_one_sentence(host):
    with pytest.raises(InvalidSettingError, match=f"port {host.server.port}: Address already in use; expected"):
        Host(access=Access(port=host.server.port))
    with pytest.raises(InvalidSettingError, match=r"cannot be served on 203\.0\.113\.1, port 0"):
        Host(access=Access("203.0.113.1", 0, TOKEN))


def test_pictures_from_several_threads_in_turn_arrive_in_order(host):
    async def look():
        async with connected(host.server) as viewer:
            await viewer.receive("values")
            done = threading.Event()

            def feed():
                for _ in range(200):
                    host.show(image_bgr=picture_bgr((32, 24)))
                done.set()

            threading.Thread(target=feed).start()
            numbers = []
            while not numbers or numbers[-1] < 200:
                numbers.append((await viewer.picture())[0]["number"])
            assert done.wait(DEADLINE)
            return numbers

    numbers = asyncio.run(look())
    assert all(before < after for before, after in itertools.pairwise(numbers))
