from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.pixels import pixel_array
from pydicom.uid import (
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    RLELossless,
)

from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.segmentation import encode_segmentations
from operators.errors import EncodingError
from operators.imaging.volume import LabelMap
from tests.builders.mr_series import SAGITTAL, make_series
from tests.builders.results import CONTEXT, USE, context, label_maps, volume_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from operators.imaging.volume import Volume

SOURCES = {
    "classic_oblique_anisotropic": {},
    "classic_sagittal_shuffled": {"orientation": SAGITTAL, "shuffle_seed": 3, "slices": 9},
    "enhanced_shuffled_frames": {"sop_class": EnhancedMRImageStorage},
    "enhanced_second_echo_unused": {
        "sop_class": EnhancedMRImageStorage,
        "echo_times": (100.0, 20.0),
    },
    "legacy_converted": {"sop_class": LegacyConvertedEnhancedMRImageStorage},
    "odd_pixel_count": {"rows": 41, "columns": 33, "slices": 7},
}


def encode(folder: Path, **options: object) -> tuple[Volume, tuple[LabelMap, LabelMap], list[Path]]:
    volume = volume_of(make_series(folder / "mr", **options))
    maps = label_maps(volume)
    paths = [folder / "semantic.dcm", folder / "instances.dcm"]
    for dataset, path in zip(encode_segmentations(*maps, volume, CONTEXT), paths, strict=True):
        write_dataset(dataset, path)
    return volume, maps, paths


def frames_of(dataset: Dataset) -> NDArray[np.uint8]:
    """Frames as pydicom's own decoder, written in Python, reads them; without highdicom."""
    frames = pixel_array(dataset, decoding_plugin="pydicom", raw=True)
    assert frames.max() == 1
    return frames.reshape(dataset.NumberOfFrames, dataset.Rows, dataset.Columns)


def labels_by_position(dataset: Dataset, volume: Volume, wanted: LabelMap) -> NDArray[np.int64]:
    """Label map rebuilt from frame positions alone; segment numbers become labels by vote."""
    found = np.zeros(volume.voxels_zyx.shape, dtype=np.int64)
    inverse = np.linalg.inv(volume.affine_lps)
    for frame, group in zip(
        frames_of(dataset), dataset.PerFrameFunctionalGroupsSequence, strict=True
    ):
        place = group.PlanePositionSequence[0].ImagePositionPatient
        k, j, i = (inverse @ [*map(float, place), 1.0])[:3]
        assert abs(j) < 1e-4
        assert abs(i) < 1e-4
        assert abs(k - round(k)) < 1e-4
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        assert not found[round(k)][frame > 0].any()
        found[round(k)][frame > 0] = number
    names = {0: 0}
    for number in range(1, len(dataset.SegmentSequence) + 1):
        under = np.unique(wanted.labels_zyx[found == number])
        assert under.size == 1
        names[number] = int(under[0])
    return np.vectorize(names.__getitem__)(found)


Encoded = tuple["Path", "Volume", tuple[LabelMap, LabelMap], list["Path"]]


@pytest.fixture(scope="module", params=SOURCES.values(), ids=SOURCES.keys())
def encoded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    """One of the sources: folder, volume, label maps, files of the two objects."""
    folder = tmp_path_factory.mktemp("encoded")
    return folder, *encode(folder, **request.param)


