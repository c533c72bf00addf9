from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from operators.anatomy.colours import STRUCTURE_COLOURS, instance_colour
from operators.anatomy.levels import LevelName
from operators.errors import GeometryError
from operators.imaging import overlay, panels
from operators.imaging.orientation import reorient
from operators.imaging.overlay import overview, overview_png, page_jpeg
from operators.imaging.scene import scene_of
from operators.imaging.volume import LabelMap, Volume

NOTICE = "research use only, not for diagnosis"
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


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Panels of a quarter of the area."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlay, "_PANEL_HEIGHT_PX", 320)
        patch.setattr(overlay, "_PAGE_HEIGHT_PX", 512)
        yield


def render(*images: object) -> bytes:
    return overview_png(scene_of(*images), "phantom", NOTICE)


@pytest.fixture(scope="module")
def usual() -> bytes:
    """Picture of the phantom."""
    return render(*phantom())


def share_of(picture: bytes, colour: tuple[int, int, int]) -> float:
    """Share of pixels of nearly this colour, as outlines and the legend have it."""
    pixels = np.asarray(Image.open(BytesIO(picture)).convert("RGB")).astype(np.int16)
    return float((np.abs(pixels - np.int16(colour)).max(axis=2) < 16).mean())


def test_the_picture_shows_every_structure_and_instance_in_its_colour(usual: bytes):
    picture = usual
    for label in (49, 100, 61, 60, 46):
        assert share_of(picture, STRUCTURE_COLOURS[label]) > 1e-4
    assert share_of(picture, instance_colour(3)) > 1e-4
    assert share_of(picture, STRUCTURE_COLOURS[53]) < 1e-5


def test_the_same_result_gives_the_same_bytes(usual: bytes):
    assert render(*phantom()) == usual
    assert page_jpeg(scene_of(*phantom())) == page_jpeg(scene_of(*phantom()))


@pytest.mark.parametrize("codes", [("L", "P", "S"), ("I", "L", "A")])
def test_the_picture_is_the_same_whatever_the_orientation_of_the_arrays(
    usual: bytes, codes: tuple[str, str, str]
):
    turned = render(*(reorient(part, codes) for part in phantom()))
    one, other = (np.asarray(Image.open(BytesIO(p)), dtype=int) for p in (usual, turned))
    assert one.shape == other.shape
    assert np.abs(one - other).mean() < 0.1


def centres(pixels: np.ndarray) -> dict[int, tuple[float, float]]:
    """Median row and column of the outlines of body, disc and canal."""
    found = {}
    for label in (49, 100, 61):
        near = np.abs(pixels - STRUCTURE_COLOURS[label]).max(axis=2) < 16
        rows, columns = np.nonzero(near)
        found[label] = (float(np.median(rows)), float(np.median(columns)))
    return found


def test_anterior_is_on_the_left_and_superior_on_top():
    """The body lies in front of the canal, and the disc below the body."""
    page = Image.open(BytesIO(page_jpeg(scene_of(*phantom())))).convert("RGB")
    shown = np.asarray(page, dtype=int)
    panel = (shown.shape[1] - 8) // 5
    found = centres(shown[:, panel : 2 * panel])
    assert found[49][1] < found[61][1]
    assert found[49][0] < found[100][0]


