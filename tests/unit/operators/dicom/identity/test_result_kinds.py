"""The table of result kinds: rows that cannot be confused, and the answers it gives."""

import ast
from itertools import permutations
from pathlib import Path

import pytest

from app.run.bootstrap import prepare_process
from app.settings import OutputSettings
from operators.dicom.headers.mr_images import MR_IMAGE_CLASSES
from operators.dicom.identity.result_kinds import (
    DELIVERED,
    KINDS,
    OBJECT_CLASSES,
    REPLACED,
    USUAL_EXTRAS,
    kind_of,
    kinds_to_write,
)

ROOT = Path(__file__).resolve().parents[5]


def test_every_kind_has_a_writer_and_every_writer_a_kind():
    prepare_process()
    from operators.write_segmentation import WRITERS  # noqa: PLC0415 - as the graph imports it

    assert list(WRITERS) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_file_tells_its_kind_and_no_suffix_ends_in_another_one(kind):
    assert kind_of(f"series2_0ab1{kind.suffix}") is kind
    assert not any(a.suffix.endswith(b.suffix) for a, b in permutations(KINDS.values(), 2))
    assert len(kind.group) <= 16  # column of the journal


def test_kinds_of_one_group_go_the_same_way():
    for kind in KINDS.values():
        assert OBJECT_CLASSES.get(kind.group, "") == kind.sop_class_uid
        assert kind.is_delivered == (kind.group in DELIVERED)
        assert kind.has_predecessor == (kind.group in REPLACED)


def test_only_dicom_objects_are_sent_or_replaced_and_each_has_its_own_series_number():
    objects = [kind for kind in KINDS.values() if kind.sop_class_uid]
    assert {*DELIVERED, *REPLACED} <= {kind.group for kind in objects}
    offsets = [kind.series_offset + 10 * stack for kind in objects for stack in range(9)]
    assert len(set(offsets)) == len(offsets)
    assert all(900 < offset < 1000 for offset in offsets)
    assert MR_IMAGE_CLASSES.isdisjoint(OBJECT_CLASSES.values())


def test_kinds_of_the_journal_keep_their_names():
    stored = {kind.group for kind in KINDS.values()}
    assert {"segmentation", "overlay"} <= stored
    assert kind_of("k_semantic.dcm").group == kind_of("k_instances.dcm").group == "segmentation"


def test_optional_kinds_are_written_where_they_are_asked_for():
    always = [kind.name for kind in kinds_to_write(frozenset())]
    assert "semantic" in always
    assert "overlay" not in always
    assert USUAL_EXTRAS == {"measurement_report"} == OutputSettings().extras
    asked = [kind.name for kind in kinds_to_write(frozenset({"overlay"}))]
    assert set(asked) == {*always, "overlay"}
    assert asked == [name for name in KINDS if name in asked]
    for wrong in ("semantic", "poem"):
        with pytest.raises(KeyError, match=wrong):
            kinds_to_write(frozenset({wrong}))


def test_no_other_module_spells_a_suffix_or_a_sop_class_of_a_result():
    told = {kind.suffix for kind in KINDS.values()} | set(OBJECT_CLASSES.values())
    found = [
        path.relative_to(ROOT).as_posix()
        for room in ("app", "operators", "spine_node")
        for path in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in told
    ]
    assert set(found) == {"operators/dicom/identity/result_kinds.py"}
