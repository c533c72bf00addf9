"""Other voxels or attributes need another RESULT_VERSION, or they get UIDs that are taken."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from operators.dicom.identity import provenance
from operators.dicom.identity.provenance import RESULT_VERSION
from operators.dicom.identity.uids import digest
from operators.dicom.results.run_length import compress
from tests.builders.golden_result import golden_objects, golden_report, lines_of

GOLDEN = ("11", "bb37047c2e7efafef29d7efd7a38834621f044a5b0efa44eb3bd585e1bdc51a0")
"""Result version, and the digest of what it makes."""

GOLDEN_REPORT = "dacd40e8a487e053279b274ae35ba43672d71e1039f4c8eb732f94ee42b10452"
"""Digest of the report beside them, of made-up values."""

SAME_VERSION = (
    "the same input now gives other voxels or attributes than results that are in archives under "
    "the same UIDs: raise RESULT_VERSION in provenance.py if it has not been "
    "raised since the last release, and put here what "
    "'python -m tests.builders.golden_result' prints"
)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Dataset]:
    return golden_objects(tmp_path_factory.mktemp("golden"))


def digest_of(objects: list[Dataset]) -> str:
    return digest(line for one in objects for line in lines_of(one))


def test_the_report_beside_it_is_what_this_version_has_made(tmp_path: Path) -> None:
    assert digest(lines_of(golden_report(tmp_path))) == GOLDEN_REPORT, SAME_VERSION


def test_what_version_2_makes_is_what_version_2_has_made(objects: list[Dataset]) -> None:
    assert (RESULT_VERSION, digest_of(objects)) == GOLDEN, SAME_VERSION


def test_raising_the_version_changes_uids_and_nothing_else(
    objects: list[Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "RESULT_VERSION", "of another time")
    others = golden_objects(tmp_path)
    for one, other in zip(objects, others, strict=True):
        assert one.SOPInstanceUID != other.SOPInstanceUID
        assert one.PixelData == other.PixelData
    assert digest_of(others) == digest_of(objects)


def differences(one: Dataset, other: Dataset) -> int:
    return sum(a != b for a, b in zip(lines_of(one), lines_of(other), strict=True))


def test_one_voxel_and_one_attribute_deep_inside_each_change_one_line_of_the_digest(
    objects: list[Dataset],
) -> None:
    renamed, voxel = deepcopy(objects[1]), deepcopy(objects[0])
    renamed.SegmentSequence[3].SegmentLabel = "another"
    voxel.decompress(generate_instance_uid=False)
    voxel.PixelData = bytes([voxel.PixelData[0] ^ 1]) + voxel.PixelData[1:]
    compress(voxel)
    assert differences(renamed, objects[1]) == 1
    assert differences(voxel, objects[0]) == 1