def test_places_are_said_by_slice_where_straight_and_along_the_canal_where_bent():
    volume, semantic, instances = phantom()
    assert scene_of(volume, semantic, instances).places == (
        "mid-sagittal, slice 8 of 15",
        "12 mm to the right, slice 11 of 15",
        "coronal, along the bodies",
    )
    sheared = [
        np.stack([np.roll(part[:, row], row // 12 - 2, axis=0) for row in range(60)], axis=1)
        for part in (volume.voxels_zyx, semantic.labels_zyx, instances.labels_zyx)
    ]
    bent = scene_of(
        volume.with_voxels(sheared[0]),
        semantic.with_labels(sheared[1]),
        instances.with_labels(sheared[2]),
    )
    assert bent.is_curved
    assert bent.places[0] == "mid-sagittal, along the canal"
    assert (bent.middle.semantic == 61).any(axis=1).all()


def test_millimetres_keep_their_proportion(usual: bytes):
    """The same millimetres fill the same picture at 1 x 1 and at 0.5 x 2 mm per voxel."""
    volume, semantic, instances = phantom()
    stretched = AFFINE_RIP * np.array([1.0, 0.5, 2.0, 1.0])
    parts = [
        Volume(volume.voxels_zyx.repeat(2, axis=1)[:, :, ::2], stretched),
        LabelMap(semantic.labels_zyx.repeat(2, axis=1)[:, :, ::2], stretched),
        LabelMap(instances.labels_zyx.repeat(2, axis=1)[:, :, ::2], stretched),
    ]
    other = render(*parts)
    (width, height), (other_width, other_height) = (
        Image.open(BytesIO(picture)).size for picture in (usual, other)
    )
    assert height == other_height
    assert other_width == pytest.approx(width, rel=0.05)


@pytest.mark.parametrize("empty", ["semantic", "instances", "image"])
def test_an_empty_map_or_a_constant_image_is_drawn_all_the_same(empty: str):
    volume, semantic, instances = phantom()
    if empty == "semantic":
        semantic = semantic.with_labels(np.zeros_like(semantic.labels_zyx))
    if empty == "instances":
        instances = instances.with_labels(np.zeros_like(instances.labels_zyx))
    if empty == "image":
        volume = volume.with_voxels(np.full_like(volume.voxels_zyx, np.nan))
    scene = scene_of(volume, semantic, instances)
    assert overview_png(scene, "phantom", NOTICE).startswith(b"\x89PNG")
    assert page_jpeg(scene).startswith(b"\xff\xd8")


def test_the_notice_is_written_where_there_is_one():
    warning = (255, 180, 162)
    scene = scene_of(*phantom())
    assert share_of(overview_png(scene, "phantom", NOTICE), warning) > 1e-5
    assert share_of(overview_png(scene, "phantom", ""), warning) == 0.0


def test_a_notice_too_long_for_a_line_goes_on_below_inside_the_picture():
    warning = (255, 180, 162)
    scene = scene_of(*phantom())
    usual = overview(scene, "phantom", NOTICE)
    long = overview(scene, "phantom", "for measuring spines " * 17)
    assert long.width == usual.width
    assert long.height >= usual.height + 20
    assert np.array_equal(np.asarray(long)[: usual.height - 28], np.asarray(usual)[:-28])
    written = np.argwhere((np.asarray(long) == warning).all(axis=-1))
    assert written[:, 0].max() < long.height - 5
    assert written[:, 1].max() < long.width - 20


def test_maps_of_another_shape_are_refused():
    volume, semantic, instances = phantom()
    shorter = LabelMap(instances.labels_zyx[1:], instances.affine_lps)
    with pytest.raises(GeometryError):
        scene_of(volume, semantic, shorter)


def test_names_stand_on_the_bodies_and_a_piece_too_small_for_one_has_none(
    monkeypatch: pytest.MonkeyPatch,
):
    written: list[tuple[str, tuple[float, float]]] = []
    monkeypatch.setattr(
        panels, "_write", lambda _draw, text, place, _size: written.append((text, place))
    )
    volume, semantic, instances = phantom()
    instances.labels_zyx[:, 45:50, 40:45] = 4  # 25 mm2 of a vertebra without a body
    scene = scene_of(volume, semantic, instances, {3: LevelName(22, 0.8), 4: LevelName(23, 1.0)})
    written.clear()
    scene.middle.named(scene.middle.shown(10.0, scene.window), scene.levels, 15)
    ((text, (x, y)),) = written
    assert text == "L3?"
    assert (x, y) == (pytest.approx(150, abs=10), pytest.approx(200, abs=10))  # 15 mm, 20 mm
