"""The page in a real browser: what a click does, and what a hostile tag does not.

The served process is the real one (`serve_web`: uvicorn on a free port, its own journal on disk).
"""

import http.server
import shutil
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy.engine import Engine

from app.node.journal import jobs, overview, runs
from app.node.journal.audit import list_deeds
from app.node.journal.engine import journal_url, open_journal, reading, transaction
from app.node.journal.states import JobState, SeriesState
from app.node.journal.tables import DELIVERY, JOB, RESULT, SERIES
from app.node.web.server import serve_web
from tests.builders.filled_journal import STUDY, fill, series_uid_of
from tests.builders.web_site import Told, node_of

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

HOSTILE = (
    '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">'
    "<svg onload=window.hacked=1>"
)
PAGES = [
    "/",
    "/studies",
    "/arrivals",
    "/jobs",
    "/deliveries",
    "/attention",
    "/attention/job_refused",
    "/connections",
    "/destinations",
    "/system",
    "/api",
    f"/studies/{STUDY}",
    *(f"/series/{series_uid_of(state)}" for state in SeriesState),
    *(f"/jobs/j-{state}" for state in JobState),
]
WAIT_MS = 15_000
OVERLAY = "results/j-succeeded/series2_overlay.png"


class Served(NamedTuple):
    """A page that is being served, and its journal."""

    address: str
    engine: Engine


@contextmanager
def serving(data: Path, *, description: str = "") -> Iterator[Served]:
    """Run the real page over a filled journal until the block ends."""
    engine = open_journal(journal_url(data, None))
    fill(engine, data, description=description)
    (data / OVERLAY).write_bytes(png(40, 20))
    stop, started, ports = threading.Event(), threading.Event(), []

    def ready(port: int) -> None:
        ports.append(port)
        started.set()

    options = {"stop": stop, "ready": ready, "emit": Told()}
    thread = threading.Thread(target=serve_web, args=(node_of(data),), kwargs=options)
    thread.start()
    assert started.wait(90)
    try:
        yield Served(f"http://127.0.0.1:{ports[0]}", engine)
    finally:
        stop.set()
        thread.join(90)
        engine.dispose()
    assert not thread.is_alive()


