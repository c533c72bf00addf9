"""A whole run: data, folds, loop, report, on tiny networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.training import cases as case_module
from app.training import runs
from app.training.augmentation import TileGrid
from app.training.cases import Case
from app.training.cutout_drawing import CutoutGrid
from app.training.presets import INSTANCE_PRESETS, SEMANTIC_PRESETS, Schedule, compact_design
from app.training.runs import DatasetSource, Listener, Request, train
from app.training.semantic import SemanticPhase, TrainingData
from app.training.shelf import Mix
from operators.errors import ModelUnusableError, UnreadableInputError
from operators.networks.instances import load_instance_model
from operators.networks.semantic import load_semantic_model
from tests.builders.bids_dataset import bids

MM = (3.3, 1.5, 1.5)


def column(seed: int, _grid: object = None) -> Case:
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
    monkeypatch.setattr(runs, "HELD_OUT_SPINES", 2)


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.data: list[tuple[str, int, int]] = []
        self.steps: list[tuple[int, int]] = []
        self.listener = Listener(
            lambda *entry: self.data.append(entry),
            lambda fold, step, *_: self.steps.append((fold, step)),
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
    assert set(report["validation"][-1]) == {"step", "dice_49"}
    picture = (tmp_path / "work" / "semantic-compact-fold1-curves.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert load_semantic_model(tmp_path / "model").config.available_folds == ("0", "1")


def test_the_same_request_resumes_and_a_finished_one_does_nothing(tmp_path: Path) -> None:
    told = Told()
    train(request(tmp_path, fold=0, stop_after_seconds=0.0), told.listener)
    assert told.steps == [(0, 1)]
    train(request(tmp_path, fold=0), told.listener)
    train(request(tmp_path, fold=0), told.listener)
    assert told.steps == [(0, 1), (0, 2), (0, 3), (0, 4)]


def test_real_images_are_mixed_in_and_every_fold_holds_other_subjects_out(tmp_path: Path) -> None:
    source = DatasetSource(folder=bids(tmp_path / "data", "01", "02", "03"), kind="bids")
    wanted = request(tmp_path, dataset=source, mix={"real": 1.0, "synthetic": 2.0}, fold=1)
    told = Told()
    report = json.loads(train(wanted, told.listener)[0].read_text("utf-8"))
    assert report["mix"] == {"real": 1.0, "synthetic": 2.0}
    assert ("annotated images", 3, 3) in told.data
    names = tuple(f"sub-0{k}_ses-1.npz" for k in (1, 2, 3))
    home = tmp_path / "work" / "cases-compact"
    shelves = runs._Shelves(home / "synthetic", 0.0, home / "x", home / "real", names, 1.0)
    held = [shelves.of_fold(fold, 2).held_out for fold in (0, 1)]
    assert [shelf.names for shelf in held if shelf] == [[names[0], names[2]], [names[1]]]


def test_phase_2_trains_on_the_data_sets_own_parts_and_numbers(tmp_path: Path) -> None:
    source = DatasetSource(folder=bids(tmp_path / "data", "01"), kind="bids")
    wanted = request(tmp_path, phase="instance", dataset=source, mix={"real": 1.0})
    report = json.loads(train(wanted, Told().listener)[0].read_text("utf-8"))
    assert report["synthetic_spines"] == 0
    assert load_instance_model(tmp_path / "model").config.cutout_size == (32, 32, 8)


def test_spider_is_refused_for_phase_2_and_a_mix_without_data_too(tmp_path: Path) -> None:
    spider = DatasetSource(folder=tmp_path, kind="spider")
    for wanted, reason in (
        (request(tmp_path, phase="instance", dataset=spider), "no_vertebra_parts"),
        (request(tmp_path, mix={"real": 1.0}), "no_dataset"),
    ):
        with pytest.raises(UnreadableInputError) as raised:
            train(wanted, Told().listener)
        assert raised.value.reasons == (reason,)


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
    train(again, Told().listener)
    with pytest.raises(ModelUnusableError) as raised:
        train(request(tmp_path / "c", fold=1, steps=1, start=tmp_path / "model"), Told().listener)
    assert raised.value.reasons == ("fold_missing",)
