"""How damaged or careless headers are read: ``python -m tests.benchmarks.mutated_headers``.

Counts the volumes and the refusals by name, and prints every mutation that ended in another error
or in a geometry more than 1e-3 mm from that of the undamaged series. The exit code is 1 if there
is one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path

from tests.builders.mutated_series import Original


def main() -> int:
    """Try the mutations and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=3000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first mutation")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    failed = 0
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        original = Original.written_to(folder)
        for seed in range(chosen.first, chosen.first + chosen.mutations):
            original.damage(seed)
            try:
                outcomes = original.outcomes(folder)
                complaints = [found.complaint for found in outcomes if found.complaint]
                counts.update(name for found in outcomes for name in found.refused or ("volume",))
            except Exception as error:  # noqa: BLE001 - any other error is a finding
                complaints = [traceback.format_exception_only(error)[-1].strip()]
                traceback.print_exc(limit=-3)
            if complaints:
                failed += 1
                sys.stdout.write(f"seed {seed}: {'; '.join(complaints)}\n")
                sys.stdout.flush()
    for outcome, count in counts.most_common():
        sys.stdout.write(f"{count:6} {outcome}\n")
    sys.stdout.write(f"{chosen.mutations} mutations, {failed} not read right and not refused\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
