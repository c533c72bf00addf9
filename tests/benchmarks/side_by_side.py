"""Time, memory and agreement of this product beside SPINEPS: same weights, same input, same run.

``python -m tests.benchmarks.side_by_side``; needs SPINE_SHARED (the shared data) and PEER_VENV
(SPINEPS 2.1.3, made by ``tools/spineps_peer/setup.sh`` there). The models have the published
networks: geometry, width and depth; phase 1 answers nearly as the oracle's small network does.
Pairs alternate, so that a disturbance of the machine meets both; medians are compared, all values
are written as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from operators.imaging.nifti import read_label_map
from tests.benchmarks.contenders import Workload, published_size, run_ours, run_spineps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.contenders import Outcome

_DISC, _ENDPLATE = 100, 200
_SACRUM = 26


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the table; 0 also where the peer is absent (said in one sentence)."""
    options = _parser().parse_args(arguments)
    # Phase 1 of published size finds no body in `sample`.
    options.case = options.case or ("phantom8" if options.phase == "full" else "sample")
    shared, venv = (os.environ.get(name) for name in ("SPINE_SHARED", "PEER_VENV"))
    if not shared or not venv or not (Path(venv) / "bin" / "python").exists():
        _say("side by side: skipped, SPINE_SHARED and PEER_VENV do not name data and peer")
        return 0
    oracle, tools = Path(shared) / "data" / "oracle", Path(shared) / "tools" / "spineps_peer"
    pairs: list[tuple[Outcome, Outcome]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        semantic, instance = published_size(oracle / "models", folder)
        image = oracle / "inputs" / f"sub-{options.case}_T2w.nii.gz"
        mask = oracle / "gt" / f"gt_{options.case}_subreg.nii.gz"
        work = Workload(
            image=image,
            mask=mask if options.phase == "instances" else None,
            semantic=semantic,
            instance=instance,
            threads=options.threads,
            precision=options.precision,
        )
        for number in range(options.pairs):
            theirs = run_spineps(work, tools, Path(venv), folder / f"spineps_{number}")
            # The runner resamples the given mask; ours begins with the very same one.
            same = work if work.mask is None else replace(work, mask=theirs.model_grid_mask)
            ours = run_ours(same, folder / f"ours_{number}")
            pairs.append((theirs, ours))
            _say(f"pair {number + 1}: SPINEPS {theirs.wall_s:.0f} s, ours {ours.wall_s:.0f} s")
        agreement = _agreement(*pairs[-1])
    _say(_table(options, pairs, agreement))
    if options.json:
        content = {
            "options": {key: str(value) for key, value in vars(options).items()},
            "pairs": [[asdict(outcome) for outcome in pair] for pair in pairs],
            "agreement": agreement,
        }
        options.json.write_text(json.dumps(content, indent=1, default=str) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--phase",
        choices=("instances", "full"),
        default="instances",
        help="instances: phase 2 and post-processing from a given semantic mask",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16"),
        default="auto",
        help="of ours; bf16 takes phase 1 with it, where the processor computes in it",
    )
    parser.add_argument("--case", help="oracle case; default: sample, or phantom8 with phase 1")
    parser.add_argument("--json", type=Path, help="write every value here")
    return parser


def _agreement(theirs: Outcome, ours: Outcome) -> dict[str, object]:
    """Ids and Dice of the final instance masks, vertebrae, discs and endplates apart."""
    a, b = (read_label_map(outcome.instances).labels_zyx for outcome in (theirs, ours))
    result: dict[str, object] = {}
    for name, low, high in (
        ("vertebrae", 1, _DISC),
        ("discs", _DISC, _ENDPLATE),
        ("endplates", _ENDPLATE, 2 * _ENDPLATE),
    ):
        ids_a, ids_b = (
            [int(i) for i in np.unique(m) if low <= i < high and i != _SACRUM] for m in (a, b)
        )
        both = sorted(set(ids_a) & set(ids_b))
        dice = [2 * ((a == i) & (b == i)).sum() / ((a == i).sum() + (b == i).sum()) for i in both]
        result[name] = {
            "ids_spineps": ids_a,
            "ids_ours": ids_b,
            "dice": {i: round(float(d), 4) for i, d in zip(both, dice, strict=True)},
        }
    return result


def _table(
    options: argparse.Namespace,
    pairs: list[tuple[Outcome, Outcome]],
    agreement: dict[str, object],
) -> str:
    """Medians as a markdown table."""
    rows = [
        ("cold: wall, s", *_medians(pairs, "wall_s")),
        ("cold: CPU (user + system), s", *_medians(pairs, "cpu_s")),
        ("peak memory, MB", *_medians(pairs, "peak_mb")),
    ]
    shared_phases = pairs[0][0].phases_s.keys() & pairs[0][1].phases_s.keys()
    for phase in sorted(shared_phases, key=list(pairs[0][1].phases_s).index):
        theirs = median(pair[0].phases_s[phase] for pair in pairs)
        ours = median(pair[1].phases_s[phase] for pair in pairs)
        rows.append((f"warm: {phase}, wall s", theirs, ours))
    head = f"{options.case}, {options.phase}, published size, {options.threads} threads"
    lines = [
        f"{head}, median of {options.pairs} alternating pairs",
        "",
        "| | SPINEPS 2.1.3 | this | ratio |",
        "|---|---|---|---|",
        *(f"| {name} | {a:.1f} | {b:.1f} | {a / b:.2f} |" for name, a, b in rows),
        "",
        *(f"{name}: {values}" for name, values in agreement.items()),
    ]
    return "\n".join(lines)


def _medians(pairs: list[tuple[Outcome, Outcome]], field: str) -> tuple[float, float]:
    theirs, ours = (median(getattr(pair[side], field) for pair in pairs) for side in (0, 1))
    return theirs, ours


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
