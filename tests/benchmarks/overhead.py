"""From the last slice to the segmentation in the PACS: what the node adds to the inference.

``python -m tests.benchmarks.overhead [--studies 4]``. A PACS pushes synthetic studies to a node,
one after the other; completeness is proven by C-FIND at that PACS. The first study warms the
inference process and does not count. Overhead = time from the answer to the last C-STORE until
both segmentations are in the PACS, less the duration that the inference itself reports.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from app.cli.sample_pacs import AE_TITLE, SamplePacs
from app.node.peers.store import read_storable, store_files
from app.research.synthetic.dicom_series import write_study
from app.settings.peers import DimsePeerSettings
from operators.dicom.identity.result_kinds import DELIVERED, KINDS
from tests.builders.node import TITLE, Node, running_node

if TYPE_CHECKING:
    from collections.abc import Sequence

_RESULTS = sum(kind.group in DELIVERED for kind in KINDS.values())
_PATIENCE_S = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per study and the median."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=4)
    parser.add_argument("--seed", type=int, default=300)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pacs = SamplePacs(folder / "pacs")
        port = pacs.start()
        peer = {"name": "pacs", "ae_title": AE_TITLE, "host": "127.0.0.1", "port": port}
        routes = [{"origin": "pacs", "destinations": ["pacs"]}]
        overheads = []
        with running_node(
            folder / "node", peers=[peer], routes=routes, delivery={"release": "auto"}
        ) as node:
            for number in range(options.studies + 1):
                study = folder / f"study_{number}"
                write_study(study, options.seed + number)
                total, inference = _push(study, pacs, node)
                kind = "warm-up" if number == 0 else f"study {number}"
                _say(f"{kind}: {total:.1f} s from the last slice, inference {inference:.1f} s")
                if number:
                    overheads.append(total - inference)
        pacs.stop()
    _say(f"overhead: median {median(overheads):.2f} s, most {max(overheads):.2f} s")
    return 0


def _push(study: Path, pacs: SamplePacs, node: Node) -> tuple[float, float]:
    """Seconds from the last answer to the second result; seconds of inference."""
    before, jobs = len(pacs.received()), {row["job_id"] for row in node.rows("job")}
    pacs.hold(study)
    to = DimsePeerSettings(
        name="node", ae_title=TITLE, host="127.0.0.1", port=node.ports["listener"]
    )
    # The series that counts comes last: its last slice is the last object.
    files = sorted(study.rglob("*.dcm"), key=lambda path: ("t2_tse_sag" in path.parent.name, path))
    store_files(to, AE_TITLE, [read_storable(path) for path in files], on_answer=_require_success)
    start = time.perf_counter()
    while len(pacs.received()) < before + _RESULTS:
        if time.perf_counter() - start > _PATIENCE_S:
            raise TimeoutError(node.log()[-2000:])
        time.sleep(0.02)
    total = time.perf_counter() - start
    new: list[dict[str, object]] = []
    while not new:
        new = [
            row
            for row in node.rows("job")
            if row["job_id"] not in jobs and row["state"] == "succeeded"
        ]
    return total, float(json.loads(str(new[0]["record"]))["duration_s"])


def _require_success(_file: object, status: int | None) -> None:
    if status != 0:
        raise RuntimeError(f"the node answered {status}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
