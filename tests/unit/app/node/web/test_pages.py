"""Every page in every state of a filled journal, as text."""

import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.node.journal.delivery_decisions import release
from app.node.journal.engine import transaction
from app.node.journal.states import JobState, SeriesState
from app.node.journal.tables import DELIVERY, INSTANCE, JOB, SERIES
from app.node.web.site import Site
from app.node.web.wording import DELIVERIES, JOBS
from app.node.web.wording import SERIES as SERIES_WORDS
from app.run.record import ResultRecord, entry_of
from operators.case import Case
from operators.spine.measurements.measure import Measurement
from operators.spine.quality.findings import Finding, Outcome, Quality
from tests.builders.filled_journal import RECORD, STUDY, fill, series_uid_of
from tests.builders.journal_rows import insert
from tests.builders.web_site import client_of, site_of

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
HOSTILE = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'>{{7*7}}"


class Tags(HTMLParser):
    """Collects what a browser would make elements of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """Filled, only looked at."""
    data = tmp_path_factory.mktemp("shown")
    made = site_of(data)
    fill(made.engine, data)
    return client_of(made)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """Filled with objects and messages that attack the page."""
    made = site_of(tmp_path_factory.mktemp("hostile"))
    fill(made.engine, description=HOSTILE)
    reasons = [{"name": HOSTILE, "detail": HOSTILE, "speaks_for": False}]
    with transaction(made.engine) as c:
        c.execute(SERIES.update().values(calling_ae_title="<b onload=x>'\""))
        c.execute(SERIES.update().values(decision=json.dumps({"reasons": reasons})))
        c.execute(JOB.update().values(error_message=HOSTILE, step="<i>", worker_id="<u>"))
        c.execute(INSTANCE.update().values(calling_ae_title="<b>", peer_address="<s>"))
    return client_of(made)


@pytest.mark.parametrize("address", PAGES)
def test_every_page_renders_and_every_label_has_its_control(shown: TestClient, address: str):
    answer = shown.get(address)
    assert answer.status_code == 200
    tags = Tags(answer.text).seen
    names = [tag for tag, _ in tags]
    assert names.count("h1") == 1
    assert names.count("main") == 1
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in tags if "aria-labelledby" in a} <= set(ids)
    assert all("alt" in attributes for tag, attributes in tags if tag == "img")
    assert "research use only, not for diagnosis" in answer.text.lower()


@pytest.mark.parametrize("address", PAGES)
def test_no_page_has_inline_script_or_style_or_foreign_addresses(shown: TestClient, address: str):
    for tag, attributes in Tags(shown.get(address).text).seen:
        assert tag not in {"style", "iframe", "object", "embed"}
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        for name in ("src", "href", "action", "hx-get"):
            target = attributes.get(name) or "/"
            assert target.startswith(("/", "#")), target
        if tag == "script":
            assert attributes["src"] == "/static/htmx.min.js"


@pytest.mark.parametrize("address", PAGES)
def test_tags_of_objects_stay_text(hostile: TestClient, address: str):
    text = hostile.get(address).text
    tags = Tags(text).seen
    assert {tag for tag, _ in tags}.isdisjoint({"b", "i", "u", "s"})
    scripts = [attributes for tag, attributes in tags if tag == "script"]
    assert scripts == [{"src": "/static/htmx.min.js", "defer": None}]
    assert "<img src=x" not in text
    assert ">49<" not in text
    if address == "/arrivals":
        assert "&lt;script&gt;window.hacked=1&lt;/script&gt;" in text


def test_lists_name_every_state_in_words(shown: TestClient):
    for address, words in (
        ("/arrivals", SERIES_WORDS),
        ("/jobs", JOBS),
        ("/deliveries", DELIVERIES),
    ):
        text = shown.get(address).text
        assert all(f">{entry.label}</span>" in text for entry in words.values())


def test_a_filter_shows_one_state_only(shown: TestClient):
    text = shown.get("/jobs?state=dead").text
    assert "/jobs/j-dead" in text
    assert "/jobs/j-running" not in text
    assert "/jobs/j-running" in shown.get("/jobs?state=nonsense").text


def test_the_slice_map_shows_both_missing_slice_in_picture_and_words(shown: TestClient):
    text = shown.get(f"/series/{series_uid_of('held')}").text
    assert len(re.findall(r'class="there"', text)) == 17
    assert len(re.findall(r'class="missing"', text)) == 2
    assert "2 slices missing at 30.8 mm to 35.2 mm, between slices 7 and 10" in text
    assert "Fewer than the sender&#39;s archive has (C-FIND)" in text


def test_a_rejected_series_says_why_with_figures(shown: TestClient):
    text = shown.get(f"/series/{series_uid_of('rejected')}").text
    assert "Duplicate instances: 1 of 20 files" in text
    assert "Inversion recovery with a short inversion time (STIR)" in text
    assert "TI 160 ms" in text


def test_the_dead_letters_carry_reason_and_button(shown: TestClient):
    text = shown.get("/attention").text
    assert "SPN-9400" in text
    assert 'action="/actions/job/replay"' in text
    assert "The peer does not support this SOP class" in text
    assert "0x0122" in text
    assert "q.dcm" in text


def test_progress_tells_the_browser_to_load_anew_once_the_state_changed(shown: TestClient):
    still = shown.get("/jobs/j-running/progress?seen=running")
    assert "42 %" in still.text
    assert "HX-Refresh" not in still.headers
    assert shown.get("/jobs/j-running/progress?seen=queued").headers["HX-Refresh"] == "true"


def test_pages_go_on_where_a_list_is_longer_than_one(site: Site):
    with transaction(site.engine) as connection:
        row = dict(
            connection.execute(JOB.select().where(JOB.c.job_id == "j-dead")).mappings().one()
        )
        connection.execute(JOB.insert(), [row | {"job_id": f"x-{n}"} for n in range(60)])
    client = client_of(site)
    first = client.get("/jobs?state=dead").text
    assert "/jobs?offset=25&amp;state=dead" in first
    assert "Newer" in client.get("/jobs?state=dead&offset=50").text


def crowded(site: Site, count: int) -> TestClient:
    """The site with one study of so many more series, all of them active last."""
    with transaction(site.engine) as connection:
        held = SERIES.c.series_uid == series_uid_of("held")
        row = dict(connection.execute(SERIES.select().where(held)).mappings().one())
        more = {"study_uid": "9.9", "last_activity_at": row["last_activity_at"] + 1e6}
        connection.execute(
            SERIES.insert(), [row | more | {"series_uid": f"9.9.{n}"} for n in range(count)]
        )
    return client_of(site)


def test_a_study_of_400_series_makes_no_page_of_400_rows_and_each_is_on_one(site: Site):
    client = crowded(site, 400)
    seen: list[str] = []
    for offset in range(0, 425, 25):
        text = client.get(f"/arrivals?offset={offset}").text
        rows = re.findall(r'id="series-(9\.9\.\d+)"', text)
        assert len(rows) <= 25
        seen += rows
    assert len(seen) == len(set(seen)) == 400


@pytest.mark.parametrize("address", ["/", "/arrivals", "/jobs"])
def test_what_a_page_fetches_every_3_s_is_small_however_much_there_is(site: Site, address: str):
    client = crowded(site, 400)
    whole = client.get(address).text
    part = client.get(address, headers={"HX-Request": "true"}).text
    assert len(part) < 60_000
    assert '<nav aria-label="Pages"' in whole
    assert '<nav aria-label="Pages"' not in part
    assert len(re.findall(r'id="live"', part)) == 1


def test_states_without_a_row_are_not_listed(tmp_path: Path):
    client = client_of(site_of(tmp_path))
    assert not re.findall(r'id="count-|id="filter-(?!all)', client.get("/").text)
    assert not re.findall(r'id="filter-(?!all)', client.get("/jobs").text)
    assert 'id="filter-dead"' in client.get("/jobs?state=dead").text


def test_a_running_job_has_one_bar_for_the_whole_of_it(shown: TestClient):
    text = shown.get("/jobs/j-running").text
    assert text.count("<progress") == 1
    assert "% of this step" in text


def test_a_revision_is_shown_beside_what_it_replaces_with_its_report_flags_and_table(site: Site):
    measured = (
        Measurement(instance=8, level="", measure="body_anterior_height", value=27.4),
        Measurement(instance=8, level="", measure="slip", value=4.2),
        Measurement(instance=8, level="", measure="slip_percent", reason="<b>odd</b>"),
    )
    entry = entry_of(Case(key="series2", measurements=measured))
    record = ResultRecord(status="ok", exit_code=0, series=(entry,)).as_dict()
    with transaction(site.engine) as c:
        c.execute(
            JOB.update()
            .where(JOB.c.job_id == "j-succeeded")
            .values(record=json.dumps(record), predecessor_job_id="j-cancelled", revision=2)
        )
        for job_id, name, kind in (
            ("j-cancelled", "series2_overlay.png", "overlay"),
            ("j-cancelled", "series9_overlay.png", "overlay"),
            ("j-succeeded", "series2_report.pdf", "report file"),
        ):
            path = f"results/{job_id}/{name}"
            insert(c, "result", job_id=job_id, name=name, kind=kind, path=path)
    answer = client_of(site).get("/jobs/j-succeeded")
    assert answer.status_code == 200
    text = answer.text
    pictures = [attrs["src"] for tag, attrs in Tags(text).seen if tag == "img"]
    assert pictures == [
        "/jobs/j-succeeded/files/series2_overlay.png",
        "/jobs/j-cancelled/files/series2_overlay.png",
    ]
    assert "Revision 2, this job" in text
    assert "/jobs/j-succeeded/files/series2_report.pdf" in text
    assert "Slip of 3 mm or more: vertebra 8 4.2 mm forward" in text
    assert '<td class="flagged">4.2</td>' in text
    assert "a &lt;b&gt;odd&lt;/b&gt;" in text


def test_files_are_handed_out_as_what_they_are(shown: TestClient):
    answer = shown.get("/jobs/j-succeeded/files/series2_semantic.dcm")
    assert answer.headers["content-type"] == "application/dicom"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert shown.get("/jobs/j-succeeded/files/series2_overlay.png").status_code == 404
    assert shown.get("/jobs/j-succeeded/files/%2e%2e%2fjournal.db").status_code == 404


def test_a_withheld_job_says_which_rule_it_breaks_and_offers_the_release(site: Site):
    finding = Finding(
        rule="vertebra_missing",
        outcome=Outcome.WITHHOLD,
        text="A vertebra <is> missing",
        places=("vertebra_4",),
        value=2.1,
        limit=1.65,
        unit="1",
    )
    record = replace(RECORD, series=(replace(RECORD.series[0], quality=Quality.of([finding])),))
    with transaction(site.engine) as c:
        held = c.execute(DELIVERY.select().where(DELIVERY.c.state == "held")).first()
        c.execute(
            JOB.update()
            .where(JOB.c.job_id == held.job_id)
            .values(record=json.dumps(record.as_dict()))
        )
        c.execute(
            DELIVERY.update()
            .where(DELIVERY.c.delivery_id == held.delivery_id)
            .values(last_error="withheld: vertebra_missing")
        )
    page = client_of(site).get(f"/jobs/{held.job_id}").text
    assert page.index("Withheld until a person releases it") < page.index("<h3>Found</h3>")
    assert "A vertebra &lt;is&gt; missing: vertebra 4 (2.1, limit 1.65)." in page
    assert "Withheld by the quality gate: vertebra missing" in page
    assert "/actions/job/release" in page
    with transaction(site.engine) as c:
        assert release(c, held.job_id, time.time())
    after = client_of(site).get(f"/jobs/{held.job_id}").text
    assert "Was withheld; a person has decided" in after
    assert "until a person releases" not in after


@pytest.mark.parametrize("address", ["/jobs/none", "/series/1.2.3", "/nowhere", "/jobs?offset=-1"])
def test_what_is_not_there_is_a_page_too(shown: TestClient, address: str):
    answer = shown.get(address)
    assert answer.status_code in {404, 422}
    assert "<h1>" in answer.text


def test_without_a_journal_the_page_says_so_and_the_process_lives(site: Site):
    with transaction(site.engine) as connection:
        connection.exec_driver_sql("DROP TABLE series")
    client = client_of(site)
    answer = client.get("/")
    assert answer.status_code == 503
    assert "journal" in answer.text
    assert "SELECT" not in answer.text
    assert client.get("/healthz").status_code == 200


def test_empty_journal_shows_empty_lists(tmp_path: Path):
    client = client_of(site_of(tmp_path))
    for address in PAGES[:11]:
        assert client.get(address).status_code == 200


def test_a_delivery_says_where_the_destination_takes_no_rle(site: Site):
    client = client_of(site)
    told = "uncompressed: the destination takes no RLE Lossless"
    assert told not in client.get("/deliveries").text
    with transaction(site.engine) as c:
        c.execute(DELIVERY.update().values(is_uncompressed=1))
    assert told in client.get("/deliveries").text
    assert client.get("/api/v1/deliveries").json()[0]["is_uncompressed"] is True


def test_results_are_called_what_they_are(shown: TestClient):
    page = shown.get("/jobs/j-succeeded").text
    for title in ("structures (DICOM SEG)", "vertebrae (DICOM SEG)", "picture"):
        assert f'data-label="Kind">{title}</td>' in page
