# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rendered clip with known ground truth: a toy rover on a dirt track, seen from a drone that follows it.

Everything is drawn from a seed: the same arguments always give the same pixels, and any frame can be rendered without
the frames before it.

There are two coordinate systems. World: pixels of the ground texture, origin at the middle of the track; a world pixel
is about an image pixel. Image: pixels of the frame. The affine maps between them are float64 (2, 3) in OpenCV's
convention, in which whole numbers are the centres of pixels.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from siam_tracker_ros.errors import InvalidInputError
from siam_tracker_ros.frames import FrameSource

FPS = 30.0
FRAMES = 360
"""Length of the clip, unless another one is asked for."""

Color = tuple[float, ...]  # BGR, 0..255

_REFERENCE_WH = (640, 480)  # frame size with about one image pixel per world pixel
_GROUND_WH = (1560, 1160)
_TRACK_RADII = (370.0, 240.0)
_LAP_S = 13.5
_BRIDGE_AT_S = 5.0
_BRIDGE_WH = (50, 440)  # world pixels along and across the track; the target is 66 long
# How the camera looks away and back, once per lap. Each row: seconds since the lap's begin; weight of the place that
# follows, 0..1; place of the target, right and down from the middle of the view, in halves of the view. The target
# leaves over the upper edge, passes the upper right corner outside, and returns over the right edge.
_LOOK_AWAY = np.array(
    [
        (7.0, 0, 0.0, -1.3),
        (7.8, 1, 0.0, -1.3),
        (8.3, 1, 1.3, -1.2),
        (8.7, 1, 1.3, 0.1),
        (9.6, 0, 1.3, 0.1),
    ]
)
_LOOKED_AT = 8.2, (0.0, -0.45)  # when in the lap, and where in the view, the blue rover stands
# BGR of the body, the panel and the stripes; the first is the target's.
_ROVERS = (
    ((40, 70, 215), (120, 60, 30), (240, 240, 240)),
    ((45, 130, 215), (70, 70, 70), (40, 40, 40)),
    ((60, 50, 150), (60, 110, 60), (60, 50, 150)),
    ((150, 150, 160), (120, 60, 30), (40, 70, 215)),
    ((200, 120, 45), (120, 60, 30), (240, 240, 240)),
)
_SPRITE_SCALE = 2  # sprite pixels per world pixel, so that a zoomed view stays sharp
_SOLID = 128  # alpha from which on a pixel belongs to a sprite


@dataclasses.dataclass(frozen=True, eq=False)
class SceneFrame:
    """One frame and its ground truth.

    Attributes:
        image_bgr: uint8 (H, W, 3).
        box_xywh: float64 (4,), axis-aligned bounds in pixels of the whole target, what is covered or beyond the frame's
            border included; NaN if it is outside the frame.
        visibility: fraction of the target's pixels that is in the frame and not covered, 0..1.
        mask: bool (H, W), pixels of the target that are not covered.
        distractors_xywh: float64 (4, 4), bounds of the four other rovers, as `box_xywh`.
    """

    image_bgr: np.ndarray
    box_xywh: np.ndarray
    visibility: float
    mask: np.ndarray
    distractors_xywh: np.ndarray

    @property
    def visible(self) -> bool:
        """Whether at least half of the target is visible."""
        return self.visibility >= 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class _Pose:
    """Pose in the world: centre in world pixels, heading in radians from x to y (clockwise in the image)."""

    x: float
    y: float
    heading: float

    def beside(self, right: float) -> "_Pose":
        """Return this pose moved to its right, in world pixels."""
        x, y = self.x - right * math.sin(self.heading), self.y + right * math.cos(self.heading)
        return _Pose(x, y, self.heading)


@dataclasses.dataclass(frozen=True, eq=False)
class _Drawn:
    """Where a sprite was drawn in an image.

    Attributes:
        mask: bool (H, W), its pixels in the image.
        pixels: number of all its pixels, those beyond the image's border included; 0 if all of it is outside.
        box_xywh: float64 (4,), bounds of all its pixels; NaN if all of it is outside.
    """

    mask: np.ndarray
    pixels: int
    box_xywh: np.ndarray


