"""The documents: built without a broken link, generated pages current, nothing left out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.cli import rules_page
from app.cli.settings_page import as_markdown
from operators.dicom.identity.result_kinds import KINDS
from tests.builders.architecture_pictures import FOLDER, LIFE, PICTURES
from tests.builders.state_diagrams import with_diagrams

ROOT = Path(__file__).resolve().parents[3]


def test_mkdocs_builds_them_without_a_warning(tmp_path: Path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "administrator.html").is_file()


def test_the_page_of_rules_is_current():
    assert (ROOT / "docs/quality-rules.md").read_text("utf-8") == rules_page.as_markdown()


def test_the_state_diagrams_are_current():
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    assert page == with_diagrams(page)


def test_the_results_page_has_the_number_of_every_series_that_is_made():
    page = (ROOT / "docs/reading-results.md").read_text("utf-8")
    told = dict(re.findall(r"^\| SPINEPS (\w+) \(\w+\) \| 1000 N \+ (\d+) \|", page, re.MULTILINE))
    made = {kind for kind in KINDS.values() if kind.sop_class_uid}
    names = {
        kind.name.removesuffix("_report").replace("measurement", "measurements") for kind in made
    }
    assert {int(number) for number in told.values()} == {kind.series_offset for kind in made}
    assert told.keys() == names


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_of_the_rooms_are_current(name: str):
    assert (FOLDER / name).read_text("utf-8") == PICTURES[name]()


def test_the_life_of_a_series_shows_every_room_of_the_node():
    shown = re.findall(r"[a-z_]+", PICTURES[LIFE]())
    rooms = {path.parent.name for path in (ROOT / "app" / "node").glob("*/__init__.py")}
    assert rooms - {*shown} == set()


def test_the_page_of_settings_is_current():
    assert (ROOT / "docs/settings.md").read_text("utf-8") == as_markdown()


def test_the_page_of_settings_names_every_setting_with_its_meaning():
    page = as_markdown()
    for key in ("ae_title", "tls_port", "certificate_file", "quiet_s", "page_address"):
        assert re.search(rf"^\| `{key}` \|", page, re.MULTILINE), key
    without = [
        line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")
    ]
    assert without == []


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_what_a_page_links_to_is_there(page: str):
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert ((ROOT / page).parent / target).exists(), target


def test_readme_is_a_front_page():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def test_every_decision_is_in_the_contents():
    contents = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    listed = next(part["Decisions"] for part in contents if "Decisions" in part)
    assert listed == sorted(f"decisions/{p.name}" for p in (ROOT / "app/decisions").glob("*.md"))


def test_the_unit_of_the_administrators_page_is_the_one_of_the_bundle():
    page = (ROOT / "docs/administrator.md").read_text("utf-8")
    unit = (ROOT / "app/deploy/offline/spine-node.service").read_text("utf-8")
    (block,) = re.findall(r"```ini\n\[Service\]\n(.*?)```", page, re.DOTALL)
    shown = [re.sub(r"\s+#.*", "", line) for line in block.splitlines()]
    installed = unit.replace("@FOLDER@", "/opt/spine-node").splitlines()
    assert len(shown) > 10
    assert [line for line in shown if line not in installed] == []


@pytest.mark.parametrize("page", ["architecture.md", "threat-model.md"])
def test_files_that_a_page_names_are_there(page: str):
    text = (ROOT / "docs" / page).read_text("utf-8")
    named = re.findall(r"`((?:app|operators|tests)/[\w/]+(?:\.py|/))`", text)
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).exists()] == []
