"""Cases are made, stored and found again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from app.research.training import cases
from app.research.training.cases import Case, fill, load, make_case, store


def tiny(seed: int, _grid: object = None, **_device: object) -> Case:
    shape = (2, 3, 4)
    labels = np.full(shape, seed, np.uint8)
    return Case(np.zeros((1, *shape), np.float16), labels, labels, (3.3, 1.2, 1.3))


def test_a_case_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "0000001.npz"
    store(tiny(49), path)
    found = load(path)
    assert np.array_equal(found.labels, tiny(49).labels)
    assert found.spacing_rip_mm == pytest.approx((3.3, 1.2, 1.3))
    assert [p.name for p in tmp_path.iterdir()] == ["0000001.npz"]


def test_filling_makes_only_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "make_case", tiny)
    assert fill(tmp_path, range(3)) == 3
    assert fill(tmp_path, range(5)) == 2
    assert len(list(tmp_path.iterdir())) == 5


def test_cases_of_another_generator_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "make_case", tiny)
    fill(tmp_path, range(2))
    store(tiny(1), tmp_path / "0000001.npz")  # says nothing about a generator
    assert fill(tmp_path, range(2)) == 1
    monkeypatch.setattr(cases, "GENERATOR_VERSION", cases.GENERATOR_VERSION + 1)
    assert fill(tmp_path, range(2)) == 2
    assert fill(tmp_path, range(2)) == 0


def test_interpolated_slices_reproduce_a_straight_line() -> None:
    image = np.arange(10, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    at = np.array([3.0, 4.25, 5.5])
    assert cases._interpolate_slices(image, at)[:, 0, 0] == pytest.approx(at, abs=0.02)


def test_a_made_case_has_two_renderings_and_numbers_only_on_vertebrae() -> None:
    case = make_case(5)
    assert case.images.shape == (2, *case.labels.shape)
    vertebra = (case.labels >= 41) & (case.labels <= 49)
    assert np.array_equal(case.vertebrae > 0, vertebra)
    slices, rows, columns = case.spacing_rip_mm
    assert slices == pytest.approx(3.3)
    assert rows == columns
    assert 0.92 <= rows <= 1.08  # 0.74 to 0.86 of 1.25 mm


def test_filling_goes_on_when_the_folder_is_deleted_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cases"

    def vanishing(seed: int, _grid: object, **_device: object) -> Case:
        if folder.exists():
            shutil.rmtree(folder)
        return tiny(seed)

    monkeypatch.setattr(cases, "make_case", vanishing)
    assert fill(folder, range(3)) == 3
    assert [p.name for p in folder.iterdir()] == ["0000002.npz"]


def test_t13_counts_as_20_between_t12_and_l1() -> None:
    instances = np.array([18, 19, 28, 20, 24, 26, 0])
    assert cases._from_the_top(instances).tolist() == [18, 19, 20, 21, 25, 26, 0]
    usual = np.array([19, 20, 26])
    assert cases._from_the_top(usual) is usual
