"""Hostile and broken archives and checkpoints given to ``spine-node models install``."""

from __future__ import annotations

import io
import os
import pickle
import random
import shutil
import stat
import struct
import time
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import torch

from app.cli.models import install
from app.registry import CONFIG_FILE, read_registry
from operators.errors import SpineError
from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.siege import Plan
from tests.builders.mutations import mutate
from tests.builders.unet3d_checkpoint import (
    lightning_checkpoint,
    random_unet3d,
    write_instance_model,
)

NAME: Final = "model"
CHECKPOINT: Final = "checkpoints/epoch=1-weights.ckpt"
_BYTE_KINDS: Final = 6
"""The first kinds of `tests.builders.mutations` know nothing of DICOM."""

Members = dict[str, bytes]


def damaged(content: bytes, generator: random.Random) -> bytes:
    """Bits, bytes and stretches changed, lost, added."""
    seed = generator.randrange(1 << 24)
    return mutate(bytes(132) + content, seed // _BYTE_KINDS * 8 + seed % _BYTE_KINDS)[132:]


def zipped(members: Members, **about: int) -> bytes:
    """A zip archive; `about`: attributes of every member."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as package, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names twice
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            for attribute, value in about.items():
                setattr(member, attribute, value)
            package.writestr(member, content, zipfile.ZIP_DEFLATED)
    return written.getvalue()


def damaged_archive(good: Members, generator: random.Random) -> bytes:
    return damaged(zipped(good), generator)


def damaged_member(name: str, good: Members, generator: random.Random) -> bytes:
    return zipped({**good, name: damaged(good[name], generator)})


def hostile_names(good: Members, generator: random.Random) -> bytes:
    """One more member, with a name that leads elsewhere or nowhere."""
    names = (
        "../escaped",
        "/tmp/campaign-escaped",  # noqa: S108 - what an attacker would write
        "a/../../escaped",
        "..\\escaped",
        "C:\\escaped",
        ".",
        "",
        "/",
        "./",
        "a\0b",
        "x" * 300,
        "a/" * 2000 + "b",
        CONFIG_FILE + "/below",
        "checkpoints",
    )
    return zipped({**good, generator.choice(names): b"escaped"})


def links(good: Members, _generator: random.Random) -> bytes:
    mode = (stat.S_IFLNK | 0o777) << 16
    return zipped({**good, "link": b"/etc"}, external_attr=mode)


def odd_headers(good: Members, generator: random.Random) -> bytes:
    """Encrypted, unknown compression, false sizes: in the local header or in the directory."""
    archive = bytearray(zipped(good))
    place = generator.choice((archive.rfind(b"PK\1\2"), archive.find(b"PK\1\2"), 0))
    is_local = place == 0
    offset, length = generator.choice(((6, 2), (8, 2), (18, 4), (22, 4), (26, 2), (28, 2)))
    shift = 0 if is_local else 2
    value = generator.choice((0, 1, 9, 12, 14, 93, 0xFFFF))
    packed = struct.pack("<L", value * (1 if length == 2 else 65537))[:length]
    archive[place + offset + shift : place + offset + shift + length] = packed
    return bytes(archive)


class Payload:
    """Runs when it is unpickled by somebody careless."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.marker}",)


def code_in_checkpoint(marker: Path, good: Members, generator: random.Random) -> bytes:
    """A checkpoint that runs a program, in torch's zip format or as a bare pickle."""
    content = {**lightning_checkpoint(random_unet3d()), "payload": Payload(marker)}
    written = io.BytesIO()
    if generator.random() < 0.5:
        torch.save(content, written)
    else:
        pickle.dump(Payload(marker), written)
    return zipped({**good, CHECKPOINT: written.getvalue()})


def makers(marker: Path) -> dict[str, Callable[[Members, random.Random], bytes]]:
    """Fault -> archive of it."""
    return {
        "bytes of the archive damaged": damaged_archive,
        "bytes of the checkpoint damaged": partial(damaged_member, CHECKPOINT),
        "configuration damaged": partial(damaged_member, CONFIG_FILE),
        "names that lead elsewhere": hostile_names,
        "symbolic links": links,
        "encryption, compression and sizes that are not so": odd_headers,
        "a checkpoint that runs a program": partial(code_in_checkpoint, marker),
    }


FAULTS: Final = tuple(makers(Path()))


def run(plan: Plan) -> Findings:
    """Refused by name with nothing left behind, or installed and loaded; nothing is ever run."""
    found, generator = Findings(), random.Random(plan.seed)  # noqa: S311
    marker = plan.folder / "it-ran"
    write_instance_model(plan.folder / "good", random_unet3d())
    good = {name: (plan.folder / "good" / name).read_bytes() for name in (CONFIG_FILE, CHECKPOINT)}
    end, tried = time.monotonic() + plan.deadline_s, makers(marker)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while found.times.total() < plan.times and time.monotonic() < end:
            name = FAULTS[found.times.total() % len(FAULTS)]
            try_one(name, tried[name](good, generator), plan.folder / "place", found)
            if marker.exists():
                found.note("not refused", f"{name}: a program was run")
                marker.unlink()
    return found


def try_one(name: str, archive: bytes, place: Path, found: Findings) -> None:
    """Install it into an empty models folder, and look at what is there afterwards."""
    shutil.rmtree(place, ignore_errors=True)
    models = place / "outer" / "models"
    models.mkdir(parents=True)
    source = place / f"{NAME}.zip"
    source.write_bytes(archive)
    try:
        install(source, None, models)
        outcome = "installed and loaded"
    except SpineError as error:
        outcome = f"refused: {(error.reasons or ('unnamed',))[0]}"
    except Exception as error:  # noqa: BLE001 - any other error is a finding
        outcome = f"{type(error).__name__}"
        found.note("not refused", f"{name}: {type(error).__name__}: {str(error)[:80]}")
    found.came_out(name, outcome)
    left = {path.name for path in models.iterdir()} - {"registry.yaml"}
    known = set(read_registry(models).models)
    if {path.name for path in (place / "outer").iterdir()} != {"models"}:
        found.note("not refused", f"{name}: a file was written outside")
    if outcome != "installed and loaded" and (left or known):
        found.note("stuck", f"{name}: refused, and {sorted(left | known)} left behind")
