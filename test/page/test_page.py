# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: what people do with mouse and fingers is what the tracker is asked for."""

import asyncio

import numpy as np
import pytest
from browser import CHROMIUM, started_browser
from page_testing import SIZE_WH, Host, hosting, picture_bgr, tracked

from siam_tracker_ros.core.monitor import TargetState
from siam_tracker_ros.core.outline import FixedOutline
from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.page.access import Access
from siam_tracker_ros.page.commands import Pause, Reset, Restart, Save, SetValue, Start

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")

WINDOW, PHONE = (1000, 640), (390, 780)
PIXEL = 1.0  # of the image: the browser rounds to pixels of the screen


@pytest.fixture(scope="module")
def chromium():
    """Runs a coroutine function with the one browser of these tests."""
    loop = asyncio.new_event_loop()
    started = started_browser()
    browser = loop.run_until_complete(started.__aenter__())
    yield lambda act: loop.run_until_complete(act(browser))
    loop.run_until_complete(started.__aexit__(None, None, None))
    loop.close()


@pytest.fixture
def host():
    with hosting() as host:
        yield host


async def open_page(browser, host, window=WINDOW, **fields):
    """Open the page with a picture in it; return the stamp of the picture and the function from image to window."""
    browser.errors.clear()
    await browser.open(host.server.url, window, phone=window is PHONE)
    await browser.wait("offer !== null && document.title === 'clip.mp4'")
    stamp_ns = host.show(**fields)
    await shown(browser, stamp_ns)
    return stamp_ns, await window_points(browser)


async def window_points(browser):
    """Return the function from pixels of the image to pixels of the window."""
    scale, left, top = await browser.evaluate(
        """(() => {
            const bounds = view.getBoundingClientRect(), [width, height] = latest.header.size_wh;
            const scale = Math.min(bounds.width / width, bounds.height / height);
            return [scale, bounds.left + (bounds.width - width * scale) / 2,
                    bounds.top + (bounds.height - height * scale) / 2];
        })()"""
    )
    return lambda x, y: (left + x * scale, top + y * scale)


async def shown(browser, stamp_ns):
    """Wait until a picture is the newest."""
    await browser.wait(f"latest.header.stamp_ns === '{stamp_ns}' && drawn")


def asked(host, count=1):
    """Wait for so many commands; return the last one."""
    return host.wait_for_commands(count)[-1]


def assert_start(command, stamp_ns, box_xywh, tolerance=PIXEL):
    assert isinstance(command, Start)
    assert command.stamp_ns == stamp_ns
    assert command.box_xywh == pytest.approx(box_xywh, abs=tolerance)


@pytest.mark.parametrize("window", [WINDOW, (1000, 300), (800, 900)], ids=["wide", "flat", "tall"])
def test_a_click_is_a_square_in_the_picture_that_was_seen(chromium, host, window):
    async def act(browser):
        stamp_ns, at = await open_page(browser, host, window)
        await browser.mouse("mouseMoved", at(100, 90))
        await browser.mouse("mousePressed", at(100, 90))
        later_ns = host.show()  # comes while the button is down, and is not what was clicked
        await browser.wait(f"latest.header.stamp_ns === '{later_ns}'")
        await browser.mouse("mouseReleased", at(100, 90))
        assert_start(asked(host), stamp_ns, [60, 50, 80, 80])
        await browser.wait("byId('message').textContent.startsWith('init is done (')")
        await browser.click(at(200, 120))
        assert_start(asked(host, 2), later_ns, [160, 80, 80, 80])
        assert browser.errors == []

    chromium(act)


def test_the_wheel_changes_the_square_within_its_bounds(chromium, host):
    async def act(browser):
        stamp_ns, at = await open_page(browser, host)
        await browser.mouse("mouseWheel", at(160, 120), deltaX=0, deltaY=100)
        side = await browser.wait("side < 80 && side")
        await browser.click(at(160, 120))
        assert_start(asked(host), stamp_ns, [160 - side / 2, 120 - side / 2, side, side])
        for delta, bound in ((9000, 10), (-90000, 1000)):
            await browser.mouse("mouseWheel", at(160, 120), deltaX=0, deltaY=delta)
            await browser.wait(f"side === {bound}")
        await browser.click(at(160, 120))
        assert_start(asked(host, 2), stamp_ns, [0, 0, *SIZE_WH])  # cut at the edges

    chromium(act)


