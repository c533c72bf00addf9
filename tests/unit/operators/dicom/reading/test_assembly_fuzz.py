"""Broken files: a volume or a named refusal, never anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage

from operators.dicom.reading.assembly import assemble
from operators.dicom.reading.series import scan
from operators.errors import InputRejectedError
from operators.imaging.volume import Volume
from tests.builders.mr_series import GDCM_ENCODED, NATIVE, PYDICOM_ENCODED, make_series
from tests.builders.mutations import mutate

if TYPE_CHECKING:
    from pathlib import Path

    from operators.dicom.reading.series import SeriesRecord

_SYNTAXES = (*NATIVE, *PYDICOM_ENCODED, *GDCM_ENCODED)
_VARIANTS = 16


def _outcome(record: SeriesRecord) -> Volume | InputRejectedError:
    try:
        return assemble(record)
    except InputRejectedError as refusal:
        return refusal


@pytest.mark.filterwarnings("ignore")  # the mutations themselves write what pydicom warns about
@pytest.mark.parametrize("sop_class", [MRImageStorage, EnhancedMRImageStorage])
@pytest.mark.parametrize("syntax", _SYNTAXES)
def test_16_broken_variants_per_syntax_give_a_volume_or_named_reasons(
    tmp_path: Path, syntax: str, sop_class: str
):
    eight_bit = syntax in GDCM_ENCODED[:2]
    depth = {"bits_allocated": 8, "bits_stored": 8} if eight_bit else {}
    made = make_series(tmp_path, transfer_syntax=syntax, sop_class=sop_class, slices=5, **depth)
    content = made.paths[0].read_bytes()
    first_seed = 1000 * _SYNTAXES.index(syntax)

    for seed in range(first_seed, first_seed + _VARIANTS):
        made.paths[0].write_bytes(mutate(content, seed))
        for record in scan(tmp_path).series:
            outcome = _outcome(record)
            if isinstance(outcome, Volume):
                assert len(outcome.voxels_zyx) == len(outcome.source) == 5, seed
            else:
                assert outcome.reasons, seed
