"""Log-in, roles and log-out clicked through in a real browser."""

import shutil
import time
from pathlib import Path

import pytest

from app.node.journal.audit import list_deeds
from app.node.journal.engine import reading
from app.settings.people import OpenIdSettings, PeopleSettings
from tests.builders.node_processes import free_port
from tests.builders.openid_provider import CLIENT_ID, CLIENT_SECRET, running_provider
from tests.builders.people import PASSWORD, keep_person
from tests.builders.served_page import ServedPage, serving_page
from tests.builders.web_site import node_of

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture
def served(tmp_path: Path):
    def prepare(engine) -> None:
        keep_person(engine, "vera", "viewer")
        keep_person(engine, "otto", "operator")
        keep_person(engine, "root", "administrator")

    with serving_page(node_of(tmp_path), prepare) as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def log_in(page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def log_out(page) -> None:
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("heading", name="Log in").wait_for()


def test_each_role_gets_as_far_as_it_may_and_the_log_out_is_one(served: ServedPage, page):
    address = f"http://127.0.0.1:{served.port}"
    page.goto(f"{address}/jobs/j-dead")
    page.get_by_role("heading", name="Log in").wait_for()
    log_in(page, "vera", "not the password")
    page.get_by_text("do not fit").wait_for()
    log_in(page, "vera")

    # A viewer is led to where it wanted to go, and finds no button there.
    page.wait_for_url("**/jobs/j-dead")
    assert page.locator("#person").inner_text() == "vera viewer"
    assert page.get_by_role("button").all_inner_texts() == ["Log out"]
    log_out(page)
    page.go_back()
    page.get_by_role("heading", name="Log in").wait_for()  # no page of vera's is left behind

    page.goto(f"{address}/jobs/j-dead")
    log_in(page, "otto")
    page.get_by_role("button", name="Retry").click()
    page.get_by_text("Done.").wait_for()
    assert page.goto(f"{address}/people").status == 403
    page.goto(f"{address}/")
    log_out(page)

    log_in(page, "root")
    page.get_by_role("link", name="People").click()
    page.locator("#disable-otto").click()
    page.get_by_text("Done.").wait_for()
    assert page.get_by_role("row", name="otto").get_by_text("disabled").is_visible()
    log_out(page)
    log_in(page, "otto")
    page.get_by_text("do not fit").wait_for()

    with reading(served.engine) as connection:
        deeds = [(d.actor, d.action) for d in reversed(list_deeds(connection, has_views=True))]
    told = [deed for deed in deeds if deed[1] != "list.view" and deed[0] != "local"]
    assert told == [
        ("vera", "log_in.failed"),
        ("vera", "log_in"),
        ("vera", "job.view"),
        ("vera", "log_out"),
        ("otto", "log_in"),
        ("otto", "job.view"),
        ("otto", "job.replay"),
        ("otto", "job.view"),
        ("otto", "access.refused"),
        ("otto", "log_out"),
        ("root", "log_in"),
        ("root", "account.disable"),
        ("root", "log_out"),
        ("otto", "log_in.failed"),
    ]
    assert PASSWORD not in str(served.told.events)


def test_somebody_whom_the_provider_knows_is_led_there_and_back(tmp_path: Path, page):
    with running_provider(time.time()) as provider:
        provider.claims = {"preferred_username": "ben", "groups": ["physics"]}
        secret = tmp_path / "client-secret"
        secret.write_text(CLIENT_SECRET)
        node = node_of(tmp_path / "data", port=free_port())
        address = f"http://127.0.0.1:{node.web.port}"
        people = PeopleSettings(
            address=address,
            groups={"physics": "operator"},
            openid=OpenIdSettings(
                issuer=provider.issuer, client_id=CLIENT_ID, client_secret_file=secret
            ),
        )
        with serving_page(node.model_copy(update={"people": people})) as served:
            page.goto(f"{address}/jobs/j-dead")
            page.get_by_role("link", name="Log in by single sign-on").click()
            page.get_by_role("link", name="Sign in as Ben").click()
            page.wait_for_url("**/jobs/j-dead")
            assert page.locator("#person").inner_text() == "ben operator"
            page.get_by_role("button", name="Retry").click()
            page.get_by_text("Done.").wait_for()
            with reading(served.engine) as connection:
                deed = list_deeds(connection, limit=1)[0]
            assert (deed.actor, deed.role, deed.action) == ("ben", "operator", "job.replay")
            log_out(page)
    assert CLIENT_SECRET not in str(served.told.events)
