"""What the campaign judges by, keeps and reports."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import pydicom
from pydicom.dataset import Dataset

from tests.benchmarks.campaign.__main__ import open_parts
from tests.benchmarks.campaign.judging import (
    KINDS,
    Findings,
    Held,
    check_objects,
    check_results,
    digest_of,
    is_the_same,
)
from tests.benchmarks.campaign.parts import (
    Part,
    keep_part,
    read_parts,
    read_results,
    total_of,
    write_results,
)
from tests.benchmarks.campaign.report import RESULTS, page_of
from tests.benchmarks.campaign.steps import STEPS, instrument, mark_of
from tests.benchmarks.campaign.table import FAMILIES
from tests.builders.dicom_sender import data_set_of
from tests.builders.mr_series import make_series
from tests.builders.node_processes import ROOT

GOOD = (("2.1", KINDS[0]), ("2.1", KINDS[1]), ("2.2", KINDS[0]), ("2.2", KINDS[1]))


def judged(*held: tuple[str, str]) -> dict[str, int]:
    """(source series, kind) of what the PACS holds -> kinds of wrong."""
    found = Findings()
    objects = {f"3.{n}": Held(source, kind, Dataset()) for n, (source, kind) in enumerate(held)}
    check_results(objects, ["2.1", "2.2"], found)
    return {kind: len(texts) for kind, texts in found.wrong.items()}


def test_it_sees_a_lost_and_a_doubled_result() -> None:
    assert judged(*GOOD) == {}
    assert judged(*GOOD[:3]) == {"results lost": 1}
    assert judged(*GOOD, ("2.2", KINDS[1])) == {"duplicate results": 1}
    assert judged(*GOOD, ("2.9", KINDS[1])) == {"duplicate results": 1}


def test_a_file_that_lost_its_bytes_has_another_digest_and_is_no_crash(tmp_path: Path) -> None:
    whole = make_series(tmp_path / "in", slices=1).paths[0]
    (tmp_path / "empty").touch()
    (tmp_path / "zeros").write_bytes(bytes(whole.stat().st_size))
    (tmp_path / "half").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    digests = {digest_of(tmp_path / name) for name in ("empty", "zeros", "half")}
    assert digest_of(whole) == hashlib.sha256(data_set_of(whole)).hexdigest()
    assert digest_of(whole) not in digests
    assert is_the_same(whole, pydicom.dcmread(whole))
    assert not is_the_same(tmp_path / "zeros", pydicom.dcmread(whole))


def test_every_content_of_an_object_is_looked_at(tmp_path: Path) -> None:
    """A half may come after the whole under its UID: both are kept, and the whole was promised."""
    (tmp_path / "spool").mkdir()
    whole = make_series(tmp_path / "in", slices=1).paths[0]
    kept = tmp_path / "spool" / "whole.dcm"
    kept.write_bytes(whole.read_bytes())
    rows = [("1.2", digest_of(whole), "whole.dcm"), ("1.2", "half", "half.dcm")]
    journal = SimpleNamespace(rows=lambda _query: rows)
    node = SimpleNamespace(journal=journal, data=tmp_path)
    sender = SimpleNamespace(acknowledged={"1.2": digest_of(whole)})

    def lost() -> list[str]:
        found = Findings()
        check_objects(node, [sender], found)  # type: ignore[arg-type, list-item]
        return found.wrong.get("objects lost", [])

    assert lost() == []
    kept.write_bytes(whole.read_bytes()[:-1])
    assert lost() == ["acknowledged and kept with other bytes"]
    kept.unlink()
    assert lost() == ["acknowledged and not in the spool"]
    rows.pop(0)
    assert lost() == ["acknowledged and kept with other bytes"]
    rows.clear()
    assert lost() == ["acknowledged and not in the journal"]


def part(seed: int, **changes: object) -> Part:
    about = {"date": "2026-01-02", "seconds": 60.0, "options": {"times": 1}, "times": {"a": 2}}
    return Part(family="kills", seed=seed, **{**about, **changes})


def test_a_part_that_ended_is_not_run_again_and_parts_add_up(tmp_path: Path) -> None:
    chosen = Namespace(results=tmp_path, families=["kills", "power"], seed=1, seeds=2)
    assert list(open_parts(chosen)) == [
        ("kills", 1),
        ("power", 1),
        ("kills", 2),
        ("power", 2),
    ]
    keep_part(tmp_path, part(1, wrong={"stuck": ["one job"]}))
    keep_part(tmp_path, part(2, times={"a": 1, "b": 5}))
    (tmp_path / "power-1.part").write_text("{")  # broken off
    assert list(open_parts(chosen)) == [("power", 1), ("power", 2)]
    total = total_of(read_parts(tmp_path))
    assert total.seeds == (1, 2)
    assert total.times == {"a": 3, "b": 5}
    assert total.seconds == 120
    assert total.wrong == {"stuck": ["one job"]}


def test_results_are_read_back_as_they_were_kept(tmp_path: Path) -> None:
    parts = [part(1), part(3, outcomes={"a": {"refused": 2}})]
    write_results(parts, tmp_path / "results.json")
    assert read_results(tmp_path / "results.json") == parts


def test_the_page_is_that_of_the_results_which_are_kept() -> None:
    parts = read_results(RESULTS)
    assert {one.family for one in parts} <= FAMILIES.keys()
    assert (ROOT / "docs" / "campaign.md").read_text("utf-8") == page_of(parts)


def test_every_fault_that_was_inflicted_has_an_expected_outcome() -> None:
    for one in read_results(RESULTS):
        assert one.times.keys() <= FAMILIES[one.family].faults.keys(), one.name


def test_every_step_is_a_function_of_the_product_and_has_a_mark_of_its_own(tmp_path: Path) -> None:
    assert len({mark_of(tmp_path, name) for name in STEPS}) == len(STEPS)
    for step in STEPS.values():
        module, _, path = step.place.partition(":")
        source = (ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8")
        assert f"{path.rpartition('.')[2]}" in source, step.place
    assert callable(instrument)
