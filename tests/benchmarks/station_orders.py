"""Three stations of one patient through a whole node, the bundled models and Orthanc.

Run: ``python -m tests.benchmarks.station_orders [--seed N] [--order NAME NAME NAME] ...``.
A synthetic patient is written as a study of three series. For every order a patient of its own (the
same images, other identifiers) is sent to a node station by station; the next one comes when all
results of the last one are in Orthanc. With ``--at-once`` one more patient's stations come without
a pause. Said is what each station's present result calls its bones after every arrival, what the
true names are, and what Orthanc holds: objects, and which of them nothing replaces.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage

from operators.anatomy.labels import Structure
from operators.anatomy.levels import CERTAIN_LEVEL
from operators.anatomy.vertebrae import LEVEL_NAMES, vertebrae_among
from tests.builders.node import TITLE, Node, running_node
from tests.builders.orthanc import Orthanc, free_port, running_orthanc
from tests.builders.whole_patient import STATIONS, USUAL_SEED, as_patient, read_truth, write_patient

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from tests.builders.spine_phantom import Spine

PIXEL_MM = 0.9
SAME_BONE_MM = 12.0
"""Half of what lies between two neighbours' centres in the neck."""

LONGEST_S = 1800.0

Study = dict[str, "list[Dataset]"]


def true_centres(spine: Spine) -> dict[int, np.ndarray]:
    """Centre of every body of a station, LPS mm, by level."""
    owners, affine = spine.vertebrae, spine.instances.affine_lps
    body = np.where(spine.parts == Structure.CORPUS, owners, 0)
    # C1 has no body.
    places = {n: body == n if (body == n).any() else owners == n for n in np.unique(owners)}
    return {
        int(n): affine[:3, :3] @ np.argwhere(places[n]).mean(axis=0) + affine[:3, 3]
        for n in vertebrae_among(np.unique(owners).tolist())
    }


def truths_of(levels: dict[str, Any], centres: dict[int, np.ndarray]) -> dict[str, str]:
    """True name of every vertebra of a result; "-" where it is none."""
    found = {}
    for number, level in levels.items():
        at = np.array(level["centre_mm"])
        distances = {n: float(np.linalg.norm(at - centre)) for n, centre in centres.items()}
        nearest = min(distances, key=distances.__getitem__)
        is_it = distances[nearest] <= SAME_BONE_MM
        found[number] = LEVEL_NAMES[nearest] if is_it else "-"
    return found


def present_levels(node: Node, series_uid: str) -> tuple[dict[str, Any], int]:
    """Levels of a series' present result, and how many jobs it had."""
    rows = [row for row in node.rows("job") if row["series_uid"] == series_uid]
    latest = max(rows, key=lambda row: row["created_at"])
    entries = json.loads(latest["record"])["series"]
    return (entries[0]["levels"] if entries else {}), len(rows)


def tell_names(node: Node, study: Study, arrived: tuple[str, ...]) -> None:
    for name in arrived:
        levels, jobs = present_levels(node, str(study[name][0].SeriesInstanceUID))
        texts = ", ".join(level["text"] for level in levels.values())
        sys.stdout.write(f"    {name}, job {jobs}: {texts}\n")


def tell_end(node: Node, pacs: Orthanc, study: Study, truth: dict[str, Spine]) -> None:
    """Names against the truth, and what Orthanc holds."""
    counts: Counter[str] = Counter()
    by_bone: dict[str, list[str]] = {}
    for name in STATIONS:
        levels, jobs = present_levels(node, str(study[name][0].SeriesInstanceUID))
        counts["jobs"] += jobs
        bones = truths_of(levels, true_centres(truth[name]))
        for number, said in levels.items():
            bone = bones[number]
            is_stated = said["confidence"] >= CERTAIN_LEVEL
            counts["names"] += 1
            counts["right"] += said["level"] == bone
            counts["stated"] += is_stated
            counts["stated wrong"] += is_stated and said["level"] != bone
            by_bone.setdefault(bone, []).append(said["level"])
    shared = [names for bone, names in by_bone.items() if len(names) > 1 and bone != "-"]
    one_name = sum(len(set(names)) == 1 for names in shared)
    held = segmentations(pacs, study)
    replaced = {uid for one in held for uid in _replaced_by(one)}
    current = sum(str(one.SeriesInstanceUID) not in replaced for one in held)
    told = ", ".join(f"{what} {n}" for what, n in counts.items())
    sys.stdout.write(
        f"    end: {told}; bones that two stations show {len(shared)}, with one name {one_name}; "
        f"Orthanc: {len(held)} segmentations, {current} of them not replaced\n"
    )


