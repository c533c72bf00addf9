"""The record says how certain the networks were and how far their folds agree."""

from __future__ import annotations

import json

from app.run.record import ResultRecord, SeriesRecordEntry, entry_of, quality_lines
from operators.case import Case
from operators.spine.confidence import Agreement, Confidence
from operators.spine.quality.findings import Finding, Outcome, Quality


def test_folds_that_contradict_each_other_are_named_although_their_mean_is_certain() -> None:
    case = Case(
        key="s1",
        confidence=Confidence(structures={49: 0.95, 100: 0.9}, vertebrae={3: 0.95, 4: 0.9}),
        agreement=Agreement(structures={49: 0.97, 100: 0.5}, vertebrae={3: 0.8, 4: 0.667}),
    )
    entry = entry_of(case)
    assert entry.confidence == {
        "structures": {"corpus": 0.95, "disc": 0.9},
        "vertebrae": {"3": 0.95, "4": 0.9},
    }
    assert entry.agreement == {
        "structures": {"corpus": 0.97, "disc": 0.5},
        "vertebrae": {"3": 0.8, "4": 0.667},
    }


def test_what_the_gate_found_is_said_in_one_line_per_finding() -> None:
    found = Finding(
        rule="noise_high",
        outcome=Outcome.FLAG,
        text="The image is very noisy",
        places=("spine",),
        value=0.31,
        limit=0.2,
        unit="1",
    )
    noisy, clean = (
        SeriesRecordEntry(key=key, status="ok", quality=Quality.of(findings))
        for key, findings in (("s1", [found]), ("s2", []))
    )
    failed = SeriesRecordEntry(key="s3", status="failed")
    record = ResultRecord(status="partial", exit_code=0, series=(noisy, clean, failed))
    assert list(quality_lines(record)) == [
        "s1: flag: The image is very noisy: spine (0.31, limit 0.2)."
    ]
    assert json.loads(json.dumps(record.as_dict()))["series"][0]["quality"]["outcome"] == "flag"


def test_a_model_of_one_fold_reports_its_confidence_and_no_agreement() -> None:
    confidence = Confidence(structures={61: 0.4}, vertebrae={})
    entry = entry_of(Case(key="s1", confidence=confidence))
    assert entry.agreement == {}
    assert json.dumps(entry.confidence) == '{"structures": {"canal": 0.4}, "vertebrae": {}}'
