from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pydicom.uid import UID, MRImageStorage
from pynetdicom import AllStoragePresentationContexts

from app.node.listener.terms import KEPT_CLASSES, TRANSFER_SYNTAXES

ROOT = Path(__file__).resolve().parents[5]
HEAVY = ("torch", "monai", "holoscan", "SimpleITK", "dbos", "scipy", "highdicom")


def test_the_listener_loads_nothing_heavy_in_a_fresh_process() -> None:
    code = (
        "import sys, app.node.listener.listener\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], 'pynetdicom' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[] True"


def test_every_class_that_is_kept_is_one_of_storage_and_mr_is_among_them() -> None:
    storage = {context.abstract_syntax for context in AllStoragePresentationContexts}
    assert {UID(uid) for uid in KEPT_CLASSES} <= storage | {
        UID("1.2.840.10008.5.1.4.1.1.88.11"),
    }
    assert MRImageStorage in KEPT_CLASSES
    assert len(set(KEPT_CLASSES)) == len(KEPT_CLASSES)


def test_the_transfer_syntaxes_are_the_standard_ones_with_the_plain_ones_first() -> None:
    assert TRANSFER_SYNTAXES[:2] == ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
    wanted = {"1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"} | {
        f"1.2.840.10008.1.2.4.{number}" for number in (57, 70, 80, 81, 90, 91, 201)
    }
    assert wanted <= set(TRANSFER_SYNTAXES)
    assert len(set(TRANSFER_SYNTAXES)) == len(TRANSFER_SYNTAXES)
