"""A whole run: data, folds, loop, report, on tiny networks."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pytest
import torch

from app.errors import ConfigurationError
from app.research.training import cases as case_module
from app.research.training import sources
from app.research.training.augmentation import TileGrid
from app.research.training.cases import Case, store
from app.research.training.cutout_drawing import CutoutGrid
from app.research.training.presets import (
    INSTANCE_PRESETS,
    SEMANTIC_PRESETS,
    Schedule,
    compact_design,
)
from app.research.training.request import Request
from app.research.training.runs import train
from app.research.training.semantic import SemanticPhase, TrainingData
from app.research.training.shelf import CaseShelf, Mix
from app.research.training.sources import DatasetSource, Listener
from operators.errors import InterruptedRunError, ModelUnusableError, UnreadableInputError
from operators.networks.inference_config import read_config
from operators.networks.instances import load_instance_model
from operators.networks.semantic import load_semantic_model
from tests.builders.bids_dataset import bids
from tests.builders.nnunet_folder import write_folder

MM = (3.3, 1.5, 1.5)


def column(seed: int, _grid: object = None, *, device: str = "cpu") -> Case:
    assert device == "cpu"
    labels = np.zeros((10, 60, 40), np.uint8)
    numbers = np.zeros_like(labels)
    for number in (1, 2, 3):
        rows = slice(4 + 18 * (number - 1), 18 * number)
        labels[:, rows, 8:26], numbers[:, rows, 8:26] = 49, number
    image = (0.2 + 0.01 * (seed % 5) + 0.5 * (labels == 49)).astype(np.float16)
    return Case(image[None], labels, numbers, MM)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    semantic = replace(
        SEMANTIC_PRESETS["compact"],
        design=compact_design((8, 16)),
        grid=TileGrid((8, 32, 32), MM),
        schedule=Schedule(peak=2e-2),
        folds=2,
        correct_bias=False,
    )
    grid = CutoutGrid((32, 32, 8), (1.75, 1.75, 2.75))
    instance = replace(INSTANCE_PRESETS["compact"], cutout=grid)
    monkeypatch.setitem(SEMANTIC_PRESETS, "compact", semantic)
    monkeypatch.setitem(INSTANCE_PRESETS, "compact", instance)
    monkeypatch.setattr(case_module, "make_case", column)
    monkeypatch.setattr(sources, "HELD_OUT_SPINES", 2)


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.data: list[tuple[str, int, int]] = []
        self.steps: list[tuple[int, int]] = []
        self.notes: list[str] = []
        self.listener = Listener(
            lambda *entry: self.data.append(entry),
            lambda fold, step, *_: self.steps.append((fold, step)),
            self.notes.append,
        )


def request(tmp_path: Path, **changes: object) -> Request:
    base = Request(
        phase="semantic",
        preset="compact",
        output=tmp_path / "model",
        work=tmp_path / "work",
        spines=2,
        steps=4,
        seed=3,
    )
    return replace(base, **changes)


def test_synthetic_spines_train_two_folds_and_leave_reports_with_curves(tmp_path: Path) -> None:
    told = Told()
    reports = train(request(tmp_path), told.listener)
    assert [r.name for r in reports] == [f"semantic-compact-fold{k}-report.json" for k in (0, 1)]
    assert told.steps == [(fold, step) for fold in (0, 1) for step in (1, 2, 3, 4)]
    assert ("synthetic spines", 2, 2) in told.data
    report = json.loads(reports[1].read_text("utf-8"))
    assert (report["fold"], report["steps"], report["mix"]) == (1, 4, {"synthetic": 1.0})
    assert report["losses"][-1]["step"] == 4
    assert report["precision"] in {"bf16", "fp32"}
    assert set(report["validation"][-1]) == {"step", "dice_49"}
    for kind in ("curves", "held-out"):
        picture = (tmp_path / "work" / f"semantic-compact-fold1-{kind}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
    assert load_semantic_model(tmp_path / "model").config.available_folds == ("0", "1")


def test_a_longer_training_can_go_to_spines_that_it_has_not_seen(tmp_path: Path) -> None:
    train(request(tmp_path, fold=0), Told().listener)
    told = Told()
    report = train(request(tmp_path, fold=0, steps=6, first_spine=40), told.listener)[0]
    made = (tmp_path / "work").glob("cases-*/synthetic/*.npz")
    assert sorted(path.stem for path in made) == ["0000000", "0000001", "0000040", "0000041"]
    assert json.loads(report.read_text("utf-8"))["first_spine"] == 40
    assert told.steps == [(0, 5), (0, 6)]


def test_four_threads_that_draw_end_with_the_weights_that_one_ends_with(tmp_path: Path) -> None:
    ends = []
    for workers in (1, 4):
        output = tmp_path / f"model-{workers}"
        train(request(tmp_path, fold=0, steps=3, workers=workers, output=output), Told().listener)
        state = tmp_path / "work" / "semantic-compact-fold0.pt"
        ends.append(torch.load(state, weights_only=True))
        state.unlink()
    one, four = (end["network"] for end in ends)
    assert one.keys() == four.keys()
    assert all(torch.equal(one[name], four[name]) for name in one)
    assert ends[0]["losses"] == ends[1]["losses"]


def test_the_same_request_resumes_and_a_finished_one_does_nothing(tmp_path: Path) -> None:
    told = Told()
    train(request(tmp_path, fold=0, stop_after_seconds=0.0), told.listener)
    assert told.steps == [(0, 1)]
    train(request(tmp_path, fold=0), told.listener)
    train(request(tmp_path, fold=0), told.listener)
    assert told.steps == [(0, 1), (0, 2), (0, 3), (0, 4)]


def test_minutes_are_for_all_folds_together_and_a_stopped_run_goes_on(tmp_path: Path) -> None:
    told = Told()
    reports = train(request(tmp_path, stop_after_seconds=0.0), told.listener)
    assert (len(reports), told.steps) == (1, [(0, 1)])
    assert len(train(request(tmp_path), told.listener)) == 2
    assert told.steps == [(fold, step) for fold in (0, 1) for step in (1, 2, 3, 4)]


def test_a_wish_to_stop_ends_the_making_of_spines_and_the_training(tmp_path: Path) -> None:
    told = Told()
    with pytest.raises(InterruptedRunError):
        train(request(tmp_path), told.listener, lambda: True)
    assert told.data == [("synthetic spines", 1, 2)]
    asked = chain([False] * 4, repeat(True))  # two spines, two held-out ones, the first step
    report = train(request(tmp_path), told.listener, lambda: next(asked))[0]
    assert told.steps == [(0, 1)]
    assert json.loads(report.read_text("utf-8"))["validation"] == []  # it was in a hurry
    assert not list(report.parent.glob("*-held-out.png"))


def test_the_folds_differ_in_their_weights_and_in_what_they_see(tmp_path: Path) -> None:
    data = TrainingData(training=Mix([(CaseShelf(shelved(tmp_path)), 1.0)]))
    first, other, again = (
        SemanticPhase(SEMANTIC_PRESETS["compact"], data, tmp_path / "m", seed=3, fold=fold)
        for fold in (0, 1, 0)
    )
    assert np.array_equal(first.sample(5).image, again.sample(5).image)
    assert not np.array_equal(first.sample(5).image, other.sample(5).image)


def shelved(folder: Path) -> Path:
    store(column(1), folder / "shelf" / "0000001.npz")
    return folder / "shelf"


def test_another_seed_in_the_same_work_folder_is_refused(tmp_path: Path) -> None:
    train(request(tmp_path, fold=0), Told().listener)
    with pytest.raises(ConfigurationError, match="seed is 3 there and 4 here"):
        train(request(tmp_path, fold=0, seed=4), Told().listener)
    told = Told()
    with pytest.raises(ConfigurationError, match="mix is"):
        train(request(tmp_path, fold=0, mix={"synthetic": 2.0}, spines=9), told.listener)
    assert told.data == []  # before any spine is made
    longer = train(request(tmp_path, fold=0, steps=6, spines=3), Told().listener)
    assert json.loads(longer[0].read_text("utf-8"))["steps"] == 6


def test_a_finished_training_writes_its_model_to_another_folder_too(tmp_path: Path) -> None:
    train(request(tmp_path, fold=0), Told().listener)
    told = Told()
    train(request(tmp_path, fold=0, output=tmp_path / "other"), told.listener)
    assert told.steps == []
    files = [tmp_path / n / "fold_0" / "checkpoint_final.pth" for n in ("model", "other")]
    first, second = (torch.load(f, weights_only=True)["network_weights"] for f in files)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_two_data_sets_and_spines_are_mixed_and_notes_are_passed_on(tmp_path: Path) -> None:
    automatic = bids(tmp_path / "automatic", "01", "02", "03")
    manual = bids(tmp_path / "manual", "04")
    for path in manual.glob("derivatives_seg/sub-04/*_seg-vert_msk.nii.gz"):
        path.unlink()
    lonely = automatic / "sub-09" / "sub-09_T2w.nii.gz"
    lonely.parent.mkdir()
    lonely.write_bytes(b"")
    wanted = request(
        tmp_path,
        datasets=(
            DatasetSource(folder=automatic, kind="bids", name="automatic"),
            DatasetSource(folder=manual, kind="bids", name="manual"),
        ),
        mix={"automatic": 1.0, "manual": 3.0, "synthetic": 2.0},
        fold=1,
    )
    told = Told()
    report = json.loads(train(wanted, told.listener)[0].read_text("utf-8"))
    assert report["mix"] == wanted.mix
    assert [name for name, *_ in report["datasets"]] == ["automatic", "manual"]
    assert ("annotated images, automatic", 3, 3) in told.data
    assert ("annotated images, manual", 1, 1) in told.data
    assert told.notes == ["1 T2w images have no mask and are left out"]


def test_phase_2_trains_on_the_data_sets_own_parts_and_numbers(tmp_path: Path) -> None:
    source = DatasetSource(folder=bids(tmp_path / "data", "01"), kind="bids")
    wanted = request(tmp_path, phase="instance", datasets=(source,), mix={"real": 1.0})
    report = json.loads(train(wanted, Told().listener)[0].read_text("utf-8"))
    assert report["synthetic_spines"] == 0
    assert load_instance_model(tmp_path / "model").config.cutout_size == (32, 32, 8)


def test_phase_2_trains_on_predicted_maps_of_every_fifth_spine_and_all_images(
    tmp_path: Path,
) -> None:
    model = write_folder(tmp_path / "phase-1")
    source = DatasetSource(folder=bids(tmp_path / "data", "01", "02"), kind="bids")
    wanted = request(
        tmp_path,
        phase="instance",
        datasets=(source,),
        mix={"real": 1.0, "synthetic": 1.0},
        spines=6,
        steps=2,
        predicted_by=model,
    )
    told = Told()
    report = json.loads(train(wanted, told.listener)[0].read_text("utf-8"))
    assert report["predicted_by"] == str(model)
    assert [entry for entry in told.data if entry[0] == "predicted maps"] == [
        ("predicted maps", done, 4) for done in (1, 2, 3, 4)
    ]
    made = sorted((tmp_path / "work").glob("cases-*/predicted/*/*/*.npz"))
    assert [path.parent.name for path in made] == ["real", "real", "synthetic", "synthetic"]
    assert [path.name for path in made[2:]] == ["0000000.npz", "0000005.npz"]
    with pytest.raises(ConfigurationError, match="predicted_by is"):
        train(replace(wanted, predicted_by=None), Told().listener)


def test_a_training_can_begin_with_the_weights_of_a_model(tmp_path: Path) -> None:
    train(request(tmp_path, fold=0, steps=1), Told().listener)
    first = tmp_path / "model" / "fold_0" / "checkpoint_final.pth"
    weights = torch.load(first, weights_only=True)["network_weights"]
    again = request(tmp_path / "b", fold=0, steps=1, start=tmp_path / "model")
    phase = SemanticPhase(
        SEMANTIC_PRESETS["compact"],
        TrainingData(training=Mix([])),
        tmp_path / "x",
        seed=99,
    )
    phase.start_from(tmp_path / "model")
    loaded = phase.network.state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)
    phase.export(phase.network, 0)  # synthetic spines have taught the first model C1
    assert read_config(tmp_path / "x" / "inference_config.json").has_c1
    train(again, Told().listener)
    with pytest.raises(ModelUnusableError) as raised:
        train(request(tmp_path / "c", fold=1, steps=1, start=tmp_path / "model"), Told().listener)
    assert raised.value.reasons == ("fold_missing",)


def test_a_data_set_that_is_not_there_is_refused_before_any_spine_is_made(tmp_path: Path) -> None:
    told = Told()
    absent = DatasetSource(folder=tmp_path / "typo", kind="bids")
    with pytest.raises(UnreadableInputError) as raised:
        train(
            request(tmp_path, datasets=(absent,), mix={"real": 1.0, "synthetic": 1.0}),
            told.listener,
        )
    assert raised.value.reasons == ("missing_input",)
    assert told.data == []


def test_the_report_names_the_subjects_that_were_held_out_and_another_one_is_not_there(
    tmp_path: Path,
) -> None:
    two = (DatasetSource(folder=bids(tmp_path / "two", "01", "02"), kind="bids"),)
    wanted = request(
        tmp_path, datasets=two, mix={"real": 1.0}, folds=1, hold_out=frozenset({"sub-02"})
    )
    report = json.loads(train(wanted, Told().listener)[0].read_text("utf-8"))
    assert (report["hold_out"], report["held_out_cases"]) == (["sub-02"], 1)
    typo = replace(
        wanted, hold_out=frozenset({"sub-2"}), work=tmp_path / "b", output=tmp_path / "n"
    )
    with pytest.raises(UnreadableInputError) as raised:
        train(
            replace(typo, output=tmp_path / "n", mix={"real": 1.0, "synthetic": 1.0}),
            Told().listener,
        )
    assert raised.value.reasons == ("no_such_subject",)
    assert not list((tmp_path / "b").glob("cases-*/synthetic"))


def test_one_subject_trains_with_a_note_that_nothing_is_validated(tmp_path: Path) -> None:
    one = (DatasetSource(folder=bids(tmp_path / "one", "01"), kind="bids"),)
    two = (DatasetSource(folder=bids(tmp_path / "two", "01", "02"), kind="bids"),)
    alone, told = Told(), Told()
    wanted = request(tmp_path, datasets=one, mix={"real": 1.0}, fold=0, folds=1)
    first = json.loads(train(wanted, alone.listener)[0].read_text("utf-8"))
    wanted = replace(wanted, datasets=two, work=tmp_path / "work2", output=tmp_path / "m2")
    second = json.loads(train(wanted, told.listener)[0].read_text("utf-8"))
    assert [note.split(",")[0] for note in alone.notes] == ["fold 0: no subject is held out"]
    assert told.notes == []
    assert [report["held_out_cases"] for report in (first, second)] == [0, 1]
    assert [len(report["validation"]) for report in (first, second)] == [0, 1]
