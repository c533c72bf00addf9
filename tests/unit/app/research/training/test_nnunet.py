"""nnU-Net's own training on a tiny data set, in processes of its own; its model loads unchanged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from app.errors import ConfigurationError
from app.research.training import cases as case_module
from app.research.training import sources
from app.research.training.augmentation import TileGrid
from app.research.training.cases import Case, store
from app.research.training.nnunet.dataset import IGNORED, export, splits
from app.research.training.presets import SEMANTIC_PRESETS, compact_design
from app.research.training.request import Request, require_usable
from app.research.training.runs import train
from app.research.training.semantic import TrainingData
from app.research.training.shelf import CaseShelf, JoinedShelves, Mix
from app.research.training.sources import DatasetSource, Listener
from app.research.training.supervision import SOME_VERTEBRA
from operators.anatomy.labels import MODEL_STRUCTURES
from operators.networks.semantic import load_semantic_model

MM = (3.3, 1.5, 1.5)


def case(seed: int = 0, *, renderings: int = 1) -> Case:
    """All 14 structures as blocks, so that nnU-Net finds every class."""
    labels = np.zeros((8, 40, 36), np.uint8)
    for number, label in enumerate(MODEL_STRUCTURES):
        row, column = divmod(number, 4)
        labels[2:6, 4 + 9 * row : 12 + 9 * row, 2 + 8 * column : 9 + 8 * column] = label
    image = 0.2 + 0.01 * labels + 0.001 * (seed % 7)
    vertebrae = np.where((labels >= 41) & (labels <= 49), 1, 0).astype(np.uint8)
    return Case(np.stack([image.astype(np.float16)] * renderings), labels, vertebrae, MM)


def shelf(folder: Path, count: int, **options: int) -> CaseShelf:
    for number in range(count):
        store(case(number, **options), folder / f"sub-{number:02d}.npz")
    return CaseShelf(folder)


def quiet(*_arguments: object) -> None:
    """Nobody is told."""


def test_images_lie_as_phase_1_gets_them_and_what_was_left_open_is_not_annotated(tmp_path: Path):
    one = case(renderings=2)
    one.labels[0, 0, :10] = SOME_VERTEBRA
    store(one, tmp_path / "real" / "sub-01_T2w.npz")
    data = TrainingData(training=Mix([(CaseShelf(tmp_path / "real"), 1.0)]))
    exported = export(tmp_path / "raw", [data], quiet)
    (names,) = exported.images.values()
    assert names == ("real-sub-01_T2w-0", "real-sub-01_T2w-1")
    assert exported.ignored == pytest.approx(10 / one.labels.size)
    home = tmp_path / "raw" / "Dataset001_Spine"
    image = nibabel.load(home / "imagesTr" / f"{names[0]}_0000.nii.gz")
    assert nibabel.aff2axcodes(image.affine) == ("P", "I", "R")
    assert image.header.get_zooms() == pytest.approx(MM[::-1])
    np.testing.assert_allclose(image.get_fdata().T, one.images[0].astype(float))
    labels = np.asarray(nibabel.load(home / "labelsTr" / f"{names[0]}.nii.gz").dataobj).T
    assert (labels[0, 0, :10] == IGNORED).all()
    assert set(np.unique(labels[1:])) == set(range(15))
    described = json.loads((home / "dataset.json").read_text("utf-8"))
    assert described["labels"]["ignore"] == max(described["labels"].values()) == IGNORED
    assert (described["labels"]["Sacrum_26"], described["numTraining"]) == (14, 2)


def test_a_case_is_listed_as_often_as_the_weight_of_its_source_asks_for(tmp_path: Path):
    many, few = shelf(tmp_path / "many", 6), shelf(tmp_path / "few", 2)
    kept = shelf(tmp_path / "kept", 1)
    data = TrainingData(training=Mix([(many, 1.0), (few, 1.0)]), held_out=JoinedShelves([kept]))
    (fold,) = splits([data], export(tmp_path / "raw", [data], quiet).images)
    assert [fold["train"].count(f"few-sub-0{n}-0") for n in (0, 1)] == [3, 3]
    assert [fold["train"].count(f"many-sub-0{n}-0") for n in range(6)] == [1] * 6
    assert fold["val"] == ["kept-sub-00-0"]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    preset = replace(
        SEMANTIC_PRESETS["paper"],
        design=compact_design((4, 8, 8)),
        grid=TileGrid((8, 32, 32), MM, mirror=False),
        folds=2,
        batch=1,
    )
    monkeypatch.setitem(SEMANTIC_PRESETS, "paper", preset)
    monkeypatch.setattr(case_module, "make_case", lambda seed, *_, **__: case(seed))
    monkeypatch.setattr(sources, "HELD_OUT_SPINES", 1)


def request(tmp_path: Path, **changes: object) -> Request:
    base = Request(
        phase="semantic",
        preset="paper",
        engine="nnunet",
        output=tmp_path / "model",
        work=tmp_path / "work",
        spines=2,
        steps=2,
        fold=0,
        workers=1,
    )
    return replace(base, **changes)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_nnu_net_trains_and_its_model_loads_unchanged(tmp_path: Path):
    told: list[tuple[str, int, int]] = []
    listener = Listener(lambda *entry: told.append(entry), quiet)
    (report,) = train(request(tmp_path), listener)
    facts = json.loads(report.read_text("utf-8"))
    assert facts["engine"].startswith("nnunetv2 ")
    assert (facts["epochs"], facts["batches"], facts["fold"]) == (1, 2, 0)
    assert 0 <= facts["held_out_dice"] <= 1
    assert told[-1] == ("fold 0, epochs", 1, 1)
    assert (tmp_path / "work" / "semantic-paper-nnunet-fold0-curves.png").exists()

    model = load_semantic_model(tmp_path / "model")
    assert model.config.available_folds == ("0",)
    own = torch.load(tmp_path / "model" / "fold_0" / "checkpoint_final.pth", weights_only=False)
    assert own["trainer_name"] == "SpineTrainer"
    assert own["inference_allowed_mirroring_axes"] is None

    before = (tmp_path / "model" / "fold_0" / "checkpoint_final.pth").read_bytes()
    train(request(tmp_path), listener)  # done already: only the model folder is written again
    assert (tmp_path / "model" / "fold_0" / "checkpoint_final.pth").read_bytes() == before
    with pytest.raises(ConfigurationError) as refused:
        train(request(tmp_path, seed=1), listener)
    assert refused.value.reasons == ("other_training",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"start": Path("model")}, "start_with_nnunet"),
        (
            {"datasets": (DatasetSource(folder=Path("s"), kind="spider", name="spider"),)},
            "partial_labels",
        ),
        ({"gpus": 2}, "several_devices"),
    ],
)
def test_what_nnu_net_cannot_do_is_refused_first(
    tmp_path: Path, changes: dict[str, object], reason: str
):
    with pytest.raises(ConfigurationError) as refused:
        require_usable(request(tmp_path, **changes))
    assert refused.value.reasons == (reason,)
