"""Every way in which a result is wrong breaks the rule meant for it; a right one breaks none."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.anatomy.levels import LevelName
from operators.imaging.orientation import reorient
from operators.imaging.volume import LabelMap, Volume
from operators.spine.confidence import LOW_AGREEMENT, LOW_CONFIDENCE, Agreement, Confidence
from operators.spine.postprocessing import PostprocessSettings, postprocess
from operators.spine.quality.assess import assess
from operators.spine.quality.evidence import Evidence
from operators.spine.quality.findings import Finding, Outcome, Quality
from operators.spine.quality.rules import RULES
from tests.builders.spine_phantom import spine_of
from tests.builders.spoiled_results import IMAGE_SPOILERS, MASK_SPOILERS, Result

BRIGHTNESS = {
    Structure.CORPUS: 300.0,
    Structure.DISC: 500.0,
    Structure.CANAL: 900.0,
    Structure.CORD: 400.0,
}


@cache
def clean() -> Result:
    """Six vertebrae of boxes whose heights differ a little, as post-processing leaves them."""
    drawn = spine_of(6)
    final = postprocess(drawn.semantic, drawn.instances, PostprocessSettings())
    parts = final.semantic.labels_zyx
    image = np.full(parts.shape, 80.0, np.float32)
    for part, brightness in BRIGHTNESS.items():
        image[parts == part] = brightness
    grain = np.random.default_rng(1).normal(0, 12, (2, *parts.shape))
    image = np.hypot(image + grain[0], grain[1]).astype(np.float32)
    return Result(final.semantic, final.instances, Volume(image, drawn.semantic.affine_lps))


def judged(result: Result, **doubt: object) -> Quality:
    return assess(Evidence.of(result.semantic, result.instances, result.volume, **doubt))


def test_a_right_result_breaks_no_rule() -> None:
    # Boxes repeat themselves exactly, as no spine does.
    found = [finding for finding in judged(clean()).findings if finding.rule != "ghosts"]
    assert found == []


EXPECTED = {
    "vertebra lost": "vertebra_missing",
    "vertebra lost with its discs": "vertebra_missing",
    "two vertebrae merged, disc kept": "vertebrae_merged",
    "two vertebrae merged, disc lost": "vertebrae_merged",
    "vertebra divided": "vertebra_divided",
    "numbers exchanged": "vertebrae_out_of_order",
    "one number on two bones": "vertebra_in_pieces",
    "disc lost": "disc_missing",
    "disc called bone": "disc_missing",
    "half of a body lost": "column_with_gaps",
    "left and right exchanged": "left_right_exchanged",
    "masks shrunk": "column_with_gaps",
    "half the size": "canal_size_unusual",
    "twice the size": "body_size_unusual",
    "cut in front": "field_of_view_cut",
    "cut at the side": "stack_ends_in_canal",
    "half of the canal lost": "canal_missing",
    "masks shifted": "masks_beside_image",
    "noise": "noise_high",
    "ghost": "ghosts",
    "brightness inverted": "contrast_not_t2w",
    "proton density": "contrast_not_t2w",
    "signal lost about metal": "signal_void",
}


@pytest.mark.parametrize("kind", {**MASK_SPOILERS, **IMAGE_SPOILERS})
def test_what_is_spoiled_breaks_the_rule_for_it(kind: str) -> None:
    spoil = {**MASK_SPOILERS, **IMAGE_SPOILERS}[kind]
    result = spoil(clean(), np.random.default_rng(3))
    assert result is not None
    quality = judged(result)
    outcomes = {rule.name: rule.outcome for rule in RULES}
    assert EXPECTED[kind] in {finding.rule for finding in quality.findings}
    assert all(finding.outcome == outcomes[finding.rule] for finding in quality.findings)
    withholds = Outcome.WITHHOLD in {finding.outcome for finding in quality.findings}
    assert (quality.outcome == Outcome.WITHHOLD) is withholds


def test_a_result_in_any_orientation_is_judged_alike() -> None:
    result = MASK_SPOILERS["vertebra lost"](clean(), np.random.default_rng(3))
    turned = Result(
        *(reorient(labels, ("L", "S", "A")) for labels in (result.semantic, result.instances)),
        reorient(result.volume, ("L", "S", "A")),
    )
    rules = [f.rule for f in judged(result).findings]
    assert [f.rule for f in judged(turned).findings] == rules


def test_without_an_image_only_the_masks_are_judged() -> None:
    result = clean()
    assert assess(Evidence.of(result.semantic, result.instances)) == Quality(Outcome.RELEASE)
    shuffled = MASK_SPOILERS["numbers exchanged"](result, np.random.default_rng(3))
    quality = assess(Evidence.of(shuffled.semantic, shuffled.instances))
    assert quality.outcome == Outcome.WITHHOLD


def test_masks_without_a_body_are_judged_without_failing() -> None:
    result = clean()
    nothing = replace(result, instances=result.instances.with_labels(0 * result.numbers))
    assert "vertebra_missing" not in {f.rule for f in judged(nothing).findings}


def rules_of(result: Result) -> set[str]:
    return {finding.rule for finding in judged(result).findings}


def within(result: Result, first: int) -> Result:
    """Leave out slices."""
    semantic, instances = (
        LabelMap(array[first:], result.semantic.affine_lps)
        for array in (result.parts, result.numbers)
    )
    voxels = np.asarray(result.volume.voxels_zyx)[first:]
    return Result(semantic, instances, Volume(voxels, result.volume.affine_lps))


def test_a_stack_may_end_within_the_flanks_of_bodies_but_not_within_the_canal() -> None:
    result = clean()
    body, canal = (
        np.flatnonzero((result.parts == part).any(axis=(1, 2)))
        for part in (Structure.CORPUS, Structure.CANAL)
    )
    assert body[0] + 1 < canal[0]
    assert "stack_ends_in_canal" not in rules_of(within(result, int(canal[0]) - 1))
    assert "stack_ends_in_canal" in rules_of(within(result, int(canal[len(canal) // 2])))


@pytest.mark.parametrize(("side_mm", "is_found"), [(9.0, True), (4.5, False)])
def test_a_void_counts_from_the_size_of_a_screw_on(side_mm: float, *, is_found: bool) -> None:
    result = clean()
    voxels = np.asarray(result.volume.voxels_zyx).copy()
    _, row, column = np.argwhere(result.body(result.column[2])).mean(axis=0).astype(int)
    slices = np.flatnonzero(result.body(result.column[2]).any(axis=(1, 2)))
    half = round(side_mm / result.volume.spacing_zyx_mm[1] / 2)
    voxels[slices[1] : slices[-1], row - half : row + half, column - half : column + half] = 0.0
    found = rules_of(Result(result.semantic, result.instances, result.volume.with_voxels(voxels)))
    assert ("signal_void" in found) is is_found


def test_doubt_is_flagged_by_place_and_withheld_where_it_is_about_the_bodies() -> None:
    unsure = Confidence(structures={49: 0.9, 61: LOW_CONFIDENCE - 0.1}, vertebrae={4: 0.5, 5: 0.4})
    (found,) = [f for f in judged(clean(), confidence=unsure).findings if f.rule != "ghosts"]
    assert (found.rule, found.outcome) == ("low_confidence", Outcome.FLAG)
    assert found.places == ("vertebra_5", "canal", "vertebra_4")
    assert (found.value, found.limit) == (0.4, LOW_CONFIDENCE)
    lost = Confidence(structures={49: LOW_CONFIDENCE - 0.01}, vertebrae={})
    quality = judged(clean(), confidence=lost)
    assert quality.rules(Outcome.WITHHOLD) == ("bodies_doubtful",)
    at_odds = Agreement(structures={100: LOW_AGREEMENT - 0.01, 49: 1.0}, vertebrae={})
    (found,) = [f for f in judged(clean(), agreement=at_odds).findings if f.rule != "ghosts"]
    assert (found.rule, found.places) == ("low_agreement", ("disc",))


@pytest.mark.parametrize(("confidence", "is_flagged"), [(0.7, True), (0.5, False)])
def test_what_is_probably_a_piece_of_the_sacrum_is_flagged(
    confidence: float, *, is_flagged: bool
) -> None:
    levels = {6: LevelName(24, 0.9), 7: LevelName(26, confidence)}
    found = {finding.rule: finding for finding in judged(clean(), levels=levels).findings}
    assert ("sacrum_as_vertebra" in found) is is_flagged
    if is_flagged:
        assert found["sacrum_as_vertebra"].places == ("vertebra_7",)
        assert found["sacrum_as_vertebra"].outcome is Outcome.FLAG


def test_the_gravest_finding_comes_first_and_decides() -> None:
    flag, withhold = (
        Finding(
            rule=name, outcome=outcome, text="A", places=("spine",), value=1, limit=2, unit="mm"
        )
        for name, outcome in (("a", Outcome.FLAG), ("b", Outcome.WITHHOLD))
    )
    quality = Quality.of([flag, withhold, flag])
    assert quality.outcome == Outcome.WITHHOLD
    assert [finding.rule for finding in quality.findings] == ["b", "a", "a"]
    assert quality.sentences[0] == "A: spine (1 mm, limit 2 mm)."
    assert Quality.of([flag]).outcome == Outcome.FLAG
    assert Quality.of([]) == Quality(Outcome.RELEASE)


def test_rules_have_names_of_their_own_words_an_origin_and_a_limit() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.outcome in {Outcome.FLAG, Outcome.WITHHOLD}
        assert all((rule.text, rule.about, rule.origin))
        assert np.isfinite([rule.least, rule.most]).any()
        assert rule.least < rule.most
