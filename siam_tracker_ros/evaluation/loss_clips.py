# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clips in which a target goes and comes back, with exactly known truth, made of any labelled sequences.

    replaced  the video cuts to another sequence: the target is gone for good
    same      the view, a window on a larger frame, pans away from the target and back: it returns over the same edge
    other     the same, but it returns over another edge
    covered   a textured rectangle hides it; in a part of the clips the view pans meanwhile: it comes out elsewhere
    alike     as `other` or `covered`, beside a look-alike that stays in view
    control   nothing happens; in a part of the clips the view moves
    scene     a view as large as the frame pans onto a frame of another sequence beside it, as on one long canvas, and
              back; in a part of the clips around a corner, so that the target returns at another place of the view
    small     the frame is shrunk onto a larger one of another sequence, so that the target is 12 to 24 pixels wide; it
              moves there, leaves over one edge and returns over another
    two       a look-alike passes in front of the target or crosses its path beside it; both stay in view

A look-alike is the target itself some frames later, mirrored or recoloured, or the target of another sequence of the
same class. A sequence that is shorter than its clip plays forth and back. A clip is drawn until its truth is what its
kind promises; a sequence whose frames do not allow that is left out. Sequences without box in some frames serve in
`replaced` alone, and as the other sequence.
"""

import dataclasses
import functools
import itertools
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from siam_tracker_ros.data.track import Track
from siam_tracker_ros.evaluation.clip_material import Copy, Cover, Layer, Material, Scene, Source, round_pixels
from siam_tracker_ros.evaluation.reliability import Place, Truth
from siam_tracker_ros.geometry import cxcywh_to_xywh, intersection_xywh, xywh_to_cxcywh

BEFORE, AFTER = 25, 92  # frames before the event begins, and from the return on
TRIES = 300  # draws per sequence, variant and round
ROUNDS = 50  # over all sequences

HALO = 0.1  # a target is absent when not even its box enlarged by this share shows
MIN_SIDE = 14  # pixels, of a target in a view
SIDES = ("left", "top", "right", "bottom")  # the order of a box's edges
SMALL_WIDTHS = (12, 24)  # pixels
CANVAS_WIDTH = 640  # at least, for `small`


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """A clip of N frames, drawn on demand.

    Attributes:
        kind: one of KINDS.
        number: its place among the clips of its kind.
        sequence: name of the target's sequence.
        how: what happens, for people.
        truth: where the target is.
        layers: what is drawn, from the back to the front.
        window_xy: int64 (N, 2), top left corner of the view on the canvas.
        copy_xywh: int64 (N, 4), where a look-alike is in the view; None without one.
    """

    kind: str
    number: int
    sequence: str
    how: str
    truth: Truth
    layers: tuple[Layer, ...]
    window_xy: np.ndarray
    copy_xywh: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def name(self) -> str:
        """Kind and number, as "covered-03"."""
        return f"{self.kind}-{self.number:02d}"

    def image_bgr(self, i: int) -> np.ndarray:
        """Draw frame i, uint8 (H, W, 3)."""
        width, height = self.truth.size_wh
        view_bgr = np.zeros((height, width, 3), dtype=np.uint8)
        for layer in self.layers:
            layer.draw(view_bgr, self.window_xy[i], i)
        return view_bgr

    def images_bgr(self) -> Iterator[np.ndarray]:
        """Draw all frames in turn."""
        return map(self.image_bgr, range(len(self)))


class WholeSequence:
    """A sequence as it is, with what is needed of a Clip.

    Attributes:
        kind, how, name, sequence: as of a Clip.
        truth: its labels, see `Truth.of_labels`.
    """

    kind, how = "real", "as it is"

    def __init__(self, track: Track, absent: np.ndarray | None = None) -> None:
        """Take a track with a box in its first frame; `absent`, bool (N,), is in place of the track's own."""
        self._track = track
        self.name = self.sequence = track.name
        height, width = track.image_bgr(0).shape[:2]
        self.truth = Truth.of_labels(track.boxes_xywh, (width, height), track.absent if absent is None else absent)

    def images_bgr(self) -> Iterator[np.ndarray]:
        """Decode all frames in turn."""
        return map(self._track.image_bgr, range(len(self._track)))


