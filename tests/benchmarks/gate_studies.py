"""Studies with a truth, synthetic and real, for `tests.benchmarks.gate_networks`.

Truth of the real images: SPIDER's bodies (`spider.annotated_bodies`; a vertebra below them is part
of the sacrum), VB1's and VB2's bodies between the annotated levels, IVD's discs, which show a
vertebra below L5 only. SPIDER's subjects without "held out" trained the semantic network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from operators.anatomy.vertebrae import vertebrae_among
from operators.imaging.nifti import read_label_map, read_volume
from operators.imaging.orientation import reorient
from operators.spine.label_statistics import mapped
from tests.benchmarks.accuracy import LOWEST, NOT_SCORED, PIR
from tests.benchmarks.gate_spines import spine
from tests.benchmarks.gate_truth import Study
from tests.benchmarks.real_volumes import SACRUM, thick_labels, thick_slices
from tests.benchmarks.spider import HELD_OUT, VERTEBRA, annotated_bodies, read, subjects
from tests.builders.spoiled_results import IMAGE_SPOILERS, MASK_SPOILERS, Result, Spoiler

THIN_MM = 2.0
VOLUMES = ("VB2_02", "VB2_05", "VB2_09", "VB2_16", "VB1_11", "VB1_15", "VB1_06", "VB1_03")
DISCS = ("IVD_11", "IVD_42")
BODIES = (49, 50)
TRAINED_ON = "SPIDER, trained on"


def synthetic(kind: str, seed: int) -> Study | None:
    """One synthetic study; None where a spine cannot be spoiled in this way."""
    result: Result | None = SOURCES[kind](seed)
    if result is None:
        return None
    parts = result.parts
    is_body = np.isin(parts, BODIES)
    bodies = np.where(is_body, _in_order(result.numbers), 0)
    return Study(f"{kind} {seed}", kind, result.volume, bodies, parts == SACRUM)


def _in_order(numbers: np.ndarray) -> np.ndarray:
    """Give vertebrae numbers that rise from head to foot; a T13 has the id 28."""
    present = vertebrae_among(np.unique(numbers).tolist())
    return mapped(numbers, {n: present[0] + rank for rank, n in enumerate(present)})


def _spoiled(spoil: Spoiler, seed: int) -> Result | None:
    return spoil(spine(seed), np.random.default_rng(seed))


SOURCES: dict[str, Callable[[int], Result | None]] = {
    "clean": spine,
    "narrow stacks, artefacts": partial(spine, hard=True),
    "the training's spread": partial(spine, weighting="t2", hard=True),
    "implants": partial(spine, implants=True),
    "T1-weighted": partial(spine, weighting="t1"),
    "STIR": partial(spine, weighting="stir"),
    **{
        kind: partial(_spoiled, (MASK_SPOILERS | IMAGE_SPOILERS)[kind])
        for kind in (
            "cut in front",
            "cut at the side",
            "noise",
            "ghost",
            "signal lost about metal",
            "proton density",
        )
    },
}
"""Rows of the table: how a study of each is made from a seed."""


def real(shared: Path) -> Iterator[Callable[[], Study]]:
    """Real studies, those that trained a network last."""
    data = shared / "data"
    names = subjects(data / "spider")
    for subject in (*HELD_OUT, *VOLUMES, *DISCS, *(n for n in names if n not in HELD_OUT)):
        if subject in names:
            yield partial(_spider, data / "spider", subject)
        else:
            yield partial(_volume, data / "volumes", subject)


def _spider(data: Path, subject: str) -> Study:
    image, labels = read(data, subject, "thick")
    kind = "SPIDER, held out" if subject in HELD_OUT else TRAINED_ON
    bodies = annotated_bodies(labels)
    return Study(f"SPIDER {subject}", kind, image, bodies, None, labels.labels_zyx == VERTEBRA)


def _volume(data: Path, name: str) -> Study:
    image = reorient(read_volume(data / f"{name}_img.nii.gz"), PIR)
    labels = reorient(read_label_map(data / f"{name}_seg.nii.gz"), PIR)
    if image.spacing_zyx_mm[0] < THIN_MM:
        image, labels = thick_slices(image), thick_labels(labels)
    truth = np.where(labels.labels_zyx == NOT_SCORED, 0, labels.labels_zyx)
    if name in DISCS:
        return Study(name, "IVD", image, np.zeros_like(truth), None, truth == LOWEST)
    bodies = np.where(truth > 0, truth.max() + 1 - truth, 0)  # from L5 upwards
    kind = {"VB1_06": "VB1, T1w", "VB1_03": "VB1, STIR"}.get(name, name[:3])
    return Study(name, kind, image, bodies, None, truth > 0)
