"""The whole graph in this process, with stand-in networks: results, failures, exit codes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import psutil
import pydicom
import pytest

from app.bootstrap import prepare_process
from app.execute import Job, execute
from operators.imaging.volume import Volume
from tests.builders.stub_models import StubSemanticModel, config_of, spine_series, stub_bundle

CLOCK = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def job(source: Path, output: Path, **changes: object) -> Job:
    return Job(source=source, output=output, started=CLOCK, **changes)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_one_series_gives_two_segmentations_that_point_at_it(tmp_path: Path) -> None:
    made = spine_series(tmp_path / "in")
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert (record.status, record.exit_code) == ("ok", 0)
    assert record.series[0].vertebrae in {4, 5}
    assert files_in(tmp_path / "out") == sorted(record.series[0].files)
    assert len(record.series[0].files) == 2
    for name in record.series[0].files:
        dataset = pydicom.dcmread(tmp_path / "out" / name)
        assert dataset.Modality == "SEG"
        reference = dataset.ReferencedSeriesSequence[0]
        assert reference.SeriesInstanceUID == made.series_uid


def test_folds_that_contradict_each_other_in_the_discs_are_named_in_the_record(
    tmp_path: Path,
) -> None:
    spine_series(tmp_path / "in")
    semantic = StubSemanticModel(contested=100)
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle(semantic))
    entry = record.as_dict()["series"][0]
    assert entry["agreement"]["structures"]["disc"] == 0.5
    assert entry["agreement"]["structures"]["canal"] == 1.0
    assert set(entry["agreement"]["vertebrae"].values()) == {1.0}
    assert entry["low_agreement"] == ("disc",)
    assert entry["low_confidence"] == ()


def test_every_operator_computes_exactly_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_process()
    from app import graph  # noqa: PLC0415

    spine_series(tmp_path / "in")
    counts: Counter[str] = Counter()
    operators = [
        graph.SelectSeriesOperator,
        graph.AssembleVolumeOperator,
        graph.SegmentSemanticOperator,
        graph.SegmentInstancesOperator,
        graph.PostprocessOperator,
        graph.WriteSegmentationOperator,
    ]
    for operator in operators:
        real = operator.compute

        def counted(self, *ports, real=real):
            counts[self.name] += 1
            return real(self, *ports)

        monkeypatch.setattr(operator, "compute", counted)
    execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert counts == dict.fromkeys(graph.FLOW, 1)


def test_a_repeat_writes_the_same_bytes(tmp_path: Path) -> None:
    spine_series(tmp_path / "in")
    for name in ("first", "second"):
        execute(job(tmp_path / "in", tmp_path / name), stub_bundle())
    first, second = (sorted((tmp_path / n).iterdir()) for n in ("first", "second"))
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_a_setting_that_changes_results_and_another_use_of_a_model_are_other_objects(
    tmp_path: Path,
) -> None:
    spine_series(tmp_path / "in")
    mirrored = StubSemanticModel(config=replace(config_of("semantic"), mirror_left_right=True))
    runs = {
        "plain": (job(tmp_path / "in", tmp_path / "plain"), stub_bundle()),
        "setting": (
            job(tmp_path / "in", tmp_path / "setting", parameters=(("section.key", "1"),)),
            stub_bundle(),
        ),
        "mirrored": (job(tmp_path / "in", tmp_path / "mirrored"), stub_bundle(mirrored)),
    }
    found = {}
    for name, (work, models) in runs.items():
        execute(work, models)
        found[name] = [pydicom.dcmread(p) for p in sorted((tmp_path / name).iterdir())]
    assert len({one.SOPInstanceUID for pair in found.values() for one in pair}) == 6
    for pair in found.values():
        assert [one.PixelData for one in pair] == [one.PixelData for one in found["plain"]]


def test_three_stations_are_each_segmented_and_a_broken_one_loses_no_other(
    tmp_path: Path,
) -> None:
    spine_series(tmp_path / "in" / "a", name="A")
    spine_series(tmp_path / "in" / "b", name="B", origin=(31.5, -84.25, -52.0))
    spine_series(tmp_path / "in" / "c", name="C", missing=(5,))
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert (record.status, record.exit_code) == ("partial", 0)
    assert sorted(entry.status for entry in record.series) == ["failed", "ok", "ok"]
    failed = next(entry for entry in record.series if entry.error is not None)
    assert "missing_slice" in failed.error.reasons
    assert len(files_in(tmp_path / "out")) == 4


def test_a_refused_geometry_alone_answers_12_and_writes_nothing(tmp_path: Path) -> None:
    spine_series(tmp_path / "in", missing=(5,))
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert (record.status, record.exit_code) == ("failed", 12)
    assert not (tmp_path / "out").exists()


def test_no_spine_in_the_image_answers_13_and_writes_nothing(tmp_path: Path) -> None:
    spine_series(tmp_path / "in")
    record = execute(
        job(tmp_path / "in", tmp_path / "out"), stub_bundle(StubSemanticModel(empty=True))
    )
    assert record.exit_code == 13
    assert not (tmp_path / "out").exists()


def test_a_t1w_series_alone_answers_11_with_the_reason(tmp_path: Path) -> None:
    spine_series(tmp_path / "in", echo_times=(9.0,), tags={"RepetitionTime": 500.0})
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert (record.status, record.exit_code) == ("no_series", 11)
    assert record.decisions[0]["accepted"] is False
    assert record.decisions[0]["reasons"]


@pytest.mark.parametrize("content", [None, "text"])
def test_an_input_without_dicom_answers_10(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "in").mkdir()
    if content:
        (tmp_path / "in" / "notes.txt").write_text(content)
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert record.exit_code == 10
    assert not (tmp_path / "out").exists()


def test_a_missing_input_answers_10(tmp_path: Path) -> None:
    assert execute(job(tmp_path / "nowhere", tmp_path / "out"), stub_bundle()).exit_code == 10


def test_an_output_that_is_a_file_answers_40(tmp_path: Path) -> None:
    spine_series(tmp_path / "in")
    (tmp_path / "out").write_text("in the way")
    assert execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle()).exit_code == 40
    assert (tmp_path / "out").read_text() == "in the way"


def test_inference_that_fails_answers_30_and_leaves_what_was_there(tmp_path: Path) -> None:
    spine_series(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_text("keep me")
    broken = StubSemanticModel(fails_on=lambda _: True)
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle(broken))
    assert record.exit_code == 30
    assert files_in(tmp_path / "out") == ["old.txt"]


def test_a_cancelled_run_answers_75_and_writes_nothing(tmp_path: Path) -> None:
    spine_series(tmp_path / "in")
    seen: list[str] = []

    def progress(_key: str, step: str, _fraction: float) -> None:
        seen.append(step)

    record = execute(
        job(tmp_path / "in", tmp_path / "out"),
        stub_bundle(),
        progress=progress,
        is_cancelled=lambda: "segment_semantic" in seen,
    )
    assert (record.status, record.exit_code) == ("interrupted", 75)
    assert not (tmp_path / "out").exists()


def test_an_operator_that_emits_nothing_never_looks_like_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_process()
    from app import graph  # noqa: PLC0415

    spine_series(tmp_path / "in")

    def swallow(_self: object, op_input: Any, *_: object) -> None:
        op_input.receive("cases")

    monkeypatch.setattr(graph.PostprocessOperator, "compute", swallow)
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert (record.status, record.exit_code) == ("interrupted", 75)
    assert not (tmp_path / "out").exists()


def test_a_nifti_image_gives_the_spineps_named_masks_on_its_grid(tmp_path: Path) -> None:
    affine = np.diag([-1.5, -1.5, 1.5, 1.0])  # LPS voxel axes in RAS space
    image = nib.Nifti1Image(np.ones((40, 64, 100), np.int16), affine)
    source = tmp_path / "sub-X_T2w.nii.gz"
    nib.save(image, source)
    record = execute(job(source, tmp_path / "out"), stub_bundle())
    assert record.exit_code == 0, record.error
    assert files_in(tmp_path / "out") == [
        "sub-X_mod-T2w_seg-spine_ctd.json",
        "sub-X_mod-T2w_seg-spine_msk.nii.gz",
        "sub-X_mod-T2w_seg-vert_msk.nii.gz",
    ]
    mask = nib.load(tmp_path / "out" / "sub-X_mod-T2w_seg-vert_msk.nii.gz")
    assert mask.shape == image.shape
    np.testing.assert_allclose(mask.affine, affine, atol=1e-5)
    assert {2, 3, 4, 102} <= set(np.unique(np.asarray(mask.dataobj)).tolist())
    document = json.loads((tmp_path / "out" / "sub-X_mod-T2w_seg-spine_ctd.json").read_text())
    assert set(document[1]) >= {"2", "3", "4"}


def test_a_given_mask_starts_at_phase_2(tmp_path: Path) -> None:
    affine = np.diag([-1.5, -1.5, 1.5, 1.0])
    source, mask = tmp_path / "sub-X_T2w.nii.gz", tmp_path / "mask.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((40, 64, 100), np.int16), affine), source)
    execute(job(source, tmp_path / "whole"), stub_bundle())
    made = tmp_path / "whole" / "sub-X_mod-T2w_seg-spine_msk.nii.gz"
    mask.write_bytes(made.read_bytes())
    from dataclasses import replace  # noqa: PLC0415

    bundle = replace(stub_bundle(), semantic=None)
    record = execute(job(source, tmp_path / "out", semantic_mask=mask), bundle)
    assert record.exit_code == 0, record.error
    assert "semantic_mask_given" in record.series[0].facts
    name = "sub-X_mod-T2w_seg-vert_msk.nii.gz"
    first, second = (
        np.asarray(nib.load(tmp_path / folder / name).dataobj) for folder in ("whole", "out")
    )
    np.testing.assert_array_equal(first, second)


def test_an_overlay_is_written_where_wanted(tmp_path: Path) -> None:
    spine_series(tmp_path / "in")
    record = execute(job(tmp_path / "in", tmp_path / "out", overlay=True), stub_bundle())
    picture = next((tmp_path / "out").glob("*_overlay.png"))
    assert picture.name in record.series[0].files
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_no_patient_data_in_the_record_of_a_refusal(tmp_path: Path) -> None:
    tags = {"PatientName": "CANARY^NAME", "PatientID": "CANARYID"}
    spine_series(tmp_path / "in", missing=(5,), tags=tags)
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert "CANARY" not in json.dumps(record.as_dict())


def test_50_runs_in_one_process_do_not_grow(tmp_path: Path) -> None:
    spine_series(tmp_path / "in", rows=72, columns=48)
    process = psutil.Process()

    def run(number: int) -> None:
        record = execute(job(tmp_path / "in", tmp_path / f"out{number}"), stub_bundle())
        assert record.exit_code == 0, record.error

    for number in range(15):  # the first runs fill caches and allocator arenas
        run(number)
    before = (process.memory_info().rss, process.num_fds(), process.num_threads())
    for number in range(15, 50):
        run(number)
    after = (process.memory_info().rss, process.num_fds(), process.num_threads())
    assert after[0] - before[0] < 60 * 2**20  # measured: a few MB; a volume leaked per run is more
    assert after[1] <= before[1] + 2
    assert after[2] <= before[2] + 2


def test_the_stub_paints_what_the_tests_expect() -> None:
    volume = Volume(np.ones((100, 64, 40), np.float32), np.diag([1.5, 1.5, 1.5, 1.0])[[2, 1, 0, 3]])
    labels = StubSemanticModel().segment(volume).labels.labels_zyx
    assert set(np.unique(labels)) == {0, 41, 49, 61, 100}
