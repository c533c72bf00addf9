"""Body part and weighting in the languages of spine departments."""

from __future__ import annotations

import pytest

from operators.dicom.selection.text_hints import judge_body_part, says_t2_weighted
from tests.builders.plain_headers import header


@pytest.mark.parametrize(
    "text",
    [
        "MR lumbar spine",
        "LSPINE",
        "MRT LWS nativ",
        "HWS_sag",
        "Wirbelsäule",
        "IRM rachis cervical",
        "RM columna lumbosacra",
        "RM rachide lombare",
        "RM coluna lombar",
        "MRI wervelkolom",
        "Lomber omurga MR",
        "MR kręgosłupa",
        "MR páteře",
        "позвоночник",
        "腰椎平扫",
        "頸椎",
        "요추 MRI",
    ],
)
def test_a_spine_is_recognised_in_many_languages(text: str):
    (reason,) = judge_body_part(header(StudyDescription=text))

    assert (reason.name, reason.detail, reason.decides) == (
        "text_names_spine",
        "StudyDescription",
        False,
    )


@pytest.mark.parametrize("text", ["MR Knee left", "Schädel", "cerveau", "Prostata mpMRT", "колено"])
def test_another_body_part_is_recognised(text: str):
    (reason,) = judge_body_part(header(StudyDescription=text))

    assert (reason.name, reason.decides) == ("text_names_other_body_part", False)


@pytest.mark.parametrize("text", ["spin echo", "localizer", ""])
def test_other_text_names_no_body_part(text: str):
    assert judge_body_part(header(SeriesDescription=text)) == ()


@pytest.mark.parametrize(
    "text", ["t2_tse_sag", "SAG T2 FRFSE", "T2W_TSE", "\N{CYRILLIC CAPITAL LETTER TE}2 sag"]
)
def test_t2_weighting_is_read_from_the_description(text: str):
    assert says_t2_weighted(header(SeriesDescription=text))


@pytest.mark.parametrize("text", ["t2*_sag", "T2 STIR", "t2_flair", "pd+t2", "T1", "t20", "sag"])
def test_other_weightings_and_mixtures_are_no_t2(text: str):
    assert not says_t2_weighted(header(SeriesDescription=text))
