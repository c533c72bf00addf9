"""``spine-node users`` against the journal, and a page that will not open to everybody."""

import json
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.errors import (
    AccountError,
    AuditBrokenError,
    ConfigurationError,
    ExitCode,
    PageUnguardedError,
    exit_code_of,
)
from app.node.journal.accounts import list_accounts
from app.node.journal.audit import list_deeds
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.journal.tables import AUDIT
from app.node.people.credentials import digest_of, is_password
from app.node.web.server import serve_web
from tests.builders.people import PASSWORD
from tests.builders.web_site import Told, node_of


@pytest.fixture
def users(tmp_path: Path):
    def run(*arguments: str, typed: str = "") -> Result:
        line = ["users", *arguments, "--data", str(tmp_path)]
        return CliRunner().invoke(app, line, input=typed)

    return run


def accounts_in(data: Path):
    engine = open_journal(journal_url(data, None))
    with reading(engine) as c:
        found = {one.name: one for one in list_accounts(c)}
        deeds = list_deeds(c)
    engine.dispose()
    return found, deeds


def test_accounts_are_made_listed_and_changed(users, tmp_path: Path):
    made = users("add", "anna", "--role", "operator", "--password-stdin", typed=f"{PASSWORD}\n")
    assert (made.exit_code, made.stdout) == (0, "anna: operator\n")
    (tmp_path / "secret").write_text(f"{PASSWORD} 2\n")
    again = ("add", "anna", "--password-file", str(tmp_path / "secret"))
    refused = users(*again)
    assert isinstance(refused.exception, AccountError)
    assert users(*again, "--if-missing").stdout == "anna: is there\n"
    assert users("password", "anna", "--password-file", str(tmp_path / "secret")).exit_code == 0
    assert users("role", "anna", "administrator").exit_code == 0
    assert users("disable", "anna").exit_code == 0
    token = users("add", "robot", "--program").stdout.strip()
    listed = json.loads(users("list", "--json").stdout)
    assert [(one["name"], one["role"], one["disabled"]) for one in listed] == [
        ("anna", "administrator", True),
        ("robot", "viewer", False),
    ]
    assert "anna" in users("list").stdout
    found, deeds = accounts_in(tmp_path)
    assert is_password(f"{PASSWORD} 2", found["anna"].secret)
    assert found["robot"].secret == digest_of(token)
    renewed = users("token", "robot").stdout.strip()
    assert renewed != token
    assert users("enable", "anna").stdout == "anna: may enter\n"
    found, deeds = accounts_in(tmp_path)
    assert found["robot"].secret == digest_of(renewed)
    assert {deed.actor.partition(",")[0] for deed in deeds} == {"command line"}
    assert PASSWORD not in str(deeds)


def test_the_password_is_never_an_argument_and_never_asked_of_a_pipe(users, tmp_path: Path):
    help_text = users("add", "--help").stdout
    assert "--password-stdin" in help_text
    refused = users("add", "anna")
    assert isinstance(refused.exception, AccountError)
    assert refused.exception.reasons == ("no_terminal",)
    gone = users("add", "anna", "--password-file", str(tmp_path / "none"))
    assert isinstance(gone.exception, ConfigurationError)
    assert accounts_in(tmp_path)[0] == {}


def test_at_a_terminal_the_password_is_typed_twice(
    users, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    typed = iter([PASSWORD, "another", PASSWORD, PASSWORD])
    monkeypatch.setattr("app.cli.users.getpass", lambda _: next(typed))
    monkeypatch.setattr("app.cli.users._is_terminal", lambda: True)
    refused = users("add", "anna")
    assert refused.exception.reasons == ("passwords_differ",)
    assert users("add", "anna").exit_code == 0
    assert list(accounts_in(tmp_path)[0]) == ["anna"]


def test_beyond_loopback_the_page_opens_with_accounts_alone(users, tmp_path: Path):
    node = node_of(tmp_path, host="0.0.0.0")  # noqa: S104 - what is tried
    stop, ports = threading.Event(), []

    def ready(port: int) -> None:
        ports.append(port)
        threading.Timer(0.2, stop.set).start()

    def serve() -> None:
        serve_web(node, stop=stop, ready=ready, emit=Told())

    with pytest.raises(PageUnguardedError, match=r"node\.web\.actor_header"):
        serve()
    assert ports == []
    assert users("add", "anna", "--password-stdin", typed=PASSWORD).exit_code == 0
    serve()
    assert len(ports) == 1


def test_verify_says_whether_the_audit_trail_holds_and_which_row_does_not(users, tmp_path: Path):
    def verify(*known: str) -> Result:
        return CliRunner().invoke(app, ["audit", "verify", *known, "--data", str(tmp_path)])

    assert isinstance(verify().exception, ConfigurationError)
    for name in ("one", "two", "three"):
        users("add", name, "--program")
    said = verify()
    end = said.stdout.strip().rpartition(" ")[2]
    assert said.exit_code == 0
    assert said.stdout.startswith("3 rows hold")
    assert end.startswith("3:")
    assert verify("--known", end).exit_code == 0
    assert isinstance(verify("--known", "3").exception, ConfigurationError)
    forged = verify("--known", "2:" + "0" * 64).exception
    assert isinstance(forged, AuditBrokenError)
    assert "row 2" in forged.message
    engine = open_journal(journal_url(tmp_path, None))
    with transaction(engine) as c:
        c.execute(AUDIT.update().where(AUDIT.c.number == 2).values(actor="somebody"))
    engine.dispose()
    broken = verify("--known", end).exception
    assert isinstance(broken, AuditBrokenError)
    assert broken.message == "the audit trail does not hold from row 2 on"
    assert exit_code_of(broken) == ExitCode.JOURNAL
