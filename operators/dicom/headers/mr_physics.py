"""What an MR header says about the acquisition, whichever vendor wrote it.

Turns timing, sequence codes, sequence names and Enhanced MR's own attributes into one small record
per stack of slices. It gives no verdict: that is `operators.dicom.selection.contrast`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operators.dicom.headers.header_values import (
    median,
    numbers,
    positive_number,
    texts,
    unreadable,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

QUANTITIES = (
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "EchoTrainLength",
    "DiffusionBValue",
    "SliceThickness",
)
"""Numbers on which `operators.dicom.selection.contrast` decides."""

SPIN_ECHO = "SE"
GRADIENT_ECHO = "GR"
ECHO_PLANAR = "EP"
INVERSION_RECOVERY = "IR"

_SEQUENCE_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (ECHO_PLANAR, re.compile(r"^\*?(ep[_2fs]|ep$|epi|re_b|dwi|dti)")),
    (INVERSION_RECOVERY, re.compile(r"^\*?(tir|spcir|spcrir|ir|stir|flair|fseir|fir|tse_?ir)")),
    (SPIN_ECHO, re.compile(r"^\*?(r?tse|spc|h2d|h3d|hst|se|fse|frfse|ssfse|cube|vista|sshtse)")),
    (
        GRADIENT_ECHO,
        re.compile(
            r"^\*?(fl\d?[23]d|fl_|tfl|fi[23]d|tfi|me[23]d|de3d|ci3d|fm[23]d|swi|gre|ffe|tfe|spgr|"
            r"fspgr|mpgr|psif|trufi|fiesta|merge|medic|ge$|fe$)",
        ),
    ),
)
"""Scanning sequence by (0018,0024) Sequence Name or (0018,9005) Pulse Sequence Name: Siemens' short
names first (``*tse2d1_15`` = TSE, 2D, 1 echo, 15 per train), then other vendors' plain ones."""

_NAMED_ECHO_TRAIN = re.compile(r"^\*?(?:tse|tir|h|hst)\w*?[23]d\d+(?:_|rr?)(\d+)")
_NAMED_3D = re.compile(r"^\*?[a-z]+?r?3d|^\*?spc|cube|vista", re.IGNORECASE)
_NAMED_SINGLE_SHOT = re.compile(r"^\*?(h2d|h3d|hst|haste|ssfse|sshtse)", re.IGNORECASE)

_FAT_SUPPRESSION = frozenset(
    {"FS", "FAT_SAT", "FATSAT", "FAT_SUPPRESSION", "SFS", "SPIR", "SPAIR", "ASPIR", "CHESS", "WE"},
)
_SPECTRAL_SUPPRESSION = frozenset({"FAT", "FAT_AND_WATER"})

_SINGLE_SHOT_TRAIN = 100
"""Echoes per train from which a 2-D spin echo is single-shot: half-Fourier of >= 160 lines."""

_THIN_SLICE_MM = 1.5
"""Thinner slices are 3-D encoded: 2-D spin echo of the spine starts at 2 mm (signal)."""

_IMAGE_TYPE_SEQUENCES: tuple[tuple[str, str], ...] = (
    ("FFE", GRADIENT_ECHO),
    ("IR", INVERSION_RECOVERY),
    ("SE", SPIN_ECHO),
)
"""Last word of Philips' Image Type (``M_FFE``, ``FFE``) -> scanning sequence."""

