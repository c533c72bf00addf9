"""SPINEPS's labelling checkpoints: read without their class, and asked about the right boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from operators.errors import ModelUnusableError
from operators.imaging.volume import LabelMap, Volume
from operators.networks.inference_config import read_config
from operators.networks.labelling import HEADS, load_labelling_model
from operators.networks.vertebra_boxes import BoxSize, boxes_about_bodies
from tests.builders.labelling_folder import (
    BOX,
    WEIGHTS,
    Classifier,
    write_labelling_folder,
)
from tests.builders.spine_phantom import pir_map

SHAPE_RIP = (40, 90, 50)
BODIES = {
    2: (slice(10, 30), slice(20, 36), slice(8, 30)),
    3: (slice(9, 28), slice(44, 61), slice(10, 31)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labelling") / "T2w_labeling"


@pytest.fixture(scope="module")
def network(folder: Path) -> Classifier:
    return write_labelling_folder(folder)


def image_and_maps() -> tuple[Volume, tuple[LabelMap, LabelMap]]:
    """Two bodies on a grid of 1 mm, PIR; an arch of the lower one, which does not move its box."""
    parts, owners = np.zeros(SHAPE_RIP, np.uint8), np.zeros(SHAPE_RIP, np.uint16)
    for number, body in BODIES.items():
        parts[body], owners[body] = 49, number
    parts[18:22, 44:50, 40:48], owners[18:22, 44:50, 40:48] = 41, 3
    semantic = pir_map(parts)
    semantic = LabelMap(semantic.labels_zyx, unit_spacing(semantic.affine_lps))
    voxels = np.random.default_rng(3).integers(0, 900, SHAPE_RIP).astype(np.float32)
    return Volume(voxels, semantic.affine_lps), (semantic, semantic.with_labels(owners))


def unit_spacing(affine: np.ndarray) -> np.ndarray:
    affine = affine.copy()
    affine[:3, :3] /= np.linalg.norm(affine[:3, :3], axis=0)
    return affine


def expected_box(volume: Volume, number: int) -> np.ndarray:
    """By hand: zeros around, the middle of the body's box in the middle, [P, I, R]."""
    room = 100
    wide = np.pad(volume.voxels_zyx, room)
    middle = [room + side.start + (side.stop - side.start) // 2 for side in BODIES[number]]
    r, i, p = (
        slice(at - size // 2, at + size // 2)
        for at, size in zip(middle, (BOX[2], BOX[1], BOX[0]), strict=True)
    )
    box = wide[r, i, p].transpose(2, 1, 0)
    inside = box != 0
    return np.where(inside, (box - box[inside].mean()) / box[inside].std(), 0.0)


def test_the_network_is_asked_about_a_box_around_every_body(folder: Path, network: Classifier):
    model = load_labelling_model(folder)
    volume, maps = image_and_maps()
    told: list[tuple[int, int]] = []
    answers = model.predict(volume, maps, lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    assert list(answers) == [2, 3]
    for number, heads in answers.items():
        assert {name: len(shares) for name, shares in heads.items()} == HEADS
        own = network.answers(torch.tensor(expected_box(volume, number), dtype=torch.float32))
        for name, shares in heads.items():
            assert shares == pytest.approx(own[name], abs=1e-5)
            assert sum(shares) == pytest.approx(1.0)
    assert answers[2]["VERT"] != pytest.approx(answers[3]["VERT"], abs=1e-6)


def test_a_turned_box_shows_an_oblique_spine_upright(folder: Path, network: Classifier):
    del network
    config = read_config(folder / "inference_config.json")
    shape = (16, 160, 160)
    down, back = np.mgrid[:160, :160].astype(np.float64) - 80
    slope = np.radians(25)
    along = down * np.cos(slope) + back * np.sin(slope)
    across = back * np.cos(slope) - down * np.sin(slope)
    inside = np.abs(across) < 12
    owners = np.zeros(shape, np.uint16)
    for number, middle in ((2, -40), (3, 0), (4, 40)):
        owners[:, inside & (np.abs(along - middle) < 14)] = number
    semantic = pir_map((owners > 0).astype(np.uint8) * 49)
    affine = unit_spacing(semantic.affine_lps)
    maps = (
        LabelMap(semantic.labels_zyx, affine),
        LabelMap(owners, affine),
    )
    shown = np.where(inside, 100.0, 10.0).astype(np.float32)
    image = Volume(np.broadcast_to(shown, shape).copy(), affine)
    size = BoxSize(48, 48, 8)
    (_, turned, _) = boxes_about_bodies(image, maps, config, size=size, is_turned=True).values()
    columns = (turned[:, :, 4] > 0).sum(axis=0)
    edges = (turned[:, :, 4] > 0).argmax(axis=0)
    assert np.ptp(edges) <= 2  # upright: the anterior edge stays in its column
    assert columns == pytest.approx(24, abs=2)
    (_, straight, _) = boxes_about_bodies(image, maps, config, size=size, is_turned=False).values()
    assert np.ptp((straight[:, :, 4] > 0).argmax(axis=0)) > 10


@pytest.mark.parametrize(
    ("heads", "options", "reason"),
    [
        ({"REGION": 3}, {}, "unknown_heads"),
        ({"VERT": 23}, {}, "unknown_heads"),
        (None, {"backbone": "RESNET18"}, "unknown_backbone"),
        (None, {"backbone": "DENSENET169"}, "unknown_architecture"),
        (None, {"final_size": None}, "options_missing"),
        (None, {"final_size": (152, 168)}, "options_missing"),
    ],
)
def test_what_is_not_understood_is_refused(
    tmp_path: Path, heads: dict[str, int] | None, options: dict[str, Any], reason: str
):
    write_labelling_folder(tmp_path / "model", heads or {"VERT": 24}, **options)
    with pytest.raises(ModelUnusableError) as caught:
        load_labelling_model(tmp_path / "model")
    assert caught.value.reasons == (reason,)


def test_a_folder_without_weights_is_refused(tmp_path: Path):
    write_labelling_folder(tmp_path / "model", {"VERT": 24})
    (tmp_path / "model" / "weights" / WEIGHTS).rename(tmp_path / "model" / "weights.ckpt")
    with pytest.raises(ModelUnusableError) as caught:
        load_labelling_model(tmp_path / "model")
    assert caught.value.reasons == ("weights_missing",)