class _Sprite:
    """A BGRA image `height` world pixels above the ground, and its shadow."""

    def __init__(self, bgra: np.ndarray, height: float) -> None:
        self._bgra = bgra
        self._height = height
        margin = 6 * _SPRITE_SCALE
        alpha = cv2.copyMakeBorder(bgra[..., 3], margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
        alpha = (cv2.GaussianBlur(alpha, (0, 0), 2 * _SPRITE_SCALE) * 0.45).astype(np.uint8)
        black = np.zeros_like(alpha)
        self._shadow_bgra = cv2.merge([black, black, black, alpha])

    def paste(self, image_bgr: np.ndarray, pose: _Pose, world_to_image: np.ndarray) -> "_Drawn":
        """Draw shadow and sprite over an image, in place; return the place of the sprite."""
        shadow = dataclasses.replace(pose, x=pose.x + self._height, y=pose.y + self._height)
        _paste(image_bgr, self._shadow_bgra, _chain(world_to_image, _sprite_to_world(self._shadow_bgra, shadow)))
        return _paste(image_bgr, self._bgra, _chain(world_to_image, _sprite_to_world(self._bgra, pose)))


class Scene:
    """A clip of a moving, turning, growing and shrinking target: a sequence of SceneFrame.

    The target passes similar rovers and drives under a footbridge, which hides most of it for about ten frames. Then
    the camera looks away, at a blue rover: the target leaves over the upper edge, is outside for about 40 frames, and
    returns over the right edge. The bridge comes five seconds after the start and the look away at seven, and then once
    per lap of 13.5 seconds. Clips with the same seed and another length begin with the same frames.

    Args:
        size_wh: width and height of the frames in pixels; the view is the same in every size.
        frames: number of frames, at 30 per second.
        seed: seed of the ground, the track, the camera and the noise.

    Raises:
        InvalidInputError: a size under 64 x 48, no frames, or a seed below 0.
    """

    fps = FPS

    def __init__(self, size_wh: tuple[int, int] = (640, 480), frames: int = FRAMES, seed: int = 0) -> None:
        width, height = (int(side) for side in size_wh)
        if width < 64 or height < 48:
            raise InvalidInputError(f"scene size is {width} x {height}, expected at least 64 x 48 pixels")
        if frames < 1:
            raise InvalidInputError(f"scene has {frames} frames, expected at least 1")
        if seed < 0:
            raise InvalidInputError(f"scene seed is {seed}, expected 0 or more")
        self.size_wh = width, height
        self._view_scale = min(width / _REFERENCE_WH[0], height / _REFERENCE_WH[1])
        self.seed = int(seed)
        self._frames = int(frames)
        rng = np.random.default_rng(self.seed)
        self._phases = rng.uniform(0, 2 * math.pi, 14)
        self._ground = _draw_ground(rng, self._track_points())
        self._clouds = _draw_clouds(rng)
        self._grain = _draw_grain(rng, self.size_wh)
        target, *others = _ROVERS
        self._target = _Sprite(_draw_rover(*target), height=4)
        self._distractors = tuple(_Sprite(_draw_rover(*colours), height=4) for colours in others)
        self._bridge = _Sprite(_draw_bridge(rng), height=14)
        self._bridge_pose = self._on_track(_BRIDGE_AT_S)
        self._looked_at = self._seen_at(*_LOOKED_AT)

    def __len__(self) -> int:
        return self._frames

    def __iter__(self) -> Iterator[SceneFrame]:
        return (self[index] for index in range(self._frames))

    def __getitem__(self, index: int) -> SceneFrame:
        """Render frame `index`, 0 <= index < len(scene)."""
        if not 0 <= index < self._frames:
            raise IndexError(f"frame {index} is not in a scene of {self._frames} frames")
        t = index / FPS
        rng = np.random.default_rng((self.seed, index))
        world_to_image = self._camera(t, jitter=rng.normal(0, 0.4, 2))

        image = self._view_of_ground(world_to_image)
        distractors_xywh = [
            sprite.paste(image, pose, world_to_image).box_xywh
            for sprite, pose in zip(self._distractors, self._distractor_poses(t), strict=True)
        ]
        target = self._target.paste(image, self._on_track(t), world_to_image)
        bridge = self._bridge.paste(image, self._bridge_pose, world_to_image)

        mask = target.mask & ~bridge.mask
        return SceneFrame(
            image_bgr=self._through_lens(image, t, rng),
            box_xywh=target.box_xywh,
            visibility=float(np.count_nonzero(mask) / max(target.pixels, 1)),
            mask=mask,
            distractors_xywh=np.stack(distractors_xywh),
        )

    def _track_point(self, theta: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of the closed track at an angle."""
        a, b = self._phases[:2]
        radius_x, radius_y = _TRACK_RADII
        x = radius_x * np.cos(theta) + 30 * np.cos(2 * theta + a)
        y = radius_y * np.sin(theta) + 22 * np.sin(3 * theta + b)
        return x, y

    def _track_points(self) -> np.ndarray:
        return np.stack(self._track_point(np.linspace(0, 2 * np.pi, 400, endpoint=False)), axis=-1)

    def _on_track(self, t: float) -> _Pose:
        """Return the pose at t seconds of a rover that drives along the track with changing speed."""
        theta = 2 * math.pi * t / _LAP_S + self._phases[2]
        theta -= 0.17 * math.cos(2 * math.pi * (t - _BRIDGE_AT_S) / (_LAP_S / 3))
        x, y = self._track_point(theta)
        ahead_x, ahead_y = self._track_point(theta + 1e-3)
        return _Pose(float(x), float(y), math.atan2(ahead_y - y, ahead_x - x))

    def _distractor_poses(self, t: float) -> tuple[_Pose, ...]:
        """Return the poses of the others: one oncoming beside the track, one parked, one in circles, one looked at."""
        oncoming = self._on_track(2.4 * _BRIDGE_AT_S - 0.8 * t).beside(-66)
        oncoming = dataclasses.replace(oncoming, heading=oncoming.heading + math.pi)
        parked = self._on_track(2.3).beside(85)
        around = 2 * math.pi * t / 6 + self._phases[3]
        middle = self._on_track(8.2).beside(110)
        x, y = middle.x + 34 * math.cos(around), middle.y + 34 * math.sin(around)
        circling = _Pose(x, y, around + math.pi / 2)
        return oncoming, dataclasses.replace(parked, heading=parked.heading + 0.7), circling, self._looked_at

    def _camera(self, t: float, jitter: np.ndarray) -> np.ndarray:
        """Return the map from world to image, of a camera that follows the target and looks away once per lap."""
        world_to_image = self._following_camera(t, jitter)
        weight, *place = _glide(t % _LAP_S, _LOOK_AWAY)
        target = self._on_track(t)
        world_to_image[:, 2] += weight * (self._place_xy(place) - world_to_image @ [target.x, target.y, 1])
        return world_to_image

    def _seen_at(self, t: float, place: Sequence[float]) -> _Pose:
        """Return the pose of something seen at t seconds; place: right and down from the middle, in half views."""
        world_to_image = self._camera(t, jitter=np.zeros(2))
        x, y = np.linalg.solve(world_to_image[:, :2], self._place_xy(place) - world_to_image[:, 2])
        return _Pose(float(x), float(y), heading=0.6)

    def _place_xy(self, place: Sequence[float]) -> np.ndarray:
        """Return the pixel (2,) of a place: right and down from the middle of the view, in halves of the view."""
        return (np.array(self.size_wh) * (1 + np.array(place)) - 1) / 2

    def _following_camera(self, t: float, jitter: np.ndarray) -> np.ndarray:
        """Return the map from world to image: pan behind the target, zoom, roll and a slight shake."""
        p = self._phases
        followed = self._on_track(t - 0.35)
        x = 0.72 * followed.x + 18 * math.sin(2 * math.pi * t / 3.7 + p[4])
        y = 0.72 * followed.y + 14 * math.sin(2 * math.pi * t / 2.9 + p[5])
        shake_x = 1.3 * math.sin(2 * math.pi * 3.1 * t + p[6]) + 0.8 * math.sin(2 * math.pi * 5.3 * t + p[7])
        shake_y = 1.3 * math.sin(2 * math.pi * 2.7 * t + p[8]) + 0.8 * math.sin(2 * math.pi * 6.1 * t + p[9])
        zoom = 1.12 + 0.24 * math.sin(2 * math.pi * t / 7.3 + p[10])
        zoom *= self._view_scale
        roll = 0.07 * math.sin(2 * math.pi * t / 5.9 + p[11])
        cos, sin = zoom * math.cos(roll), zoom * math.sin(roll)
        linear = np.array([[cos, -sin], [sin, cos]])
        looked_at = np.array([x + shake_x + jitter[0], y + shake_y + jitter[1]])
        middle = (np.array(self.size_wh) - 1) / 2
        return np.column_stack([linear, middle - linear @ looked_at])

    def _view_of_ground(self, world_to_image: np.ndarray) -> np.ndarray:
        middle = (np.array(_GROUND_WH) - 1) / 2
        ground_to_world = np.column_stack([np.eye(2), -middle])
        ground_to_image = _chain(world_to_image, ground_to_world)
        return cv2.warpAffine(self._ground, ground_to_image, self.size_wh, borderMode=cv2.BORDER_REFLECT_101)

    def _through_lens(self, image: np.ndarray, t: float, rng: np.random.Generator) -> np.ndarray:
        """Apply drifting clouds, changing exposure, a little defocus and sensor noise."""
        width, height = self.size_wh
        scale = 3 * self._view_scale
        drift = np.array([[scale, 0, -13 * scale * t], [0, scale, -8 * scale * t]])
        light = cv2.warpAffine(self._clouds, drift, self.size_wh, borderMode=cv2.BORDER_WRAP)
        exposure = 1 + 0.1 * math.sin(2 * math.pi * t / 6.1 + self._phases[12])
        image = cv2.multiply(image, cv2.merge([light, light, light]), scale=exposure / 255)
        sigma = 0.55 + 0.25 * math.sin(2 * math.pi * t / 4.1 + self._phases[13])
        image = cv2.GaussianBlur(image, (5, 5), sigma)
        left, top = rng.integers(0, 64, 2)
        return cv2.addWeighted(image, 1, self._grain[top : top + height, left : left + width], 1, -128)


class SceneSource(FrameSource):
    """The frames of a Scene as a FrameSource."""

    fps = FPS

    def __init__(self, scene: Scene) -> None:
        self.frame_count = len(scene)
        self._scene = scene
        self.rewind()

    def __next__(self) -> np.ndarray:
        return next(self._remaining).image_bgr

    def rewind(self) -> None:
        """Start again at the first frame."""
        self._remaining = iter(self._scene)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def _chain(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return the affine map (2, 3) that applies `inner` first, then `outer`."""
    return outer @ np.vstack([inner, [0, 0, 1]])


def _sprite_to_world(sprite: np.ndarray, pose: _Pose) -> np.ndarray:
    """Return the map that places the middle of a sprite on a pose, its x axis along the heading."""
    height, width = sprite.shape[:2]
    cos, sin = math.cos(pose.heading) / _SPRITE_SCALE, math.sin(pose.heading) / _SPRITE_SCALE
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = [(width - 1) / 2, (height - 1) / 2]
    return np.column_stack([linear, np.array([pose.x, pose.y]) - linear @ middle])


def _glide(t: float, rows: np.ndarray) -> np.ndarray:
    """Return the values (N,) at t seconds between rows of seconds and values (R, 1 + N), at rest at each row."""
    times, values = rows[:, 0], rows[:, 1:]
    after = int(np.clip(np.searchsorted(times, t), 1, len(times) - 1))
    progress = _smooth_step(np.float64(t), times[after - 1], times[after])
    return values[after - 1] + progress * (values[after] - values[after - 1])


def _paste(image: np.ndarray, sprite: np.ndarray, sprite_to_image: np.ndarray) -> _Drawn:
    """Draw BGRA with premultiplied alpha over an image, in place."""
    mask = np.zeros(image.shape[:2], bool)
    height, width = sprite.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    x, y = (corners @ sprite_to_image[:, :2].T + sprite_to_image[:, 2]).T
    left, right = math.floor(x.min()) - 1, math.ceil(x.max()) + 2
    top, bottom = math.floor(y.min()) - 1, math.ceil(y.max()) + 2
    columns = slice(max(left, 0), min(right, image.shape[1]))
    rows = slice(max(top, 0), min(bottom, image.shape[0]))
    if columns.stop > columns.start and rows.stop > rows.start:
        to_patch = sprite_to_image - [[0, 0, left], [0, 0, top]]
        patch = cv2.warpAffine(sprite, to_patch, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
        inside = patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        behind = image[rows, columns]
        through = cv2.merge([255 - inside[..., 3]] * 3)
        behind[:] = cv2.add(cv2.multiply(behind, through, scale=1 / 255), inside[..., :3])
        mask[rows, columns] = inside[..., 3] >= _SOLID
    if not mask.any():
        return _Drawn(mask, 0, np.full(4, np.nan))
    solid = patch[..., 3] >= _SOLID
    bounds = np.array(cv2.boundingRect(solid.view(np.uint8)), dtype=np.float64)
    return _Drawn(mask, int(np.count_nonzero(solid)), bounds + [left, top, 0, 0])


def _fractal_noise(rng: np.random.Generator, size_wh: tuple[int, int], cell: float, octaves: int) -> np.ndarray:
    """Return float32 noise (H, W), mean 0 and standard deviation 1; the largest structures are `cell` pixels wide."""
    width, height = size_wh
    noise = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        pitch = max(cell / 2**octave, 1)
        shape = math.ceil(height / pitch) + 3, math.ceil(width / pitch) + 3
        coarse = rng.standard_normal(shape, dtype=np.float32)
        fine = cv2.resize(coarse, None, fx=pitch, fy=pitch, interpolation=cv2.INTER_CUBIC)
        noise += fine[:height, :width] * 0.62**octave
    return (noise - noise.mean()) / noise.std()


def _blend(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mix two colours or images (H, W, 3) by a weight (H, W) of the second, 0..1."""
    weight = weight[..., None]
    return first * (1 - weight) + second * weight


def _color(*bgr: float) -> np.ndarray:
    return np.array(bgr, np.float32)


def _smooth_step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    x = np.clip((values - low) / (high - low), 0, 1)
    return x * x * (3 - 2 * x)


def _draw_ground(rng: np.random.Generator, track_points: np.ndarray) -> np.ndarray:
    """Return the ground, uint8 BGR: grass in two tones, bare soil, the track with ruts, stones and tufts."""
    middle = (np.array(_GROUND_WH) - 1) / 2
    broad = _fractal_noise(rng, _GROUND_WH, 260, 4)
    patchy = _fractal_noise(rng, _GROUND_WH, 90, 5)
    detail = _fractal_noise(rng, _GROUND_WH, 12, 4)

    ground = _blend(_color(52, 104, 84), _color(66, 142, 132), _smooth_step(broad, -1.2, 1.2))
    ground = _blend(ground, _color(98, 132, 158), 0.8 * _smooth_step(patchy, 0.6, 1.6))
    track = np.zeros(_GROUND_WH[::-1], np.uint8)
    points = np.round((track_points + middle) * 16).astype(np.int32)
    cv2.polylines(track, [points], True, 255, 92, cv2.LINE_AA, shift=4)
    track = cv2.GaussianBlur(track, (0, 0), 7).astype(np.float32) / 255
    frayed = _smooth_step(track + 0.16 * detail + 0.1 * patchy, 0.3, 0.75)
    ground = _blend(ground, _color(104, 140, 168), frayed)
    outward = track_points / np.linalg.norm(track_points, axis=1, keepdims=True)
    ruts = np.zeros(_GROUND_WH[::-1], np.uint8)
    for offset in (-14, 14):
        points = np.round((track_points + offset * outward + middle) * 16).astype(np.int32)
        cv2.polylines(ruts, [points], True, 255, 8, cv2.LINE_AA, shift=4)
    ruts = cv2.GaussianBlur(ruts, (0, 0), 2).astype(np.float32) / 255
    ground *= (1 - 0.22 * ruts * _smooth_step(patchy, -1.5, 0.5))[..., None]
    ground *= (1 + 0.09 * detail + 0.04 * patchy)[..., None]
    ground = np.clip(ground, 0, 255).astype(np.uint8)

    for x, y in rng.uniform(0, _GROUND_WH, (700, 2)):
        _draw_tuft(rng, ground, x, y)
    for x, y in rng.uniform(0, _GROUND_WH, (260, 2)):
        _draw_stone(rng, ground, x, y)
    return ground


def _draw_tuft(rng: np.random.Generator, ground: np.ndarray, x: float, y: float) -> None:
    shade = rng.uniform(0.7, 1.3)
    for angle in rng.uniform(0, 2 * math.pi, 11):
        length = rng.uniform(3, 9)
        tip = round((x + length * math.cos(angle)) * 8), round((y + length * math.sin(angle)) * 8)
        colour = tuple(shade * channel for channel in (46, 110, 88))
        cv2.line(ground, (round(x * 8), round(y * 8)), tip, colour, 1, cv2.LINE_AA, shift=3)


def _draw_stone(rng: np.random.Generator, ground: np.ndarray, x: float, y: float) -> None:
    radius, angle, grey = rng.uniform(2, 8), rng.uniform(0, 180), rng.uniform(90, 175)
    axes = round(radius * 8), round(radius * rng.uniform(5, 8))
    for shift, shade in ((1.6, 0.35), (0, 0.8), (-0.2 * radius, 1.1)):
        centre = round((x + shift) * 8), round((y + shift) * 8)
        inner = axes if shift >= 0 else (round(axes[0] * 0.6), round(axes[1] * 0.6))
        colour = tuple(shade * grey * tint for tint in (0.92, 0.97, 1.0))
        cv2.ellipse(ground, centre, inner, angle, 0, 360, colour, -1, cv2.LINE_AA, shift=3)


def _draw_clouds(rng: np.random.Generator) -> np.ndarray:
    """Return the light that clouds let through, uint8 (H, W), 255: full sun; it repeats without a seam."""
    size = 256
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size
    clouds = np.fft.irfft2(spectrum * np.exp(-((frequency / 2.5) ** 2)))
    return (255 * (1 - 0.3 * _smooth_step(clouds / clouds.std(), -0.4, 1.2))).astype(np.uint8)


def _draw_grain(rng: np.random.Generator, size_wh: tuple[int, int]) -> np.ndarray:
    """Return sensor noise around 128, uint8 BGR, 64 pixels larger than a frame: each frame takes another part."""
    width, height = size_wh
    grain = rng.standard_normal((height + 64, width + 64, 3), dtype=np.float32)
    return np.clip(np.round(128 + 3.5 * grain), 0, 255).astype(np.uint8)


def _draw_rover(body_bgr: Color, panel_bgr: Color, stripe_bgr: Color) -> np.ndarray:
    """Return a rover seen from above that heads to the right, premultiplied BGRA, 70 x 48 world pixels."""
    fine = 4 * _SPRITE_SCALE  # drawn larger, then averaged, for clean edges
    canvas = np.zeros((48 * fine, 70 * fine, 4), np.uint8)

    def box(x1: float, y1: float, x2: float, y2: float, colour_bgr: Color, radius: float = 0.0) -> None:
        (x1, y1, x2, y2), r = (round(v * fine) for v in (x1, y1, x2, y2)), round(radius * fine)
        colour = (*colour_bgr, 255)
        cv2.rectangle(canvas, (x1 + r, y1), (x2 - r, y2), colour, -1)
        cv2.rectangle(canvas, (x1, y1 + r), (x2, y2 - r), colour, -1)
        for corner in ((x1 + r, y1 + r), (x2 - r, y1 + r), (x1 + r, y2 - r), (x2 - r, y2 - r)):
            cv2.circle(canvas, corner, r, colour, -1)

    def tone(colour_bgr: Color, factor: float) -> Color:
        return tuple(min(255, round(factor * channel)) for channel in colour_bgr)

    for x in (4, 27, 50):  # six wheels with treads
        for y in (2, 37):
            box(x, y, x + 15, y + 9, (38, 36, 34), 2.5)
            for tread in range(4):
                box(x + 2 + 3.2 * tread, y + 0.8, x + 3.2 + 3.2 * tread, y + 8.2, (78, 74, 70))
    box(5, 8, 64, 40, tone(body_bgr, 0.6), 6)
    box(6.5, 9, 63, 38, body_bgr, 5)
    box(6.5, 9, 63, 13, tone(body_bgr, 1.25), 2)  # lit edge
    box(6.5, 34, 63, 38, tone(body_bgr, 0.78), 2)
    box(48, 14, 53, 33, stripe_bgr)
    box(55, 14, 59, 33, stripe_bgr)
    box(10, 13, 40, 34, (205, 205, 200), 1)  # frame of the panel
    for column in range(5):
        for row in range(3):
            left, top = 11.2 + 5.6 * column, 14.2 + 6.5 * row
            box(left, top, left + 5, top + 5.8, tone(panel_bgr, 1.0 + 0.12 * ((column + row) % 3)))
    cv2.line(canvas, (44 * fine, 24 * fine), (52 * fine, 24 * fine), (70, 70, 70, 255), 2 * fine)
    cv2.circle(canvas, (44 * fine, 24 * fine), 4 * fine, (60, 60, 60, 255), -1, cv2.LINE_AA)
    cv2.circle(canvas, (round(43.2 * fine), round(23.2 * fine)), round(2.6 * fine), (225, 225, 225, 255), -1)
    box(63, 14, 65.5, 18, (190, 240, 250), 1)  # head lamps
    box(63, 29, 65.5, 33, (190, 240, 250), 1)
    light = np.linspace(1.12, 0.88, canvas.shape[0])[:, None] * np.linspace(1.06, 0.94, canvas.shape[1])[None]
    canvas[..., :3] = np.clip(canvas[..., :3] * light[..., None], 0, 255).astype(np.uint8)
    return cv2.resize(canvas, None, fx=1 / 4, fy=1 / 4, interpolation=cv2.INTER_AREA)


def _draw_bridge(rng: np.random.Generator) -> np.ndarray:
    """Return a wooden footbridge, BGRA; the track below and the planks run along its x axis."""
    width, length = (side * _SPRITE_SCALE for side in _BRIDGE_WH)
    bridge = np.zeros((length, width, 4), np.uint8)
    grain = _fractal_noise(rng, (width, length), 60, 5)
    for top in range(0, length, 11 * _SPRITE_SCALE):
        tone = rng.uniform(0.8, 1.15)
        rows = slice(top, top + 11 * _SPRITE_SCALE - 2)
        shade = tone * (1 + 0.08 * cv2.resize(grain[rows], (width, grain[rows].shape[0])))
        bridge[rows, :, :3] = np.clip(shade[..., None] * [92, 122, 150], 0, 255)
    bridge[..., 3] = 255
    for left in (0, width - 7 * _SPRITE_SCALE):  # handrails
        bridge[:, left : left + 7 * _SPRITE_SCALE, :3] = (62, 84, 108)
        bridge[:, left : left + 2 * _SPRITE_SCALE, :3] = (96, 126, 152)
        for top in range(0, length, 55 * _SPRITE_SCALE):
            bridge[top : top + 7 * _SPRITE_SCALE, left : left + 7 * _SPRITE_SCALE, :3] = (46, 62, 82)
    return bridge
