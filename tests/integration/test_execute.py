"""The whole graph in this process, with stand-in networks: results, failures, exit codes."""

from __future__ import annotations

import csv
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

from app.run.bootstrap import prepare_process
from app.run.execute import Job, execute
from operators.dicom.identity.provenance import Predecessor
from operators.dicom.identity.result_kinds import kind_of
from operators.dicom.identity.stack_identity import from_json
from operators.imaging.volume import Volume
from tests.builders.nifti_images import noise, save_image
from tests.builders.shown_spine import spine_image
from tests.builders.stations import two_stacks_in_one_object, two_stations
from tests.builders.stub_models import StubSemanticModel, config_of, spine_series, stub_bundle

CLOCK = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def job(source: Path, output: Path, **changes: object) -> Job:
    return Job(source=source, output=output, started=CLOCK, **changes)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_one_series_gives_two_segmentations_and_a_report_that_point_at_it(tmp_path: Path) -> None:
    made = spine_series(tmp_path / "in")
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert (record.status, record.exit_code) == ("ok", 0)
    assert record.series[0].vertebrae in {4, 5}
    assert files_in(tmp_path / "out") == sorted(record.series[0].files)
    objects = [pydicom.dcmread(tmp_path / "out" / name) for name in record.series[0].files]
    assert [dataset.Modality for dataset in objects] == ["SEG", "SEG", "SR"]
    *segmentations, report = objects
    for dataset in segmentations:
        reference = dataset.ReferencedSeriesSequence[0]
        assert reference.SeriesInstanceUID == made.series_uid
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert {series.SeriesInstanceUID for series in study.ReferencedSeriesSequence} == {
        made.series_uid,
        *(dataset.SeriesInstanceUID for dataset in segmentations),
    }


def test_a_report_that_is_not_wanted_is_not_written(tmp_path: Path) -> None:
    spine_series(tmp_path / "in")
    record = execute(job(tmp_path / "in", tmp_path / "out", extras=frozenset()), stub_bundle())
    assert len(record.series[0].files) == len(files_in(tmp_path / "out")) == 2


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
    doubts = {f["rule"]: f["places"] for f in entry["quality"]["findings"]}
    assert doubts["low_agreement"] == ("disc",)
    assert "low_confidence" not in doubts


def test_masks_that_the_image_contradicts_are_withheld_and_not_measured(tmp_path: Path) -> None:
    spine_series(
        tmp_path / "in", shows=None
    )  # ramps of brightness, whatever the stand-in finds in them
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    entry = record.as_dict()["series"][0]
    assert entry["quality"]["outcome"] == "withhold"
    assert "contrast_not_t2w" in {f["rule"] for f in entry["quality"]["findings"]}
    assert len(entry["files"]) == 2
    for name in entry["files"]:
        comments = pydicom.dcmread(tmp_path / "out" / name).ImageComments
        assert comments.startswith("Quality gate: Fluid is not brighter than bone marrow")
    assert not any(one["values"] for one in entry["measurements"])
    reasons = {why for one in entry["measurements"] for why in one["not_given"].values()}
    assert "result_withheld" in reasons


def test_sizes_and_angles_stand_in_the_record_and_on_demand_in_a_table(tmp_path: Path) -> None:
    image = save_image(tmp_path / "in.nii.gz", spine_image())
    record = execute(
        job(image, tmp_path / "out", extras=frozenset({"measurements"})), stub_bundle()
    )
    entry = record.as_dict()["series"][0]
    assert entry["quality"]["outcome"] == "release"
    assert not entry["quality"]["findings"]
    name = next(name for name in entry["files"] if name.endswith("_measurements.csv"))
    lines = list(csv.DictReader((tmp_path / "out" / name).read_text("utf-8").splitlines()))
    measured = {one["instance"]: one for one in entry["measurements"]}
    assert set(entry["vertebra_numbers"]) <= set(measured)
    for line in lines:
        document = measured[int(line["instance"])]
        assert line["series"] == entry["key"]
        assert line["unit"] == entry["measurement_units"][line["measure"]]
        if line["reason"]:
            assert document["not_given"][line["measure"]] == line["reason"]
        else:
            assert document["values"][line["measure"]] == float(line["value"])
    told = [len(one["values"]) + len(one["not_given"]) for one in measured.values()]
    assert len(lines) == sum(told)
    assert measured[0]["not_given"]["lumbar_lordosis"] == "levels_unknown"
    assert any("body_middle_height" in one["values"] for one in measured.values())


