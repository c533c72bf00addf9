"""What people type about a series, changed in every way that must not change a decision."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from operators.dicom.reading.series import Frame, SeriesRecord
from tests.builders.plain_headers import changed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator

    from tests.builders.mr_headers import GeneratedSeries

TEXT_ATTRIBUTES = ("SeriesDescription", "ProtocolName", "BodyPartExamined", "StudyDescription")
_TRANSLATED = (
    ("LWS sagittal", "Wirbelsäule"),
    ("rachis sagittal", "IRM du rachis lombaire"),
    ("columna sagital", "RM de columna"),
    ("colonna sagittale", "RM rachide"),
    ("kręgosłup strzałkowo", "MR kręgosłupa"),
    ("позвоночник сагиттально", "позвоночник"),
    ("腰椎矢状位", "腰椎磁共振"),
    ("사각 요추", "척추"),
)


def reworded(
    series: Sequence[GeneratedSeries],
    how: str,
    seed: int = 0,
) -> tuple[GeneratedSeries, ...]:
    """Change what people typed and nothing else.

    `how`: blank, shuffled_in_study, shuffled (over everything), translated.
    """
    rng = np.random.default_rng(seed)
    texts = [_text(item.record) for item in series]
    if how == "blank":
        texts = [dict.fromkeys(TEXT_ATTRIBUTES, "") for _ in series]
    elif how == "shuffled":
        texts = [texts[i] for i in rng.permutation(len(texts))]
    elif how == "shuffled_in_study":
        texts = _shuffled_in_study(series, texts, rng)
    elif how == "translated":
        words = [_TRANSLATED[i] for i in rng.integers(0, len(_TRANSLATED), len(texts))]
        texts = [dict(zip(TEXT_ATTRIBUTES, (a, a, "", b), strict=True)) for a, b in words]
    else:
        raise ValueError(how)
    return tuple(
        replace(item, record=_with_text(item.record, text))
        for item, text in zip(series, texts, strict=True)
    )


def _text(record: SeriesRecord) -> dict[str, str]:
    first = record.frames[0].header
    return {keyword: str(first.get(keyword, "")) for keyword in TEXT_ATTRIBUTES}


def _with_text(record: SeriesRecord, text: dict[str, str]) -> SeriesRecord:
    frames = tuple(
        Frame(frame.path, frame.frame_number, changed(frame.header, **text))
        for frame in record.frames
    )
    return replace(record, frames=frames)


def _shuffled_in_study(
    series: Sequence[GeneratedSeries],
    texts: Sequence[dict[str, str]],
    rng: Generator,
) -> list[dict[str, str]]:
    shuffled = list(texts)
    for study in sorted({item.record.study_uid for item in series}):
        own = [i for i, item in enumerate(series) if item.record.study_uid == study]
        for i, j in zip(own, rng.permutation(own), strict=True):
            shuffled[i] = texts[int(j)]
    return shuffled