class TestEverySource:
    def test_every_voxel_comes_back_by_position(self, encoded: Encoded):
        _, volume, maps, paths = encoded
        for wanted, path in zip(maps, paths, strict=True):
            found = labels_by_position(pydicom.dcmread(path), volume, wanted)
            np.testing.assert_array_equal(found, wanted.labels_zyx)

    def test_highdicom_reads_the_same_voxels_by_source_instance(self, encoded: Encoded):
        _, volume, maps, paths = encoded
        for wanted, path in zip(maps, paths, strict=True):
            read = highdicom.seg.segread(path)
            if volume.source[0].frame_number is None:
                uids = [source.sop_instance_uid for source in volume.source]
                found = read.get_pixels_by_source_instance(
                    uids, combine_segments=True, assert_missing_frames_are_empty=True
                )
            else:
                found = read.get_pixels_by_source_frame(
                    volume.source[0].sop_instance_uid,
                    [source.frame_number for source in volume.source],
                    combine_segments=True,
                    assert_missing_frames_are_empty=True,
                )
            for number in range(1, read.number_of_segments + 1):
                assert np.unique(wanted.labels_zyx[found == number]).size == 1
            np.testing.assert_array_equal(found > 0, wanted.labels_zyx > 0)

    def test_positions_orientation_and_spacing_are_copied_to_the_last_digit(self, encoded: Encoded):
        folder, _, _, paths = encoded
        source = pydicom.dcmread(next((folder / "mr").iterdir()))
        shared = pydicom.dcmread(paths[0]).SharedFunctionalGroupsSequence[0]
        written = str(shared.PlaneOrientationSequence[0].ImageOrientationPatient)
        if "SharedFunctionalGroupsSequence" in source:
            group = source.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
            measures = source.PerFrameFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
            places = {
                str(frame.PlanePositionSequence[0].ImagePositionPatient)
                for frame in source.PerFrameFunctionalGroupsSequence
            }
        else:
            group = measures = source
            places = {
                str(pydicom.dcmread(path).ImagePositionPatient)
                for path in (folder / "mr").iterdir()
            }
        assert written == str(group.ImageOrientationPatient)
        assert str(shared.PixelMeasuresSequence[0].PixelSpacing) == str(measures.PixelSpacing)
        for path in paths:
            for frame in pydicom.dcmread(path).PerFrameFunctionalGroupsSequence:
                assert str(frame.PlanePositionSequence[0].ImagePositionPatient) in places

    def test_every_frame_names_its_one_source_frame(self, encoded: Encoded):
        _, volume, _, paths = encoded
        places = {
            (source.sop_class_uid, source.sop_instance_uid, source.frame_number): k
            for k, source in enumerate(volume.source)
        }
        for path in paths:
            dataset = pydicom.dcmread(path)
            for group in dataset.PerFrameFunctionalGroupsSequence:
                (derivation,) = group.DerivationImageSequence
                (item,) = derivation.SourceImageSequence
                k = places[
                    item.ReferencedSOPClassUID,
                    item.ReferencedSOPInstanceUID,
                    item.get("ReferencedFrameNumber"),
                ]
                expected = volume.affine_lps @ [k, 0, 0, 1]
                place = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
                np.testing.assert_allclose(place, expected[:3], atol=1e-5)
            (series,) = dataset.ReferencedSeriesSequence
            named = {i.ReferencedSOPInstanceUID for i in series.ReferencedInstanceSequence}
            assert named == {source.sop_instance_uid for source in volume.source}

    def test_voxels_are_bytes_of_0_and_1_in_rle_lossless_whatever_the_matrix(
        self, encoded: Encoded
    ):
        _, _, _, paths = encoded
        for path in paths:
            dataset = pydicom.dcmread(path)
            assert dataset.file_meta.TransferSyntaxUID == RLELossless
            assert (dataset.SegmentationType, dataset.BitsAllocated) == ("FRACTIONAL", 8)
            assert dataset.SegmentationFractionalType == "OCCUPANCY"
            assert dataset.MaximumFractionalValue == 1
            assert dataset.LossyImageCompression == "00"

    def test_dciodvfy_finds_no_error(self, encoded: Encoded):
        _, _, _, paths = encoded
        for path in paths:
            assert_valid(path)


def assert_valid(path: Path) -> None:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    assert [line for line in said if line.startswith("Error")] == []
    assert any(line.strip() == "Segmentation" for line in said)