def test_every_operator_computes_exactly_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_process()
    from app.run import graph  # noqa: PLC0415

    spine_series(tmp_path / "in")
    counts: Counter[str] = Counter()
    for operator in graph.CLASSES.values():
        real = operator.compute

        def counted(self, *ports, real=real):
            counts[self.name] += 1
            return real(self, *ports)

        monkeypatch.setattr(operator, "compute", counted)
    execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert counts == dict.fromkeys(graph.CLASSES, 1)


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
    assert len({one.SOPInstanceUID for three in found.values() for one in three}) == 9
    masks = {
        name: [one.PixelData for one in three if one.Modality == "SEG"]
        for name, three in found.items()
    }
    assert masks["setting"] == masks["mirrored"] == masks["plain"]
    assert len(masks["plain"]) == 2


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
    assert len(files_in(tmp_path / "out")) == 6


@pytest.mark.parametrize("tilt", [False, True])
def test_two_stations_of_one_series_give_two_pairs_with_names_and_identities_of_their_own(
    tmp_path: Path,
    tilt: bool,  # noqa: FBT001 - a parametrised case
) -> None:
    upper, lower = two_stations(tmp_path / "in", tilt=tilt)
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert (record.status, record.exit_code) == ("ok", 0)
    objects = [pydicom.dcmread(tmp_path / "out" / name) for name in files_in(tmp_path / "out")]
    results = [one for one in objects if one.Modality == "SEG"]
    assert [(r.SeriesDescription, r.SeriesNumber) for r in objects if r.Modality == "SR"] == [
        ("SPINEPS measurements, stack 1 of 2 - research only", 3903),
        ("SPINEPS measurements, stack 2 of 2 - research only", 3913),
    ]
    assert [(r.SeriesDescription, r.SeriesNumber, referenced(r)) for r in results] == [
        ("SPINEPS instances, stack 1 of 2 - research only", 3902, set(upper.sop_instance_uids)),
        ("SPINEPS semantic, stack 1 of 2 - research only", 3901, set(upper.sop_instance_uids)),
        ("SPINEPS instances, stack 2 of 2 - research only", 3912, set(lower.sop_instance_uids)),
        ("SPINEPS semantic, stack 2 of 2 - research only", 3911, set(lower.sop_instance_uids)),
    ]
    assert len({r.SOPInstanceUID for r in objects}) == 6
    assert len({r.SeriesInstanceUID for r in objects}) == 6
    assert [entry.key.rpartition("_")[2] for entry in record.series] == ["stack1", "stack2"]


def test_two_stacks_of_one_enhanced_object_are_each_segmented_on_their_own_frames(
    tmp_path: Path,
) -> None:
    two_stacks_in_one_object(tmp_path / "in")
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert (record.status, record.exit_code) == ("ok", 0)
    frames = []
    for name in files_in(tmp_path / "out"):
        result = pydicom.dcmread(tmp_path / "out" / name)
        if result.Modality == "SR":
            continue
        groups = result.PerFrameFunctionalGroupsSequence
        items = [group.DerivationImageSequence[0].SourceImageSequence[0] for group in groups]
        frames.append({item.ReferencedFrameNumber for item in items})
    assert len(frames) == 4
    assert all(max(numbers) <= 12 for numbers in frames[:2])
    assert all(min(numbers) > 12 for numbers in frames[2:])


def test_a_station_with_a_missing_slice_loses_not_the_other_one(tmp_path: Path) -> None:
    two_stations(tmp_path / "in", missing=(5,))
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert (record.status, record.exit_code) == ("partial", 0)
    upper, lower = record.series
    assert (upper.status, lower.status) == ("ok", "failed")
    assert lower.error is not None
    assert lower.error.reasons == ("missing_slice",)
    (decision,) = record.decisions
    assert decision["accepted"]
    assert [stack["reasons"] for stack in decision["stacks"]] == [[], ["missing_slice"]]


