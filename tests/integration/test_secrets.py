"""Secrets of every kind are in use, and stand in no log, page, answer, message or journal."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from starlette.testclient import TestClient
from typer.testing import CliRunner

from app.cli.main import app
from app.errors import ConfigurationError
from app.node.journal.engine import journal_url, reading
from app.node.journal.tables import METADATA
from app.node.web.permissions import RULES
from app.node.web.server import create_app
from app.settings import load_settings
from tests.builders.filled_journal import fill, series_uid_of
from tests.builders.people import PASSWORD, TOKEN, keep_person, keep_program, log_in
from tests.builders.web_site import client_of, site_of

SECRETS = {
    "database": "secret-of-the-database",
    "mail": "secret-of-the-mail-server",
    "webhook": "secret-in-the-webhook",
    "openid": "secret-of-the-client",
    "archive": "secret-of-the-archive",
}
PARTS = {
    "job_id": "j-dead",
    "study_uid": "1.2.840.1",
    "series_uid": series_uid_of("held"),
    "delivery_id": "d-held",
    "kind": "job_failed",
    "name": "x",
}
SHOWN = (*SECRETS.values(), PASSWORD, TOKEN, "a wrong guess")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for name, secret in SECRETS.items():
        (tmp_path / name).write_text(f"{secret}\n")
    file = tmp_path / "app.yaml"
    mail = {"host": "mail.example", "sender": "a@b", "recipients": ["c@d"], "user": "node"}
    archive = {
        "name": "archive", "kind": "dicomweb", "url": "https://archive.example/dicom",
        "authentication": "bearer", "secret_file": str(tmp_path / "archive"),
    }  # fmt: skip
    openid = {
        "issuer": "https://idp.example",
        "client_id": "node",
        "client_secret_file": str(tmp_path / "openid"),
    }
    document = {
        "application": {"title": "SPINEPS Node", "version": "0.1.0"},
        "node": {
            "data": str(tmp_path / "data"),
            "peers": [archive],
            "alerts": {
                "mail": mail | {"password_file": str(tmp_path / "mail")},
                "webhook": {"url": f"https://hook.example/{SECRETS['webhook']}"},
            },
            "people": {
                "address": "https://spine.example",
                "groups": {"it": "administrator"},
                "openid": openid,
            },
        },
    }
    file.write_text(yaml.safe_dump(document))
    return file


def found_in(text: str) -> list[str]:
    return [secret for secret in SHOWN if secret in text]


@pytest.fixture
def said(config: Path, tmp_path: Path) -> Iterator[list[str]]:
    """What pages, answers and log say to an administrator who has looked at everything."""
    site = site_of(tmp_path / "data")
    url = f"postgresql://spine:{SECRETS['database']}@db.example/spine"
    node = load_settings(config).node.model_copy(update={"database_url": url})
    object.__setattr__(site, "node", node)
    fill(site.engine, tmp_path / "data")
    keep_person(site.engine, "root", "administrator")
    keep_program(site.engine, "robot")
    client = TestClient(create_app(site), base_url="https://127.0.0.1", follow_redirects=False)
    texts = [log_in(client, "root", "a wrong guess").text, log_in(client, "root").text]
    shown = 0
    for (method, path), rule in RULES.items():
        if method == "GET" and rule.role is not None:
            answer = client.get(re.sub(r"{(\w+)(:path)?}", lambda part: PARTS[part[1]], path))
            texts.append(answer.text)
            shown += answer.status_code == 200
    assert shown > 20
    token = {"Authorization": f"Bearer {TOKEN}"}
    texts.append(client_of(site).get("/api/v1/jobs", headers=token).text)
    texts += [repr(site.node.people), repr(site.emit.events)]
    with reading(site.engine) as c:
        texts += [str(c.execute(table.select()).all()) for table in METADATA.tables.values()]
    yield texts
    site.engine.dispose()


def test_pages_answers_log_and_journal_hold_none(said: list[str]):
    assert len(said) > 40
    for text in said:
        assert found_in(text) == [], text[:200]


def test_describe_tells_none(config: Path):
    for options in ([], ["--json"]):
        done = CliRunner().invoke(app, ["describe", "--config", str(config), *options])
        assert done.exit_code == 0
        assert found_in(done.stdout) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"people": {"openid": {"client_secret": SECRETS["openid"]}}},
        {"people": {"idle_min": SECRETS["openid"]}},
        {"database_url": [SECRETS["database"]]},
        {"alerts": {"webhook": {"url": f"ftp://{SECRETS['webhook']}"}}},
        {"web": {"tls": SECRETS["openid"]}},
    ],
)
def test_settings_that_are_refused_are_named_and_not_quoted(
    config: Path, changed: dict[str, object]
):
    document = yaml.safe_load(config.read_text())
    document["node"] |= changed
    config.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config)
    assert found_in(str(caught.value)) == []
    assert "node." in str(caught.value)


def test_errors_of_a_database_do_not_quote_its_address(config: Path, tmp_path: Path):
    url = f"postgresql://spine:{SECRETS['database']}@127.0.0.1:9/spine"
    text = config.read_text().replace("  data:", f"  database_url: {url}\n  data:")
    config.write_text(text)
    done = CliRunner().invoke(app, ["users", "list", "--config", str(config)])
    assert done.exception is not None
    assert found_in(str(done.exception) + done.output) == []
    assert SECRETS["database"] in journal_url(tmp_path, url)
