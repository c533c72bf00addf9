"""Cases are drawn from folders that change, and mixed by weight."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.research.training.cases import Case, load, store
from app.research.training.shelf import CaseShelf, JoinedShelves, Mix, fold_of
from operators.errors import UnreadableInputError


def put(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names, start=1):
        labels = np.full((1, 2, 2), number, np.uint8)
        image = np.zeros((1, 1, 2, 2), np.float16)
        store(Case(image, labels, labels, (3.3, 1.5, 1.5)), folder / f"{name}.npz")
    return folder


def test_a_case_deleted_after_the_listing_is_passed_over(tmp_path: Path) -> None:
    shelf = CaseShelf(put(tmp_path, "a", "b"))
    (tmp_path / "a.npz").unlink()
    rng = np.random.default_rng(0)
    assert {int(shelf.draw(rng).labels[0, 0, 0]) for _ in range(20)} == {2}
    assert shelf.names == ["a.npz", "b.npz"]  # what others draw from
    assert shelf.refresh() == 1
    assert shelf.names == ["b.npz"]


def test_what_a_seed_draws_does_not_depend_on_who_met_the_deleted_case_before(
    tmp_path: Path,
) -> None:
    put(tmp_path, *"abcdef")
    shelf, other = CaseShelf(tmp_path), CaseShelf(tmp_path)
    for name in "be":
        (tmp_path / f"{name}.npz").unlink()

    def drawn(of: CaseShelf, seeds: range) -> dict[int, int]:
        return {s: int(of.draw(np.random.default_rng(s)).labels[0, 0, 0]) for s in seeds}

    assert drawn(shelf, range(30)) == drawn(other, range(29, -1, -1))


def test_a_shelf_whose_last_case_is_deleted_says_so_by_name(tmp_path: Path) -> None:
    shelf = CaseShelf(put(tmp_path, "a"))
    (tmp_path / "a.npz").unlink()
    with pytest.raises(UnreadableInputError):
        shelf.draw(np.random.default_rng(0))


def test_eight_threads_that_want_the_same_cases_read_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = CaseShelf(put(tmp_path, "a", "b", "c"))
    read = []

    def slowly(path: Path) -> Case:
        read.append(path.stem)
        time.sleep(0.02)
        return load(path)

    monkeypatch.setattr("app.research.training.shelf.load", slowly)
    with ThreadPoolExecutor(8) as threads:
        cases = list(threads.map(lambda n: shelf.read(f"{'abc'[n % 3]}.npz"), range(24)))
    assert sorted(read) == ["a", "b", "c"]
    assert all(cases[n] is cases[n % 3] for n in range(24))


def test_an_empty_shelf_says_so_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError) as raised:
        CaseShelf(tmp_path).draw(np.random.default_rng(0))
    assert raised.value.reasons == ("no_training_cases",)


def test_half_written_cases_are_not_listed(tmp_path: Path) -> None:
    put(tmp_path, "a")
    (tmp_path / "b.part.npz").write_bytes(b"half")
    assert CaseShelf(tmp_path).names == ["a.npz"]


def test_a_mix_of_1_to_3_draws_three_times_as_often_from_the_second(tmp_path: Path) -> None:
    first, second = (CaseShelf(put(tmp_path / n, n)) for n in ("x", "y"))
    second.read("y.npz").labels[:] = 9
    mix = Mix([(first, 1.0), (second, 3.0)])
    rng = np.random.default_rng(1)
    share = np.mean([mix.draw(rng).labels[0, 0, 0] == 9 for _ in range(2000)])
    assert share == pytest.approx(0.75, abs=0.04)


def test_all_sessions_of_a_subject_share_a_fold_and_folds_are_even() -> None:
    names = [f"sub-{s}_ses-{k}_T2w.npz" for s in range(9) for k in range(2)]
    fold = fold_of(names, 3)
    assert all(fold[f"sub-{s}_ses-0_T2w.npz"] == fold[f"sub-{s}_ses-1_T2w.npz"] for s in range(9))
    assert sorted(fold.values()).count(0) == 6


def test_joined_shelves_take_turns_and_read_from_the_right_folder(tmp_path: Path) -> None:
    first = CaseShelf(put(tmp_path / "x", "a", "b", "c"))
    second = CaseShelf(put(tmp_path / "y", "z", "a"))
    joined = JoinedShelves([first, second])
    assert joined.names == ["0/a.npz", "1/a.npz", "0/b.npz", "1/z.npz", "0/c.npz"]
    assert int(joined.read("1/a.npz").labels[0, 0, 0]) == 2
    (tmp_path / "x" / "b.npz").unlink()
    assert joined.refresh() == 4
