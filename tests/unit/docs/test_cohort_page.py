"""Every block of docs/cohort.md runs: its commands as dry runs, its Python on a small cohort."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.cli.cohort import cohort

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "cohort.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```shell\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
APP = typer.Typer()
APP.command()(cohort)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    image = tmp_path / "DATASET" / "sub-01" / "anat" / "sub-01_T2w.nii.gz"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"image")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", COMMANDS)
def test_its_commands_are_understood(folder: Path, line: str) -> None:
    program, command, *arguments = shlex.split(line)
    assert (program, command) == ("spine-node", "cohort")
    done = CliRunner().invoke(APP, [*arguments, "--dry-run"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "1 cases: 1 to do; nothing was written"


def test_its_tables_join_with_participants(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas", reason="comes with the extra train")
    assert len(COMMANDS) == 3
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    people = ["participant_id\tgroup", "sub-01\tyoung", "sub-02\told", "sub-03\told"]
    (folder / "DATASET" / "participants.tsv").write_text("\n".join(people) + "\n")
    (folder / "OUT").mkdir()
    header = re.search(r"`measurements.csv` \| a row per measure: ([\w, ]+) \(", PAGE)
    assert header is not None
    rows = [
        header.group(1).replace(" ", ""),
        "sub-01,,sub-01_T2w,20,L1,vertebral_body,body_middle_height,25.00,mm,",
        "sub-02,,sub-02_T2w,20,L1,vertebral_body,body_middle_height,21.00,mm,",
        "sub-02,,sub-02_T2w,21,L2,vertebral_body,slip,,mm,cut_off",
    ]
    (folder / "OUT" / "measurements.csv").write_text("\n".join(rows) + "\n")
    cases = ["subject,session,series,status", "sub-01,,sub-01_T2w,ok", "sub-02,,sub-02_T2w,ok"]
    (folder / "OUT" / "cohort.csv").write_text("\n".join(cases) + "\n")
    exec(compile(block, "docs/cohort.md", "exec"), {"__name__": "page"})  # noqa: S102
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["young", "ok", "1"] in lines
    assert {tuple(line[-2:]) for line in lines} >= {("ok", "1"), ("NaN", "1")}
    assert ["young", "L1", "25.0", "NaN", "1"] in lines
    assert ["old", "L1", "21.0", "NaN", "1"] in lines
