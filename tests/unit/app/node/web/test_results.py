"""Which files the page hands out."""

from pathlib import Path

import pytest

from app.node.journal.rows import ResultRow
from app.node.web.results import find_result


def row(name: str, path: str) -> ResultRow:
    return ResultRow(
        job_id="j", name=name, kind="overlay", path=path, digest="", size_bytes=1,
        sop_instance_uid="", series_uid="",
    )  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "results" / "j").mkdir(parents=True)
    (tmp_path / "results" / "j" / "a.png").write_bytes(b"png")
    (tmp_path / "site-secret").write_bytes(b"secret")
    return tmp_path


def test_a_file_that_the_journal_names_is_found(data: Path):
    found = find_result(data, [row("a.png", "results/j/a.png")], "a.png")
    assert found is not None
    assert found[1].read_bytes() == b"png"


@pytest.mark.parametrize(
    "path",
    ["site-secret", "results/../site-secret", "/etc/passwd", "results/j", "results/j/none.png", ""],
)
def test_nothing_outside_the_results_is_handed_out(data: Path, path: str):
    assert find_result(data, [row("a.png", path)], "a.png") is None


def test_a_link_that_leads_outside_is_not_followed(data: Path):
    (data / "results" / "j" / "link.png").symlink_to(data / "site-secret")
    assert find_result(data, [row("link.png", "results/j/link.png")], "link.png") is None
    assert find_result(data, [row("a.png", "results/j/a.png")], "../../site-secret") is None
