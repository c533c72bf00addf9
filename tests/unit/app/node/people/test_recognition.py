"""Who asks: cookies that end, tokens, the proxy's word, and this machine alone without accounts."""

from pathlib import Path

import pytest
from starlette.datastructures import Headers

from app.errors import PageUnguardedError
from app.node.journal import accounts
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.people.accounts import Hand, set_disabled, set_password, set_role
from app.node.people.log_in import begin, log_out
from app.node.people.recognition import Signs, check_guarded, is_loopback, recognise
from app.node.people.roles import Person, Role
from app.settings import NodeSettings, WebSettings
from app.settings.people import PeopleSettings
from tests.builders.people import TOKEN, keep_person, keep_program, password_hash

MIN, HOUR = 60.0, 3600.0
ANNA = Person(name="anna", role=Role.OPERATOR, way="password", address="10.0.0.7")
HAND = Hand(actor=ANNA.actor, now=1.0)


class Place:
    """A journal and settings; asks who somebody is."""

    def __init__(self, data: Path) -> None:
        self.engine = open_journal(journal_url(data, None))
        self.node = NodeSettings(data=data)

    def sets(self, *, host: str = "127.0.0.1", header: str | None = None, **people: object) -> None:
        self.node = NodeSettings(
            data=self.node.data,
            web=WebSettings(host=host, actor_header=header),
            people=PeopleSettings.model_validate(people),
        )

    def begin(self, person: Person = ANNA) -> str:
        with transaction(self.engine) as c:
            return begin(c, person, self.node.people, 0.0)

    def who(self, cookie: str = "", at: float = 0.0, *, is_repeated: bool = False, **said: str):
        headers = Headers({name.replace("_", "-"): value for name, value in said.items()})
        signs = Signs(headers=headers, cookie=cookie, address="10.0.0.7", is_repeated=is_repeated)
        return recognise(self.node, self.engine, signs, at)


@pytest.fixture
def place(tmp_path: Path):
    place = Place(tmp_path)
    yield place
    place.engine.dispose()


def test_without_accounts_whoever_is_on_this_machine_may_do_everything(place: Place):
    assert place.who() == Person(
        name="local", role=Role.ADMINISTRATOR, way="local", address="10.0.0.7"
    )


def test_with_an_account_even_a_disabled_one_nobody_is_local_any_more(place: Place):
    keep_person(place.engine, "anna")
    assert place.who() is None
    with transaction(place.engine) as c:
        set_disabled(c, "anna", HAND, is_disabled=True)
    assert place.who() is None


def test_beyond_loopback_nobody_is_local(place: Place):
    place.sets(host="10.0.0.1")
    assert place.who() is None


def test_a_session_ends_when_nobody_asks_and_in_any_case(place: Place):
    keep_person(place.engine, "anna")
    cookie = place.begin()
    assert place.who(cookie, 29 * MIN) == ANNA
    assert place.who(cookie, 58 * MIN) == ANNA  # the last page counts, not the log-in
    assert place.who(cookie, 89 * MIN) is None
    cookie = place.begin()
    for minutes in range(20, 12 * 60, 20):
        assert place.who(cookie, minutes * MIN) == ANNA
    assert place.who(cookie, 12 * HOUR + 1) is None
    assert place.who("another", 0.0) is None


def test_a_page_that_asks_by_itself_keeps_nobody_logged_in(place: Place):
    keep_person(place.engine, "anna")
    cookie = place.begin()
    for minutes in range(2, 30, 2):
        assert place.who(cookie, minutes * MIN, is_repeated=True) == ANNA
    assert place.who(cookie, 31 * MIN, is_repeated=True) is None


def test_what_happens_to_an_account_is_felt_by_its_sessions_at_once(place: Place):
    keep_person(place.engine, "anna")
    cookie = place.begin()
    with transaction(place.engine) as c:
        set_role(c, "anna", Role.VIEWER, HAND)
    assert place.who(cookie).role == Role.VIEWER
    with transaction(place.engine) as c:
        set_password(c, "anna", password_hash(), HAND)
    assert place.who(cookie) is None
    cookie = place.begin()
    with transaction(place.engine) as c:
        log_out(c, cookie, ANNA, 1.0)
    assert place.who(cookie) is None
    cookie = place.begin()
    with transaction(place.engine) as c:
        set_disabled(c, "anna", HAND, is_disabled=True)
        set_disabled(c, "anna", HAND, is_disabled=False)
    assert place.who(cookie) is None


def test_a_program_shows_its_token(place: Place):
    keep_program(place.engine, "robot", "operator")
    found = place.who(authorization=f"Bearer {TOKEN}")
    assert (found.name, found.role, found.way) == ("robot", Role.OPERATOR, "token")
    assert place.who(authorization=f"bearer  {TOKEN} ") is not None
    for wrong in (f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"):
        assert place.who(authorization=wrong) is None
    with transaction(place.engine) as c:
        assert accounts.list_accounts(c)[0].seen_at == 0.0
        set_disabled(c, "robot", HAND, is_disabled=True)
    assert place.who(authorization=f"Bearer {TOKEN}") is None


def test_a_hash_in_the_journal_is_no_token(place: Place):
    keep_person(place.engine, "anna")
    assert place.who(authorization=f"Bearer {password_hash()}") is None


def test_the_proxy_names_the_person_and_accounts_do_not_count(place: Place):
    keep_person(place.engine, "anna")
    place.sets(host="10.0.0.1", header="X-Remote-User")
    found = place.who(x_remote_user=" ben\x07" + "b" * 80)
    assert (found.name, found.role, found.way) == (
        "ben" + "b" * 61,
        Role.ADMINISTRATOR,
        "proxy",
    )
    assert place.who() is None
    assert place.who(place.begin()) is None


def test_the_groups_that_the_proxy_lists_give_the_highest_role(place: Place):
    roles = {"radiology": "viewer", "physics": "operator", "it": "administrator"}
    place.sets(header="X-User", groups_header="X-Groups", groups=roles)
    assert place.who(x_user="ben", x_groups="staff, physics ,radiology").role == Role.OPERATOR
    assert place.who(x_user="ben", x_groups="it").role == Role.ADMINISTRATOR
    assert place.who(x_user="ben", x_groups="staff") is None
    assert place.who(x_user="ben") is None


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - compared with
        ("::", False),
        ("10.0.0.1", False),
        ("node.example", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, is_ours: bool):  # noqa: FBT001 - a case
    assert is_loopback(host) is is_ours


def test_beyond_loopback_there_must_be_a_log_in_or_a_proxy(place: Place):
    check_guarded(place.node, place.engine)
    place.sets(host="::")
    with pytest.raises(PageUnguardedError, match="users add NAME --role administrator") as caught:
        check_guarded(place.node, place.engine)
    assert caught.value.reasons == ("page_unguarded",)
    place.sets(host="::", header="X-User")
    check_guarded(place.node, place.engine)
    place.sets(host="::")
    keep_person(place.engine, "anna")
    check_guarded(place.node, place.engine)
