# Copyright 2026 The siam_tracker_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Targets and losses of `lite`."""

import dataclasses

import torch
from torch.nn import functional

from siam_tracker_ros.geometry import cxcywh_to_xyxy
from siam_tracker_ros.methods.lite.network import LiteNetwork, Response, Template
from siam_tracker_ros.methods.lite.shapes import SEARCH_CELLS
from siam_tracker_ros.settings import setting
from siam_tracker_ros.training.losses import iou_and_giou
from siam_tracker_ros.training.task import Batch, Losses

POSITIVE_WEIGHT = 0.3  # cells with a higher Gaussian weight learn a box
NEAR_CELLS = 5  # side of the square of cells around each one, of which the teacher's strongest teaches the box
FOUND_IOU = 0.4  # of a found box and the label; below it another thing was found, whose edges say nothing of the label
FOUND_JITTER = 0.06  # deviations of boxes to refine, in units of the box's size: from the found one
LABEL_JITTER = 0.12  # and from the label


@dataclasses.dataclass(frozen=True)
class LossSettings:
    """Weights of the losses, and the teacher's share in the targets. The weight of the classification is 1."""

    overlap: float = setting(2.0, "Weight of the box's GIoU loss.", 0, 100)
    distance: float = setting(5.0, "Weight of the box's L1 loss.", 0, 100)
    localization: float = setting(0.5, "Weight of the loss of the predicted IoU.", 0, 100)
    refinement: float = setting(1.0, "Weight of the loss of the refined box.", 0, 100)
    mask: float = setting(
        1.0, "Weight of the mask's loss; 0 to keep the mask branch as it is: it is neither run nor learned.", 0, 100
    )
    agreement_iou: float = setting(0.45, "The teacher is used where the IoU of its box with the label is higher.", 0, 1)
    teacher_score_share: float = setting(
        1.0, "Share of the teacher's score map in the target of the classification, where the teacher is used.", 0, 1
    )
    teacher_box_share: float = setting(
        0.6, "Share of the teacher's box in the target of the box, where the teacher is used.", 0, 1
    )
    teacher_power: float = setting(
        1.0,
        "The box loss of a cell is weighted by the teacher's score to this power, where the teacher is used; a higher "
        "one for fewer cells.",
        0,
        10,
    )
    reciprocal: float = setting(
        0.5,
        "Strength of SiamRCR's reciprocal links: the box loss of a cell is weighted by the cell's confidence, and the "
        "classification loss of a positive cell by the IoU of its box; 0 for no links.",
        0,
        1,
    )
    mask_box_jitter: float = setting(
        0.06, "Standard deviation of the box that the mask branch gets, in units of the box's size.", 0, 1
    )


def gaussian_map(box_cxcywh: torch.Tensor) -> torch.Tensor:
    """Return a Gaussian (B, 1, 16, 16), 1 at the cell nearest to the box's centre; sigma is a sixth of the box.

    box_cxcywh: (B, 4) in units of the search region's side.
    """
    axis = torch.arange(SEARCH_CELLS, device=box_cxcywh.device, dtype=box_cxcywh.dtype)
    cell = (box_cxcywh[:, :2] * SEARCH_CELLS - 0.5).round()  # (B, 2)
    sigma = (box_cxcywh[:, 2:] * SEARCH_CELLS / 6).clamp(min=0.6)  # (B, 2)
    x = torch.exp(-((axis - cell[:, :1]) ** 2) / (2 * sigma[:, :1] ** 2))  # (B, 16)
    y = torch.exp(-((axis - cell[:, 1:]) ** 2) / (2 * sigma[:, 1:] ** 2))
    return (y[:, :, None] * x[:, None, :])[:, None]


def quality_focal_loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the quality focal loss (Li et al. 2020), the weighted sum over cells and the mean over the batch."""
    loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (weight * (target - torch.sigmoid(logits)) ** 2 * loss).flatten(1).sum(1).mean()


def mask_loss(logits: torch.Tensor, target: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Return cross entropy and Dice loss (Milletari et al. 2016) of masks, the mean over the pairs that count.

    logits: (B, 1, S, S); target: (B, 1, S, S), 0..1; counts: bool (B,).
    """
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((1, 2, 3))
    probability = torch.sigmoid(logits)
    shared, both = (probability * target).sum((1, 2, 3)), (probability + target).sum((1, 2, 3))
    loss = 5 * cross_entropy + 1 - (2 * shared + 1) / (both + 1)  # a mask covers a fifteenth of the region
    return (loss * counts).sum() / counts.sum().clamp(min=1)


