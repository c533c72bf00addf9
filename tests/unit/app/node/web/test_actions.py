"""What a person may do, in every state."""

import pytest

from app.node.journal.audit import Actor, list_deeds
from app.node.journal.engine import reading
from app.node.journal.states import DeliveryState, JobState, SeriesState
from app.node.web.actions import ACTIONS, Request, offers, state_of, take
from app.node.web.site import Site
from tests.builders.filled_journal import series_uid_of

ANNA = Actor(name="anna", role="operator", address="10.0.0.7")
SUBJECTS = {
    "series": {state: series_uid_of(state) for state in SeriesState},
    "job": {state: f"j-{state}" for state in JobState},
    "delivery": {state: f"d-{state}" for state in DeliveryState},
}


def ask(kind: str, name: str, identifier: str) -> Request:
    return Request(kind=kind, name=name, identifier=identifier, actor=ANNA)


@pytest.mark.parametrize(
    ("kind", "name", "state"),
    [
        (kind, name, state)
        for (kind, name), action in ACTIONS.items()
        for state in sorted(action.offered)
        if state in SUBJECTS[kind]
    ],
)
def test_what_the_page_offers_is_possible(site: Site, kind: str, name: str, state: str):
    assert take(site, ask(kind, name, SUBJECTS[kind][state])) is True
    with reading(site.engine) as connection:
        deed = list_deeds(connection, limit=1)[0]
    assert (deed.actor, deed.action, deed.detail) == ("anna", f"{kind}.{name}", "done")


def test_releasing_a_job_releases_its_held_deliveries(site: Site):
    assert take(site, ask("job", "release", "j-succeeded")) is True
    assert state_of(site, "delivery", "d-held") == "queued"
    assert state_of(site, "delivery", "d-discarded") == "discarded"
    assert take(site, ask("job", "release", "j-succeeded")) is False


def test_an_action_that_comes_too_late_is_audited_too(site: Site):
    assert take(site, ask("job", "cancel", "j-succeeded")) is False
    with reading(site.engine) as connection:
        assert list_deeds(connection, limit=1)[0].detail == "nothing to change"


def test_the_log_names_no_series_in_clear(site: Site):
    uid = series_uid_of(SeriesState.HELD)
    assert take(site, ask("series", "force", uid)) is True
    number, values = site.emit.events[-1]
    assert number == 601
    assert uid not in str(values)


def test_unknown_actions_and_subjects_do_nothing(site: Site):
    assert take(site, ask("job", "explode", "j-dead")) is None
    assert take(site, ask("job", "replay", "nobody")) is None
    assert state_of(site, "job", "nobody") is None


def test_a_finished_delivery_may_only_be_sent_again():
    names = [offer.name for offer in offers("delivery", "d", {DeliveryState.DELIVERED})]
    assert names == ["resend"]
