"""A damaged or careless header: read as if it were none, or refused; nothing in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders.mr_series import make_series
from tests.builders.mutated_series import Original

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.filterwarnings("ignore")  # the mutations themselves write what pydicom warns about
def test_no_mutation_of_120_moves_a_slice_by_a_micrometre_without_a_refusal(tmp_path: Path):
    made = make_series(tmp_path, slices=11, rows=8, columns=10, shuffle_seed=None)
    original = Original.of(made)

    for seed in range(120):
        original.damage(seed)
        for outcome in original.outcomes(tmp_path):
            assert not outcome.complaint, seed
