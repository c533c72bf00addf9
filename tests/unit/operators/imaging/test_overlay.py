from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from operators.anatomy.colours import STRUCTURE_COLOURS, instance_colour
from operators.errors import GeometryError
from operators.imaging import overlay
from operators.imaging.orientation import reorient
from operators.imaging.overlay import render_overlay
from operators.imaging.volume import LabelMap, Volume

if TYPE_CHECKING:
    from pathlib import Path

AFFINE_RIP = np.array([[-4.0, 0, 0, 30.0], [0, 0, 1.0, -40.0], [0, -1.0, 0, 50.0], [0, 0, 0, 1.0]])
"""Slices to the right every 4 mm, rows down, columns back every 1 mm."""


def phantom() -> tuple[Volume, LabelMap, LabelMap]:
    """Fifteen slices: a vertebra with canal, cord and one process on the right; disc below."""
    semantic = np.zeros((15, 60, 50), dtype=np.uint8)
    semantic[4:11, 10:30, 5:25] = 49
    semantic[4:11, 30:36, 5:25] = 100
    semantic[6:9, :, 27:33] = 61
    semantic[7, 5:50, 29:31] = 60
    semantic[10:12, 15:25, 34:40] = 46
    instances = np.zeros_like(semantic)
    instances[np.isin(semantic, (49, 46))] = 3
    instances[semantic == 100] = 103
    image = 100.0 + np.arange(45000, dtype=np.float32).reshape(15, 60, 50) / 1000
    return (
        Volume(image, AFFINE_RIP),
        LabelMap(semantic, AFFINE_RIP),
        LabelMap(instances, AFFINE_RIP),
    )


def render(folder: Path, *images: object, name: str = "a.png") -> bytes:
    render_overlay(*images, folder / name, "phantom")
    return (folder / name).read_bytes()


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Picture of the phantom."""
    return render(tmp_path_factory.mktemp("usual"), *phantom())


def share_of(picture: bytes, colour: tuple[int, int, int]) -> float:
    """Share of pixels of nearly this colour, as outlines and the legend have it."""
    pixels = np.asarray(Image.open(BytesIO(picture)).convert("RGB"), dtype=int)
    return float((np.abs(pixels - colour).max(axis=2) < 16).mean())


def test_the_picture_shows_every_structure_and_instance_in_its_colour(usual: bytes):
    picture = usual
    for label in (49, 100, 61, 60, 46):
        assert share_of(picture, STRUCTURE_COLOURS[label]) > 1e-4
    assert share_of(picture, instance_colour(3)) > 1e-4
    assert share_of(picture, STRUCTURE_COLOURS[53]) < 1e-5


def test_the_same_result_gives_the_same_bytes(tmp_path: Path, usual: bytes):
    assert render(tmp_path, *phantom()) == usual


@pytest.mark.parametrize("codes", [("L", "P", "S"), ("I", "L", "A")])
def test_the_picture_is_the_same_whatever_the_orientation_of_the_arrays(
    tmp_path: Path, usual: bytes, codes: tuple[str, str, str]
):
    turned = render(tmp_path, *(reorient(part, codes) for part in phantom()), name="b.png")
    one, other = (np.asarray(Image.open(BytesIO(p)), dtype=int) for p in (usual, turned))
    assert one.shape == other.shape
    assert np.abs(one - other).mean() < 0.1


def test_anterior_is_on_the_left_and_superior_on_top(usual: bytes):
    """The body lies in front of the canal, and the disc below the body."""
    pixels = np.asarray(Image.open(BytesIO(usual)).convert("RGB"), dtype=int)
    panel = pixels[: pixels.shape[0] // 2, : int(pixels.shape[1] * 0.8)]
    centre = {}
    for label in (49, 100, 61):
        near = np.abs(panel - STRUCTURE_COLOURS[label]).max(axis=2) < 16
        rows, columns = np.nonzero(near)
        centre[label] = (np.median(rows), np.median(columns))
    assert centre[49][1] < centre[61][1]
    assert centre[49][0] < centre[100][0]


def test_millimetres_keep_their_proportion(tmp_path: Path, usual: bytes):
    """The same millimetres fill the same picture at 1 x 1 and at 0.5 x 2 mm per voxel."""
    volume, semantic, instances = phantom()
    stretched = AFFINE_RIP * np.array([1.0, 0.5, 2.0, 1.0])
    parts = [
        Volume(volume.voxels_zyx.repeat(2, axis=1)[:, :, ::2], stretched),
        LabelMap(semantic.labels_zyx.repeat(2, axis=1)[:, :, ::2], stretched),
        LabelMap(instances.labels_zyx.repeat(2, axis=1)[:, :, ::2], stretched),
    ]
    other = render(tmp_path, *parts)
    (width, height), (other_width, other_height) = (
        Image.open(BytesIO(picture)).size for picture in (usual, other)
    )
    assert height == other_height
    assert other_width == pytest.approx(width, rel=0.05)


@pytest.mark.parametrize("empty", ["semantic", "instances", "image"])
def test_an_empty_map_or_a_constant_image_is_drawn_all_the_same(tmp_path: Path, empty: str):
    volume, semantic, instances = phantom()
    if empty == "semantic":
        semantic = semantic.with_labels(np.zeros_like(semantic.labels_zyx))
    if empty == "instances":
        instances = instances.with_labels(np.zeros_like(instances.labels_zyx))
    if empty == "image":
        volume = volume.with_voxels(np.full_like(volume.voxels_zyx, np.nan))
    assert render(tmp_path, volume, semantic, instances).startswith(b"\x89PNG")


def test_maps_of_another_shape_are_refused(tmp_path: Path):
    volume, semantic, instances = phantom()
    shorter = LabelMap(instances.labels_zyx[1:], instances.affine_lps)
    with pytest.raises(GeometryError):
        render_overlay(volume, semantic, shorter, tmp_path / "a.png", "phantom")
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("L4", "7 L4"),
        ("probably T13", "7 T13?"),
        ("part of the sacrum", "7 S?"),
        ("probably part of the sacrum", "7 S?"),
        (None, "7"),
    ],
)
def test_a_bone_has_room_for_number_and_level(text: str | None, written: str):
    levels = {} if text is None else {7: text}
    assert overlay._short(7, levels) == written
