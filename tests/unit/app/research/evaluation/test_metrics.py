"""The table of metrics is the whole of an evaluation, and a new row reaches all of it."""

from __future__ import annotations

import numpy as np
import pytest

from app.research.evaluation import metrics
from app.research.evaluation.cohort import MethodScores
from app.research.evaluation.measures import Masks
from app.research.evaluation.metrics import BY_NAME, METRICS, Metric
from app.research.evaluation.results import as_document, evaluate_methods, write_results
from app.research.evaluation.scoring import score_case
from operators.imaging.volume import LabelMap

BONE, PROCESS = 49, 43


def masks(labels: list[int], instances: list[int]) -> Masks:
    affine = np.diag([3.0, 1.0, 1.0, 1.0])
    maps = [np.array(line, np.uint8).reshape(1, -1, 1) for line in (labels, instances)]
    names = {20: "L1"}
    return Masks(
        semantic=LabelMap(maps[0], affine), instances=LabelMap(maps[1], affine), names=names
    )


def method(name: str, predicted: list[int]) -> MethodScores:
    truth = masks([BONE, BONE, BONE, PROCESS, 0], [20, 20, 20, 20, 0])
    case = score_case(truth, masks([BONE, BONE, BONE, PROCESS, 0], predicted))
    return MethodScores(name=name, cases={"a": case, "b": case}, refused={})


def test_every_metric_is_taken_and_nothing_else() -> None:
    taken = {measure.metric for measure in method("m", [20, 20, 20, 20, 0]).cases["a"].measures}
    assert taken == {metric.name for metric in METRICS} == set(BY_NAME)


def test_no_metric_lacks_words_and_a_test_needs_a_direction() -> None:
    for metric in METRICS:
        assert metric.title
        assert metric.definition.endswith(".")
        assert not metric.is_tested or metric.direction != "neither"


def test_a_new_row_is_in_the_files_the_tables_the_pictures_and_the_comparison(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = Metric(
        name="overseg",
        title="surplus",
        unit="%",
        direction="lower",
        definition="Voxels of the prediction outside the reference, in per cent.",
        basis="masks",
        function=lambda pair: 100 * float(np.mean(pair.prediction & ~pair.reference)),
        scopes=frozenset({"structure", "match", "detection", "part", "level"}),
        is_tested=True,
    )
    monkeypatch.setattr(metrics, "METRICS", (*METRICS, new))
    monkeypatch.setitem(BY_NAME, new.name, new)
    found = evaluate_methods(
        [method("ours", [20, 20, 20, 20, 0]), method("theirs", [20, 20, 20, 20, 20])]
    )
    write_results(found, tmp_path)
    scopes = {
        line.split(",")[1]
        for line in (tmp_path / "measures.csv").read_text().splitlines()
        if ",overseg," in line
    }
    assert scopes == {"structure", "detection", "part", "level"}
    assert (tmp_path / "structures_overseg.png").is_file()
    headers = [table.header for table in found.tables if "surplus (%)" in table.header]
    assert len(headers) >= 4
    tested = [t for t in as_document(found)["comparison"] if t["metric"] == "overseg"]
    assert {t["name"] for t in tested} >= {"vertebra"}
    better = [row[-1] for table in found.tables for row in table.rows if row[1] == "surplus (%)"]
    assert set(better) <= {"-", "ours"}