def segmentations(pacs: Orthanc, study: Study) -> list[Dataset]:
    """What Orthanc has of a study."""
    uid = str(study[STATIONS[0]][0].StudyInstanceUID)
    found = pacs.find("Series", StudyInstanceUID=uid, Modality="SEG")
    series = [one["MainDicomTags"]["SeriesInstanceUID"] for one in found]
    uids = [sop for one in series for sop in pacs.sop_instance_uids(SeriesInstanceUID=one)]
    return [pydicom.dcmread(io.BytesIO(pacs.file(one)), stop_before_pixels=True) for one in uids]


def _replaced_by(dataset: Dataset) -> list[str]:
    return [str(item.SeriesInstanceUID) for item in dataset.get("RelatedSeriesSequence", ())]


def send(port: int, datasets: list[Dataset]) -> None:
    """As a scanner does."""
    entity = AE("SCANNER")
    entity.add_requested_context(MRImageStorage)
    association = entity.associate("127.0.0.1", port, ae_title=TITLE)
    if not association.is_established:
        raise RuntimeError("the node does not answer")
    for dataset in datasets:
        association.send_c_store(dataset)
    association.release()


def is_settled(node: Node, series: set[str]) -> bool:
    """All these have results, and nothing runs or is to be sent."""
    jobs = node.rows("job")
    is_done = {row["series_uid"] for row in jobs if row["state"] == "succeeded"} >= series
    is_idle = all(row["state"] in ("succeeded", "failed") for row in jobs)
    is_sent = all(row["state"] not in ("queued", "sent") for row in node.rows("delivery"))
    return is_done and is_idle and is_sent


def follow(node: Node, pacs: Orthanc, study: Study, turns: list[tuple[str, ...]]) -> None:
    """Send a patient's stations in turns, and say what is there after each."""
    arrived: tuple[str, ...] = ()
    for turn in turns:
        begun = time.monotonic()
        for name in turn:
            send(node.ports["listener"], study[name])
        arrived += turn
        uids = {str(study[name][0].SeriesInstanceUID) for name in arrived}
        node.wait_until(lambda uids=uids: is_settled(node, uids), LONGEST_S)
        sys.stdout.write(f"  + {', '.join(turn)}: settled after {time.monotonic() - begun:.0f} s\n")
        tell_names(node, study, arrived)
        sys.stdout.flush()


def main() -> None:
    """Send, wait, say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=USUAL_SEED)
    parser.add_argument("--order", nargs=3, choices=STATIONS, action="append", default=[])
    parser.add_argument("--at-once", action="store_true")
    chosen = parser.parse_args()
    orders = [[(name,) for name in order] for order in chosen.order]
    orders += [[STATIONS]] * chosen.at_once
    with tempfile.TemporaryDirectory() as scratch:
        folder, port = Path(scratch), free_port()
        files = write_patient(folder, chosen.seed, pixel_mm=PIXEL_MM)
        truth = dict(zip(sorted(STATIONS), read_truth(folder / "truth"), strict=True))
        with running_orthanc(folder / "pacs", modalities={"node": (TITLE, port)}) as pacs:
            peer = {
                "name": "orthanc",
                "ae_title": pacs.ae_title,
                "host": "127.0.0.1",
                "port": pacs.dicom_port,
            }
            with running_node(
                folder / "node",
                port,
                peers=[peer],
                routes=[{"destinations": ["orthanc"]}],
                completeness={"quiet_s": 5},
                delivery={"release": "auto"},
            ) as node:
                for number, turns in enumerate(orders):
                    study = {name: as_patient(files[name], number) for name in STATIONS}
                    sys.stdout.write(f"seed {chosen.seed}, order {number + 1}\n")
                    follow(node, pacs, study, turns)
                    tell_end(node, pacs, study, truth)


if __name__ == "__main__":
    main()
