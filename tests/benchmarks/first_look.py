"""Does the first look ever refuse a spine: ``python -m tests.benchmarks.first_look [--fields N]``.

Unseen synthetic whole spines, cut to fields of every kind: lengths of 90 mm to the whole spine at
any height, 7 to 20 slices, off the middle; every third bent sideways (scoliosis), every third with
two implants (signal voids with a bright rim), every fourth four times as noisy. A field counts
where at least two bodies of the truth lie in it with 800 mm^3 or more. For each: does the look pass
it, after how many tiles, and how much of a body the first tiles show. Also what has no spine: noise
and a knee. With ``$SPINE_SHARED`` the real volumes as well, whole and cut in three.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never
from unittest import mock

import numpy as np
import torch

from app.research.synthetic.phantom import generate
from operators.errors import InterruptedRunError, NoSpineFoundError
from operators.imaging.nifti import read_volume
from operators.imaging.orientation import reorient
from operators.imaging.volume import Volume
from operators.networks.first_look import first_to_show
from operators.networks.semantic import SemanticModel, load_semantic_model
from tests.benchmarks.real_volumes import MODELS, PIR, thick_slices
from tests.benchmarks.whole_spines import PROOF_SEED, SETTINGS
from tests.builders.knee_study import GAP_MM, PIXEL_MM, knee

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tests.benchmarks.whole_spines import Maps

FIELDS_PER_SPINE = 50
SHORTEST_MM, BODY_MM3, CORPUS = 90.0, 800.0, 49
REAL = ("VB2_02_img", "VB2_05_img", "VB1_11_img", "VB1_15_img", "IVD_11_img", "IVD_42_img")
SMALL = ("sct_t2_cervical_crop", "pam50_small_t2", "tptbox_lumbar_crop")


@dataclass(frozen=True, slots=True)
class Field:
    """An image and what it is called."""

    name: str
    image: Volume


def passes(model: SemanticModel, image: Volume) -> tuple[bool, int]:
    """Whether the first look lets an image through, and the number of tiles it took."""
    looked = 0

    def count(_done: int, _total: int) -> None:
        nonlocal looked
        looked += 1

    def look(*arguments: Any) -> Never:
        first_to_show(*arguments)
        raise InterruptedRunError  # seen: the other tiles are not of interest here

    try:
        with mock.patch("operators.networks.sliding_window.first_to_show", look):
            model.segment(image, count, needs_body=True)
    except InterruptedRunError:
        return True, looked
    except NoSpineFoundError:
        return False, looked
    raise AssertionError("an image without a look")


def synthetic(first: int, spines: int) -> Iterator[Field]:
    """Fields of unseen spines that hold two bodies."""
    for number in range(first, first + spines):
        case = generate(PROOF_SEED + 5_000 + number, SETTINGS)
        rng = np.random.default_rng(number)
        made = 0
        while made < FIELDS_PER_SPINE:
            kind, image, truth = _cut(case.images[0], (case.semantic, case.instances), rng, made)
            if _bodies(truth, image) >= 2:
                made += 1
                yield Field(kind, image)


def _cut(
    image: Volume, maps: Maps, rng: np.random.Generator, number: int
) -> tuple[str, Volume, NDArray[np.unsignedinteger]]:
    """One field with its truth of bodies, each with its number."""
    slices, rows, columns = image.voxels_zyx.shape
    row_mm = image.spacing_zyx_mm[1]
    length = int(rng.uniform(SHORTEST_MM / row_mm, rows)) if rng.random() < 0.8 else rows
    top = int(rng.integers(0, rows - length + 1))
    depth = int(rng.integers(7, slices + 1))
    first = int(rng.integers(0, slices - depth + 1))
    width = int(rng.uniform(0.6, 1.0) * columns)
    left = int(rng.integers(0, columns - width + 1))
    box = slice(first, first + depth), slice(top, top + length), slice(left, left + width)
    voxels = image.voxels_zyx[box].astype(np.float32)
    bodies = np.where(maps[0].labels_zyx == CORPUS, maps[1].labels_zyx, 0)[box]
    kinds = ["crop"]
    if number % 3 == 1:
        kinds = ["scoliosis"]
        bend = np.rint(2.5 * np.sin(np.arange(length) * row_mm / 60 + rng.uniform(0, 6)))
        for row, shift in enumerate(bend.astype(int)):
            voxels[:, row] = np.roll(voxels[:, row], shift, axis=0)
            bodies[:, row] = np.roll(bodies[:, row], shift, axis=0)
    if number % 3 == 2:
        kinds = ["implant"]
        _implant(voxels, bodies, rng, row_mm)
    if number % 4 == 3:
        kinds.append("noisy")
        voxels += rng.normal(0, 0.08 * np.quantile(voxels, 0.99), voxels.shape)
    volume = Volume(np.clip(voxels, 0, None).astype(np.float32), image.affine_lps)
    return " ".join(kinds), volume, bodies


def _implant(
    voxels: NDArray[np.float32],
    bodies: NDArray[np.unsignedinteger],
    rng: np.random.Generator,
    row_mm: float,
) -> None:
    """Two voids of 12 mm radius in or behind bodies, with a bright rim, through all slices."""
    places = np.argwhere(bodies > 0)
    if not len(places):
        return
    rows, columns = np.mgrid[: voxels.shape[1], : voxels.shape[2]]
    bright = float(np.quantile(voxels, 0.999))
    for _ in range(2):
        _, row, column = places[rng.integers(len(places))]
        distance = np.hypot(rows - row, columns - column - 8 / row_mm) * row_mm
        voxels[:, distance < 14] = bright
        voxels[:, distance < 12] = 0


def _bodies(bodies: NDArray[np.unsignedinteger], image: Volume) -> int:
    voxel = float(np.prod(image.spacing_zyx_mm))
    counts = np.bincount(bodies.ravel())[1:]
    return int((counts * voxel >= BODY_MM3).sum())


def real(data: Path) -> Iterator[Field]:
    """The real volumes, whole and in three overlapping parts each."""
    for name in (*REAL, *SMALL):
        volume = reorient(read_volume(data / f"{name}.nii.gz"), PIR)
        volume = volume if name in SMALL else thick_slices(volume)
        yield Field("real", volume)
        if name in REAL:
            rows = volume.voxels_zyx.shape[1]
            for part in range(3):
                begin = part * rows // 4
                kept = volume.voxels_zyx[:, begin : begin + rows // 2]
                affine = volume.affine_lps.copy()
                affine[:3, 3] += affine[:3, 1] * begin
                yield Field("real part", Volume(kept, affine))


def without_spine() -> Iterator[Field]:
    """Noise and knees."""
    rng = np.random.default_rng(7)
    noise = rng.rayleigh(100, (15, 256, 256)).astype(np.float32)
    yield Field("noise", reorient(Volume(noise, np.diag([4.0, 1, 1, 1])), PIR))
    for seed in (1, 2, 3):
        affine = np.array(
            [[-GAP_MM, 0, 0, 0], [0, 0, PIXEL_MM, 0], [0, -PIXEL_MM, 0, 0], [0, 0, 0, 1.0]]
        )
        yield Field("knee", Volume(knee(seed).astype(np.float32), affine))


def main() -> int:
    """Look at all fields and print what was refused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fields", type=int, default=300, help="synthetic fields")
    parser.add_argument("--first", type=int, default=0, help="spine to begin with, for a share")
    parser.add_argument("--semantic", type=Path, default=MODELS / "spine_t2w_compact")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_semantic_model(options.semantic)
    shared = os.environ.get("SPINE_SHARED")
    sources = [synthetic(options.first, -(-options.fields // FIELDS_PER_SPINE))]
    if options.first == 0:
        sources.insert(0, without_spine())
    if options.first == 0 and shared:
        sources.insert(1, real(Path(shared) / "data" / "volumes"))
    seen: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    tiles: Counter[int] = Counter()
    for source in sources:
        for field in source:
            begun = time.process_time()
            passed, looked = passes(model, field.image)
            seen[field.name] += 1
            refused[field.name] += not passed
            tiles[looked] += 1
            if sum(seen.values()) % FIELDS_PER_SPINE == 0:
                _say(f"{sum(seen.values())} fields, {sum(refused.values())} refused")
            if not passed:
                spent = time.process_time() - begun
                shape = field.image.voxels_zyx.shape
                _say(f"refused: {field.name} {shape}, {looked} tiles, {spent:.1f} s of CPU")
        _say("so far: " + ", ".join(f"{k} {refused[k]} of {n}" for k, n in seen.items()))
    _say(f"fields by the number of tiles looked at: {dict(sorted(tiles.items()))}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
