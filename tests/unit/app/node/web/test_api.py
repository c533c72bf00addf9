"""JSON for programs."""

import pytest
from starlette.testclient import TestClient

from app.node.web.site import Site
from tests.builders.filled_journal import series_uid_of
from tests.builders.web_site import client_of

HEADER = {"X-Spine-Node": "1"}


@pytest.fixture
def client(site: Site) -> TestClient:
    return client_of(site)


def test_the_document_names_every_route_and_its_types(client: TestClient):
    document = client.get("/api/v1/openapi.json").json()
    paths = document["paths"]
    assert {
        "/api/v1/series",
        "/api/v1/jobs/{job_id}",
        "/api/v1/jobs/{job_id}/{name}",
        "/readyz",
    } <= set(paths)
    assert "JobRow" in document["components"]["schemas"]
    assert all("/actions" not in path for path in paths)


@pytest.mark.parametrize(
    ("method", "path", "address", "status"),
    [
        ("get", "/api/v1/jobs/{job_id}", "/api/v1/jobs/none", 404),
        ("get", "/api/v1/jobs", "/api/v1/jobs?limit=0", 422),
        ("post", "/api/v1/jobs/{job_id}/{name}", "/api/v1/jobs/none/replay", 404),
    ],
)
def test_the_document_says_how_a_request_is_refused(  # noqa: PLR0917 - a table
    client: TestClient, method: str, path: str, address: str, status: int
):
    document = client.get("/api/v1/openapi.json").json()
    told = document["paths"][path][method]["responses"][str(status)]["content"]
    name = told["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]
    answer = client.request(method, address, headers=HEADER)
    assert answer.status_code == status
    assert set(schema["required"]) <= answer.json().keys() <= set(schema["properties"])
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_the_document_says_that_probes_speak_plain_text(client: TestClient, path: str):
    told = client.get("/api/v1/openapi.json").json()["paths"][path]["get"]["responses"]
    assert list(told["200"]["content"]) == ["text/plain"]
    assert client.get(path).headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("address", "count"),
    [
        ("/api/v1/series", 5),
        ("/api/v1/series?state=held", 1),
        ("/api/v1/jobs", 7),
        ("/api/v1/jobs?limit=2&offset=6", 1),
        ("/api/v1/deliveries", 8),
        ("/api/v1/deliveries?destination=research", 3),
        ("/api/v1/destinations", 2),
        ("/api/v1/audit", 1),
    ],
)
def test_lists_have_the_rows_of_the_journal(client: TestClient, address: str, count: int):
    assert len(client.get(address).json()) == count


def test_details_hold_what_belongs_together(client: TestClient):
    job = client.get("/api/v1/jobs/j-succeeded").json()
    assert (len(job["results"]), len(job["deliveries"])) == (3, 8)
    assert job["job"]["record"]["profile"] == "cpu-fp32"
    series = client.get(f"/api/v1/series/{series_uid_of('held')}").json()
    assert series["completeness"]["missing_mm"] == [30.8, 35.2]
    assert client.get("/api/v1/deliveries/d-parked").json()["state"] == "parked"


def test_status_tells_what_is_wrong(client: TestClient):
    status = client.get("/api/v1/status").json()
    assert status["is_ready"] is True
    assert status["attention"] == 6
    assert status["attention_by_kind"]["job_refused"] == 1
    assert status["deliveries"]["pacs"]["held"] == 1
    assert status["notice"] == "research use only, not for diagnosis"


def test_an_action_needs_its_header_and_answers_the_new_state(client: TestClient):
    address = "/api/v1/jobs/j-dead/replay"
    assert client.post(address).status_code == 403
    assert client.post(address, headers=HEADER).json() == {"changed": True, "state": "waiting"}
    assert client.post(address, headers=HEADER).json() == {"changed": False, "state": "waiting"}


def test_a_series_and_a_delivery_can_be_acted_on(client: TestClient):
    held = series_uid_of("held")
    answer = client.post(f"/api/v1/series/{held}/force", headers=HEADER)
    assert answer.json() == {"changed": True, "state": "receiving"}
    answer = client.post("/api/v1/deliveries/d-held/release", headers=HEADER)
    assert answer.json() == {"changed": True, "state": "queued"}


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/api/v1/jobs/none", 404),
        ("/api/v1/series/1.2", 404),
        ("/api/v1/deliveries/none", 404),
        ("/api/v1/jobs?state=sleeping", 422),
        ("/api/v1/jobs?limit=100000", 422),
    ],
)
def test_errors_are_json(client: TestClient, address: str, status: int):
    answer = client.get(address)
    assert answer.status_code == status
    assert set(answer.json()) == {"detail"}


def test_unknown_actions_are_refused(client: TestClient):
    assert client.post("/api/v1/jobs/j-dead/explode", headers=HEADER).status_code == 422
    assert client.post("/api/v1/jobs/none/replay", headers=HEADER).status_code == 404
