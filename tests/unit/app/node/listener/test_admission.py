from __future__ import annotations

import pytest

from app.node.listener.admission import Admission, Refusal
from app.settings import ListenerSettings


def admission(**settings: object) -> Admission:
    return Admission(ListenerSettings.model_validate({"ae_title": "NODE", **settings}))


def enter(
    admitting: Admission, calling: str = "SCANNER", called: str = "NODE", address: str = "10.0.0.5"
) -> tuple[int, ...]:
    refusal = admitting.enter(calling=calling, called=called, address=address)
    return () if refusal is None else (refusal.result, refusal.source, refusal.diagnostic)


@pytest.mark.parametrize(
    ("settings", "calling", "called", "address", "answer"),
    [
        ({}, "ANY", "NODE", "203.0.113.9", ()),
        ({}, "ANY", "OTHER", "10.0.0.5", (1, 1, 7)),
        ({}, "ANY", "node", "10.0.0.5", (1, 1, 7)),
        ({"also_called": ["NODE_MR"]}, "ANY", "NODE_MR", "10.0.0.5", ()),
        ({"calling_ae_titles": ["SCANNER"]}, "SCANNER", "NODE", "10.0.0.5", ()),
        ({"calling_ae_titles": ["SCANNER"]}, "STRANGER", "NODE", "10.0.0.5", (1, 1, 3)),
        ({"calling_ae_titles": ["SCANNER"]}, "", "NODE", "10.0.0.5", (1, 1, 3)),
        ({"networks": ["10.0.0.0/29"]}, "ANY", "NODE", "10.0.0.7", ()),
        ({"networks": ["10.0.0.0/29"]}, "ANY", "NODE", "10.0.0.8", (1, 1, 3)),
        ({"networks": ["10.0.0.0/29"]}, "ANY", "NODE", "::ffff:10.0.0.7", ()),
        ({"networks": ["fd00::/8"]}, "ANY", "NODE", "fd00::1%eth0", ()),
        ({"networks": ["fd00::/8"]}, "ANY", "NODE", "fe80::1", (1, 1, 3)),
    ],
)
def test_titles_and_networks(  # noqa: PLR0917 -- a table
    settings: dict[str, object], calling: str, called: str, address: str, answer: tuple[int, ...]
) -> None:
    assert enter(admission(**settings), calling, called, address) == answer


def test_the_third_association_of_2_is_told_to_come_later() -> None:
    control = admission(max_associations=2)
    assert [enter(control) for _ in range(3)] == [(), (), (2, 3, 2)]
    control.leave("10.0.0.5")
    assert enter(control) == ()


def test_a_peer_with_2_associations_leaves_room_for_others() -> None:
    control = admission(max_associations_per_peer=2)
    assert [enter(control) for _ in range(3)] == [(), (), (2, 3, 2)]
    assert enter(control, address="10.0.0.6") == ()
    assert control.established == 3


def test_who_is_refused_does_not_count() -> None:
    control = admission(max_associations=1)
    for _ in range(5):
        enter(control, called="OTHER")
    assert control.established == 0
    assert enter(control) == ()


def test_a_refusal_names_its_reason_for_the_log() -> None:
    control = admission(networks=["10.0.0.0/29"])
    refusal = control.enter(calling="A", called="NODE", address="192.0.2.1")
    assert refusal == Refusal(1, 1, 3, "network_not_allowed")


def test_new_limits_count_those_that_are_open() -> None:
    control = admission(max_associations=3)
    assert [enter(control), enter(control)] == [(), ()]
    control.renew(ListenerSettings(ae_title="OTHER", max_associations=2))
    assert enter(control, called="OTHER") == (2, 3, 2)
    control.leave("10.0.0.5")
    assert enter(control, called="NODE") == (1, 1, 7)
    assert enter(control, called="OTHER") == ()
