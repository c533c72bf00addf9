import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import OutputUnwritableError
from app.research.evaluation.cohort import MethodScores
from app.research.evaluation.results import Evaluation, as_document, evaluate_methods, write_results
from app.research.evaluation.scoring import score_case
from tests.builders.spine_boxes import spine_boxes, without


def evaluation(*names: str) -> Evaluation:
    methods = []
    for n, name in enumerate(names):
        prediction = without(spine_boxes(down=1 + n), 20 if n else 0)
        cases = {f"c{k}": score_case(spine_boxes(), prediction) for k in range(3)}
        methods.append(MethodScores(name=name, cases=cases, refused={}))
    return evaluate_methods(methods)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_two_methods_are_written_as_json_csv_png_and_html(tmp_path: Path):
    written = write_results(evaluation("ours", "theirs"), tmp_path / "out")
    assert sorted(path.name for path in written) == [
        "cases.csv",
        "comparison.csv",
        "evaluation.json",
        "instances.csv",
        "levels.png",
        "measures.csv",
        "recognition.png",
        "report.html",
        "structures_assd.png",
        "structures_dsc.png",
        "summary.csv",
    ]
    assert all(path.stat().st_size for path in written)


def test_the_csv_files_say_what_the_scores_say(tmp_path: Path):
    write_results(evaluation("ours", "theirs"), tmp_path)
    body = [
        row
        for row in rows_of(tmp_path / "measures.csv")
        if (row["scope"], row["name"], row["metric"]) == ("structure", "corpus", "dsc")
    ]
    assert len(body) == 6
    assert {(r["method"], float(r["value"])) for r in body} == {
        ("ours", 0.916667),
        ("theirs", 0.833333),
    }
    missed = [
        r
        for r in rows_of(tmp_path / "instances.csv")
        if r["outcome"] == "missed" and r["kind"] in {"vertebra", "corpus"}
    ]
    assert {(r["method"], r["kind"], r["reference"], r["dsc"]) for r in missed} == {
        ("theirs", "vertebra", "20", ""),
        ("theirs", "corpus", "20", ""),
    }


def test_the_document_is_json_without_not_a_number(tmp_path: Path):
    found = evaluation("ours", "theirs")
    write_results(found, tmp_path)
    text = (tmp_path / "evaluation.json").read_text(encoding="utf-8")
    assert json.loads(text) == as_document(found)
    assert "NaN" not in text
    summary = as_document(found)["methods"][1]["summary"]
    levels = [s for s in summary if s["name"] == "vertebra 20" and s["metric"] == "dsc"]
    assert [(s["n"], s["undefined"], s["mean"]) for s in levels] == [(0, 3, None)]


def test_running_numbers_have_no_region_in_the_list_of_instances(tmp_path: Path):
    method = replace(evaluation("ours").methods[0], levels_known=False)
    written = write_results(evaluate_methods([method]), tmp_path)
    assert {row["region"] for row in rows_of(tmp_path / "instances.csv")} == {""}
    assert not [path for path in written if path.name == "levels.png"]


def test_one_method_has_no_comparison(tmp_path: Path):
    found = evaluation("ours")
    written = write_results(found, tmp_path)
    assert not [path for path in written if path.name == "comparison.csv"]
    assert as_document(found)["comparison"] == []


def test_a_folder_that_cannot_be_made_is_an_error_with_a_name(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputUnwritableError):
        write_results(evaluation("ours"), tmp_path / "file" / "out")
