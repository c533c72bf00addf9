"""Paint and label the mobile vertebrae.

Inside the union of the posterior elements each voxel belongs to the nearest part. What is painted
is labelled: bone that reaches into the dural sac narrows it. Only the cord keeps its label, and an
arch keeps away from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from app.research.synthetic.bodies import (
    Surfaces,
    body_surfaces,
    draw_marrow,
    note_height,
    paint_body,
    paint_endplates,
    paint_waist,
    wear_of,
)
from app.research.synthetic.frames import Frame, vertebra_frame
from app.research.synthetic.noise import grain
from app.research.synthetic.posterior import Build, posterior_shapes
from app.research.synthetic.primitives import capsule
from operators.anatomy.labels import ENDPLATE_OFFSET, Structure

if TYPE_CHECKING:
    from torch import Tensor

    from app.research.synthetic.canvas import Canvas
    from app.research.synthetic.contrast import Contrast
    from app.research.synthetic.subject import Subject

_ROOM_MM = 0.6
"""From the cord to the next bone: about what a painted edge needs."""


def _build(subject: Subject, k: int) -> Build:
    level = subject.levels[k]
    names = [x.name for x in subject.levels]
    thoracic = (k - names.index("T1")) / 11 if level.region == "T" else 0.0
    return Build(
        level.region,
        subject.depth[k] / 2,
        subject.width[k] / 2,
        subject.height[k] / 2,
        subject.canal_ap[k] / 2,
        subject.canal_width[k] / 2,
        subject.spinous_length[k],
        float(np.radians(subject.spinous_declination[k])),
        subject.spinous_half_height[k],
        subject.scale,
        thoracic,
    )


def _paint_posterior(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, frame: Frame, build: Build
) -> tuple[Tensor, Tensor]:
    """Paint the arch; return its distance and the label of the nearest part."""
    shapes = posterior_shapes(rng, build, frame.place)
    first, distance = shapes[0]
    nearest = torch.full_like(distance, first, dtype=torch.uint8)
    for label, other in shapes[1:]:
        nearest.masked_fill_(other < distance, label)
        distance = torch.minimum(other, distance)
    rough = grain(rng, [(n + 2) // 3 + 1 for n in distance.shape], distance.device)
    big = rough.repeat_interleave(3, 0).repeat_interleave(3, 1).repeat_interleave(3, 2)
    big = big[tuple(slice(0, n) for n in distance.shape)]
    distance = distance + 0.35 * big - rng.uniform(-0.3, 0.8)
    # Bone that comes too close makes room for the cord.
    cord = canvas.labels[frame.box] == Structure.CORD
    distance = torch.where(cord, distance.clamp(min=_ROOM_MM), distance)
    canvas.paint(distance, contrast["cortex"], frame.box, inner=0.3)
    marrow = (
        draw_marrow(rng, contrast) * contrast["posterior"] * np.float32(rng.uniform(0.85, 1.15))
    )
    canvas.paint(distance, marrow, frame.box, inner=-float(rng.uniform(0.5, 1.4)))
    return distance, nearest


def _label_vertebra(
    canvas: Canvas,
    frame: Frame,
    parts: tuple[Tensor, Tensor],
    surfaces: Surfaces,
    number: int,
) -> None:
    labels = canvas.labels[frame.box]
    free = labels != Structure.CORD
    arch = (parts[0] < 0) & free
    labels.copy_(torch.where(arch, parts[1], labels))
    canvas.instances[frame.box].masked_fill_(arch, number)
    canvas.label((surfaces.body < 0) & free, Structure.CORPUS, number, frame.box)


def paint_vertebra(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject, k: int
) -> None:
    """Paint and label one mobile vertebra (C1-L6) with its endplates."""
    level = subject.levels[k]
    h, reach = float(subject.height[k]), float(subject.spinous_length[k])
    drop = reach * np.sin(np.radians(subject.spinous_declination[k]))
    behind = subject.depth[k] / 2 + subject.canal_ap[k] + reach + 14
    front = subject.depth[k] / 2 + 8
    frame = vertebra_frame(
        rng,
        canvas,
        subject,
        subject.curve.level_s[k],
        (front, behind, 0.5 * h + 16, 0.7 * h + 16 + max(drop, 0)),
    )
    if frame is None:
        return
    build = _build(subject, k)
    if level.region == "T" and rng.random() < 0.9:
        for side in (-1, 1):
            start = (build.half_depth - 2, -build.half_height, side * (build.half_width + 2))
            end = (build.canal_a + 12, -build.half_height + 4, side * (build.half_width + 30))
            rib = capsule(frame.place, start, end, 4.0)
            canvas.paint(rib, contrast["cortex"], frame.box)
            canvas.paint(rib, contrast["marrow"], frame.box, inner=-1.0)
    surfaces = body_surfaces(rng, subject, k, frame)
    if level.name != "C1" and rng.random() < 0.85:
        paint_waist(rng, canvas, contrast, frame, surfaces)
    parts = _paint_posterior(rng, canvas, contrast, frame, build)
    if level.name == "C1":
        _label_vertebra(
            canvas,
            frame,
            parts,
            Surfaces(surfaces.side + 99, surfaces.upper, surfaces.lower),
            level.instance,
        )
        return
    note_height(canvas, frame, surfaces)
    above = 0.0 if level.name == "C2" else subject.disc[k - 1]
    plates = paint_endplates(rng, canvas, contrast, frame, surfaces, (above, subject.disc[k]))
    if level.name == "C2":
        dens = capsule(
            frame.place,
            (-1, -0.4 * h, 0),
            (-1, -0.5 * h - 13 * subject.scale, 0),
            5.0 * subject.scale,
        )
        surfaces = Surfaces(
            torch.minimum(surfaces.body, dens),
            torch.full_like(dens, -99.0),
            torch.full_like(dens, -99.0),
        )
    paint_body(rng, canvas, contrast, frame, surfaces, wear_of(subject, k))
    labels = canvas.labels[frame.box]
    _label_vertebra(canvas, frame, parts, surfaces, level.instance)
    # As SPINEPS numbers them: both plates of a disc carry the number of the vertebra above it.
    owners = (subject.levels[k - 1].instance, level.instance)
    for mask, owner in zip(plates, owners, strict=True):
        keep = (
            mask
            & (labels != Structure.CORPUS)
            & (labels != Structure.CANAL)
            & (labels != Structure.CORD)
        )
        canvas.label(keep, Structure.ENDPLATE, ENDPLATE_OFFSET + owner, frame.box)