POOR = {
    "no_type_2": dict.fromkeys(
        (
            "StudyID", "PatientSex", "PatientBirthDate", "AccessionNumber", "PatientName",
            "ReferringPhysicianName", "StudyDate", "StudyTime", "PatientID", "SeriesNumber",
            "PatientAge", "SpecificCharacterSet", "PositionReferenceIndicator",
        )
    ),
    "no_frame_of_reference": {"FrameOfReferenceUID": None},
    "no_scanner": dict.fromkeys(("Manufacturer", "ManufacturerModelName", "SoftwareVersions")),
    "empty_scanner": {"Manufacturer": "", "ManufacturerModelName": "", "DeviceSerialNumber": ""},
    "no_thickness": {"SliceThickness": None, "SpacingBetweenSlices": None},
    "gap_as_spacing": {"SpacingBetweenSlices": 0.4},
    "lossy": {"LossyImageCompression": "01", "LossyImageCompressionRatio": 12.5,
              "LossyImageCompressionMethod": "ISO_15444_1"},
    "lossy_without_ratio": {"LossyImageCompression": "01"},
}  # fmt: skip


@pytest.mark.parametrize("tags", POOR.values(), ids=POOR.keys())
def test_a_poor_source_gives_a_valid_object(tmp_path: Path, tags: dict[str, object]):
    _, _, paths = encode(tmp_path, tags=tags)
    for path in paths:
        dataset = pydicom.dcmread(path)
        for keyword in ("StudyID", "PatientSex", "PatientBirthDate", "PatientName", "StudyDate"):
            assert keyword in dataset
        assert dataset.FrameOfReferenceUID
        measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        assert float(measures.SpacingBetweenSlices) == pytest.approx(4.4, abs=1e-3)
        assert float(measures.SliceThickness) > 0
        assert_valid(path)


@pytest.mark.filterwarnings("ignore:Invalid value:UserWarning", "ignore:A value of type")
@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("PatientSex", b"U ", ""),
        ("PatientBirthDate", b"1970", ""),
        ("PatientAge", b"54", None),
        ("StudyDate", b"11.3.24 ", ""),
        ("StudyDescription", b"L" * 70, None),
    ],
)
def test_an_invalid_value_of_the_source_is_not_repeated(
    tmp_path: Path, keyword: str, value: bytes, kept: str | None
):
    made = make_series(tmp_path / "mr")
    for path in made.paths:
        dataset = pydicom.dcmread(path)
        with pydicom.config.disable_value_validation():
            setattr(dataset, keyword, value.decode())
            dataset.save_as(path)
    volume = volume_of(made)
    dataset, _ = encode_segmentations(*label_maps(volume), volume, CONTEXT)
    assert dataset.get(keyword) == kept
    write_dataset(dataset, tmp_path / "semantic.dcm")
    assert_valid(tmp_path / "semantic.dcm")


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 192", "Grün^Jürgen=山田^太郎=やまだ^たろう"),
        ("ISO_IR 100", "Grün^Jürgen"),
        ("ISO_IR 144", "Люкceмбypг"),  # noqa: RUF001 -- Cyrillic is the point
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_names_keep_their_character_set_and_their_bytes(
    tmp_path: Path, character_set: object, name: str
):
    tags = {"SpecificCharacterSet": character_set, "PatientName": name}
    _, _, paths = encode(tmp_path, tags=tags)
    source = pydicom.dcmread(next((tmp_path / "mr").iterdir()))
    for path in paths:
        result = pydicom.dcmread(path)
        assert result.SpecificCharacterSet == source.SpecificCharacterSet
        raw, wanted = result.get_item("PatientName").value, source.get_item("PatientName").value
        assert raw == wanted
        assert str(result.PatientName) == name


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset, Dataset]:
    """A source image and its two objects."""
    folder = tmp_path_factory.mktemp("header")
    _, _, paths = encode(folder)
    source = pydicom.dcmread(next((folder / "mr").iterdir()))
    return source, pydicom.dcmread(paths[0]), pydicom.dcmread(paths[1])