def lite_losses(network: LiteNetwork, batch: Batch, settings: LossSettings) -> Losses:
    """Run the network on a batch; return the losses, `total`, and figures for the log.

    `iou` is the IoU of the most confident cell's box with the label, `refined_iou` that of the same box refined, and
    `mask_iou` that of the masks. There is neither `mask` nor `mask_iou` if the mask's loss has no weight.

    Args:
        network: in training.
        batch: `template` (B, 3, 128, 128) and `search` (B, 3, 256, 256), BGR 0..255; `template_box` and `search_box`
            (B, 4), cxcywh in units of the crop's side; `present`, bool (B,), False where the search region shows
            another target; `exact`, bool (B,), True where the box was drawn at random; `mask` (B, 1, 256, 256), 0..1,
            and `has_mask`, bool (B,); with a teacher, `teacher_score` (B, 1, 16, 16), 0..1, and `teacher_boxes` (B, 4,
            16, 16).
        settings: weights of the losses.
    """
    template = network.encode_template(batch["template"], batch["template_box"])
    response = network(batch["search"], template)
    label, present = batch["search_box"], batch["present"]
    gaussian = gaussian_map(label)
    score_target, box_target, box_weight = _blend_teacher(batch, gaussian, settings)
    boxes = response.box_cxcywh.movedim(1, -1)  # (B, 16, 16, 4)
    confidence = (torch.sigmoid(response.classification) * torch.sigmoid(response.localization)).detach()[:, 0]
    label_iou, _ = iou_and_giou(cxcywh_to_xyxy(boxes.detach()), cxcywh_to_xyxy(label[:, None, None].expand_as(boxes)))

    positive = (gaussian * (gaussian > POSITIVE_WEIGHT))[:, 0] * present[:, None, None]  # (B, 16, 16)
    doubt = settings.reciprocal * (positive > 0) * (1 - label_iou)
    classification = quality_focal_loss(response.classification, score_target, (1 - doubt)[:, None])

    linked = box_weight * (1 - settings.reciprocal + settings.reciprocal * confidence)
    linked = linked / linked.sum().clamp(min=1e-3 if settings.reciprocal else 1)
    _, giou = iou_and_giou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(box_target))  # (B, 16, 16)
    overlap = ((1 - giou) * linked).sum()
    distance = ((boxes - box_target).abs().sum(-1) * linked).sum()
    localization = functional.binary_cross_entropy_with_logits(response.localization[:, 0], label_iou, reduction="none")
    localization = (localization * positive).sum() / positive.sum().clamp(min=1)

    best = confidence.flatten(1).argmax(1, keepdim=True)
    found = boxes.detach().flatten(1, 2).gather(1, best[..., None].expand(-1, -1, 4))[:, 0]  # (B, 4)
    best_iou = label_iou.flatten(1).gather(1, best)[:, 0]
    refinement, refined_iou = _refinement_loss(network, response, template, found, best_iou, label, present)
    total = (
        classification
        + settings.overlap * overlap
        + settings.distance * distance
        + settings.localization * localization
        + settings.refinement * refinement
    )
    masks: Losses = {}
    if settings.mask:
        mask, mask_iou = _mask_loss_and_iou(network, response, batch, settings)
        total = total + settings.mask * mask
        masks = {"mask": mask.detach(), "mask_iou": mask_iou}
    return {
        "total": total,
        "classification": classification.detach(),
        "overlap": overlap.detach(),
        "localization": localization.detach(),
        "refinement": refinement.detach(),
        "iou": (best_iou * present).sum() / present.sum().clamp(min=1),
        "refined_iou": (refined_iou * present).sum() / present.sum().clamp(min=1),
        **masks,
    }