@pytest.mark.parametrize(
    ("start", "end", "box_xywh"),
    [
        ((40, 30), (140, 100), [40, 30, 100, 70]),
        ((140, 100), (40, 30), [40, 30, 100, 70]),
        ((300, 200), (400, 300), [300, 200, 20, 40]),
        ((-20, 10), (40, 30), [0, 10, 40, 20]),
    ],
    ids=["down", "up", "over the edge", "from outside"],
)
def test_a_drag_is_a_box_inside_of_the_image(chromium, host, start, end, box_xywh):
    async def act(browser):
        stamp_ns, at = await open_page(browser, host, (1000, 400))  # with black bars at the sides
        await browser.drag(at(*start), at(*end))
        assert_start(asked(host), stamp_ns, box_xywh)

    chromium(act)


def test_what_is_too_small_or_outside_is_no_box(chromium, host):
    async def act(browser):
        stamp_ns, at = await open_page(browser, host, (1000, 400))
        x, y = at(100, 100)
        await browser.drag((x, y), (x + 200, y + 1))  # under 1 % of the height
        await browser.wait("byId('message').textContent.includes('under 1 %')")
        await browser.click(at(-30, 100))  # in the black bar
        await browser.drag(at(-30, 100), at(-10, 150))
        await browser.drag((x, y), (x + 6, y + 6))  # so short that it is a click
        assert_start(asked(host), stamp_ns, [60, 60, 80, 80])
        assert len(host.commands) == 1

    chromium(act)


def test_fingers_tap_drag_and_pinch_on_a_phone(chromium, host):
    async def act(browser):
        stamp_ns, at = await open_page(browser, host, PHONE)
        assert await browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await browser.touch("touchStart", at(100, 90))
        await browser.touch("touchEnd")
        assert_start(asked(host), stamp_ns, [60, 50, 80, 80])
        await browser.touch("touchStart", at(40, 30))
        for point in ((80, 60), (140, 100)):
            await browser.touch("touchMove", at(*point))
        await browser.touch("touchEnd")
        assert_start(asked(host, 2), stamp_ns, [40, 30, 100, 70])
        await browser.touch("touchStart", at(150, 120))
        await browser.touch("touchStart", at(150, 120), at(170, 120))
        await browser.touch("touchMove", at(140, 120), at(180, 120))
        await browser.touch("touchEnd")
        assert await browser.wait("side > 100 && side") == pytest.approx(160, rel=0.1)
        assert len(host.commands) == 2
        assert browser.errors == []

    chromium(act)


def test_a_candidate_of_a_lost_target_is_confirmed_by_a_click(chromium, host):
    candidate = [200.0, 100, 40, 60]

    async def act(browser):
        lost = tracked(None, TargetState.LOST, [np.array(candidate)], candidates=1)
        stamp_ns, at = await open_page(browser, host, targets=[lost])
        later_ns = host.show(targets=[tracked(None, TargetState.LOST)])  # which does not show it any more
        await shown(browser, later_ns)
        await browser.click(at(210, 140))
        command = asked(host)
        assert_start(command, stamp_ns, candidate, tolerance=0.01)
        assert command.target_id == "target_1"
        await browser.click(at(210, 140))  # it is gone once it was confirmed
        assert_start(asked(host, 2), later_ns, [170, 100, 80, 80])

    chromium(act)


@pytest.mark.parametrize("state", [TargetState.TRACKING, TargetState.UNCERTAIN])
def test_box_and_outline_have_the_colour_of_the_state(chromium, host, state):
    mask = np.zeros(SIZE_WH[::-1], bool)
    mask[100:140, 150:200] = True

    async def act(browser):
        target = tracked((140, 90, 70, 60), state, outline=FixedOutline(mask))
        _, at = await open_page(browser, host, image_bgr=np.zeros((240, 320, 3), np.uint8), targets=[target])

        async def color(x, y):
            left, top = at(x, y)
            return await browser.evaluate(
                f"[...view.getContext('2d').getImageData({left} - view.getBoundingClientRect().left, "
                f"{top} - view.getBoundingClientRect().top, 1, 1).data].slice(0, 3)"
            )

        expected = {TargetState.TRACKING: [60, 220, 80], TargetState.UNCERTAIN: [255, 190, 0]}[state]
        assert await color(140, 120) == expected
        assert await color(175, 120) == pytest.approx(np.array(expected) / 4, abs=3)
        assert await color(145, 95) == [0, 0, 0]
        assert await browser.evaluate("byId('state').textContent") == state.name
        assert await browser.evaluate("byId('confidence').textContent") == "0.90"

    chromium(act)