@dataclasses.dataclass(frozen=True, eq=False)
class _Draft:
    """A clip before its truth is known.

    Attributes:
        how: see Clip.
        target: the scene with the target.
        window_xy: int64 (N, 2), see Clip.
        size_wh: of the view.
        promise: whether a truth is what the kind promises.
        behind, in_front: layers under and over the target's.
        cover: hides the target.
        copy: look-alike, in front of the target where they meet.
        meets: whether the look-alike may meet the target while it is to be seen.
        cut: first frame of another sequence, which has no target.
    """

    how: str
    target: Scene
    window_xy: np.ndarray
    size_wh: np.ndarray
    promise: Callable[[Truth], bool]
    behind: tuple[Layer, ...] = ()
    in_front: tuple[Layer, ...] = ()
    cover: Cover | None = None
    copy: Copy | None = None
    meets: bool = False
    cut: int | None = None

    @functools.cached_property
    def truth(self) -> Truth:
        """Where the target is; the frames after a return are as many as a clip has."""
        boxes_xywh = self.target.boxes_in(self.window_xy)
        halos_cxcywh = xywh_to_cxcywh(boxes_xywh)
        halos_cxcywh[:, 2:] *= 1 + HALO
        region_xywh = intersection_xywh(self.target.frames_in(self.window_xy), _whole(self.size_wh))
        covers = [] if self.cover is None else [self.cover.boxes_xywh]
        hiding = covers if self.copy is None else [*covers, self.copy.boxes_xywh]
        visible = _visible_area(boxes_xywh, region_xywh, hiding) / _area(boxes_xywh)
        # A look-alike in front has gaps around its outline: it never hides all of the target.
        absent = _visible_area(cxcywh_to_xywh(halos_cxcywh), region_xywh, covers) < 1e-6
        if self.cut is not None:
            boxes_xywh[self.cut :], visible[self.cut :], absent[self.cut :] = np.nan, 0, True
        width, height = self.size_wh.tolist()
        truth = Truth(boxes_xywh, visible, absent, (width, height))
        back = truth.departures[0].back if truth.departures else None
        return truth if back is None else truth.first(back + AFTER)

    @property
    def sound(self) -> bool:
        """Whether the truth is what the kind promises, and a look-alike is in view and alone."""
        return bool(self.truth.in_view[0]) and self.promise(self.truth) and self._is_copy_sound()

    def _is_copy_sound(self) -> bool:
        if self.copy is None:
            return True
        frames = len(self.truth)
        copies_xywh = self.copy.boxes_xywh[:frames]
        in_view = _area(intersection_xywh(copies_xywh, _whole(self.size_wh))) >= 0.95 * _area(copies_xywh)
        meets = _area(intersection_xywh(copies_xywh, self.truth.boxes_xywh)) > 0
        if self.cover is not None:
            hidden = _area(intersection_xywh(copies_xywh, self.cover.boxes_xywh[:frames]))
            in_view &= hidden <= 0.3 * _area(copies_xywh)
        return bool(in_view.all()) and (self.meets or not (meets & (self.truth.visible > 0)).any())

    def clip(self, kind: str, number: int) -> Clip:
        """Return the clip."""
        frames, own = len(self.truth), [layer for layer in (self.copy, self.cover) if layer is not None]
        return Clip(
            kind=kind,
            number=number,
            sequence=self.target.play.source.track.name,
            how=self.how,
            truth=self.truth,
            layers=(*self.behind, self.target, *self.in_front, *own),
            window_xy=self.window_xy[:frames],
            copy_xywh=None if self.copy is None else self.copy.boxes_xywh[:frames],
        )


