from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from operators.dicom.identity.provenance import Predecessor, ResultContext
from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.predecessors import name_predecessors
from operators.dicom.results.segmentation import encode_segmentations
from operators.imaging.volume import Volume
from tests.builders.mr_series import make_series
from tests.builders.results import CONTEXT, label_maps, volume_of

KINDS = ("semantic", "instances")


def encode(volume: Volume, folder: Path, context: ResultContext) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{kind}.dcm" for kind in KINDS]
    both = encode_segmentations(*label_maps(volume), volume, context)
    for dataset, path in zip(both, paths, strict=True):
        write_dataset(dataset, path)
    return paths


def predecessors_of(paths: list[Path]) -> tuple[Predecessor, ...]:
    """As the node reads them from its journal."""
    return tuple(
        Predecessor(
            kind=kind,
            study_uid=dataset.StudyInstanceUID,
            series_uid=dataset.SeriesInstanceUID,
            sop_instance_uid=dataset.SOPInstanceUID,
        )
        for kind, dataset in zip(KINDS, map(pydicom.dcmread, paths), strict=True)
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, list[Path], list[Path], Path]:
    """10 slices first, 12 with the late ones."""
    folder = tmp_path_factory.mktemp("revision")
    before = volume_of(make_series(folder / "early", slices=10))
    volume = volume_of(make_series(folder / "all", slices=12))
    first = encode(before, folder / "first", CONTEXT)
    context = replace(CONTEXT, predecessors=predecessors_of(first))
    return volume, first, encode(volume, folder / "second", context), folder


def test_each_object_names_the_series_of_the_one_of_its_own_kind(made: tuple):
    _, first, second, _ = made
    for old, new in zip(map(pydicom.dcmread, first), map(pydicom.dcmread, second), strict=True):
        (named,) = new.RelatedSeriesSequence
        assert (named.StudyInstanceUID, named.SeriesInstanceUID) == (
            old.StudyInstanceUID,
            old.SeriesInstanceUID,
        )
        (purpose,) = named.PurposeOfReferenceCodeSequence
        assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("REPLACED", "99SPINENODE")
        schemes = [item.CodingSchemeDesignator for item in new.CodingSchemeIdentificationSequence]
        assert schemes == ["99SPINENODE"]
        # Viewers list both, with one Series Number.
        what = old.SeriesDescription.removesuffix(" - research only")
        assert new.SeriesDescription == f"{what}, revised - research only"


def test_viewers_find_the_source_series_alone_to_lay_it_on(made: tuple):
    # OHIF lays a segmentation on whichever series of this sequence it has read first.
    volume, _, second, _ = made
    source = pydicom.dcmread(volume.source[0].path, stop_before_pixels=True)
    for new in map(pydicom.dcmread, second):
        (series,) = new.ReferencedSeriesSequence
        assert series.SeriesInstanceUID == source.SeriesInstanceUID
        # Nothing else of it points at the old instance, which would have to be listed here.
        assert "ReferencedImageSequence" not in new


def test_no_identifier_is_shared_with_the_predecessor(made: tuple):
    _, first, second, _ = made
    own = ("SOPInstanceUID", "SeriesInstanceUID")
    old, new = (
        {str(pydicom.dcmread(path)[name].value) for path in paths for name in own}
        for paths in (first, second)
    )
    assert len(old) == len(new) == 4
    assert old.isdisjoint(new)


def test_a_repeat_gives_the_same_bytes(made: tuple):
    volume, first, second, folder = made
    context = replace(CONTEXT, predecessors=predecessors_of(first)[::-1])
    again = encode(volume, folder / "again", context)
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in second]


def test_the_same_images_without_or_with_another_predecessor_are_other_objects(
    made: tuple,
):
    volume, _, second, folder = made
    alone = encode(volume, folder / "alone", CONTEXT)
    grandchild = replace(
        CONTEXT, predecessors=predecessors_of(second), clock=CONTEXT.clock + timedelta(days=1)
    )
    third = encode(volume, folder / "third", grandchild)
    uids = {pydicom.dcmread(path).SOPInstanceUID for path in alone + second + third}
    assert len(uids) == 6
    assert "RelatedSeriesSequence" not in pydicom.dcmread(alone[0])


def test_dciodvfy_finds_no_error(made: tuple):
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    for path in made[2]:
        done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
        said = (done.stdout + done.stderr).splitlines()
        assert [line for line in said if line.startswith("Error")] == []
        assert any(line.strip() == "Segmentation" for line in said)


def test_every_series_is_named_once_whatever_study_it_is_in():
    result = Dataset()
    replaced = [
        Predecessor(kind="semantic", study_uid=study, series_uid=series, sop_instance_uid=sop)
        for study, series, sop in (
            ("8", "8.1", "8.1.1"),
            ("7", "7.1", "7.1.1"),
            ("8", "8.1", "8.1.2"),
        )
    ]
    name_predecessors(result, replaced)
    assert [
        (item.StudyInstanceUID, item.SeriesInstanceUID) for item in result.RelatedSeriesSequence
    ] == [("7", "7.1"), ("8", "8.1")]


def test_without_predecessors_nothing_is_written():
    result = Dataset()
    name_predecessors(result, ())
    assert result == Dataset()
