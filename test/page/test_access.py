# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
import socket

import pytest

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.page.access import Access

TOKEN = "a-token-of-23-characters"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.0.7", "robot", "128.0.0.1", "localhost.evil.org"])
def test_who_can_be_reached_by_others_needs_a_token(host):
    with pytest.raises(
        InvalidSettingError, match="host is '.*', which others can reach, and there is no token, expected one"
    ):
        Access(host).check()
    Access(host, token=TOKEN).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.7", "::1", "localhost", "LOCALHOST"])
def test_this_machine_needs_none(host):
    Access(host).check()


@pytest.mark.parametrize("token", ["short", "fifteen-letters", "sixteen letters\n!", "sixteen-lettèrs!"])
def test_a_token_that_can_be_guessed_or_not_be_typed_is_refused(token):
    with pytest.raises(InvalidSettingError, match=f"token has {len(token)} characters, expected at least 16"):
        Access("127.0.0.1", token=token).check()


@pytest.mark.parametrize(
    ("host", "origin", "words"),
    [
        ("127.0.0.1:8642", None, ""),
        ("127.0.0.1:8642", "http://127.0.0.1:8642", ""),
        ("localhost:9000", "http://localhost:9000", ""),
        ("LocalHost:9000", "http://localhost:9000", ""),
        ("[::1]:8642", "http://[::1]:8642", ""),
        ("127.0.0.1:8642", "http://evil.org", "Origin is 'http://evil.org', expected '127.0.0.1:8642'"),
        ("127.0.0.1:8642", "http://127.0.0.1:8643", "Origin is"),
        ("127.0.0.1:8642", "http://localhost:8642", "Origin is"),
        ("127.0.0.1:8642", "null", "Origin is 'null'"),
        ("127.0.0.1:8642", "", "Origin is ''"),
        ("127.0.0.1:8642", "http://[", "Origin is"),
        ("evil.org:8642", "http://evil.org:8642", "Host is 'evil.org:8642', expected localhost"),  # rebound DNS
        ("evil.org:8642", None, "Host is"),
        ("127.0.0.1.evil.org", None, "Host is"),
        ("[", None, "Host is '['"),
        ("", None, "Host is ''"),
    ],
)
def test_other_web_pages_and_other_names_are_refused(host, origin, words):
    refusal = Access().refusal(host, origin)
    assert refusal.startswith(words) and bool(refusal) == bool(words)


@pytest.mark.parametrize(
    ("host", "origin", "refused"),
    [
        ("robot.local:8642", "http://robot.local:8642", False),
        ("robot.local", "https://robot.local", False),
        ("robot.local:8642", "http://evil.org", True),
    ],
)
def test_with_a_token_any_name_will_do_but_not_another_page(host, origin, refused):
    assert bool(Access("0.0.0.0", token=TOKEN).refusal(host, origin)) == refused


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\ud800", "ü" * 20])
def test_only_the_token_is_admitted(token):
    access = Access("0.0.0.0", token=TOKEN)
    assert not access.admits(token)
    assert access.admits(TOKEN)


@pytest.mark.parametrize(
    ("access", "url"),
    [
        (Access(), "http://127.0.0.1:80/"),
        (Access("::1"), "http://[::1]:80/"),
        (Access("0.0.0.0", token=TOKEN), f"http://{socket.gethostname()}:80/#token={TOKEN}"),
        (Access("robot", token="a#b&c" * 4), "http://robot:80/#token=a%23b%26ca%23b%26ca%23b%26ca%23b%26c"),
    ],
)
def test_the_address_has_the_token_where_a_browser_does_not_send_it(access, url):
    assert access.url(80) == url
