"""Accounts on the page: who may enter, and the buttons of an administrator."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from app.errors import AccountError
from app.node.journal import accounts, failed_log_ins
from app.node.journal.audit import deed_of, record_deed
from app.node.journal.engine import reading, transaction
from app.node.people.accounts import Hand, account_named, set_disabled, set_role
from app.node.people.log_in import Door
from app.node.people.roles import Role
from app.node.telemetry import events
from app.node.web.forms import require_token, with_answer
from app.node.web.gate import person_of
from app.node.web.rendering import page
from app.node.web.site import CurrentSite, Site

PEOPLE: Final = APIRouter(include_in_schema=False)


def _disable(c: Connection, _site: Site, name: str, hand: Hand) -> None:
    set_disabled(c, name, hand, is_disabled=True)


def _enable(c: Connection, _site: Site, name: str, hand: Hand) -> None:
    set_disabled(c, name, hand, is_disabled=False)


def _unlock(c: Connection, site: Site, name: str, hand: Hand) -> None:
    account_named(c, name)
    of_account, _ = Door(site.engine, site.node.people, site.secret).bounds_of(name, "")
    failed_log_ins.forget_attempts(c, of_account)
    record_deed(c, deed_of(hand.actor, at=hand.now, action="account.unlock", subject=name))


def _make(role: Role) -> Callable[[Connection, Site, str, Hand], None]:
    def change(c: Connection, _site: Site, name: str, hand: Hand) -> None:
        set_role(c, name, role, hand)

    return change


CHANGES: Final[Mapping[str, tuple[str, Callable[[Connection, Site, str, Hand], None]]]] = {
    "disable": ("Disable", _disable),
    "enable": ("Enable", _enable),
    "unlock": ("Unlock", _unlock),
    **{str(role): (f"Make {role}", _make(role)) for role in Role},
}
"""Name in the address -> button, and what it does."""


@PEOPLE.get("/people")
def show_people(request: Request, site: CurrentSite) -> Response:
    """Show every account and how it fares."""
    door, now = Door(site.engine, site.node.people, site.secret), site.clock()
    with reading(site.engine) as c:
        listed = [
            (one, failed_log_ins.locked_until(c, door.bounds_of(one.name, "")[0], now))
            for one in accounts.list_accounts(c)
        ]
    changes = [(name, label) for name, (label, _) in CHANGES.items()]
    return page(request, site, "people.html", {"accounts": listed, "changes": changes})


@PEOPLE.post("/people/{name}/{change}")
def change_account(
    request: Request,
    site: CurrentSite,
    name: str,
    change: str,
    *,
    csrf_token: Annotated[str, Form(max_length=128)] = "",
) -> RedirectResponse:
    """Change an account, never one's own: nobody shuts out the last administrator by a slip."""
    require_token(request, site, csrf_token)
    person = person_of(request)
    if change not in CHANGES or name == person.name:
        raise HTTPException(404, "There is no such thing here.")
    hand = Hand(actor=person.actor, now=site.clock())
    try:
        with transaction(site.engine) as c:
            CHANGES[change][1](c, site, name, hand)
    except AccountError as error:
        raise HTTPException(404, "There is no such account.") from error
    site.emit(events.ACTION_TAKEN, action=f"account.{change}", subject="account")
    return RedirectResponse(with_answer("/people", "done"), 303)
