"""A filled journal for every test of the page: filled once, copied."""

import shutil
from pathlib import Path

import pytest

from app.node.journal.engine import journal_url, open_journal
from app.node.web.site import Site
from tests.builders.filled_journal import fill
from tests.builders.web_site import site_of


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a filled journal and its result files; not to be opened."""
    data = tmp_path_factory.mktemp("filled")
    engine = open_journal(journal_url(data, None))
    fill(engine, data)
    engine.dispose()
    assert not (data / "journal.db-wal").exists()
    return data


@pytest.fixture(autouse=True)
def _costs_no_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash of the accounts of tests is not made anew, which would be slow."""
    monkeypatch.setattr("app.node.people.log_in.needs_new_hash", lambda _: False)


@pytest.fixture
def site(filled: Path, tmp_path: Path) -> Site:
    """Site with a journal of its own, filled; its descriptions and files may be changed."""
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    return site_of(tmp_path)