class TestHeader:
    def test_patient_and_study_are_the_sources(self, made: tuple[Dataset, Dataset, Dataset]):
        source, *results = made
        for result in results:
            for keyword in (
                "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge",
                "StudyInstanceUID", "StudyID", "StudyDate", "StudyTime", "AccessionNumber",
                "StudyDescription", "FrameOfReferenceUID", "SpecificCharacterSet",
            ):  # fmt: skip
                assert result[keyword].value == source[keyword].value
            assert "InstitutionName" not in result

    def test_the_two_objects_are_two_series_with_their_own_numbers_and_names(
        self, made: tuple[Dataset, Dataset, Dataset]
    ):
        source, semantic, instances = made
        assert semantic.SeriesDescription == "SPINEPS semantic - research only"
        assert instances.SeriesDescription == "SPINEPS instances - research only"
        assert (semantic.SeriesNumber, instances.SeriesNumber) == (3901, 3902)
        uids = {d.SeriesInstanceUID for d in made} | {d.SOPInstanceUID for d in made}
        assert len(uids) == 6
        assert source.SeriesInstanceUID == semantic.ReferencedSeriesSequence[0].SeriesInstanceUID

    def test_both_say_that_nothing_overlaps(self, made: tuple[Dataset, Dataset, Dataset]):
        for result in made[1:]:
            assert result.SegmentsOverlap == "NO"

    def test_both_say_research_use_only_in_three_places(
        self, made: tuple[Dataset, Dataset, Dataset]
    ):
        for result in made[1:]:
            assert "research only" in result.SeriesDescription
            assert "research use only, not for diagnosis" in result.ContentDescription
            assert result.ContentQualification == "RESEARCH"
            texts = [i.ContributionDescription for i in result.ContributingEquipmentSequence]
            assert any("not for diagnosis" in text for text in texts)

    def test_no_equipment_item_has_an_empty_value(self, made: tuple[Dataset, Dataset, Dataset]):
        for result in made[1:]:
            for item in (result, *result.ContributingEquipmentSequence):
                assert item.Manufacturer
                for keyword in ("ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"):
                    assert item.get(keyword) != ""
            assert [i.Manufacturer for i in result.ContributingEquipmentSequence] == [
                "SIEMENS",
                "SPINEPS Node project",
                "Highdicom open-source contributors",
            ]

    def test_empty_frames_are_left_out(self, made: tuple[Dataset, Dataset, Dataset]):
        for result in made[1:]:
            assert frames_of(result).any(axis=(1, 2)).all()


def test_a_map_with_one_label_on_one_slice_becomes_one_frame(tmp_path: Path):
    volume = volume_of(make_series(tmp_path / "mr"))
    labels = np.zeros(volume.voxels_zyx.shape, dtype=np.uint16)
    labels[4, 10:12, 5] = 49
    semantic = LabelMap(labels, volume.affine_lps)
    instances = LabelMap(np.where(labels, 5, 0).astype(np.uint16), volume.affine_lps)
    for dataset in encode_segmentations(semantic, instances, volume, CONTEXT):
        assert dataset.NumberOfFrames == 1
        assert int(frames_of(dataset).sum()) == 2
        write_dataset(dataset, tmp_path / "one.dcm")
        assert_valid(tmp_path / "one.dcm")


def refused(volume: Volume, semantic: LabelMap, instances: LabelMap) -> tuple[str, ...]:
    with pytest.raises(EncodingError) as caught:
        encode_segmentations(semantic, instances, volume, CONTEXT)
    return caught.value.reasons


class TestRefusals:
    @pytest.fixture
    def volume(self, tmp_path: Path) -> Volume:
        return volume_of(make_series(tmp_path / "mr", slices=6))

    def test_a_map_half_a_slice_off_the_grid(self, volume: Volume):
        semantic, instances = label_maps(volume)
        moved = volume.affine_lps.copy()
        moved[:3, 3] += moved[:3, 0] / 2
        assert refused(volume, semantic, LabelMap(instances.labels_zyx, moved)) == (
            "grid_mismatch",
        )

    def test_a_map_with_one_slice_less(self, volume: Volume):
        semantic, instances = label_maps(volume)
        shorter = LabelMap(semantic.labels_zyx[1:], semantic.affine_lps)
        assert refused(volume, shorter, instances) == ("grid_mismatch",)

    def test_a_label_without_a_name(self, volume: Volume):
        semantic, instances = label_maps(volume)
        odd = semantic.labels_zyx.copy()
        odd[odd == 62] = 77
        assert refused(volume, semantic.with_labels(odd), instances) == ("unknown_label",)

    def test_an_empty_map(self, volume: Volume):
        semantic, instances = label_maps(volume)
        empty = instances.with_labels(np.zeros_like(instances.labels_zyx))
        assert refused(volume, semantic, empty) == ("empty_label_map",)


