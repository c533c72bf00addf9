import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.cli.evaluation import evaluate
from app.errors import OutputUnwritableError
from operators.errors import UnreadableInputError
from operators.imaging.volume import LabelMap
from tests.builders.spine_boxes import spine_boxes, without, write_derivatives

APP = typer.Typer()
APP.command()(evaluate)


def write(tmp_path: Path) -> tuple[str, ...]:
    write_derivatives(tmp_path / "truth", {n: spine_boxes() for n in "abc"})
    write_derivatives(tmp_path / "ours", {n: spine_boxes(down=1) for n in "abc"})
    write_derivatives(tmp_path / "theirs", {n: without(spine_boxes(down=2), 20) for n in "abc"})
    return ("--reference", str(tmp_path / "truth"), "--prediction", str(tmp_path / "ours"))


def test_one_method_is_scored_and_reported(tmp_path: Path):
    result = CliRunner().invoke(APP, [*write(tmp_path), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0
    assert re.search(
        r"^  vertebra instances +ours +3 +1\.000 ± 0\.000  ", result.stdout, re.MULTILINE
    )
    assert result.stderr.splitlines()[-1] == "ours: 3 cases scored"
    assert (tmp_path / "out" / "report.html").exists()


def test_two_methods_are_compared_and_json_is_one_line(tmp_path: Path):
    arguments = [*write(tmp_path), "--against", str(tmp_path / "theirs")]
    result = CliRunner().invoke(APP, [*arguments, "-o", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert [m["name"] for m in document["methods"]] == ["ours", "theirs"]
    schemes = [m["label_schemes"] for m in document["methods"]]
    assert schemes == [{"reference": "SPINEPS", "prediction": "SPINEPS"}] * 2
    assert document["comparison"]
    assert (tmp_path / "out" / "comparison.csv").exists()


def test_running_numbers_are_reported_without_regions(tmp_path: Path):
    arguments = [*write(tmp_path), "-o", str(tmp_path / "out"), "--json"]
    by_level = json.loads(CliRunner().invoke(APP, arguments).stdout)
    running = json.loads(CliRunner().invoke(APP, [*arguments, "--no-levels"]).stdout)
    regions = [
        {entry["region"] for entry in document["methods"][0]["summary"]}
        for document in (by_level, running)
    ]
    assert regions[0] >= {"whole", "thoracic", "lumbar"}
    assert regions[1] == {"whole"}


def test_folders_of_one_name_are_told_apart(tmp_path: Path):
    arguments = write(tmp_path)
    again = write_derivatives(tmp_path / "second" / "ours", {n: spine_boxes() for n in "abc"})
    result = CliRunner().invoke(
        APP, [*arguments, "--against", str(again), "-o", str(tmp_path / "out"), "--json"]
    )
    assert [m["name"] for m in json.loads(result.stdout)["methods"]] == ["ours (1)", "ours (2)"]


def test_a_case_that_cannot_be_compared_leaves_the_evaluation_incomplete(tmp_path: Path):
    arguments = write(tmp_path)
    masks = spine_boxes()
    moved = masks.semantic.affine_lps.copy()
    moved[:3, 3] += 0.4
    shifted = type(masks)(semantic=LabelMap(masks.semantic.labels_zyx, moved))
    write_derivatives(tmp_path / "ours", {"a": shifted})
    (tmp_path / "ours" / "a_seg-vert_msk.nii.gz").unlink()
    result = CliRunner().invoke(APP, [*arguments, "-o", str(tmp_path / "out")])
    assert result.exit_code == 75
    assert "ours: 2 cases scored; 1 cannot be compared (different_grids)" in result.stderr
    assert "different_grids" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_folders_without_a_pair_write_nothing(tmp_path: Path):
    arguments = write(tmp_path)
    with pytest.raises(UnreadableInputError):
        CliRunner().invoke(
            APP,
            [*arguments[:2], "--prediction", str(tmp_path), "-o", str(tmp_path / "out")],
            catch_exceptions=False,
        )
    assert not (tmp_path / "out").exists()


def test_no_network_library_is_loaded_to_evaluate():
    code = (
        "import sys, app.cli.evaluation\n"
        "import app.research.evaluation.results, app.research.evaluation.cohort\n"
        "sys.exit(', '.join({'torch', 'monai', 'holoscan', 'dbos'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("wrong", ["--against", "--output"])
def test_a_folder_that_is_wrong_is_refused_before_the_first_case_is_scored(
    tmp_path: Path, wrong: str, capfd: pytest.CaptureFixture[str]
):
    arguments = [*write(tmp_path), "--output", str(tmp_path / "out")]
    (tmp_path / "file").touch()
    arguments += [wrong, str(tmp_path / "file" / "below")]
    with pytest.raises((UnreadableInputError, OutputUnwritableError)):
        CliRunner().invoke(APP, arguments, catch_exceptions=False)
    assert "case 1 of" not in capfd.readouterr().err


def test_cases_have_the_keys_by_which_they_join_other_tables(tmp_path: Path):
    for folder in ("truth", "ours"):
        cases = {"sub-01_ses-b_mod-T2w": spine_boxes(), "other": spine_boxes()}
        write_derivatives(tmp_path / folder, cases)
    (tmp_path / "ours" / "other_seg-vert_msk.nii.gz").unlink()
    (tmp_path / "ours" / "other_seg-spine_msk.nii.gz").unlink()
    arguments = ("--reference", str(tmp_path / "truth"), "--prediction", str(tmp_path / "ours"))
    CliRunner().invoke(APP, [*arguments, "-o", str(tmp_path / "out")])
    assert (tmp_path / "out" / "cases.csv").read_text("utf-8").splitlines() == [
        "method,case,subject,session,series_uid,status,reason",
        "ours,other,,,,missing,",
        "ours,sub-01_ses-b_mod-T2w,sub-01,ses-b,,scored,",
    ]


def test_the_numbers_of_other_programs_are_stated_and_checked(tmp_path: Path):
    arguments = write(tmp_path)
    stated = [*arguments, "-o", str(tmp_path / "out"), "--labels", "totalspineseg"]
    result = CliRunner().invoke(APP, stated)
    assert result.exit_code == 75
    assert "3 cannot be compared (scheme_needs_one_mask)" in result.stderr
