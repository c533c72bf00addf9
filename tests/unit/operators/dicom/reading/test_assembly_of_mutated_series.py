"""A damaged or careless header: read as if it were none, or refused; nothing in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders.mutated_series import Original

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.filterwarnings("ignore")  # the mutations themselves write what pydicom warns about
def test_no_mutation_of_100_moves_a_slice_by_a_micrometre_without_a_refusal(tmp_path: Path):
    original = Original.written_to(tmp_path)

    for seed in range(100):
        original.damage(seed)
        for outcome in original.outcomes(tmp_path):
            assert not outcome.complaint, seed
