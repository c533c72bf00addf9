"""What phase 1 draws becomes a training case of phase 2."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from app.research.training import predicted
from app.research.training.cases import Case, load, store
from app.research.training.predicted import numbers_of, predict_maps, predicted_spines
from app.research.training.sources import Listener
from operators.anatomy.labels import Structure
from operators.errors import InterruptedRunError
from operators.imaging.orientation import reorient
from operators.imaging.volume import LabelMap, Volume
from operators.networks.semantic import load_semantic_model
from operators.networks.semantic_result import SemanticResult
from tests.builders.nnunet_folder import write_folder

MM = (3.3, 1.5, 1.5)
LABEL_OF_GREY = np.array([0, 49, 52, 53, 100], np.uint8)


def column(*, numbers: bool = True) -> Case:
    """Two bodies with plates and a disc; both renderings show them, the second one voxel lower."""
    grey = np.zeros((10, 60, 40), np.uint8)
    for rows, value in (
        (slice(5, 20), 1),
        (slice(20, 24), 3),
        (slice(24, 30), 4),
        (slice(30, 34), 2),
        (slice(34, 50), 1),
    ):
        grey[2:9, rows, 8:26] = value
    images = np.stack([grey, np.roll(grey, 1, axis=1)]).astype(np.float16)
    vertebrae = np.zeros_like(grey)
    if numbers:
        vertebrae[:, 4:21, 7:30], vertebrae[:, 33:52, 7:30] = 1, 2
    return Case(images, np.where(vertebrae > 0, 49, 0).astype(np.uint8), vertebrae, MM)


class ReadsGreys:
    """Draws every grey value as its label, on the grid of the models."""

    digest = "0123456789abcdef" * 4

    def segment(self, volume: Volume) -> SemanticResult:
        turned = reorient(volume, ("P", "I", "R"))
        labels = LABEL_OF_GREY[turned.voxels_zyx.astype(np.uint8)]
        return SemanticResult(labels=LabelMap(labels, turned.affine_lps), facts=())


class Told:
    def __init__(self) -> None:
        self.data: list[tuple[str, int, int]] = []
        self.notes: list[str] = []
        self.listener = Listener(
            lambda *entry: self.data.append(entry), lambda *_: None, self.notes.append
        )


@pytest.fixture
def reads_greys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicted, "load_semantic_model", lambda _folder, device: ReadsGreys())


def shelved(home: Path, *names: str, **kind: bool) -> tuple[str, ...]:
    for name in names:
        store(column(**kind), home / "a" / name)
    return names


@pytest.mark.usefixtures("reads_greys")
def test_labels_are_predicted_from_each_rendering_in_turn_and_numbers_stay_true(
    tmp_path: Path,
) -> None:
    told, names = Told(), shelved(tmp_path, "sub-1.npz", "sub-2.npz", "sub-3.npz")
    folder = predict_maps(tmp_path / "m", tmp_path, {"a": names}, told.listener, lambda: False)
    assert told.data == [("predicted maps", done, 3) for done in (1, 2, 3)]
    true = column()
    table = np.array([0, 49, 62, 62, 100], np.uint8)  # plates are one structure in training
    for name, rendering in zip(names, (0, 1, 0), strict=True):
        case = load(folder / "a" / name)
        assert np.array_equal(case.labels, table[true.images[rendering].astype(np.uint8)])
        assert not np.array_equal(case.labels, true.labels)
        assert np.array_equal(case.vertebrae, true.vertebrae)
        assert case.spacing_rip_mm == MM
        assert case.images.shape == (1, 1, 1, 1)


def test_what_phase_1_draws_beyond_a_vertebra_has_the_number_of_the_nearest() -> None:
    vertebrae = np.zeros((1, 20, 3), np.uint8)
    vertebrae[0, 2:6], vertebrae[0, 14:18] = 5, 6
    labels = np.zeros_like(vertebrae)
    labels[0, 4:14, 0] = Structure.ARCUS  # rows 6-13 lie beyond, up to four rows on both sides
    labels[0, 4:14, 1] = Structure.DISC
    case = Case(np.zeros((1, 1, 1, 1), np.float16), vertebrae, vertebrae, (3.0, 1.5, 1.0))
    numbers = numbers_of(labels, case)
    # 1.5 mm a row, so REACH_MM = 4 mm are two rows.
    assert numbers[0, :, 0].tolist() == [0] * 2 + [5] * 6 + [0] * 4 + [6] * 6 + [0] * 2
    assert np.array_equal(numbers[..., 1:], vertebrae[..., 1:])


@pytest.mark.usefixtures("reads_greys")
def test_cases_without_a_vertebra_are_left_out(tmp_path: Path) -> None:
    told, names = Told(), shelved(tmp_path, "sub-1.npz", numbers=False)
    folder = predict_maps(tmp_path / "m", tmp_path, {"a": names}, told.listener, lambda: False)
    assert not (folder / "a").exists()
    assert told.data == [("predicted maps", 1, 1)]


@pytest.mark.usefixtures("reads_greys")
def test_a_stopped_prediction_keeps_what_is_done_and_goes_on(tmp_path: Path) -> None:
    names = shelved(tmp_path, "sub-1.npz", "sub-2.npz")
    with pytest.raises(InterruptedRunError):
        predict_maps(tmp_path / "m", tmp_path, {"a": names}, Told().listener, lambda: True)
    (done,) = tmp_path.glob("predicted/*/a/*.npz")
    assert done.name == "sub-1.npz"
    os.utime(tmp_path / "a" / "sub-1.npz", (1, 1))
    os.utime(done, (2, 2))
    folder = predict_maps(tmp_path / "m", tmp_path, {"a": names}, Told().listener, lambda: False)
    assert sorted(path.name for path in (folder / "a").iterdir()) == list(names)
    assert done.stat().st_mtime == 2  # not predicted again
    os.utime(tmp_path / "a" / "sub-1.npz", (3, 3))  # another case of that name
    predict_maps(tmp_path / "m", tmp_path, {"a": names}, Told().listener, lambda: False)
    assert done.stat().st_mtime > 3


def test_other_weights_predict_anew_and_a_black_image_is_named(tmp_path: Path) -> None:
    model, names = write_folder(tmp_path / "m"), shelved(tmp_path, "sub-1.npz")
    black = column()
    store(Case(np.zeros_like(black.images), *_rest(black)), tmp_path / "a" / "sub-2.npz")
    sources = {"a": (*names, "sub-2.npz")}
    told = Told()
    first = predict_maps(model, tmp_path, sources, told.listener, lambda: False)
    assert load_semantic_model(model).digest.startswith(first.name)
    assert [path.name for path in (first / "a").iterdir()] == ["sub-1.npz"]
    assert told.notes == [
        "1 images cannot be segmented: only their true maps are trained on",
    ]
    checkpoint = model / "fold_0" / "checkpoint_final.pth"
    content = torch.load(checkpoint, weights_only=True)
    for weight in content["network_weights"].values():
        weight.neg_()
    torch.save(content, checkpoint)
    second = predict_maps(model, tmp_path, sources, Told().listener, lambda: False)
    assert second != first
    maps = [load(folder / "a" / "sub-1.npz").labels for folder in (first, second)]
    assert not np.array_equal(*maps)


def _rest(case: Case) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    return case.labels, case.vertebrae, case.spacing_rip_mm


def test_every_fifth_spine_is_predicted() -> None:
    assert predicted_spines(range(11)) == ("0000000.npz", "0000005.npz", "0000010.npz")
    assert predicted_spines(range(30, 40)) == ("0000030.npz", "0000035.npz")
