"""A fold never validates on a subject that it trains on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.research.training.cases import Case, store
from app.research.training.shelf import JoinedShelves
from app.research.training.sources import PreparedCases, RealCases, require_subjects
from operators.errors import UnreadableInputError


def real(folder: Path, weight: float, *names: str) -> RealCases:
    array = np.zeros((1, 2, 2), np.uint8)
    case = Case(array[None].astype(np.float16), array, array, (3.3, 1.5, 1.5))
    files = tuple(f"{name}.npz" for name in names)
    for file in (*files, "sub-99.of-an-older-import.npz"):
        store(case, folder / file)
    return RealCases(folder=folder, names=files, weight=weight)


def spines(folder: Path, *seeds: int) -> Path:
    real(folder, 1.0, *(f"{seed:07d}" for seed in seeds))
    (folder / "sub-99.of-an-older-import.npz").unlink()
    return folder


def names(prepared: PreparedCases, fold: int, folds: int) -> tuple[list[set[str]], list[str]]:
    data = prepared.of_fold(fold, folds)
    held = [] if data.held_out is None else data.held_out.names
    return [set(shelf.names) for shelf in data.training._shelves], held


def test_every_subject_is_held_out_once_and_stale_imports_never_appear(tmp_path: Path) -> None:
    subjects = [f"sub-{n:02d}.aa" for n in range(6)]
    source = real(tmp_path / "a", 1.0, *subjects)
    prepared = PreparedCases(synthetic=tmp_path / "s", held_out=tmp_path / "h", real=(source,))
    seen = []
    for fold in range(3):
        (trained,), held = names(prepared, fold, 3)
        held = [name.removeprefix("0/") for name in held]
        assert trained.isdisjoint(held)
        assert trained | set(held) == set(source.names)
        seen += held
    assert sorted(seen) == sorted(source.names)


def test_a_subject_of_two_data_sets_is_on_one_side(tmp_path: Path) -> None:
    automatic = real(tmp_path / "a", 1.0, "sub-01_x.aa", "sub-02_x.aa", "sub-03_x.aa")
    manual = real(tmp_path / "m", 3.0, "sub-02_y.bb", "sub-03_y.bb")
    prepared = PreparedCases(
        synthetic=tmp_path / "s", held_out=tmp_path / "h", real=(automatic, manual)
    )
    trained, held = names(prepared, 1, 3)
    assert trained == [{"sub-01_x.aa.npz", "sub-03_x.aa.npz"}, {"sub-03_y.bb.npz"}]
    assert held == ["0/sub-02_x.aa.npz", "1/sub-02_y.bb.npz"]


def test_a_data_set_of_one_subject_is_trained_on_and_validates_nothing(tmp_path: Path) -> None:
    automatic = real(tmp_path / "a", 1.0, "sub-01.aa", "sub-02.aa")
    manual = real(tmp_path / "m", 1.0, "sub-01.bb")
    prepared = PreparedCases(
        synthetic=tmp_path / "s", held_out=tmp_path / "h", real=(automatic, manual)
    )
    trained, held = names(prepared, 0, 2)
    assert trained == [{"sub-02.aa.npz"}, {"sub-01.bb.npz"}]
    assert held == []  # sub-01 of the first set is the subject that the second trains on


def test_named_subjects_are_held_out_of_every_data_set_instead_of_a_fifth(tmp_path: Path) -> None:
    automatic = real(tmp_path / "a", 1.0, *(f"{n:03d}_x.aa" for n in range(1, 8)))
    manual = real(tmp_path / "m", 1.0, "004_y.bb", "009_y.bb")
    sources = (automatic, manual)
    wanted = frozenset({"004", "007"})
    require_subjects(sources, wanted)
    prepared = PreparedCases(
        synthetic=tmp_path / "s", held_out=tmp_path / "h", real=sources, hold_out=wanted
    )
    trained, held = names(prepared, 0, 1)
    assert trained == [{f"{n:03d}_x.aa.npz" for n in (1, 2, 3, 5, 6)}, {"009_y.bb.npz"}]
    assert sorted(held) == ["0/004_x.aa.npz", "0/007_x.aa.npz", "1/004_y.bb.npz"]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [({"004", "4"}, "no_such_subject"), ({"004", "009"}, "no_training_cases")],
)
def test_subjects_that_are_not_there_or_are_all_there_are_are_refused(
    tmp_path: Path, wanted: set[str], reason: str
) -> None:
    sources = (
        real(tmp_path / "a", 1.0, "003_x.aa", "004_x.aa"),
        real(tmp_path / "m", 1.0, "004_y.bb", "009_y.bb"),
    )
    with pytest.raises(UnreadableInputError) as raised:
        require_subjects(sources, frozenset(wanted))
    assert raised.value.reasons == (reason,)


def test_only_the_wanted_number_of_spines_is_trained_on(tmp_path: Path) -> None:
    prepared = PreparedCases(
        synthetic=spines(tmp_path / "s", 0, 1, 2, 3),
        held_out=spines(tmp_path / "h", 900_000),
        spines=range(3),
        synthetic_weight=1.0,
    )
    trained, held = names(prepared, 0, 1)
    assert trained == [{f"{seed:07d}.npz" for seed in range(3)}]
    assert held == ["0900000.npz"]


def test_half_of_a_source_s_weight_goes_to_its_predicted_maps(tmp_path: Path) -> None:
    prepared = PreparedCases(
        synthetic=spines(tmp_path / "synthetic", *range(7)),
        held_out=tmp_path / "h",
        spines=range(6),
        synthetic_weight=1.0,
        real=(
            real(tmp_path / "a", 2.0, "sub-01.aa", "sub-02.aa"),
            real(tmp_path / "bare", 1.0, "sub-01.bb", "sub-03.bb"),
        ),
        predicted=tmp_path / "predicted",
    )
    spines(tmp_path / "predicted" / "synthetic", 0, 5, 10)
    real(tmp_path / "predicted" / "a", 2.0, "sub-02.aa")
    training = prepared.of_fold(0, 3).training
    assert [(shelf._folder.relative_to(tmp_path).as_posix()) for shelf in training._shelves] == [
        *("synthetic", "predicted/synthetic"),
        *("a", "predicted/a"),
        "bare",  # nothing of it was predicted
    ]
    assert training._share.tolist() == [0.125, 0.125, 0.25, 0.25, 0.25]
    assert training._shelves[1].names == ["0000000.npz", "0000005.npz"]


def test_nothing_predicted_of_a_held_out_subject_is_trained_on(tmp_path: Path) -> None:
    subjects = [f"sub-{n:02d}.aa" for n in range(6)]
    source = real(tmp_path / "a", 1.0, *subjects)
    real(tmp_path / "predicted" / "a", 1.0, *subjects)
    prepared = PreparedCases(
        synthetic=tmp_path / "s",
        held_out=tmp_path / "h",
        real=(source,),
        predicted=tmp_path / "predicted",
    )
    for fold in range(3):
        (true, predicted), held = names(prepared, fold, 3)
        assert true == predicted
        assert len(held) == 2
        assert predicted.isdisjoint(name.removeprefix("0/") for name in held)
        shelves = prepared.of_fold(fold, 3).held_out
        assert isinstance(shelves, JoinedShelves)
        assert [shelf._folder for shelf in shelves._shelves] == [tmp_path / "a"]