def test_a_later_revision_replaces_the_result_of_the_same_station_and_no_other(
    tmp_path: Path,
) -> None:
    upper, lower = two_stations(tmp_path / "all")
    for made, folder in ((lower, "first"), (upper, "second")):
        (tmp_path / folder).mkdir()
        for path in made.paths:
            (tmp_path / folder / path.name).hardlink_to(path)
    before = execute(job(tmp_path / "first", tmp_path / "before"), stub_bundle())
    earlier = predecessors_of(before.as_dict(), tmp_path / "before")
    after = execute(job(tmp_path / "all", tmp_path / "after", predecessors=earlier), stub_bundle())
    replaced = [replaces(tmp_path / "after" / name) for name in files_in(tmp_path / "after")]
    old = {one.kind: one.series_uid for one in earlier}
    # The upper station is stack 1 now; what was the only stack is stack 2.
    kinds = ("instances", "measurement_report", "semantic")
    assert replaced == [[], [], [], *([old[kind]] for kind in kinds)]
    later = (*predecessors_of(after.as_dict(), tmp_path / "after"), *earlier)
    again = execute(job(tmp_path / "second", tmp_path / "again", predecessors=later), stub_bundle())
    assert again.exit_code == 0
    upper_uids = [one.series_uid for one in later if one.stack.number == 1][:3]
    named = [replaces(tmp_path / "again" / name) for name in files_in(tmp_path / "again")]
    assert [uid for uids in named for uid in uids] == upper_uids


def referenced(result: pydicom.Dataset) -> set[str]:
    items = result.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    return {item.ReferencedSOPInstanceUID for item in items}


def replaces(path: Path) -> list[str]:
    result = pydicom.dcmread(path)
    series = list(result.get("RelatedSeriesSequence") or ())
    for study in result.get("PredecessorDocumentsSequence") or ():
        series += study.ReferencedSeriesSequence
    return [item.SeriesInstanceUID for item in series]


def predecessors_of(record: dict[str, Any], folder: Path) -> tuple[Predecessor, ...]:
    """What the node hands to the next run of the series: from its journal, in order of names."""
    found = []
    for entry in record["series"]:
        for name in sorted(entry["files"]):
            kind = kind_of(name)
            assert kind is not None
            header = pydicom.dcmread(folder / name, stop_before_pixels=True)
            one = Predecessor(
                kind=kind.name,
                study_uid=header.StudyInstanceUID,
                series_uid=header.SeriesInstanceUID,
                sop_instance_uid=header.SOPInstanceUID,
                stack=from_json(entry["stack"]),
            )
            found.append(one)
    return tuple(found)


def test_a_dual_echo_without_echo_times_is_segmented_on_its_later_echo(tmp_path: Path) -> None:
    made = spine_series(tmp_path / "in", echo_times=(11.0, 92.0), tags={"EchoTime": None})
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert record.exit_code == 0, record.error
    told = {reason["name"]: reason["detail"] for reason in record.decisions[0]["reasons"]}
    assert told["frames_left_out"] == "12 of 24: echo 1"
    result = pydicom.dcmread(tmp_path / "out" / files_in(tmp_path / "out")[0])
    assert referenced(result) == set(made.sop_instance_uids[1::2])


def test_one_acquisition_in_twelve_series_is_refused_once_and_answers_12(tmp_path: Path) -> None:
    spine_series(
        tmp_path / "in",
        slice_tags={n: {"SeriesInstanceUID": f"1.2.3.{n}"} for n in range(12)},
    )
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert (record.status, record.exit_code) == ("failed", 12)
    (entry,) = record.series
    assert entry.error is not None
    assert entry.error.reasons == ("acquisition_split_over_series",)
    assert len(record.decisions) == 12
    assert not (tmp_path / "out").exists()


