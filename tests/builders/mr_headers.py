"""Headers of whole spine studies with the truth of every series, drawn from `mr_protocols`.

A seed gives the same studies again. No pixels, no files: `SeriesRecord`s as a scan would give them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tests.builders.mr_other_protocols import PROTOCOLS
from tests.builders.mr_protocols import Protocol
from tests.builders.plain_headers import AXES, MR_IMAGE, changed, header, place, series_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.random import Generator
    from pydicom.dataset import Dataset

    from operators.dicom.reading.series import SeriesRecord

_CODES = {
    "tse": ("SE",),
    "ir_tse": ("SE", "IR"),
    "space": ("SE",),
    "ir_space": ("SE", "IR"),
    "gre": ("GR",),
    "medic": ("GR",),
    "mprage": ("GR", "IR"),
    "bssfp": ("GR",),
    "epi": ("SE", "EP"),
    "haste": ("SE",),
}
_SIEMENS_NAMES = {
    "tse": "*tse2d1_{train}",
    "ir_tse": "*tir2d1rr{train}",
    "space": "*spcR_{train}",
    "ir_space": "*spcir_{train}ns",
    "gre": "*fl2d1",
    "medic": "*me2d1r3",
    "mprage": "*tfl3d1_16ns",
    "bssfp": "*ci3d1",
    "epi": "*ep_b800t",
    "haste": "*h2d1_{train}",
}
_PHILIPS_KINDS = {"SE": ("M_SE", "M", "SE"), "IR": ("M_IR", "M", "IR"), "GR": ("M_FFE", "M", "FFE")}
_CANON_NAMES = {"tse": "FSE2D", "ir_tse": "FIR2D", "gre": "FE2D", "space": "FSE3D"}
_VENDORS = {
    "SIEMENS": ("SIEMENS", ("M", "ND", "NORM")),
    "SIEMENS XA": ("Siemens Healthineers", ("M", "NONE")),
    "GE": ("GE MEDICAL SYSTEMS", ("OTHER",)),
    "Philips": ("Philips Medical Systems", ()),
    "Canon": ("TOSHIBA", ("OTHER",)),
    "Hitachi": ("Hitachi Medical Corporation", ("OTHER",)),
}
_OFTEN_MISSING = (
    "SequenceVariant",
    "SequenceName",
    "ScanOptions",
    "FlipAngle",
    "MRAcquisitionType",
    "EchoTrainLength",
    "MagneticFieldStrength",
    "Manufacturer",
)
_MISSING_SHARE = 0.15
_REGIONS = ("cervical", "thoracic", "lumbar")
_FIELDS_MM = {"cervical": (200, 280), "thoracic": (300, 400), "lumbar": (260, 360)}

_BODY_PARTS = {"cervical": "CSPINE", "thoracic": "TSPINE", "lumbar": "LSPINE"}


@dataclass(frozen=True, slots=True)
class GeneratedSeries:
    """A series and what it truly is."""

    record: SeriesRecord
    protocol: str
    wanted: bool
    physics_decides: bool
    echo_taken_ms: float | None = None


def generate(seed: int, studies: int) -> tuple[GeneratedSeries, ...]:
    """Draw studies of about seven series each; every protocol occurs if there are enough."""
    rng = np.random.default_rng(seed)
    names = [name for name, protocol in PROTOCOLS.items() for _ in range(protocol.weight)]
    deck: list[str] = []
    drawn: list[GeneratedSeries] = []
    for study in range(studies):
        vendor = str(rng.choice(list(_VENDORS)))
        region = str(rng.choice(_REGIONS))
        for number in range(int(rng.integers(5, 10))):
            if not deck:
                deck = [names[i] for i in rng.permutation(len(names))]
            uid = f"1.2.3.{study}.{number}"
            drawn.append(_series(deck.pop(), (vendor, region), uid, rng))
        drawn.extend(_families(study, (vendor, region), rng))
    return tuple(drawn)


def _series(
    name: str,
    where: tuple[str, str],
    uid: str,
    rng: Generator,
) -> GeneratedSeries:
    protocol = PROTOCOLS[name]
    record = series_of(_headers(protocol, where, rng), uid)
    return GeneratedSeries(record, name, protocol.wanted, protocol.physics_decides)


def _families(study: int, where: tuple[str, str], rng: Generator) -> Iterable[GeneratedSeries]:
    """Series that only make sense together: dual echoes, and the four images of a Dixon."""
    uid = f"1.2.3.{study}."
    if study % 5 == 0:
        echoes = [_headers(replace(PROTOCOLS["t2_tse"], text="pd+t2_tse_sag"), where, rng)]
        first = float(rng.uniform(9, 30))
        second = float(echoes[0][0].EchoTime)
        frames = [
            changed(item, EchoTime=time, EchoNumbers=number)
            for item in echoes[0]
            for number, time in ((1, first), (2, second))
        ]
        record = series_of(frames, uid + "20")
        yield GeneratedSeries(record, "pd_t2_dual_echo", True, True, second)
    if study % 5 == 1:
        image = _headers(PROTOCOLS["t2_tse"], where, rng)
        for number, (kind, wanted) in enumerate(
            (("IN_PHASE", True), ("OPP_PHASE", False), ("WATER", False), ("FAT", False)),
        ):
            images = [
                changed(
                    item,
                    ImageType=["DERIVED", "PRIMARY", "M", "DIXON", kind],
                    SeriesDescription=f"t2_tse_dixon_sag_{kind.lower()}",
                )
                for item in image
            ]
            record = series_of(images, f"{uid}{30 + number}")
            yield GeneratedSeries(record, f"dixon_set_{kind.lower()}", wanted, True)


def _headers(protocol: Protocol, where: tuple[str, str], rng: Generator) -> list[Dataset]:
    """Draw the parameters of one series and write them as its vendor would."""
    vendor, region = where
    thickness = _draw(rng, protocol.thickness_mm, 1)
    tilt = _draw(rng, protocol.tilt_deg, 2)
    pixels = int(rng.choice([256, 320, 384, 512]))
    field_mm = float(rng.uniform(*_FIELDS_MM[region]))
    values: dict[str, object] = {
        "SOPClassUID": MR_IMAGE,
        "Modality": "MR",
        "Manufacturer": _VENDORS[vendor][0],
        "MagneticFieldStrength": float(rng.choice([1.5, 3.0])),
        "EchoTime": _draw(rng, protocol.echo_ms, 1),
        "RepetitionTime": _draw(rng, protocol.repetition_ms, 0),
        "InversionTime": _draw(rng, protocol.inversion_ms, 0),
        "EchoTrainLength": _whole(_draw(rng, protocol.echo_train, 0)),
        "FlipAngle": float(rng.uniform(8, 35))
        if "GR" in _CODES[protocol.sequence]
        else float(rng.choice([90, 120, 150, 160, 180])),
        "SliceThickness": thickness,
        "PixelSpacing": [round(field_mm / pixels, 4)] * 2,
        "Rows": pixels,
        "Columns": pixels,
        "MRAcquisitionType": "3D" if (thickness or 9) < 2 else "2D",
        "SeriesDescription": protocol.text,
        "ProtocolName": protocol.text,
        "BodyPartExamined": _BODY_PARTS[region],
        "StudyDescription": f"MR {region} spine",
        **_as_vendor(vendor, protocol, rng),
        **protocol.extra,
    }
    _forget(values, protocol, rng)
    step = (thickness or 4.0) * 1.1
    planes = list(AXES) if protocol.plane == "three" else [protocol.plane]
    slices = 1 if step > 15 else 5
    return [
        header(**values, **place(plane, tilt or 0.0, step * i))
        for plane in planes
        for i in range(slices)
    ]


def _as_vendor(vendor: str, protocol: Protocol, rng: Generator) -> dict[str, object]:
    """Write sequence and image type as the vendor does."""
    codes = list(_CODES[protocol.sequence])
    train = 15 if protocol.echo_train is None else int(protocol.echo_train[0])
    flavour = list(_VENDORS[vendor][1])
    written: dict[str, object] = {"SequenceVariant": ["SK", "SP"]}
    if vendor in ("SIEMENS", "SIEMENS XA"):
        written["SequenceName"] = _SIEMENS_NAMES[protocol.sequence].format(train=train)
    if vendor == "SIEMENS":
        flavour[1] = str(rng.choice(["ND", "DIS2D"]))
    elif vendor == "SIEMENS XA":
        written["AcquisitionContrast"] = "UNKNOWN"
    elif vendor == "GE":
        written["ScanOptions"] = str(rng.choice(["NONE", "SAT_GEMS", "FAST_GEMS"]))
        written |= {} if protocol.inversion_ms else {"InversionTime": 0.0}
        codes = _ge_codes(codes, protocol, rng)
    elif vendor == "Philips":
        codes = ["IR"] if codes == ["SE", "IR"] else codes
        flavour = list(_PHILIPS_KINDS[codes[0]])
    elif vendor == "Canon":
        written["SequenceName"] = _CANON_NAMES.get(protocol.sequence)
    written["ScanningSequence"] = [codes[i] for i in rng.permutation(len(codes))]
    if protocol.origin[0] == "DERIVED" and "NORM" not in protocol.kind:
        flavour = [word for word in flavour if word not in ("NORM", "DIS2D")]
    written["ImageType"] = [*protocol.origin, *flavour, *protocol.kind]
    return written


def _ge_codes(codes: list[str], protocol: Protocol, rng: Generator) -> list[str]:
    """Write an inversion as IR or, where the inversion time says enough, as plain SE."""
    if codes != ["SE", "IR"]:
        return codes
    return [str(rng.choice(["IR", "SE"]))] if protocol.inversion_ms else ["IR"]


def _forget(values: dict[str, object], protocol: Protocol, rng: Generator) -> None:
    """Drop, in place, what anonymisers and old scanners leave out, here in one series of seven."""
    for keyword in _OFTEN_MISSING:
        if rng.random() < _MISSING_SHARE:
            values.pop(keyword, None)
    for keyword in protocol.left_out:
        values.pop(keyword, None)


def _draw(rng: Generator, span: tuple[float, float] | None, digits: int) -> float | None:
    return None if span is None else round(float(rng.uniform(*span)), digits)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
