"""Content of the centroid file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.imaging.nifti import read_label_map
from operators.imaging.orientation import reorient
from operators.spine.centroids import centroid_document
from operators.spine.postprocessing import PostprocessSettings, postprocess
from tests.builders.spine_phantom import LEVEL, TOP, pir_map, spine_of

if TYPE_CHECKING:
    from pathlib import Path


def finished(count: int, *, sacrum: bool = False):
    spine = spine_of(count, sacrum=sacrum)
    result = postprocess(spine.semantic, spine.instances, PostprocessSettings())
    return result.semantic, result.instances


def test_points_are_in_x_y_z_order_of_the_file():
    _, points = centroid_document(*finished(3))
    assert {number: of["50"] for number, of in points.items()} == {
        str(2 + level): [13.5, TOP + level * LEVEL + 7.5, 15.5] for level in range(3)
    }


def test_the_sacrum_comes_last():
    _, points = centroid_document(*finished(2, sacrum=True))
    assert list(points) == ["2", "3", "26"]
    assert points["26"]["50"] == [13.5, TOP + 2 * LEVEL + 7.5, 15.5]


def test_a_disc_is_a_point_of_the_vertebra_above_it():
    semantic, instances = finished(2)
    disc = np.argwhere(instances.labels_zyx == 102)
    _, points = centroid_document(semantic, instances)
    assert disc.size
    assert points["2"]["100"] == [round(float(c), 2) for c in disc.mean(axis=0)[::-1]]
    assert list(points["2"]) == ["50", "100"]


def test_coordinates_have_2_decimals():
    parts = np.zeros((4, 4, 4), np.uint8)
    parts[0:2, 0, 0], parts[0, 1, 0] = Structure.CORPUS, Structure.CORPUS
    _, points = centroid_document(pir_map(parts), pir_map((parts > 0).astype(np.uint16) * 5))
    assert points == {"5": {"50": [0.0, 0.33, 0.33]}}


def test_the_header_places_the_grid_in_ras_and_names_no_path():
    header, _ = centroid_document(*finished(2), {"semantic_model": "demo 1.0"})
    assert header["direction"] == ["P", "I", "R"]
    assert header["shape"] == [56, TOP + 2 * LEVEL, 32]
    assert header["zoom"] == [1.5, 1.5, 1.5]
    assert header["origin"] == [-40.0, 30.0, 150.0]
    assert header["rotation"] == [[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]
    assert header["numbering"] == "running numbers from the top beginning with 2, not anatomical"
    assert header["semantic_model"] == "demo 1.0"
    assert "/" not in json.dumps(header)


def test_points_follow_the_orientation_of_the_grid():
    semantic, instances = finished(2)
    codes = ("L", "P", "S")
    header, points = centroid_document(reorient(semantic, codes), reorient(instances, codes))
    rows = TOP + 2 * LEVEL
    assert header["direction"] == list(codes)
    assert points["2"]["50"] == [31 - 15.5, 13.5, rows - 1 - (TOP + 7.5)]


def test_t13_stands_between_t12_and_l1():
    spine = spine_of(3)
    renamed = np.array([0, 19, 28, 20], np.uint16)[spine.vertebrae]
    _, points = centroid_document(spine.semantic, pir_map(renamed))
    assert list(points) == ["19", "28", "20"]


def test_a_vertebra_without_body_has_no_point():
    spine = spine_of(2)
    parts = spine.parts
    parts[(spine.vertebrae == 1) & (parts == Structure.CORPUS)] = Structure.ARCUS
    _, points = centroid_document(pir_map(parts), spine.instances)
    assert list(points) == ["2"]


CASES = [
    ("sample1", "sample"),
    ("clin8", "clin8"),
    ("gtsem_phantom8", "phantom8"),
    ("gtsem_phantom8sacrum", "phantom8sacrum"),
]


@pytest.mark.parametrize(("case", "name"), CASES)
def test_points_of_the_oracle_agree_to_the_second_decimal(shared_data: Path, case: str, name: str):
    folder = shared_data / "data" / "oracle" / "spineps_outputs" / case
    semantic, instances = (
        read_label_map(folder / f"sub-{name}_mod-T2w_seg-{kind}_msk.nii.gz")
        for kind in ("spine", "vert")
    )
    their_header, theirs = json.loads(
        (folder / f"sub-{name}_mod-T2w_seg-spine_ctd.json").read_text()
    )
    header, ours = centroid_document(semantic, instances)
    # SPINEPS lists no discs beside the bodies.
    bodies = [number for number, point in ours.items() if "50" in point]
    assert bodies == list(theirs)
    for number, point in theirs.items():
        assert ours[number]["50"] == pytest.approx(point["50"], abs=0.0051)
    for entry in ("direction", "shape"):
        assert header[entry] == their_header[entry]
    assert np.allclose(header["rotation"], their_header["rotation"], atol=1e-6)
    assert np.allclose(header["origin"], their_header["origin"], atol=1e-5)