def test_a_knee_by_five_texts_answers_11_without_inference(tmp_path: Path) -> None:
    texts = {
        "BodyPartExamined": "KNEE",
        "StudyDescription": "MRT Knie links",
        "ProtocolName": "knee_routine",
        "SeriesDescription": "t2_tse_sag knee",
        "RequestedProcedureDescription": "MR knee without contrast",
    }
    spine_series(tmp_path / "in", tags=texts)
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert record.exit_code == 11
    assert record.error is not None
    assert "other_body_part" in record.error.reasons


def test_the_record_names_the_problems_of_the_files(tmp_path: Path) -> None:
    made = spine_series(tmp_path / "in", missing=(5,))
    copy = tmp_path / "in" / "copy.dcm"
    copy.write_bytes(made.paths[3].read_bytes())
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    (decision,) = record.decisions
    assert decision["problems"] == ["duplicate_instances: 1 of 12 files"]
    assert (decision["selected"], decision["accepted"]) == (True, False)
    assert "missing_slice" in {reason["name"] for reason in decision["reasons"]}


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
    from app.run import graph  # noqa: PLC0415

    spine_series(tmp_path / "in")

    def swallow(_self: object, op_input: Any, *_: object) -> None:
        op_input.receive("cases")

    monkeypatch.setattr(graph.PostprocessOperator, "compute", swallow)
    record = execute(job(tmp_path / "in", tmp_path / "out"), stub_bundle())
    assert (record.status, record.exit_code) == ("interrupted", 75)
    assert not (tmp_path / "out").exists()


def test_a_nifti_image_gives_the_spineps_named_masks_on_its_grid(tmp_path: Path) -> None:
    affine = np.diag([-1.5, -1.5, 1.5, 1.0])  # LPS voxel axes in RAS space
    image = nib.Nifti1Image(noise((40, 64, 100)), affine)
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
    nib.save(nib.Nifti1Image(noise((40, 64, 100)), affine), source)
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
    record = execute(
        job(tmp_path / "in", tmp_path / "out", extras=frozenset({"overlay"})), stub_bundle()
    )
    picture = next((tmp_path / "out").glob("*_overlay.png"))
    assert picture.name in record.series[0].files
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_report_and_picture_are_written_where_wanted_and_the_same_again(tmp_path: Path) -> None:
    spine_series(tmp_path / "in", tags={"PatientName": "CANARY^NAME"})
    extras = frozenset({"report_file", "pdf", "preview"})
    for folder in ("out", "again"):
        record = execute(job(tmp_path / "in", tmp_path / folder, extras=extras), stub_bundle())
    key = record.series[0].key
    names = [f"{key}{ending}" for ending in ("_report.pdf", "_pdf.dcm", "_preview.dcm")]
    assert set(names) <= set(record.series[0].files)
    for name in names:
        content = (tmp_path / "out" / name).read_bytes()
        assert content == (tmp_path / "again" / name).read_bytes()
    page = (tmp_path / "out" / names[0]).read_bytes()
    wrapped = pydicom.dcmread(tmp_path / "out" / names[1])
    assert wrapped.EncapsulatedDocument[: wrapped.EncapsulatedDocumentLength] == page
    assert wrapped.PatientName == "CANARY^NAME"
    assert b"CANARY" not in page  # the page shows it, in compressed streams; no property names it
    assert "CANARY" not in json.dumps(record.as_dict())


def test_a_nifti_image_gets_a_report_file_and_no_dicom_object(tmp_path: Path) -> None:
    source = tmp_path / "sub-X_T2w.nii.gz"
    nib.save(nib.Nifti1Image(noise((40, 64, 100)), np.diag([-1.5, -1.5, 1.5, 1.0])), source)
    extras = frozenset({"report_file", "pdf", "preview"})
    record = execute(job(source, tmp_path / "out", extras=extras), stub_bundle())
    assert record.exit_code == 0, record.error
    assert [path.suffix for path in (tmp_path / "out").glob("*_report*")] == [".pdf"]
    assert not list((tmp_path / "out").glob("*.dcm"))


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