def _mask_loss_and_iou(
    network: LiteNetwork, response: Response, batch: Batch, settings: LossSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of the masks and their mean IoU, for boxes that are as inaccurate as a tracker's."""
    shown = batch["has_mask"] & batch["present"]
    target = functional.avg_pool2d(batch["mask"], 2)
    logits = network.mask(response, _jittered(batch["search_box"], settings.mask_box_jitter))
    with torch.no_grad():
        drawn, true = logits > 0, target > 0.5
        iou = (drawn & true).sum((1, 2, 3)) / (drawn | true).sum((1, 2, 3)).clamp(min=1)
        iou = (iou * shown).sum() / shown.sum().clamp(min=1)
    return mask_loss(logits, target, shown), iou


def _refinement_loss(
    network: LiteNetwork,
    response: Response,
    template: Template,
    found: torch.Tensor,
    found_iou: torch.Tensor,
    label: torch.Tensor,
    present: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return GIoU and L1 loss of refined boxes, and the IoU (B,) of the first of them with the label.

    Refined are the found box (B, 4), others near it, and others near the label.
    """
    found = torch.where(found_iou[:, None] > FOUND_IOU, found, _jittered(label, LABEL_JITTER))
    total, ious = found.new_zeros(()), []
    starts = found, _jittered(found, FOUND_JITTER), _jittered(label, LABEL_JITTER)
    for start in starts:
        refined = network.refined(response, template, start)
        iou, giou = iou_and_giou(cxcywh_to_xyxy(refined), cxcywh_to_xyxy(label))
        edges = (cxcywh_to_xyxy(refined) - cxcywh_to_xyxy(label)).abs() / label[:, 2:].repeat(1, 2)
        total = total + ((2 * (1 - giou) + edges.sum(1)) * present).sum()
        ious.append(iou.detach())
    return total / len(starts) / present.sum().clamp(min=1), ious[0]


def _blend_teacher(
    batch: Batch, gaussian: torch.Tensor, settings: LossSettings
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the targets of the classification (B, 1, 16, 16) and of each cell's box (B, 16, 16, 4), and its weight.

    The teacher is used where its best box agrees with the label, and its scores also where the target is absent. A cell
    learns the box of the strongest cell near it, weighted by that one's score.

    Args:
        batch: of `lite_losses`.
        gaussian: (B, 1, 16, 16), of the label.
        settings: the teacher's share.
    """
    label, present = batch["search_box"], batch["present"][:, None, None]
    score, weight = gaussian * present[:, None], (gaussian * (gaussian > POSITIVE_WEIGHT))[:, 0]
    box = label[:, None, None].expand(-1, SEARCH_CELLS, SEARCH_CELLS, -1)
    if "teacher_score" in batch:
        teacher_score = batch["teacher_score"].clamp(0, 1)
        near, strongest = functional.max_pool2d(teacher_score, NEAR_CELLS, 1, NEAR_CELLS // 2, return_indices=True)
        boxes = batch["teacher_boxes"].flatten(2)  # (B, 4, 256)
        best = boxes.gather(2, teacher_score.flatten(2).argmax(2, keepdim=True).expand(-1, 4, -1))[..., 0]
        agreement, _ = iou_and_giou(cxcywh_to_xyxy(best), cxcywh_to_xyxy(label))
        agrees = (agreement > settings.agreement_iou)[:, None, None]  # (B, 1, 1)
        used = (agrees | ~present).to(score.dtype)[:, None]
        score = torch.lerp(score, teacher_score, settings.teacher_score_share * used)
        boxes = boxes.gather(2, strongest.flatten(2).expand(-1, 4, -1)).unflatten(2, strongest.shape[2:])
        share = settings.teacher_box_share * (agrees & ~batch["exact"][:, None, None]).to(box.dtype)
        box = torch.lerp(box, boxes.movedim(1, -1), share[..., None])
        weight = torch.where(agrees, near[:, 0] ** settings.teacher_power, weight)
    return score, box, weight * present


def _jittered(box_cxcywh: torch.Tensor, deviation: float) -> torch.Tensor:
    """Return boxes (B, 4) that are shifted and resized by a random share of their size, like a tracker's."""
    noise = deviation * torch.randn_like(box_cxcywh)
    size = box_cxcywh[:, 2:]
    return torch.cat([box_cxcywh[:, :2] + noise[:, :2] * size, size * torch.exp(noise[:, 2:])], 1)