def png(width: int, height: int) -> bytes:
    """Smallest grey picture of that size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        sum_ = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", sum_)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (width + 1) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as running:
        yield running


@pytest.fixture
def page(browser):
    context = browser.new_context()
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    context.close()


def state_of(served: Served, job_id: str) -> tuple[str, int]:
    with reading(served.engine) as connection:
        row = overview.find_job(connection, job_id)
    assert row is not None
    return row.state, row.run_number


def test_a_click_on_retry_moves_the_job_and_is_audited(served: Served, page):
    page.goto(f"{served.address}/attention")
    page.get_by_role("button", name="Retry").first.click()
    page.get_by_role("status").wait_for()
    assert page.get_by_role("status").inner_text() == "Done."
    assert page.url.endswith("/attention?answer=done")
    assert state_of(served, "j-dead") == ("waiting", 2)
    with reading(served.engine) as connection:
        deed = list_deeds(connection, limit=1)[0]
    assert (deed.actor, deed.action, deed.subject) == ("local", "job.replay", "j-dead")


def test_a_click_on_seen_lowers_the_number_in_the_bar(served: Served, page):
    page.goto(f"{served.address}/jobs/j-refused")
    number = page.locator("nav .count")
    before = int(number.inner_text())
    page.get_by_role("button", name="Seen").click()
    page.get_by_role("status").wait_for()
    assert int(number.inner_text()) == before - 1
    assert state_of(served, "j-refused")[0] == "refused"


def test_without_scripts_results_are_released_and_a_grave_action_is_asked_back(
    served: Served, browser
):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served.address}/jobs/j-succeeded")
    page.get_by_role("button", name="Release results").click()
    page.get_by_text("Done.").wait_for()
    with reading(served.engine) as connection:
        released = overview.find_delivery(connection, "d-held")
    assert released is not None
    assert released.state == "queued"

    page.goto(f"{served.address}/series/{series_uid_of('held')}")
    button = page.get_by_role("button", name="Discard", exact=True)
    assert not button.is_visible()
    page.get_by_text("Discard…").click()
    button.click()
    page.get_by_text("Done.").wait_for()
    assert page.get_by_text("discarded", exact=True).first.is_visible()
    context.close()


def test_a_study_is_searched_by_name_and_its_results_released_with_a_selection(
    served: Served, browser
):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served.address}/studies")
    assert page.get_by_role("checkbox").count() == 2
    page.get_by_label("Name", exact=True).fill("doe, j")
    page.get_by_label("State", exact=True).select_option("results to release")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="DOE, JANE").wait_for()
    assert page.get_by_role("checkbox").count() == 1
    assert page.get_by_label("Name", exact=True).input_value() == "doe, j"
    page.get_by_label("Select DOE, JANE").check()
    assert not page.get_by_role("button", name="Discard", exact=True).is_visible()
    page.get_by_role("button", name="Release results").click()
    told = page.get_by_role("status").inner_text()
    assert told == "1 thing was changed in 1 of 1 study."
    with reading(served.engine) as connection:
        released = overview.find_delivery(connection, "d-held")
        deed = list_deeds(connection, limit=1)[0]
    assert released is not None
    assert released.state == "queued"
    assert (deed.action, deed.subject) == ("delivery.release", "d-held")
    page.get_by_role("link", name="Back to the list").click()
    page.get_by_text("No study here.").wait_for()
    context.close()


def test_a_job_that_waits_says_its_place_and_is_run_next(served: Served, page):
    page.goto(f"{served.address}/jobs/j-waiting")
    page.get_by_text("Place 2 in the queue").wait_for()
    page.get_by_role("button", name="Run next").click()
    page.get_by_text("Place 1 in the queue").wait_for()
    page.get_by_text("next, raised by a person").wait_for()
    assert state_of(served, "j-waiting") == ("waiting", 2)


def test_progress_moves_by_itself_and_the_result_appears_at_the_end(served: Served, page):
    page.goto(f"{served.address}/jobs/j-running")
    page.get_by_text("42 %").last.wait_for()
    with transaction(served.engine) as connection:
        runs.note_progress(connection, "j-running", 1, step="segment_instances", fraction=0.73)
    page.locator("#progress").get_by_text("73 %").last.wait_for()
    assert "Separate vertebrae" in page.locator("[aria-current=step]").inner_text()
    with transaction(served.engine) as connection:
        connection.execute(
            JOB.update().where(JOB.c.job_id == "j-running").values(state="succeeded")
        )
        connection.execute(
            RESULT.insert().values(
                job_id="j-running", name="a_overlay.png", kind="overlay", path=OVERLAY,
                digest="0", size_bytes=9, sop_class_uid="", sop_instance_uid="", series_uid="",
            )
        )  # fmt: skip
    page.get_by_role("heading", name="Result").wait_for()
    picture = page.locator("figure.overlay img")
    # decode() waits for the picture; wait_for_function would need the eval that the page forbids.
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40
    assert picture.get_attribute("alt")


def test_lists_renew_themselves_again_and_again_and_keep_the_keyboards_place(served: Served, page):
    page.goto(f"{served.address}/jobs")
    page.locator("#job-j-dead").focus()
    for job_id, label in (("j-waiting", "cancelled 2"), ("j-queued", "cancelled 3")):
        with transaction(served.engine) as connection:
            assert jobs.request_cancel(connection, job_id, 1.0)
        page.locator("#filter-cancelled").get_by_text(label).wait_for()
        assert page.evaluate("document.activeElement.id") == "job-j-dead"
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Actions taken").wait_for()
    assert page.url.endswith("/jobs/j-dead")


def test_hostile_tags_run_nothing_on_any_page_and_nothing_is_loaded_from_elsewhere(
    tmp_path: Path, page
):
    asked, wrong = set(), []
    page.on("request", lambda request: asked.add(request.url.split("/")[2]))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append("dialog"))
    page.on("console", lambda message: wrong.append(message.text))
    with serving(tmp_path, description=HOSTILE) as served:
        with transaction(served.engine) as connection:
            connection.execute(
                JOB.update().values(error_code="SPN-1", error_message=HOSTILE, worker_id=HOSTILE)
            )
            connection.execute(SERIES.update().values(calling_ae_title="<svg onload=a>"))
            connection.execute(DELIVERY.update().values(last_error="<b onload=x>"))
        for address in PAGES:
            page.goto(f"{served.address}{address}")
            assert page.evaluate("window.hacked") is None, address
        page.goto(f"{served.address}/arrivals")
        assert HOSTILE in page.locator("table").inner_text()
        assert asked == {served.address.removeprefix("http://")}
    assert wrong == []


def test_an_inline_script_would_be_stopped_by_the_policy(served: Served, page):
    stopped = []
    page.on("console", lambda message: stopped.append(message.text))
    page.goto(f"{served.address}/")
    page.evaluate(
        """() => {
          const script = document.createElement('script');
          script.textContent = 'window.hacked = 1';
          document.body.append(script);
          const attack = '<img src="/none" onerror="window.hacked=2">';
          document.body.insertAdjacentHTML('beforeend', attack);
        }"""
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in text for text in stopped)


def test_a_form_of_another_site_changes_nothing(served: Served, page):
    page.goto(f"{served.address}/attention")  # the session cookie exists
    form = (
        f'<form method=post action="{served.address}/actions/job/replay">'
        "<input name=identifier value=j-dead><input name=csrf_token value=0>"
        "<button>win</button></form>"
    ).encode()

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(form)

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        page.goto(f"http://localhost:{other.server_port}/")
        page.get_by_role("button").click()
        page.get_by_text("own page only").wait_for()
        other.shutdown()
        thread.join()
    assert state_of(served, "j-dead") == ("dead", 1)


def test_everything_is_reached_by_keyboard_and_has_a_name(served: Served, page):
    page.goto(f"{served.address}/attention")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "Retry":
            break
    page.keyboard.press("Enter")
    page.get_by_role("status").wait_for()
    assert state_of(served, "j-dead")[0] == "waiting"
    nameless = page.evaluate(
        "[...document.querySelectorAll('a,button,summary,progress,svg[role=img]')]"
        ".filter(e => !(e.textContent || e.getAttribute('aria-label') || '').trim()).length"
    )
    assert nameless == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_browsers_colour_scheme_and_fits_a_narrow_screen(
    served: Served, browser, scheme: str
):
    context = browser.new_context(color_scheme=scheme, viewport={"width": 400, "height": 800})
    page = context.new_page()
    for address in ("/attention", "/attention/object_quarantined", "/connections"):
        page.goto(f"{served.address}{address}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.goto(f"{served.address}/jobs/j-succeeded")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 23, 28)"}[scheme]
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    context.close()


def test_a_phone_shows_every_list_without_scrolling_sideways(served: Served, browser):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    lists = (
        "/",
        "/studies",
        f"/studies/{STUDY}",
        "/arrivals",
        "/jobs",
        "/deliveries",
        "/destinations",
        "/system",
    )
    lists += (f"/studies/{STUDY}",)
    for address in (*lists, "/jobs/j-running", "/jobs/j-dead", "/jobs/j-succeeded"):
        page.goto(served.address + address)
        too_wide = page.evaluate(
            "[document.documentElement, ...document.querySelectorAll('.scroll')]"
            ".map(one => one.scrollWidth - one.clientWidth)"
        )
        assert max(too_wide) <= 0, address
    page.close()