_CONTRAST_WORDS: dict[str, str] = {
    "T2": "T2",
    "T1": "T1",
    "PROTON_DENSITY": "PROTON_DENSITY",
    "STIR": "STIR",
    "FLUID_ATTENUATED": "FLUID_ATTENUATED",
    "DIFFUSION": "DIFFUSION",
    "T2_STAR": "T2_STAR",
    "PERFUSION": "PERFUSION",
}
"""Defined terms of (0008,9209) Acquisition Contrast that name one weighting (PS3.3 C.8.13.3.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MrPhysics:
    """How a stack of slices was acquired; None and empty mean "the header doesn't say".

    Attributes
    ----------
    sequences : frozenset of str
        Of ``SE``, ``GR``, ``EP``, ``IR`` (PS3.3 C.8.3.1, Scanning Sequence).
    echo_time_ms, repetition_time_ms, inversion_time_ms : float or None
        Effective echo time; 0 counts as not said.
    echo_train_length : int or None
        Echoes per excitation.
    b_value_s_mm2 : float or None
        Diffusion weighting.
    slice_thickness_mm : float or None
        As prescribed.
    is_3d, is_single_shot, is_fat_suppressed : bool
        Encoded in three dimensions; whole plane in one echo train; fat darkened by frequency
        (not by inversion time).
    coded_contrast : str or None
        Enhanced MR's Acquisition Contrast, if it names one.
    unreadable : frozenset of str
        Keywords of quantities that the headers hold and that nobody can read.
    """

    sequences: frozenset[str] = frozenset()
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None
    echo_train_length: int | None = None
    b_value_s_mm2: float | None = None
    slice_thickness_mm: float | None = None
    is_3d: bool = False
    is_single_shot: bool = False
    is_fat_suppressed: bool = False
    coded_contrast: str | None = None
    unreadable: frozenset[str] = frozenset()


def read_physics(headers: Sequence[Dataset]) -> MrPhysics:
    """Read the acquisition of a stack of slices.

    Parameters
    ----------
    headers : sequence of Dataset
        One per slice, at least one; numbers are medians over the slices, codes are taken from
        the first slice.

    Returns
    -------
    MrPhysics
        With None for whatever is absent, zero or unreadable; the last is named.
    """
    unread = {keyword for keyword in QUANTITIES if _is_unreadable(headers, keyword)}

    def over_slices(keyword: str) -> float | None:
        return median([positive_number(header, keyword) for header in headers])

    first = headers[0]
    name = _sequence_name(first)
    train = over_slices("EchoTrainLength") or _named_echo_train(name)
    thickness = over_slices("SliceThickness")
    sequences = _sequences(first, name)
    is_3d = _is_3d(first, name, thickness)
    return MrPhysics(
        sequences=sequences,
        echo_time_ms=over_slices("EchoTime"),
        repetition_time_ms=over_slices("RepetitionTime"),
        inversion_time_ms=over_slices("InversionTime"),
        echo_train_length=None if train is None else int(train),
        b_value_s_mm2=median([_b_value(header) for header in headers]),
        slice_thickness_mm=thickness,
        is_3d=is_3d,
        is_single_shot=_is_single_shot(name, train, is_3d=is_3d),
        is_fat_suppressed=_is_fat_suppressed(first),
        coded_contrast=_coded_contrast(headers),
        unreadable=frozenset(unread),
    )


def _is_unreadable(headers: Sequence[Dataset], keyword: str) -> bool:
    """Whether slices hold a quantity, but none of them a value that it can have (0: not set)."""
    said = [numbers(header, keyword) for header in headers]
    is_broken = any(keyword in unreadable(header) for header in headers)
    is_negative = any(values[0] < 0 for values in said if values)
    return (is_broken or is_negative) and not any(values[0] >= 0 for values in said if values)


def _sequence_name(header: Dataset) -> str:
    """First of the two technical names; both are written by the scanner, not by the operator."""
    names = texts(header, "SequenceName") or texts(header, "PulseSequenceName")
    return names[0].lower() if names else ""


def _sequences(header: Dataset, name: str) -> frozenset[str]:
    """Tell the scanning sequence by its code; by name and Image Type where the code is silent.

    Inversion and echo-planar readout are added whoever mentions them: vendors that write plain
    ``SE`` for a STIR exist, the reverse doesn't.
    """
    coded = {word for word in words(header, "ScanningSequence") if word != "RM"}
    named = {code for code, pattern in _SEQUENCE_NAMES if pattern.search(name)}
    typed = _typed_sequences(header)
    if words(header, "InversionRecovery") == ("YES",):
        named.add(INVERSION_RECOVERY)
    if words(header, "EchoPlanarPulseSequence") == ("YES",):
        named.add(ECHO_PLANAR)
    additional = (named | typed) & {INVERSION_RECOVERY, ECHO_PLANAR}
    if coded & {SPIN_ECHO, GRADIENT_ECHO, ECHO_PLANAR}:
        return frozenset(coded | additional)
    return frozenset(coded | (named or typed) | additional)


def _typed_sequences(header: Dataset) -> set[str]:
    kind = words(header, "ImageType")[2:]
    return {
        code
        for ending, code in _IMAGE_TYPE_SEQUENCES
        if any(word == ending or word.endswith("_" + ending) for word in kind)
    }


def _named_echo_train(name: str) -> float | None:
    match = _NAMED_ECHO_TRAIN.match(name)
    return float(match.group(1)) if match else None


def _is_3d(header: Dataset, name: str, thickness_mm: float | None) -> bool:
    kind = words(header, "MRAcquisitionType")
    if kind:
        return kind[0] == "3D"
    thin = thickness_mm is not None and thickness_mm <= _THIN_SLICE_MM
    return thin or bool(_NAMED_3D.search(name))


def _is_single_shot(name: str, train: float | None, *, is_3d: bool) -> bool:
    long_train = train is not None and train >= _SINGLE_SHOT_TRAIN and not is_3d
    return long_train or bool(_NAMED_SINGLE_SHOT.search(name))


def _is_fat_suppressed(header: Dataset) -> bool:
    options = set(words(header, "ScanOptions"))
    spectral = set(words(header, "SpectrallySelectedSuppression"))
    return bool(options & _FAT_SUPPRESSION or spectral & _SPECTRAL_SUPPRESSION)


def _b_value(header: Dataset) -> float | None:
    values = numbers(header, "DiffusionBValue")
    return values[0] if values else None


def _coded_contrast(headers: Sequence[Dataset]) -> str | None:
    """Acquisition Contrast, or value 3 of Image Type, which repeats it in Enhanced MR."""
    said: Counter[str] = Counter()
    for header in headers:
        for word in words(header, "AcquisitionContrast")[:1] + words(header, "ImageType")[2:3]:
            if word in _CONTRAST_WORDS:
                said[_CONTRAST_WORDS[word]] += 1
                break
    return said.most_common(1)[0][0] if said else None
