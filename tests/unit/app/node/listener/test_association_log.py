"""A flood of associations becomes few rows, and one with objects stays itself."""

from __future__ import annotations

from pynetdicom.presentation import build_context

from app.node.journal.associations import AssociationRecord
from app.node.listener.association_log import (
    MOST_WAITING,
    ROWS_PER_MINUTE,
    AssociationLog,
    rejected_contexts,
)


def over(number: int, at: float = 0.0, **values: object) -> AssociationRecord:
    told: dict[str, object] = {
        "association_id": f"a{number}",
        "began_at": at,
        "ended_at": at + 0.5,
        "calling_ae_title": "SCANNER",
        "called_ae_title": "WRONG",
        "peer_address": "10.0.0.1",
        "outcome": "called_ae_title_unknown",
        **values,
    }
    return AssociationRecord(**told)  # type: ignore[arg-type]


def test_1000_like_refusals_within_a_minute_are_one_row_and_the_next_minute_another():
    book = AssociationLog()
    for number in range(1000):
        book.note(over(number, at=number * 0.05))
    (row,) = book.take()
    assert (row.repeats, row.ended_at) == (1000, 999 * 0.05 + 0.5)
    book.note(over(1, at=50.0))
    (same,) = book.take()
    assert same.association_id == row.association_id
    book.note(over(1, at=60.0))
    assert book.take()[0].association_id != row.association_id


def test_10000_titles_of_a_title_refusal_are_30_rows_and_one_for_the_rest():
    book = AssociationLog()
    for number in range(10_000):
        book.note(over(number, calling_ae_title=f"X{number}"))
    rows = book.take()
    assert len(rows) == ROWS_PER_MINUTE + 1
    assert sum(row.repeats for row in rows) == 10_000
    rest = rows[-1]
    assert (rest.calling_ae_title, rest.peer_address) == ("", "")
    assert rest.outcome == "called_ae_title_unknown"
    assert rest.repeats == 10_000 - ROWS_PER_MINUTE


def test_associations_with_objects_stay_themselves():
    book = AssociationLog()
    for number in range(100):
        book.note(over(number, objects=1, statuses={"0000": 1}, outcome="released"))
    assert [row.association_id for row in book.take()] == [f"a{n}" for n in range(100)]


def test_what_the_journal_did_not_take_is_kept_up_to_a_limit():
    book = AssociationLog()
    book.note(over(1))
    taken = book.take()
    book.note(over(2))
    book.put_back(taken)
    (row,) = book.take()
    assert row.repeats == 2
    book.put_back([over(number, objects=1) for number in range(MOST_WAITING + 5)])
    kept = book.take()
    assert (len(kept), kept[0].association_id) == (MOST_WAITING, "a5")


def test_rejected_contexts_are_bounded_and_each_named_once():
    ct = "1.2.840.10008.5.1.4.1.1.2"
    contexts = [build_context(ct), build_context(ct)]
    contexts += [build_context(f"1.2.3.{number}") for number in range(100)]
    for context in contexts:
        context.result = 3
    found = rejected_contexts(contexts)
    assert len(found) == 32
    (named,) = [one for one in found if one.sop_class_uid == ct]
    assert (named.name, named.reason) == ("CT Image Storage", "abstract_syntax_not_supported")
    assert {one.name for one in found if one is not named} == {""}