class ClipMaker:
    """Makes clips out of labelled sequences; the same ones give the same clips.

    Args:
        tracks: the sequences.
        class_of: class of the target by name of the track; a target that it lacks has look-alikes of itself alone.
        seed: of all draws.

    Raises:
        InvalidInputError: no sequence has a box and two frames.
    """

    def __init__(self, tracks: Sequence[Track], class_of: Mapping[str, str] | None = None, seed: int = 0) -> None:
        self._material = Material(tracks, class_of or {})
        self._seed = seed

    def clips(self, kind: str, count: int) -> list[Clip]:
        """Return the first clips of a kind; fewer where the frames do not allow so many.

        Args:
            kind: one of KINDS.
            count: number of clips; the first n of more are the same as n.
        """
        return list(itertools.islice(self._clips_of(kind), count))

    def _clips_of(self, kind: str) -> Iterator[Clip]:
        """Yield clips of all sequences that allow them in turns, and the variants of the kind in turns."""
        code = zlib.crc32(kind.encode())
        usable = np.random.default_rng([self._seed, code]).permutation(len(self._material.sources)).tolist()
        number = 0
        for turn in range(ROUNDS):
            for index in list(usable):
                draft = self._draw(kind, index, number, [self._seed, code, turn, index])
                if draft is not None:
                    yield draft.clip(kind, number)
                    number += 1
                elif turn == 0:
                    usable.remove(index)

    def _draw(self, kind: str, index: int, number: int, seeds: list[int]) -> _Draft | None:
        """Draw until the truth is what the kind promises, other variants after the one whose turn it is; or None."""
        source, variants = self._material.sources[index], KINDS[kind]
        if not source.dense and kind != "replaced":
            return None
        for attempt in range(TRIES * len(variants)):
            variant = variants[(number + attempt // TRIES) % len(variants)]
            draft = variant(self._material, source, np.random.default_rng([*seeds, attempt]))
            if draft is not None and draft.sound:
                return draft
        return None


def _replaced(material: Material, source: Source, rng: np.random.Generator) -> _Draft | None:
    cut, frames = 30, 80
    other = material.other_play(source, rng)
    if other is None:
        return None
    size_wh, corner_xy = _fill(other.source.size_wh, source.size_wh)
    return _Draft(
        how=f"by {other.source.track.name}",
        target=Scene.whole(material.play(source, cut, rng)),
        window_xy=np.zeros((frames, 2), dtype=np.int64),
        size_wh=source.size_wh,
        promise=lambda truth: len(truth.departures) == 1,
        in_front=(Scene(other, corner_xy, size_wh, begin=cut),),
        cut=cut,
    )


def _leave(material: Material, source: Source, rng: np.random.Generator, turns: bool) -> _Draft | None:
    """The view pans away and back; if it turns, around a corner, so that the target returns over another edge."""
    view_wh = _draw_view(source, rng)
    limit_xy = source.size_wh - view_wh
    stay, max_pan = int(rng.integers(12, 67)), 40
    play = material.play(source, BEFORE + 2 * max_pan + stay + AFTER, rng)
    boxes = play.boxes_xywh(BEFORE + 2 * max_pan + stay + AFTER)
    if not _fits(boxes[0], view_wh):
        return None
    centers = _smooth(xywh_to_cxcywh(boxes)[:, :2])
    follow = [np.clip(centers - rng.uniform(0.35, 0.65, 2) * view_wh, 0, limit_xy) for _ in range(2)]
    drifts = rng.uniform(-0.35, 0.35, (2, 2)) * view_wh
    # Where the window has to be for the target to stay beyond its left and top, or right and bottom edges.
    low, high = _bounds(boxes[BEFORE + 10 : BEFORE + max_pan + stay], margin=0.12)
    out_xy = np.where(rng.random(2) < 0.5, high, low - view_wh)
    first, second = rng.permutation(2)
    needed = [first, second] if turns else [first]
    if (out_xy < 0)[needed].any() or (out_xy > limit_xy)[needed].any():
        return None
    leave_xy = follow[0][BEFORE] + drifts[0]
    leave_xy[first] = out_xy[first]
    if turns:
        enter_xy = follow[1][BEFORE + max_pan + stay] + drifts[1]
        enter_xy[second] = out_xy[second]
        stops = [leave_xy, out_xy, enter_xy]
    else:
        stops = [leave_xy, np.where(np.arange(2) == first, leave_xy, leave_xy + drifts[1])]
    pan = _pan_frames(leave_xy - follow[0][BEFORE], boxes[0], 10, max_pan)
    window = _excursion(follow[0], np.clip(stops, 0, limit_xy), follow[1], pan, stay)
    return _Draft(
        how="over another edge" if turns else "over the same edge",
        target=Scene.whole(play),
        window_xy=round_pixels(np.clip(window, 0, limit_xy)),
        size_wh=view_wh,
        promise=functools.partial(_returns, same_edge=not turns),
    )


def _covered(
    material: Material, source: Source, rng: np.random.Generator, pans: bool = False, beside: bool = False
) -> _Draft | None:
    """A rectangle passes over the target; the view may pan meanwhile, or a look-alike have room beside the target."""
    hidden = int(rng.integers(20, 56))
    view_wh = _draw_view(source, rng) if pans else source.size_wh
    play = material.play(source, BEFORE + hidden + 60 + AFTER, rng)
    boxes = play.boxes_xywh(BEFORE + hidden + 60 + AFTER)
    if not _fits(boxes[0], view_wh):
        return None
    side = _side(boxes[0])
    centers = _smooth(xywh_to_cxcywh(boxes)[:, :2])
    axis = 1 if beside or rng.random() < 0.25 else 0
    during = slice(BEFORE, BEFORE + hidden + 30)
    reach_wh = 2 * np.maximum(centers - boxes[:, :2], boxes[:, :2] + boxes[:, 2:] - centers)[during].max(axis=0)
    cover_wh = 1.12 * reach_wh + 4
    passes = not beside and rng.random() < 0.3  # evenly, as a long wall does; or it stops over the target
    speed = (0.12 if passes else 0.28) * boxes[0, 2 + axis] + 0.5
    slack = 0.5 * speed * hidden if passes else 0.0
    cover_wh[axis] += 2 * slack
    if (reach_wh > 2.2 * np.median(boxes[:, 2:], axis=0)).any() or cover_wh[axis] > 0.9 * view_wh[axis]:
        return None
    touch = (cover_wh[axis] + boxes[:, 2 + axis].max()) / 2
    arrive = BEFORE + (touch - slack) / speed
    depart = arrive + hidden
    i = np.arange(len(boxes))
    ends = slack + speed * arrive, -slack - speed * (len(i) - depart)
    along = np.interp(i, [0, arrive, depart, len(i)], [ends[0], slack, -slack, ends[1]])
    window_xy = np.zeros((len(i), 2), dtype=np.int64)
    if pans:
        turn = rng.uniform(0, 2 * np.pi)
        shift = np.array([np.cos(turn), np.sin(turn)]) * rng.uniform(2.6, 4.5) * side
        window = _glide(centers - (view_wh - shift) / 2, centers - (view_wh + shift) / 2, (i - arrive) / hidden)
        window_xy = round_pixels(np.clip(window, 0, source.size_wh - view_wh))
    texture_bgr = material.texture(play, round_pixels(cover_wh), rng)
    if texture_bgr is None:
        return None
    middle = centers - window_xy
    middle[:, axis] += rng.choice([-1, 1]) * along
    return _Draft(
        how=("a cover passes" if passes else "a cover stops over it") + (", the view pans" if pans else ""),
        target=Scene.whole(play),
        window_xy=window_xy,
        size_wh=view_wh,
        promise=functools.partial(_returns, place="elsewhere" if pans else None),
        cover=Cover(texture_bgr, round_pixels(middle - cover_wh / 2)),
    )


def _alike(material: Material, source: Source, rng: np.random.Generator, covered: bool) -> _Draft | None:
    """The target leaves the view or is covered beside a look-alike, which goes with it as far as the view allows."""
    draft = _covered(material, source, rng, beside=True) if covered else _leave(material, source, rng, turns=True)
    if draft is None:
        return None
    boxes = draft.target.boxes_in(draft.window_xy)
    how, copy = material.copy(draft.target, boxes, rng)
    size_wh, side = copy.boxes_xywh[:, 2:], _side(boxes[0])
    turn = rng.choice([0, np.pi]) if draft.cover is not None else rng.uniform(0, 2 * np.pi)
    away = 1.3 * side + size_wh.max()
    if draft.cover is not None:
        away = draft.cover.boxes_xywh[0, 2] / 2 + size_wh[:, 0].max() / 2 + 0.15 * side
    centers = _smooth(xywh_to_cxcywh(boxes)[:, :2]) + np.array([np.cos(turn), np.sin(turn)]) * away
    copy = copy.placed(np.clip(centers, size_wh / 2, draft.size_wh - size_wh / 2))
    return dataclasses.replace(draft, how=f"{draft.how}; look-alike {how}", copy=copy)


def _control(material: Material, source: Source, rng: np.random.Generator, moves: bool) -> _Draft | None:
    frames = 100
    play = material.play(source, frames, rng)
    view_wh = _draw_view(source, rng) if moves else source.size_wh
    window_xy = np.zeros((frames, 2), dtype=np.int64)
    if moves:
        boxes = play.boxes_xywh(frames)
        if not _fits(boxes[0], view_wh):
            return None
        centers = _smooth(xywh_to_cxcywh(boxes)[:, :2])
        near, far = (centers - rng.uniform(0.3, 0.7, 2) * view_wh for _ in range(2))
        window = _glide(near, far, 0.5 - 0.5 * np.cos(np.arange(frames) / frames * 4 * np.pi))
        window_xy = round_pixels(np.clip(window, 0, source.size_wh - view_wh))
    return _Draft(
        how="the view moves" if moves else "the frames as they are",
        target=Scene.whole(play),
        window_xy=window_xy,
        size_wh=view_wh,
        promise=lambda truth: bool((truth.visible >= 0.85).all()),
    )


def _scene(material: Material, source: Source, rng: np.random.Generator, elsewhere: bool) -> _Draft | None:
    """The view pans onto another sequence's frame and back; or around a corner, so that the target is elsewhere."""
    other = material.other_play(source, rng)
    if other is None:
        return None
    view_wh, max_pan, stay = source.size_wh, 45, int(rng.integers(20, 67))
    play = material.play(source, BEFORE + 2 * max_pan + stay + AFTER, rng)
    boxes = play.boxes_xywh(BEFORE + 2 * max_pan + stay + AFTER)
    if not _fits(boxes[0], view_wh):
        return None
    way = rng.choice([-1, 1], 2)  # in which the frames beside the scene are
    first, second = np.eye(2, dtype=np.int64)[rng.permutation(2)]
    corners_xy = way * view_wh * np.array([first, first + second, second])
    stops, shift = corners_xy[:1], np.zeros(2)
    if elsewhere:
        low, high = _bounds(boxes[BEFORE + stay :])
        stops = corners_xy
        shift = way * rng.uniform(0, 1, 2) * np.maximum(0, np.where(way > 0, low, view_wh - high))
    pan = _pan_frames(stops[0], boxes[0], 15, max_pan)
    window = _excursion(np.zeros(boxes[:, :2].shape), stops, np.tile(shift, (len(boxes), 1)), pan, stay)
    return _Draft(
        how=f"onto {other.source.track.name} and back" + (" to another place" if elsewhere else ""),
        target=Scene.whole(play),
        window_xy=round_pixels(window),
        size_wh=view_wh,
        promise=functools.partial(_returns, place="elsewhere" if elsewhere else None, same_edge=not elsewhere),
        in_front=tuple(Scene(other, corner_xy, view_wh) for corner_xy in corners_xy),
    )


def _small(material: Material, source: Source, rng: np.random.Generator) -> _Draft | None:
    """The shrunk frames move over another sequence's, leave over one edge and return over one beside it."""
    other = material.other_play(source, rng)
    if other is None:
        return None
    stay, leave = int(rng.integers(15, 67)), BEFORE + 20
    frames = leave + stay + AFTER + 20
    play = material.play(source, frames, rng)
    boxes = play.boxes_xywh(frames)
    canvas_wh = round_pixels(other.source.size_wh * max(1.0, CANVAS_WIDTH / other.source.size_wh[0]))
    size_wh = round_pixels(source.size_wh * rng.uniform(*SMALL_WIDTHS) / np.median(boxes[:, 2]))
    if (size_wh > 0.7 * canvas_wh).any() or size_wh.min() < 8:
        return None
    boxes = boxes * np.tile(size_wh / source.size_wh, 2)
    side, margin_wh = _side(boxes[0]), 0.7 * boxes[:, 2:].max(axis=0) + 3
    far = rng.random(2) < 0.5  # of the two edges that it crosses: right or bottom in place of left or top
    out_xy, inward = np.where(far, canvas_wh + margin_wh, -margin_wh), np.where(far, -1, 1)
    first, second = rng.permutation(2)
    exit_xy, enter_xy = rng.uniform(0.2, 0.8, (2, 2)) * canvas_wh
    exit_xy[first], enter_xy[second] = out_xy[first], out_xy[second]
    speed = rng.uniform(0.1, 0.35) * side
    begin_xy = exit_xy + rng.uniform(-0.4, 0.4, 2) * speed * leave
    begin_xy[first] = exit_xy[first] + inward[first] * (2 * margin_wh[first] + speed * leave)
    inside_xy = enter_xy.copy()
    inside_xy[second] += inward[second] * (2 * margin_wh[second] + 10)
    end_xy = rng.uniform(0.25, 0.75, 2) * canvas_wh
    times = np.cumsum([0, leave, stay / 2, stay / 2, 12, AFTER + 8])
    path = _path(np.arange(frames), times, [begin_xy, exit_xy, out_xy, enter_xy, inside_xy, end_xy])
    return _Draft(
        how=f"{np.median(boxes[:, 2]):.0f} pixels wide on {other.source.track.name}",
        target=Scene(play, round_pixels(path - _smooth(xywh_to_cxcywh(boxes)[:, :2])), size_wh),
        window_xy=np.zeros((frames, 2), dtype=np.int64),
        size_wh=canvas_wh,
        promise=functools.partial(_returns, same_edge=False),
        behind=(Scene(other, np.zeros(2, dtype=np.int64), canvas_wh),),
    )


def _two(material: Material, source: Source, rng: np.random.Generator, in_front: bool) -> _Draft | None:
    """A look-alike passes from one side of the target to the other, in front of it or beside it."""
    frames = 150
    play = material.play(source, frames, rng)
    boxes = play.boxes_xywh(frames)
    if not _fits(boxes[0], source.size_wh):
        return None
    target = Scene.whole(play)
    how, copy = material.copy(target, boxes, rng)
    room_wh = (copy.boxes_xywh[:, 2:] + boxes[:, 2:]).max(axis=0) / 2
    side = _side(boxes[0])
    axis = 0 if rng.random() < 0.8 else 1
    far = room_wh[axis] + rng.uniform(0.3, 2.0) * side
    duration = min(frames - BEFORE - 40, 2 * far / (rng.uniform(0.08, 0.25) * side))
    begin = (frames - 5 - duration) / 2
    offset = np.zeros((frames, 2))
    offset[:, axis] = rng.choice([-1, 1]) * np.interp(np.arange(frames), [begin, begin + duration], [far, -far])
    if not in_front:
        offset[:, 1 - axis] = rng.choice([-1, 1]) * room_wh[1 - axis] * rng.uniform(1.05, 1.3)
    return _Draft(
        how=f"look-alike {how} passes {'in front' if in_front else 'beside'}",
        target=target,
        window_xy=np.zeros((frames, 2), dtype=np.int64),
        size_wh=source.size_wh,
        promise=functools.partial(_stays, hidden=in_front),
        copy=copy.placed(_smooth(xywh_to_cxcywh(boxes)[:, :2]) + offset),
        meets=True,
    )


_Variant = Callable[[Material, Source, np.random.Generator], _Draft | None]

KINDS: dict[str, tuple[_Variant, ...]] = {  # each with its variants
    "replaced": (_replaced,),
    "same": (functools.partial(_leave, turns=False),),
    "other": (functools.partial(_leave, turns=True),),
    "covered": (_covered, functools.partial(_covered, pans=True)),
    "alike": (functools.partial(_alike, covered=True), functools.partial(_alike, covered=False)),
    "control": (functools.partial(_control, moves=False), functools.partial(_control, moves=True)),
    "scene": (functools.partial(_scene, elsewhere=True), functools.partial(_scene, elsewhere=False)),
    "small": (_small,),
    "two": (functools.partial(_two, in_front=True), functools.partial(_two, in_front=False)),
}


def _returns(truth: Truth, place: Place | None = None, same_edge: bool | None = None) -> bool:
    """Whether the target goes once, for a while, and returns for good, to a place, over the same edge or another."""
    if len(truth.departures) != 1 or truth.departures[0].back is None:
        return False
    departure = truth.departures[0]
    gone, back, hidden = departure.gone, truth.departures[0].back, int(truth.absent.sum())
    if (
        not 10 <= hidden <= 120
        or not truth.absent[gone : gone + hidden].all()
        or len(truth) < back + AFTER
        or (truth.visible[:BEFORE] < 0.9).any()
        or (truth.visible[back + 20 :] < 0.85).any()
    ):
        return False
    if same_edge is not None and (_edge(truth, gone) == _edge(truth, gone + hidden - 1)) != same_edge:
        return False
    return place in (None, departure.place)


def _stays(truth: Truth, hidden: bool) -> bool:
    """Whether the target is to be seen at the beginning, at the end, and meanwhile unless it is hidden for a moment."""
    if (truth.visible[:BEFORE] < 0.85).any() or (truth.visible[-BEFORE:] < 0.85).any():
        return False
    return bool(truth.visible.min() < 0.5) if hidden else bool(truth.visible.min() >= 0.85)


def _edge(truth: Truth, frame: int) -> str:
    """Name the edge of the view that a target is beyond."""
    x, y, w, h = truth.boxes_xywh[frame]
    width, height = truth.size_wh
    return SIDES[int(np.argmax([-x - w, -y - h, x - width, y - height]))]


def _whole(size_wh: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.array([0, 0, *size_wh], dtype=np.float64)


def _area(boxes_xywh: np.ndarray) -> np.ndarray:
    return np.asarray(boxes_xywh[..., 2:].prod(axis=-1))


def _side(box_xywh: np.ndarray) -> float:
    return math.sqrt(box_xywh[2] * box_xywh[3])


def _visible_area(boxes_xywh: np.ndarray, region_xywh: np.ndarray, covers_xywh: Sequence[np.ndarray]) -> np.ndarray:
    """Return the areas (N,) of boxes (N, 4) inside regions (N, 4) and outside covers (N, 4), which do not overlap."""
    shown = intersection_xywh(boxes_xywh, region_xywh)
    hidden = sum(_area(intersection_xywh(shown, cover_xywh)) for cover_xywh in covers_xywh)
    return np.maximum(_area(shown) - hidden, 0)


def _bounds(boxes_xywh: np.ndarray, margin: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners (2,) around all of some boxes, each enlarged by a share of the largest one."""
    space = margin * boxes_xywh[:, 2:].max(axis=0) + 3 * (margin > 0)
    return boxes_xywh[:, :2].min(axis=0) - space, (boxes_xywh[:, :2] + boxes_xywh[:, 2:]).max(axis=0) + space


def _path(i: np.ndarray, times: np.ndarray, points: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Return where one is in frames i (N,) who is at points (K, 2) at some times (K,), float64 (N, 2)."""
    return np.stack([np.interp(i, times, along) for along in np.transpose(points)], axis=1)


def _draw_view(source: Source, rng: np.random.Generator) -> np.ndarray:
    """Draw a size for a window on the frames, even numbers."""
    return 2 * round_pixels(source.size_wh * rng.uniform(0.35, 0.7) * [1, rng.uniform(0.85, 1.15)] / 2)


def _fits(box_xywh: np.ndarray, view_wh: np.ndarray) -> bool:
    """Whether a target is large enough to be tracked and small enough to leave."""
    return bool((box_xywh[2:] <= (0.4, 0.5) * view_wh).all() and _side(box_xywh) >= MIN_SIDE)


def _pan_frames(way_xy: np.ndarray, box_xywh: np.ndarray, at_least: int, at_most: int) -> int:
    """Number of frames of a pan over a way (2,) whose fastest one is 0.6 sides of the target."""
    return int(np.clip(math.ceil(2.5 * np.abs(way_xy).max() / _side(box_xywh)), at_least, at_most))


def _excursion(
    before: np.ndarray, stops: Sequence[np.ndarray] | np.ndarray, after: np.ndarray, pan: int, stay: int
) -> np.ndarray:
    """Leave a path (N, 2) for some stops (K, 2), and pass on to another path (N, 2)."""
    i = np.arange(BEFORE + 2 * pan + stay + AFTER)
    away = _path(i, BEFORE + pan + np.linspace(0, stay, len(stops)), stops)
    window = _glide(before[: len(i)], away, (i - BEFORE) / pan)
    return _glide(window, after[: len(i)], (i - BEFORE - pan - stay) / pan)


def _glide(before: np.ndarray, after: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Pass from one path (N, ...) to another as share (N,) goes from 0 to 1, slowly at both ends."""
    share = np.clip(share, 0, 1)
    share = (share * share * (3 - 2 * share)).reshape(-1, *[1] * (before.ndim - 1))
    return (1 - share) * before + share * after


def _smooth(points: np.ndarray, reach: int = 4) -> np.ndarray:
    """Average points (N, 2) over 2 * reach + 1 frames."""
    padded = np.pad(points, [(reach, reach), (0, 0)], mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0).mean(axis=-1)


def _fill(size_wh: np.ndarray, view_wh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return size and corner with which a frame fills a view without distortion, at least at its own size."""
    filled_wh = np.ceil(size_wh * max(1.0, float((view_wh / size_wh).max()))).astype(np.int64)
    return filled_wh, (view_wh - filled_wh) // 2
