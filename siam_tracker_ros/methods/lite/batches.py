# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of `lite`: template and search crop of one target, with augmentation.

The target's position in the search crop is uniform around the centre, so that the network learns no bias to the centre
or from padding (spatial aware sampling, SiamRPN++, Li et al. 2019). A batch depends on seed, step and rank alone, so a
resumed run sees the same pairs. Random numbers are drawn on the CPU, pixels are made on the bank's device.
"""

import dataclasses
import logging
import typing

import numpy as np
import torch

from siam_tracker_ros.errors import InvalidSettingError
from siam_tracker_ros.geometry import cxcywh_to_xyxy, xywh_to_cxcywh
from siam_tracker_ros.methods.lite.augmentation import (
    LUMA_BGR,
    blur,
    bounds_cxcywh,
    coarsen,
    compress,
    covered_shares,
    desaturating,
    find_source,
    invert,
    map_points,
    negate,
    paste,
    photo_background,
    recolor,
    recolor_layer,
    recoloring,
    view_matrix,
    warp,
)
from siam_tracker_ros.methods.lite.shapes import SEARCH_FACTOR, SEARCH_SIDE, TEMPLATE_FACTOR, TEMPLATE_SIDE
from siam_tracker_ros.settings import setting
from siam_tracker_ros.training.bank import ImageBank, ellipse_outline
from siam_tracker_ros.training.task import Batch

CPU_CHUNK = 4  # views that a CPU makes at once: their pixels fit its caches
PASTE_SIDES = (64, 128, 256)  # of the layers of pasted objects
PLACES = 5  # random positions for each pasted object
DISTRACTOR_COVER = (0.0, 0.15)  # share of the target that it may cover
OCCLUDER_COVER = (0.1, 0.5)
SAME_AGAIN = 0.3  # share of pasted objects that are a copy of the target, the hardest distractor
PHOTO_BOX_ROOT = (0.15, 0.4)  # square root of the area of a random box, in units of the photo's shorter side
PHOTO_BOX_ASPECT = 0.7  # its ratio of width and height is e^U(-0.7, 0.7)
QUALITIES = (10, 60)  # of JPEG

_LOG = logging.getLogger(__name__)

Plan = dict[str, torch.Tensor]  # what was drawn for a batch, by name


@dataclasses.dataclass(frozen=True)
class PairSettings:
    """Sampling and augmentation of pairs. Lengths are in units of the square root of the target's area."""

    shift: float = setting(
        1.3, "The target's centre is uniform within +-shift of the search crop's centre, in x and in y."
    )
    scale: float = setting(0.3, "The side of the search crop is e^U(-scale, scale) times that of tracking.")
    template_shift: float = setting(0.03, "Standard deviation of the template's centre, for inaccurate initial boxes.")
    template_scale: float = setting(
        0.08, "The side of the template is e^U(-template_scale, template_scale) times that of tracking."
    )
    rotation: float = setting(6.0, "Standard deviation of the search crop's rotation in degrees.")
    aspect: float = setting(0.1, "The search crop is stretched by e^U(-aspect, aspect).")
    video_share: float = setting(
        0.6, "Share of pairs from two frames of a video; the others show one image twice.", 0, 1
    )
    long_context: float = setting(
        0.0, "Share of the pairs from a video whose frames are at least half of the track apart.", 0, 1
    )
    set_weights: dict[str, float] = setting(
        meaning="Relative weight of a data set per sample, by name; the default is 1.", default_factory=dict
    )
    photo_box_share: float = setting(
        0.0, "Share of the pairs that show a random box on a photo twice, instead of a labelled target.", 0, 1
    )
    negative: float = setting(0.06, "Probability that the search crop shows another target than the template.", 0, 1)
    flip: float = setting(0.5, "Probability that both crops are mirrored.", 0, 1)
    grey: float = setting(0.08, "Probability that both crops are grey.", 0, 1)
    thermal: float = setting(
        0.0, "Probability that both crops are grey by a random mixture of the colours, half of them as negatives.", 0, 1
    )
    color: float = setting(
        0.8, "Probability that brightness, contrast, colour cast and saturation of a crop are changed.", 0, 1
    )
    blur: float = setting(0.12, "Probability that the search crop is blurred as if out of focus.", 0, 1)
    motion_blur: float = setting(0.12, "Probability that the search crop is blurred as if in motion.", 0, 1)
    low_resolution: float = setting(0.12, "Probability that the search crop is reduced and enlarged again.", 0, 1)
    noise: float = setting(0.1, "Probability that the search crop is noisy.", 0, 1)
    jpeg: float = setting(0.0, "Probability that the search crop has the artefacts of JPEG at a low quality.", 0, 1)
    distractor: float = setting(
        0.5, "Probability that one or two objects are pasted into the search crop, beside the target.", 0, 1
    )
    occluder: float = setting(0.12, "Probability that an object is pasted over a part of the target.", 0, 1)
    photo_fill: float = setting(
        0.5, "Probability that a photo, instead of black, fills what a crop shows outside of its image.", 0, 1
    )
    new_background: float = setting(
        0.15, "Probability that a target with a mask has a photo as its background in the search crop.", 0, 1
    )


