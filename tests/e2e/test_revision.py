"""Late slices through listener, worker and delivery: the PACS holds both results, linked."""

from __future__ import annotations

from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage

from tests.builders.counting_pacs import CountingPacs, Kept, counting_pacs
from tests.builders.killable_node import killable_node
from tests.builders.stations import two_stations
from tests.builders.stub_models import spine_series
from tests.builders.waiting import comes_true

KINDS = ("SPINEPS semantic", "SPINEPS instances")


def send(port: int, paths: tuple[Path, ...]) -> None:
    entity = AE("LATE")
    entity.add_requested_context(MRImageStorage, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port, ae_title="SPINENODE")
    assert association.is_established
    assert {association.send_c_store(path).Status for path in paths} == {0}
    association.release()


def results(pacs: CountingPacs, count: int) -> dict[str, Kept]:
    assert comes_true(lambda: len(pacs.kept) >= count, 120)
    return dict(pacs.kept)


@pytest.mark.slow
def test_two_late_slices_give_a_new_pair_of_objects_that_names_the_old_pair(tmp_path: Path):
    made = spine_series(tmp_path / "mr", slices=10)
    with counting_pacs() as pacs:
        # 2 s of quiet without an announced count: 8 of 10 slices look complete.
        with killable_node(tmp_path, pacs, completeness={"quiet_s": 2}) as node:
            send(node.listener.port, made.paths[:8])
            first = results(pacs, 2)
            send(node.listener.port, made.paths[8:])
            second = {uid: kept for uid, kept in results(pacs, 4).items() if uid not in first}
            jobs = node.journal.rows("SELECT revision, state FROM job ORDER BY revision")
        by_kind = {kept.description: kept.series_uid for kept in first.values()}
        assert sorted(by_kind) == sorted(KINDS)
        assert all(kept.replaces == () for kept in first.values())
        assert {kept.description: kept.replaces for kept in second.values()} == {
            kind: (by_kind[kind],) for kind in KINDS
        }
        assert {kept.series_uid for kept in first.values()}.isdisjoint(
            kept.series_uid for kept in second.values()
        )
        assert [revision for revision, _ in jobs] == [1, 2]
        assert set(pacs.arrivals.values()) == {1}


@pytest.mark.slow
def test_a_station_that_comes_late_into_a_series_replaces_the_result_of_no_other_station(
    tmp_path: Path,
):
    upper, lower = two_stations(tmp_path / "mr", tilt=True)
    with counting_pacs() as pacs:
        node = killable_node(tmp_path, pacs, child=("--graph",), completeness={"quiet_s": 2})
        with node as running:
            send(running.listener.port, lower.paths)
            first = results(pacs, 2)
            send(running.listener.port, upper.paths)
            second = {uid: kept for uid, kept in results(pacs, 6).items() if uid not in first}
            names = running.journal.rows("SELECT name FROM result WHERE kind = 'segmentation'")
    old = {kept.description.split(" - ")[0]: kept.series_uid for kept in first.values()}
    assert sorted(old) == sorted(KINDS)
    replaced = {kept.description.split(" - ")[0]: kept.replaces for kept in second.values()}
    assert replaced == {
        **{f"{kind}, stack 1 of 2": () for kind in KINDS},
        **{f"{kind}, stack 2 of 2, revised": (old[kind],) for kind in KINDS},
    }
    assert len({kept.series_uid for kept in (*first.values(), *second.values())}) == 6
    assert len(set(names)) == 6
