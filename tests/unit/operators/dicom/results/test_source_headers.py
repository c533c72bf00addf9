from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.uid import EnhancedMRImageStorage, JPEGLSLossless

from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.series import scan
from operators.dicom.results.source_headers import plane_digests, read_source_headers
from operators.errors import EncodingError
from tests.builders.mr_series import make_series
from tests.builders.results import volume_of

if TYPE_CHECKING:
    from pathlib import Path

    from operators.imaging.volume import Volume


def series(folder: Path, **options: object) -> Volume:
    return volume_of(make_series(folder, **{"slices": 6, **options}))


def digests(volume: Volume) -> list[str]:
    return list(plane_digests(read_source_headers(volume), volume))


def reasons(volume: Volume) -> tuple[str, ...]:
    with pytest.raises(EncodingError) as caught:
        read_source_headers(volume)
    return caught.value.reasons


class TestDigests:
    @pytest.fixture
    def usual(self, tmp_path: Path) -> list[str]:
        return digests(series(tmp_path / "usual"))

    @pytest.mark.parametrize(
        "tags",
        [
            {"PatientName": "Phantom^Other"},
            {"PatientID": "P-other"},
            {"PatientBirthDate": "19700102"},
            {"PatientSex": "F"},
            {"AccessionNumber": "A2"},
            {"StudyDescription": "Spine"},
            {"StudyInstanceUID": "2.25.1"},
            {"FrameOfReferenceUID": "2.25.2"},
            {"SpecificCharacterSet": "ISO_IR 100"},
            {"Manufacturer": "GE"},
            {"SliceThickness": 3.9},
        ],
        ids=lambda tags: next(iter(tags)),
    )
    def test_everything_that_is_copied_counts(
        self, tmp_path: Path, usual: list[str], tags: dict[str, object]
    ):
        changed = digests(series(tmp_path / "other", tags=tags))
        assert all(one != other for one, other in zip(usual, changed, strict=True))

    @pytest.mark.parametrize(
        "tags",
        [
            {"SeriesDescription": "x"},
            {"ProtocolName": "y"},
            {"EchoTime": 90.0},
            {"BodyPartExamined": "HEAD"},
        ],
        ids=lambda tags: next(iter(tags)),
    )
    def test_what_no_result_repeats_does_not_count(
        self, tmp_path: Path, usual: list[str], tags: dict[str, object]
    ):
        assert digests(series(tmp_path / "other", tags=tags)) == usual

    def test_one_other_grey_value_changes_one_plane(self, tmp_path: Path, usual: list[str]):
        volume = series(tmp_path / "other")
        voxels = volume.voxels_zyx.copy()
        voxels[2, 5, 7] += 1
        changed = digests(volume.with_voxels(voxels))
        assert [k for k in range(6) if changed[k] != usual[k]] == [2]

    def test_lossless_compression_on_the_way_changes_nothing(
        self, tmp_path: Path, usual: list[str]
    ):
        made = series(tmp_path / "other", transfer_syntax=JPEGLSLossless)
        assert digests(made) == usual

    def test_the_slices_of_one_series_all_differ(self, usual: list[str]):
        assert len(set(usual)) == 6


@pytest.mark.parametrize("options", [{}, {"sop_class": EnhancedMRImageStorage}])
def test_what_assembly_makes_is_accepted(tmp_path: Path, options: dict[str, object]):
    made = make_series(tmp_path / "mr", **options)
    (record,) = scan(tmp_path / "mr").series
    volume = assemble(record)
    headers = read_source_headers(volume)
    assert len(headers.planes) == made.voxels_zyx.shape[0]
    assert headers.series_number == 3
    assert headers.common.PatientName == "Phantom^Lumbar"
    assert headers.character_set == "ISO_IR 192"


def test_a_missing_frame_of_reference_is_derived_from_the_series(tmp_path: Path):
    tags = {"FrameOfReferenceUID": None}
    one = read_source_headers(series(tmp_path / "one", tags=tags)).common
    same = read_source_headers(series(tmp_path / "two", tags=tags)).common
    other = read_source_headers(series(tmp_path / "three", tags=tags, name="B")).common
    assert one.FrameOfReferenceUID == same.FrameOfReferenceUID != other.FrameOfReferenceUID


class TestRefusals:
    def test_a_volume_without_sources(self, tmp_path: Path):
        volume = series(tmp_path / "mr")
        assert reasons(replace(volume, source=())) == ("no_source",)
        assert reasons(replace(volume, source=volume.source[1:])) == ("no_source",)

    def test_a_file_that_is_gone(self, tmp_path: Path):
        volume = series(tmp_path / "mr")
        volume.source[1].path.unlink()
        assert reasons(volume) == ("source_missing",)

    def test_a_file_that_became_another_instance(self, tmp_path: Path):
        volume = series(tmp_path / "mr")
        volume.source[1].path.write_bytes(volume.source[2].path.read_bytes())
        assert reasons(volume) == ("source_changed",)

    def test_a_file_that_became_garbage(self, tmp_path: Path):
        volume = series(tmp_path / "mr")
        volume.source[1].path.write_bytes(b"no DICOM at all" * 20)
        assert reasons(volume) in (("source_changed",), ("source_missing",))

    @pytest.mark.parametrize(
        ("keyword", "value", "reason"),
        [
            ("StudyInstanceUID", "2.25.9", "mixed_study"),
            ("SeriesInstanceUID", "2.25.9", "mixed_series"),
            ("FrameOfReferenceUID", "2.25.9", "mixed_frame_of_reference"),
            ("PatientID", "P-2", "mixed_patient"),
        ],
    )
    def test_slices_that_disagree_about_whose_they_are(
        self, tmp_path: Path, keyword: str, value: str, reason: str
    ):
        volume = series(tmp_path / "mr")
        dataset = pydicom.dcmread(volume.source[3].path)
        setattr(dataset, keyword, value)
        dataset.save_as(volume.source[3].path)
        assert reasons(volume) == (reason,)

    def test_no_study_and_no_series(self, tmp_path: Path):
        volume = series(tmp_path / "mr", tags={"StudyInstanceUID": None, "SeriesInstanceUID": None})
        assert reasons(volume) == ("missing_study_uid", "missing_series_uid")

    def test_slices_in_the_other_order(self, tmp_path: Path):
        volume = series(tmp_path / "mr")
        assert reasons(replace(volume, source=volume.source[::-1])) == ("source_off_grid",)

    @pytest.mark.parametrize("steps", [(0.5, 0, 0), (0, 1, 0), (0, 0, 1)])
    def test_a_volume_that_was_moved(self, tmp_path: Path, steps: tuple[float, ...]):
        volume = series(tmp_path / "mr")
        affine = volume.affine_lps.copy()
        affine[:3, 3] += affine[:3, :3] @ np.array(steps) * (1 if steps[0] else 20)
        assert reasons(replace(volume, affine_lps=affine)) == ("source_off_grid",)

    def test_rows_and_columns_exchanged(self, tmp_path: Path):
        volume = series(tmp_path / "mr")
        affine = volume.affine_lps[:, [0, 2, 1, 3]]
        assert reasons(replace(volume, affine_lps=affine)) == ("source_off_grid",)