def uids_of(dataset: Dataset) -> set[str]:
    """Every UID in a dataset and its items."""
    found: set[str] = set()
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                found |= uids_of(item)
        elif element.VR == "UI":
            found.add(str(element.value))
    return found


class TestRepeats:
    def test_a_retry_writes_the_same_bytes(self, tmp_path: Path):
        _, _, first = encode(tmp_path / "one")
        _, _, again = encode(tmp_path / "two")
        for one, other in zip(first, again, strict=True):
            assert one.read_bytes() == other.read_bytes()

    def test_the_order_of_files_in_the_folder_changes_nothing(self, tmp_path: Path):
        _, _, first = encode(tmp_path / "one", shuffle_seed=1)
        _, _, again = encode(tmp_path / "two", shuffle_seed=2)
        for one, other in zip(first, again, strict=True):
            assert one.read_bytes() == other.read_bytes()

    def test_a_later_clock_changes_dates_and_times_and_no_identifier(self, tmp_path: Path):
        volume = volume_of(make_series(tmp_path / "mr"))
        maps = label_maps(volume)
        later = context(clock=CONTEXT.clock + timedelta(days=1, seconds=1))
        for one, other in zip(
            encode_segmentations(*maps, volume, CONTEXT),
            encode_segmentations(*maps, volume, later),
            strict=True,
        ):
            changed = {element.keyword for element in one if element != other[element.tag]} - {
                "ContributingEquipmentSequence"
            }
            assert changed == {
                f"{event}{part}"
                for event in ("InstanceCreation", "Content", "Series")
                for part in ("Date", "Time")
            }
            assert uids_of(one) == uids_of(other)

    def test_no_identifier_of_ours_is_shared_between_two_results(self, tmp_path: Path):
        volume = volume_of(make_series(tmp_path / "mr"))
        maps = label_maps(volume)
        other_model = replace(CONTEXT.semantic_model, digest="c3" * 32)
        results = (
            *encode_segmentations(*maps, volume, CONTEXT),
            *encode_segmentations(*maps, volume, context(semantic_model=other_model)),
        )
        common = uids_of(results[0]) & uids_of(results[1])
        ours = [
            {uid for uid in uids_of(result) - common if uid.startswith("2.25.")}
            for result in results
        ]
        segments = [len(result.SegmentSequence) for result in results]
        # SOP instance, series, dimension organization, one per tracked segment
        assert [len(uids) for uids in ours] == [3 + count for count in segments]
        assert len(set.union(*ours)) == sum(3 + count for count in segments)

    def test_nothing_of_highdicoms_random_root_remains(self, tmp_path: Path):
        _, _, paths = encode(tmp_path)
        for path in paths:
            assert b"1.2.826.0.1.3680043.10.511.3." not in path.read_bytes()

    def test_an_object_of_an_intended_use_has_no_research_notice(self, tmp_path: Path):
        volume = volume_of(make_series(tmp_path / "mr"))
        cleared = context(intended_use=USE)
        for dataset in encode_segmentations(*label_maps(volume), volume, cleared):
            assert "esearch" not in str(dataset)
            made_by = [i.ContributionDescription for i in dataset.ContributingEquipmentSequence]
            assert any(text.endswith(f"; {USE.text}") for text in made_by)
            assert "ContentQualification" not in dataset


def test_no_name_reaches_a_log_or_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
):
    caplog.set_level(0)
    encode(tmp_path, tags={"PatientName": "CANARY", "PatientID": "CANARY", "StudyID": "CANARY"})
    assert "CANARY" not in caplog.text
    assert not [warning for warning in recwarn if "CANARY" in str(warning.message)]
