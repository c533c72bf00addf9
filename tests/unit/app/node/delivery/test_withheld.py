"""What is withheld: the objects of the stacks that the gate withholds, and of no other."""

from __future__ import annotations

from app.node.delivery.withheld import LONGEST_CAUSE, withheld_objects
from app.node.journal.deliveries import WITHHELD
from app.node.journal.runs import ResultFile
from operators.dicom.identity.result_kinds import SEGMENTATION
from operators.spine.quality.findings import Outcome
from operators.spine.quality.rules import RULES


def file(name: str, uid: str) -> ResultFile:
    return ResultFile(
        name=name, kind=SEGMENTATION, path=name, digest="", size_bytes=1, sop_instance_uid=uid
    )


FILES = [file("a.dcm", "1.1"), file("b.dcm", "1.2"), file("a.png", "")]


def entry(outcome: str, *files: str) -> dict[str, object]:
    rules = [("x", "withhold"), ("y", "flag"), ("z", "withhold")]
    findings = [{"rule": rule, "outcome": asked} for rule, asked in rules]
    return {"files": list(files), "quality": {"outcome": outcome, "findings": findings}}


def test_only_the_objects_of_a_withheld_stack_are_named_with_the_rules_that_ask_for_it() -> None:
    record = {"series": [entry("withhold", "a.dcm", "a.png"), entry("flag", "b.dcm")]}
    assert withheld_objects(record, FILES) == {"1.1": "withheld: x, z"}


def test_a_cause_fits_its_column_with_whole_names_whatever_is_broken() -> None:
    names = [rule.name for rule in RULES if rule.outcome == Outcome.WITHHOLD]
    for count in range(1, len(names) + 1):
        findings = [{"rule": name, "outcome": "withhold"} for name in names[:count]]
        verdict = {"outcome": "withhold", "findings": findings}
        record = {"series": [{"files": ["a.dcm"], "quality": verdict}]}
        cause = withheld_objects(record, FILES)["1.1"]
        assert len(cause) <= LONGEST_CAUSE
        named = cause.removeprefix(WITHHELD).split(", ")
        assert set(named) <= {*names[:count], "..."}
        assert named[0] == names[0]


def test_records_without_a_verdict_withhold_nothing() -> None:
    for series in (None, [], [{"files": ["a.dcm"]}], [{"files": ["a.dcm"], "quality": None}]):
        assert withheld_objects({"series": series}, FILES) == {}
    assert withheld_objects({}, FILES) == {}