class LiteBatches:
    """Batches by step, on the bank's device.

    A batch has template float32 (B, 3, 128, 128) and search (B, 3, 256, 256), BGR, 0..255; template_box and search_box
    float32 (B, 4) as cx, cy, w, h in units of the crop's side; present bool (B,), False if the search crop shows
    another target; exact bool (B,), True if search_box is of a random box, not a label; mask float32 (B, 1, 256, 256),
    0..1, the visible part of the target in the search crop; has_mask bool (B,), False if the mask is unknown: it is 0
    then.

    Args:
        bank: of the images.
        settings: sampling and augmentation.
        seed: of the run.
        batch: pairs per step and process.
        rank: of this process; each process draws different pairs.
    """

    def __init__(self, bank: ImageBank, settings: PairSettings, seed: int, batch: int, rank: int = 0) -> None:
        self.bank, self.settings, self.seed, self.batch, self.rank = bank, settings, seed, batch, rank
        if settings.negative > 0 and len(bank.first) < 2:
            raise InvalidSettingError(
                f"pairs.negative is {settings.negative:g} with {len(bank.first)} track of training data, expected two "
                "or more tracks; add tracks or set pairs.negative to 0"
            )
        if settings.photo_box_share > 0 and not bank.photos:
            raise InvalidSettingError(
                f"pairs.photo_box_share is {settings.photo_box_share:g} without photos, expected a folder of them as "
                "data.photos; set it, or set pairs.photo_box_share to 0"
            )
        unknown = settings.set_weights.keys() - set(bank.dataset)
        if unknown:
            _LOG.warning(
                "pairs.set_weights names %s, for which there is no data; the data sets are %s",
                ", ".join(sorted(unknown)),
                ", ".join(sorted(set(bank.dataset))),
            )
        weight = bank.share * bank.length
        weight *= torch.tensor([settings.set_weights.get(name, 1.0) for name in bank.dataset], dtype=torch.float64)
        video = bank.length > 1
        shares = [settings.video_share, 1 - settings.video_share]
        if not (weight * video).sum() or not (weight * ~video).sum():
            shares = [1.0, 1.0]  # there is only one kind
        for kind, share in zip((video, ~video), shares):
            weight[kind] *= share / weight[kind].sum().clamp(min=1e-12)
        if not weight.sum() > 0:
            raise InvalidSettingError("pairs.set_weights is 0 for all data sets, expected one or more above 0")
        self._cumulative = (weight / weight.sum()).cumsum(0)
        self._masked = torch.nonzero(bank.has_mask)[:, 0]
        self._masked_before = torch.cat([torch.zeros(1, dtype=torch.int64), bank.has_mask.long().cumsum(0)])

    @torch.no_grad()
    def draw(self, step: int) -> Batch:
        """Return the batch of a step."""
        draws = _Draws((self.seed, step, self.rank), self.batch)
        plan = self._plan(draws)
        noise = torch.Generator(self.bank.device).manual_seed(draws.seed())
        return self._render(plan, noise)

    def _plan(self, draws: "_Draws") -> Plan:
        """Draw all random numbers, tensors (B, ...) on the CPU by name.

        All numbers are drawn for each batch, so that changing one probability does not affect the others.
        """
        settings, bank = self.settings, self.bank
        first, second = self._draw_frames(draws)
        track = bank.track[first]
        on_photo, photo_box = draws.chance(settings.photo_box_share), self._draw_photo_box(draws)
        present = ~draws.chance(settings.negative)
        other = self._labelled(self._draw_of_other_track(draws, track, False))
        given = photo_box.where(on_photo, self._labelled(first))
        shown = photo_box.where(on_photo, self._labelled(second)).where(present, other)
        flip, is_thermal = draws.chance(settings.flip), draws.chance(settings.thermal)
        grey = draws.chance(settings.grey) | is_thermal
        has_mask = bank.has_mask[shown.image]
        plan = {"present": present, "exact": on_photo & present, "grey": grey, "has_mask": has_mask}

        box, root = given.box_and_root()
        template = {
            "center_xy": box[:, :2] + draws.normal(settings.template_shift, 2) * root[:, None],
            "side": TEMPLATE_FACTOR * root * draws.uniform(-settings.template_scale, settings.template_scale).exp(),
            "flip": flip,
        }
        plan |= self._view(draws, "template", given, TEMPLATE_SIDE, template)
        box, root = shown.box_and_root()
        search = {
            "center_xy": box[:, :2] + draws.uniform(-settings.shift, settings.shift, 2) * root[:, None],
            "side": SEARCH_FACTOR * root * draws.uniform(-settings.scale, settings.scale).exp(),
            "angle": draws.normal(np.deg2rad(settings.rotation)),
            "stretch": draws.uniform(-settings.aspect, settings.aspect).exp(),
            "flip": flip,
        }
        plan |= self._view(draws, "search", shown, SEARCH_SIDE, search)

        count = draws.chance(settings.distractor) * draws.integer(torch.tensor(2)).add(1)
        target = plan["search_box"] * SEARCH_SIDE
        near = target[:, None, :2] + draws.uniform(-0.6, 0.6, PLACES, 2) * target[:, None, 2:]
        pastes = [
            self._paste(draws, count > 0, track, shown.image, target, draws.uniform(0, SEARCH_SIDE, PLACES, 2)),
            self._paste(draws, count > 1, track, shown.image, target, draws.uniform(0, SEARCH_SIDE, PLACES, 2)),
            self._paste(draws, draws.chance(settings.occluder), track, shown.image, target, near),
        ]
        plan |= {name: torch.stack([kind[name] for kind in pastes], 1) for name in pastes[0]}
        weights, negative = draws.uniform(0, 1, 3), is_thermal & draws.chance(0.5)
        luma = torch.tensor(LUMA_BGR, dtype=weights.dtype)
        weights = torch.where(is_thermal[:, None], weights / weights.sum(1, keepdim=True), luma)
        greying = desaturating(torch.where(grey, 0.0, 1.0).double(), weights)
        for name in ("template", "search"):
            change = self._recoloring(draws, draws.chance(settings.color))
            plan[f"{name}_color"] = negate(greying @ change, negative)
        coarse = (draws.uniform(0.3, 0.8) * SEARCH_SIDE).long()
        plan["coarse_side"] = torch.where(draws.chance(settings.low_resolution), coarse, 0)
        plan["blur_sigma"] = draws.uniform(0.6, 2.5) * draws.chance(settings.blur)
        angle, length = draws.uniform(0, np.pi), 2 * draws.integer(torch.tensor(7)) + 5
        motion = torch.stack([angle.cos(), angle.sin()], 1) * length[:, None]
        plan["motion_xy"] = motion * draws.chance(settings.motion_blur)[:, None]
        plan["noise"] = draws.uniform(2, 10) * draws.chance(settings.noise)
        plan["quality"] = draws.uniform(*QUALITIES).long() * draws.chance(settings.jpeg)
        alike = 2 * plan["search_weights"] + plan["has_mask"] - plan["search_matrix"][:, 0, 0].abs().clamp(0.1, 9) / 10
        order = alike.argsort()  # chunks of pairs that need similar work
        return {name: value[order] for name, value in plan.items()}

    def _draw_frames(self, draws: "_Draws") -> tuple[torch.Tensor, torch.Tensor]:
        """Draw two samples of one target: two frames of a video, or one image twice."""
        track = torch.searchsorted(self._cumulative, draws.uniform(0, 1), right=True)
        track = track.clamp(max=len(self._cumulative) - 1)
        first, length = self.bank.first[track], self.bank.length[track]
        frame, other = draws.integer(length), draws.integer((length - 1).clamp(min=1))
        other = torch.where(length > 1, other + (other >= frame), 0)
        gap = length // 2 + draws.integer(length - length // 2)  # at least half of the track
        early, turned = draws.integer(length - gap), draws.chance(0.5)
        far = draws.chance(self.settings.long_context) & (length > 1)
        frame = torch.where(far, torch.where(turned, early + gap, early), frame)
        other = torch.where(far, torch.where(turned, early, early + gap), other)
        return first + frame, first + other

    def _draw_of_other_track(self, draws: "_Draws", track: torch.Tensor, masked: bool) -> torch.Tensor:
        """Draw samples of other tracks, with masks only if `masked`; -1 if there is none."""
        bank = self.bank
        low, high = bank.first[track], bank.first[track] + bank.length[track]
        total = len(bank)
        if masked:
            low, high, total = self._masked_before[low], self._masked_before[high], len(self._masked)
        others = total - (high - low)
        number = draws.integer(others.clamp(min=1))
        number = number + (number >= low) * (high - low)
        if masked and total:
            number = self._masked[number.clamp(max=total - 1)]
        return torch.where(others > 0, number, -1)

    def _labelled(self, sample: torch.Tensor) -> "_Targets":
        return _Targets(sample, self.bank.box_xywh[sample], self.bank.outline_xy[sample])

    def _draw_photo_box(self, draws: "_Draws") -> "_Targets":
        """Draw a box anywhere on a photo; of a bank without photos something that is not used."""
        image = self._draw_photo(draws).clamp(max=len(self.bank.offset) - 1)
        size_wh = self.bank.size_wh[image]
        root = draws.uniform(*PHOTO_BOX_ROOT) * size_wh.amin(1)
        stretch = draws.uniform(-PHOTO_BOX_ASPECT / 2, PHOTO_BOX_ASPECT / 2).exp()
        box_wh = torch.stack([root * stretch, root / stretch], 1)
        box = torch.cat([draws.uniform(0, 1, 2) * (size_wh - box_wh), box_wh], 1)
        return _Targets(image, box, torch.from_numpy(ellipse_outline(box.numpy())))

    def _draw_photo(self, draws: "_Draws") -> torch.Tensor:
        return len(self.bank) + draws.integer(torch.full((self.batch,), max(self.bank.photos, 1)))

    def _view(self, draws: "_Draws", name: str, shown: "_Targets", side: int, where: Plan) -> Plan:
        """Plan the template or search crop of a target; a photo may fill the outside of its image."""
        settings, bank, image = self.settings, self.bank, shown.image
        matrix = view_matrix(out_side=side, **where)
        photo = self._draw_photo(draws)
        leaves = find_source(matrix, bank.size_wh[image], side).leaves
        cut_out = draws.chance(settings.new_background if name == "search" else 0) & bank.has_mask[image]
        filled = draws.chance(settings.photo_fill) & leaves
        cut_out, filled = (value & (bank.photos > 0) for value in (cut_out, filled))
        return {
            f"{name}_image": image,
            f"{name}_matrix": matrix,
            f"{name}_cut_out": cut_out,
            f"{name}_weights": leaves | cut_out,
            f"{name}_photo": torch.where(cut_out | filled, photo, -1),
            f"{name}_photo_start": draws.uniform(0, 1, 2),
            f"{name}_photo_flip": draws.chance(0.5),
            f"{name}_box": bounds_cxcywh(map_points(matrix, shown.outline_xy)) / side,
        }

    def _paste(
        self,
        draws: "_Draws",
        wanted: torch.Tensor,
        track: torch.Tensor,
        shown: torch.Tensor,
        target: torch.Tensor,
        places: torch.Tensor,
    ) -> Plan:
        """Plan the object, the shown one or one of another track, that is pasted at one of several positions."""
        bank = self.bank
        again = draws.chance(SAME_AGAIN) & bank.has_mask[shown]
        other = torch.where(again, shown, self._draw_of_other_track(draws, track, True))
        box, root = self._labelled(other).box_and_root()
        size = target[:, 2:].prod(1).sqrt() * draws.uniform(-0.5, 0.4).exp()
        flip, color = draws.chance(0.5), draws.chance(0.5)
        matrix = view_matrix(box[:, :2], root * SEARCH_SIDE / size, SEARCH_SIDE, flip=flip)
        matrix = matrix[:, None].repeat(1, PLACES, 1, 1)
        matrix[..., 2] += places - SEARCH_SIDE / 2
        return {
            "paste_image": torch.where(wanted, other, -1),
            "paste_matrices": matrix,
            "paste_color": self._recoloring(draws, color),
        }

    def _recoloring(self, draws: "_Draws", wanted: torch.Tensor) -> torch.Tensor:
        """Draw maps of colours (B, 3, 4): brightness, contrast, cast and saturation; the identity if not `wanted`."""
        change = recoloring(
            draws.uniform(-0.3, 0.3).exp(),
            draws.uniform(-25, 25),
            draws.uniform(-0.08, 0.08, 3).exp(),
            draws.uniform(0.6, 1.3),
        )
        return torch.where(wanted[:, None, None], change, torch.eye(3, 4, dtype=change.dtype))

    def _render(self, plan: Plan, noise: torch.Generator) -> Batch:
        """Make the pixels."""
        device = self.bank.device
        template = self._render_views(plan, "template", TEMPLATE_SIDE)
        mask = torch.zeros(self.batch, 1, SEARCH_SIDE, SEARCH_SIDE, device=device)
        search = self._render_views(plan, "search", SEARCH_SIDE, mask)
        known = plan["has_mask"].to(device)[:, None, None, None]
        visible = torch.where(known, mask, 1.0)
        self._paste_objects(plan, search, visible)
        search = self._degrade(plan, recolor(search, plan["search_color"]), noise)
        return {
            "template": recolor(template, plan["template_color"]),
            "search": search,
            "template_box": plan["template_box"].to(device, torch.float32),
            "search_box": plan["search_box"].to(device, torch.float32),
            "present": plan["present"].to(device),
            "exact": plan["exact"].to(device),
            "mask": visible * known,
            "has_mask": plan["has_mask"].to(device),
        }

    def _render_views(self, plan: Plan, name: str, side: int, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Render crops (B, 3, side, side), black or a photo outside of their images; fill mask (B, 1, side, side)."""
        device = self.bank.device
        image = torch.empty(self.batch, 3, side, side, device=device)
        chunk = CPU_CHUNK if device.type == "cpu" else self.batch
        for start in range(0, self.batch, chunk):
            rows = slice(start, start + chunk)
            weights, photo = bool(plan[f"{name}_weights"][rows].any()), plan[f"{name}_photo"][rows]
            has_mask = mask is not None and bool(plan["has_mask"][rows].any())
            stored, matrix, cut_out = (plan[f"{name}_{part}"][rows] for part in ("image", "matrix", "cut_out"))
            layer = warp(self.bank, stored, matrix, side, cut_out, weights, has_mask)
            image[rows] = layer.image_bgr
            if mask is not None and layer.mask is not None:
                mask[rows] = layer.mask
            filled = torch.nonzero(photo >= 0)[:, 0]
            if len(filled):
                place, flip = (plan[f"{name}_photo_{part}"][rows][filled] for part in ("start", "flip"))
                behind = photo_background(self.bank, photo[filled], place, flip, side)
                filled = filled.to(device)
                image[start + filled] += behind * layer.uncovered[filled]
        return image

    def _paste_objects(self, plan: Plan, search: torch.Tensor, visible: torch.Tensor) -> None:
        """Paste each object where it covers a permitted share of the target; change search and visible in place."""
        bank, device = self.bank, self.bank.device
        rows, kind = torch.nonzero(plan["paste_image"] >= 0, as_tuple=True)
        if not len(rows):
            return
        stored, matrices, color = (plan[f"paste_{part}"][rows, kind] for part in ("image", "matrices", "color"))
        inverse = invert(matrices.flatten(0, 1)).view_as(matrices)
        target = cxcywh_to_xyxy(plan["search_box"][rows]) * SEARCH_SIDE
        covers = covered_shares(bank, stored, inverse, target, visible[rows.to(device)]).cpu()
        low, high = torch.tensor([DISTRACTOR_COVER, DISTRACTOR_COVER, OCCLUDER_COVER])[kind].T[..., None]
        allowed = (covers >= low) & (covers <= high)
        place = (allowed * torch.arange(PLACES, 0, -1)).argmax(1)  # the first allowed position
        matrix = matrices[torch.arange(len(rows)), place]
        bounds = bounds_cxcywh(map_points(matrix, bank.outline_xy[stored]))
        sides = torch.tensor(PASTE_SIDES)
        size = torch.searchsorted(sides, bounds[:, 2:].amax(1).ceil().long() + 2).clamp(max=len(sides) - 1)
        corner = (bounds[:, :2] - sides[size][:, None] / 2).round().long()
        matrix[:, :, 2] -= corner
        for number, side in enumerate(PASTE_SIDES):
            some = torch.nonzero((size == number) & allowed.any(1))[:, 0]
            if len(some):
                layer = warp(bank, stored[some], matrix[some], side, torch.ones(len(some), dtype=torch.bool))
                objects = recolor_layer(layer, color[some]), layer.uncovered, corner[some].tolist()
                for row, *pasted in zip(rows[some].tolist(), *objects):
                    paste(search[row], visible[row], *pasted)

    def _degrade(self, plan: Plan, search: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
        """Apply low resolution, blur, noise and JPEG, each where it was drawn."""
        device = search.device
        rows = torch.nonzero(plan["coarse_side"])[:, 0]
        if len(rows):
            sides, rows = plan["coarse_side"][rows].tolist(), rows.to(device)
            search[rows] = coarsen(search[rows], sides)
        rows = torch.nonzero((plan["blur_sigma"] > 0) | plan["motion_xy"].any(1))[:, 0]
        if len(rows):
            sigma, motion, rows = plan["blur_sigma"][rows], plan["motion_xy"][rows], rows.to(device)
            search[rows] = blur(search[rows], sigma, motion)
        rows = torch.nonzero(plan["noise"])[:, 0]
        if len(rows):
            deviation, grey = (plan[name][rows].to(device)[:, None, None, None] for name in ("noise", "grey"))
            rows = rows.to(device)
            grain = torch.randn(len(rows), 3, SEARCH_SIDE, SEARCH_SIDE, generator=noise, device=device)
            grain = torch.where(grey, grain[:, :1], grain)
            search[rows] = (search[rows] + grain * deviation.float()).clamp_(0, 255)
        rows = torch.nonzero(plan["quality"])[:, 0]
        for row, quality in zip(rows.tolist(), plan["quality"][rows].tolist()):
            search[row] = compress(search[row], quality)
        return search


class _Targets(typing.NamedTuple):
    """Targets in stored images.

    Attributes:
        image: int64 (B,), numbers of the images.
        box_xywh: float64 (B, 4), in pixels of the image.
        outline_xy: float64 (B, 32, 2), see ImageBank.
    """

    image: torch.Tensor
    box_xywh: torch.Tensor
    outline_xy: torch.Tensor

    def where(self, wanted: torch.Tensor, other: "_Targets") -> "_Targets":
        """Return these where `wanted`, bool (B,), is True, and others elsewhere."""
        return _Targets(
            *(torch.where(wanted.view(-1, *[1] * (own.dim() - 1)), own, others) for own, others in zip(self, other))
        )

    def box_and_root(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the boxes as cx, cy, w, h, and the square roots of their areas (B,)."""
        box = xywh_to_cxcywh(self.box_xywh)
        return box, box[:, 2:].prod(1).sqrt()


class _Draws:
    """Random numbers for a batch, tensors (B, ...) of float64, int64 or bool on the CPU."""

    def __init__(self, seed: tuple[int, ...], batch: int) -> None:
        (number,) = np.random.SeedSequence(seed).generate_state(1)
        self._generator = torch.Generator().manual_seed(int(number))
        self._batch = batch

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(self._batch, *shape, generator=self._generator, dtype=torch.float64)

    def normal(self, deviation: float, *shape: int) -> torch.Tensor:
        return deviation * torch.randn(self._batch, *shape, generator=self._generator, dtype=torch.float64)

    def chance(self, rate: float) -> torch.Tensor:
        return self.uniform(0, 1) < rate

    def integer(self, count: torch.Tensor) -> torch.Tensor:
        """Draw whole numbers below `count`, which is (B,) or a scalar for all."""
        return torch.minimum((self.uniform(0, 1) * count).long(), count - 1)

    def seed(self) -> int:
        """Draw a seed for another generator."""
        return int(torch.randint(2**31, (1,), generator=self._generator))
