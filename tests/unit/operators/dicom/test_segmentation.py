from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.pixels import unpack_bits
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    LegacyConvertedEnhancedMRImageStorage,
)

from operators.dicom.segmentation import encode_segmentations
from operators.dicom.whole_files import write_dataset
from operators.errors import EncodingError
from operators.imaging.volume import LabelMap
from tests.builders.mr_series import SAGITTAL, make_series
from tests.builders.results import CONTEXT, label_maps, volume_of

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
    """Frames as the standard packs them, without highdicom."""
    count = dataset.NumberOfFrames * dataset.Rows * dataset.Columns
    bits = unpack_bits(dataset.PixelData)[:count]
    return bits.reshape(dataset.NumberOfFrames, dataset.Rows, dataset.Columns)


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


@pytest.mark.parametrize("options", SOURCES.values(), ids=SOURCES.keys())
class TestEverySource:
    def test_every_voxel_comes_back_by_position(self, tmp_path: Path, options: dict[str, object]):
        volume, maps, paths = encode(tmp_path, **options)
        for wanted, path in zip(maps, paths, strict=True):
            found = labels_by_position(pydicom.dcmread(path), volume, wanted)
            np.testing.assert_array_equal(found, wanted.labels_zyx)

    def test_highdicom_reads_the_same_voxels_by_source_instance(
        self, tmp_path: Path, options: dict[str, object]
    ):
        volume, maps, paths = encode(tmp_path, **options)
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

    def test_positions_orientation_and_spacing_are_copied_to_the_last_digit(
        self, tmp_path: Path, options: dict[str, object]
    ):
        _, _, paths = encode(tmp_path, **options)
        source = pydicom.dcmread(next((tmp_path / "mr").iterdir()))
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
                for path in (tmp_path / "mr").iterdir()
            }
        assert written == str(group.ImageOrientationPatient)
        assert str(shared.PixelMeasuresSequence[0].PixelSpacing) == str(measures.PixelSpacing)
        for path in paths:
            for frame in pydicom.dcmread(path).PerFrameFunctionalGroupsSequence:
                assert str(frame.PlanePositionSequence[0].ImagePositionPatient) in places

    def test_every_frame_names_its_one_source_frame(
        self, tmp_path: Path, options: dict[str, object]
    ):
        volume, _, paths = encode(tmp_path, **options)
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

    def test_dciodvfy_finds_no_error(self, tmp_path: Path, options: dict[str, object]):
        _, _, paths = encode(tmp_path, **options)
        for path in paths:
            assert_valid(path)


def assert_valid(path: Path) -> None:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)  # noqa: S603
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
        ("ISO_IR 144", "Люкceмбypг"),
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


class TestHeader:
    @pytest.fixture(scope="class")
    def made(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset, Dataset]:
        folder = tmp_path_factory.mktemp("header")
        _, _, paths = encode(folder)
        source = pydicom.dcmread(next((folder / "mr").iterdir()))
        return source, pydicom.dcmread(paths[0]), pydicom.dcmread(paths[1])

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

    def test_both_say_binary_without_overlap_in_explicit_little_endian(
        self, made: tuple[Dataset, Dataset, Dataset]
    ):
        for result in made[1:]:
            assert result.SegmentationType == "BINARY"
            assert result.SegmentsOverlap == "NO"
            assert result.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian

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
        return volume_of(make_series(tmp_path / "mr"))

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


def test_19_slices_of_512_and_27_segments_encode_in_seconds(tmp_path: Path):
    volume, _, paths = encode(tmp_path, slices=19, rows=512, columns=512)
    assert volume.voxels_zyx.shape == (19, 512, 512)
    assert sum(len(pydicom.dcmread(path).SegmentSequence) for path in paths) == 27
