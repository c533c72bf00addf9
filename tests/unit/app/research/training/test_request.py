"""A training that cannot work is refused before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import ConfigurationError, OutputUnwritableError
from app.research.training.request import Request, require_usable
from app.research.training.sources import DatasetSource
from operators.errors import ModelUnusableError, SpineError, UnreadableInputError
from tests.builders.nnunet_folder import Recipe, write_folder


def request(tmp_path: Path, **changes: object) -> Request:
    output, work = tmp_path / "model", tmp_path / "work"
    base = Request(phase="semantic", preset="compact", output=output, work=work)
    return replace(base, **changes)


def spider(folder: Path) -> DatasetSource:
    return DatasetSource(folder=folder, kind="spider", name="spider")


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"fold": 1}, ConfigurationError, "no_such_fold"),
        ({"preset": "paper", "fold": 3}, ConfigurationError, "no_such_fold"),
        ({"folds": 2, "hold_out": frozenset({"01"})}, ConfigurationError, "several_folds"),
        ({"device": "banana"}, ConfigurationError, "no_such_device"),
        ({"device": "cuda:99"}, ConfigurationError, "no_such_device"),
        ({"start": Path("nowhere")}, ModelUnusableError, "fold_missing"),
        ({"phase": "instance", "start": Path("no")}, ModelUnusableError, "weights_missing"),
        ({"predicted_by": Path()}, ConfigurationError, "predictions_in_phase_1"),
        (
            {"phase": "instance", "predicted_by": Path("nowhere")},
            ModelUnusableError,
            "model_folder_missing",
        ),
        ({"spines": 3, "first_spine": 899_998}, ConfigurationError, "held_out_seeds"),
        ({"mix": {"real": 1.0}}, UnreadableInputError, "no_dataset"),
        ({"phase": "instance", "datasets": (spider(Path()),)}, None, "no_vertebra_parts"),
    ],
)
def test_what_cannot_work_is_named_and_leaves_no_folder(
    tmp_path: Path, changes: dict[str, object], error: type[SpineError] | None, reason: str
) -> None:
    with pytest.raises(error or UnreadableInputError) as raised:
        require_usable(request(tmp_path, **changes))
    assert raised.value.reasons == (reason,)
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_phase_2_predicts_no_label_maps_and_one_of_phase_1_does(
    tmp_path: Path,
) -> None:
    other = write_folder(tmp_path / "other", Recipe(config={"modality": ["SEG"]}))
    with pytest.raises(ModelUnusableError) as raised:
        require_usable(request(tmp_path, phase="instance", predicted_by=other))
    assert raised.value.reasons == ("not_a_semantic_model",)
    assert not (tmp_path / "model").exists()
    usable = write_folder(tmp_path / "usable")
    require_usable(request(tmp_path, phase="instance", predicted_by=usable))


def test_a_file_in_the_place_of_the_model_folder_is_refused_before_training(
    tmp_path: Path,
) -> None:
    (tmp_path / "model").write_bytes(b"")
    with pytest.raises(OutputUnwritableError):
        require_usable(request(tmp_path))


@pytest.mark.parametrize(
    ("there", "changes"),
    [
        ("fold_1/checkpoint_final.pth", {"folds": 2}),
        ("step=9-weights.ckpt", {}),
        ("step=9-weights.ckpt", {"phase": "instance"}),
        ("fold_0/checkpoint_final.pth", {"phase": "instance"}),
    ],
)
def test_a_model_that_this_work_folder_knows_nothing_of_is_not_replaced(
    tmp_path: Path, there: str, changes: dict[str, object]
) -> None:
    weights = tmp_path / "model" / there
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    wanted = request(tmp_path, **changes)
    with pytest.raises(ConfigurationError) as raised:
        require_usable(wanted)
    assert raised.value.reasons == ("other_model",)
    wanted.work.mkdir()
    for fold in wanted.wanted_folds:
        wanted.state_of(fold).write_bytes(b"state")
    require_usable(wanted)  # its own: it goes on


def test_another_fold_joins_the_folds_that_are_there(tmp_path: Path) -> None:
    weights = tmp_path / "model" / "fold_0" / "checkpoint_final.pth"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    require_usable(request(tmp_path, folds=2, fold=1))


def test_fold_2_of_3_is_in_order_and_the_paper_has_3(tmp_path: Path) -> None:
    require_usable(request(tmp_path, folds=3, fold=2))
    assert (tmp_path / "model").is_dir()
    assert request(tmp_path, preset="paper").wanted_folds == range(3)
    assert request(tmp_path, preset="paper", fold=1).wanted_folds == range(1, 2)
    assert request(tmp_path, phase="instance", preset="paper").wanted_folds == range(1)


def test_more_spines_and_steps_are_the_same_training_and_another_mix_is_not(
    tmp_path: Path,
) -> None:
    plain = request(tmp_path)
    other_run = request(tmp_path, spines=9, first_spine=5, steps=7, fold=0, device="cuda")
    assert other_run.identity == plain.identity
    for changes in (
        {"seed": 1},
        {"folds": 2},
        {"hold_out": frozenset({"01"})},
        {"mix": {"synthetic": 2.0}},
        {"start": tmp_path},
        {"predicted_by": tmp_path},
    ):
        assert request(tmp_path, **changes).identity != plain.identity
    unused = request(tmp_path, datasets=(spider(tmp_path),))
    assert unused.identity == plain.identity


@pytest.mark.parametrize("folder", ["output", "work"])
def test_a_folder_that_takes_no_file_is_refused_before_training(
    tmp_path: Path, folder: str
) -> None:
    with pytest.raises(OutputUnwritableError, match="cannot be written"):
        require_usable(request(tmp_path, **{folder: Path("/proc/self")}))


def test_phase_2_without_monai_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.research.training.request.distributions", lambda **_: iter(()))
    with pytest.raises(ConfigurationError, match=r"spine-node\[train\]") as raised:
        require_usable(request(tmp_path, phase="instance"))
    assert raised.value.reasons == ("monai_missing",)
    assert list(tmp_path.iterdir()) == []