def test_buttons_and_settings_ask_for_what_they_say(chromium, host):
    async def act(browser):
        await open_page(browser, host, targets=[tracked()])
        for number, (button, command) in enumerate(
            [("pause", Pause(True)), ("reset", Reset()), ("restart", Restart()), ("save", Save())], start=1
        ):
            await browser.evaluate(f"byId('{button}').click()")
            assert asked(host, number) == command
            await browser.wait("waiting.size === 0")
        await shown(browser, host.show(paused=True))
        assert await browser.evaluate("byId('pause').textContent") == "Go on"
        await browser.evaluate("byId('pause').click()")
        assert asked(host, 5) == Pause(False)
        await browser.wait("waiting.size === 0")
        assert await browser.evaluate("document.querySelector('[name=lost_frames]').value") == "6"
        host.answer = lambda command: InvalidInputError("lost_frames is 4, expected something else")
        await browser.evaluate(
            "(input => { input.value = 4; input.onchange(); })(document.querySelector('[name=lost_frames]'))"
        )
        assert asked(host, 6) == SetValue("lost_frames", 4)
        await browser.wait("byId('message').classList.contains('bad')")
        assert await browser.evaluate("byId('message').textContent") == "lost_frames is 4, expected something else"
        assert await browser.evaluate("document.querySelector('[name=lost_frames]').value") == "6"
        host.server.set_values({"lost_frames": 9})
        await browser.wait("document.querySelector('[name=lost_frames]').value === '9'")
        assert browser.errors == []

    chromium(act)


def test_a_picture_is_let_go_before_its_frame_is_forgotten(chromium):
    async def act(browser):
        stamp_ns, at = await open_page(browser, host)
        await browser.mouse("mouseMoved", at(40, 30))
        await browser.mouse("mousePressed", at(40, 30))
        later_ns = host.show()
        await browser.wait(f"held === null && latest.header.stamp_ns === '{later_ns}'")
        await browser.mouse("mouseMoved", at(140, 100), button="left", buttons=1)
        await browser.mouse("mouseReleased", at(140, 100))
        assert_start(asked(host), later_ns, [40, 30, 100, 70])

    with hosting(keep_s=0.5) as host:
        chromium(act)


def test_all_pictures_are_drawn_one_after_the_other(chromium, host):
    async def act(browser):
        await open_page(browser, host)
        for _ in range(30):
            await shown(browser, host.show(image_bgr=picture_bgr((64, 48)), targets=[tracked((1, 2, 30, 40))]))
        assert await browser.evaluate("past.confidence.length") == 31
        assert browser.errors == []

    chromium(act)


def test_the_page_connects_again_by_itself(chromium):
    first = Host()
    access = Access(port=first.server.port)

    async def act(browser):
        await open_page(browser, first)
        first.server.close()
        await browser.wait("byId('link').classList.contains('bad') && socket === null")
        with hosting(access=access) as again:
            stamp_ns = again.show(stamp_ns=77)
            await shown(browser, stamp_ns)
            await browser.wait("byId('link').textContent === 'connected'")
            at = await window_points(browser)
            await browser.click(at(100, 90))
            assert_start(asked(again), 77, [60, 50, 80, 80])

    chromium(act)


def test_the_page_asks_for_the_token(chromium):
    token = "a token&of#24 characters"

    async def act(browser):
        url = host.server.url.partition("#")[0]
        await browser.open(f"{url}?{token[:3].strip()}#token=wrong")
        await browser.wait("!byId('ask').hidden && byId('link').textContent === 'the token is missing or wrong'")
        await browser.evaluate(f"byId('token').value = '{token}'; byId('ask').requestSubmit()")
        await browser.wait("latest !== null && byId('ask').hidden")
        await browser.open("about:blank")
        await browser.open(host.server.url)  # as it is printed
        await browser.wait("latest !== null && byId('ask').hidden")

    with hosting(access=Access(port=0, token=token)) as host:
        host.show()
        chromium(act)
