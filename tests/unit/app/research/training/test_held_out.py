"""Held-out figures pool voxels and always look at the same samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.research.training.cases import Case, store
from app.research.training.held_out import PooledDice, held_out_samples
from app.research.training.shelf import CaseShelf


def test_the_dice_pools_voxels_of_samples_and_absent_classes_have_none() -> None:
    pooled = PooledDice(4)
    pooled.add(np.array([1, 1, 2, 0]), np.array([1, 0, 2, 2]))
    pooled.add(np.array([1, 3]), np.array([1, 0]))
    assert pooled.of(1) == pytest.approx(2 * 2 / (3 + 2))
    assert pooled.of(2) == pytest.approx(2 * 1 / (1 + 2), abs=1e-4)
    assert pooled.of(3) is None  # found, but in no reference


def draw(rng: np.random.Generator, case: Case) -> tuple[int, float] | None:
    number = int(case.labels[0, 0, 0])
    return None if number == 2 else (number, float(rng.random()))


def test_samples_take_the_cases_in_turn_and_do_not_change(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        labels = np.full((1, 1, 1), number, np.uint8)
        image = np.zeros((1, 1, 1, 1), np.float16)
        store(Case(image, labels, labels, (3.3, 1.5, 1.5)), tmp_path / f"{number}.npz")
    first, again, other = (
        list(held_out_samples(CaseShelf(tmp_path), seed, 5, draw)) for seed in (1, 1, 2)
    )
    assert [number for number, _ in first] == [1, 3, 1]  # 1 2 3 1 2, of which 2 has no sample
    assert first == again != other
    assert list(held_out_samples(None, 1, 5, draw)) == []
