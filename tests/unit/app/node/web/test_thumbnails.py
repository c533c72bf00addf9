"""A picture stands where a release is decided, and nowhere else."""

from __future__ import annotations

import re

from app.node.journal.engine import transaction
from app.node.journal.tables import DELIVERY, RESULT
from app.node.web.site import Site
from tests.builders.journal_rows import insert
from tests.builders.web_site import client_of

PICTURE = "/jobs/j-succeeded/files/series2_overlay.png"


def pictures(site: Site, address: str) -> list[str]:
    return re.findall(r'<img src="([^"]+)"', client_of(site).get(address).text)


def test_held_results_show_the_picture_of_their_stack_once(site: Site):
    with transaction(site.engine) as c:
        insert(
            c, "delivery", delivery_id="d-other", job_id="j-succeeded", state="held",
            sop_instance_uid="2.25.2",
        )  # fmt: skip
        insert(
            c, "result", job_id="j-succeeded", name="series9_overlay.png", kind="overlay",
            sop_instance_uid="",
        )  # fmt: skip
    assert pictures(site, "/deliveries?state=held") == [PICTURE]
    assert pictures(site, "/deliveries?state=delivered") == []
    assert pictures(site, "/studies?state=to_release") == [
        PICTURE,
        PICTURE.replace("series2", "series9"),
    ]


def test_a_picture_that_was_deleted_or_is_not_to_be_decided_on_is_not_shown(site: Site):
    with transaction(site.engine) as c:
        c.execute(DELIVERY.update().values(state="delivered"))
    assert pictures(site, "/studies") == []
    with transaction(site.engine) as c:
        c.execute(DELIVERY.update().values(state="held"))
        c.execute(RESULT.update().values(path=""))
    assert pictures(site, "/deliveries") == []
    assert pictures(site, "/studies") == []
