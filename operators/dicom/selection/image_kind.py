"""What kind of image a plane is: acquired by a scanner, or made from other images.

Modality, SOP class and Image Type only. DERIVED is let pass where the header says why: lossy
compression, filters, distortion correction, de-identification and Dixon reconstruction all keep the
acquired contrast and slices. What is *made* (reformats, projections, subtractions, maps) says so by
a word in Image Type, a derivation code, or SECONDARY. Contrast and orientation are judged
elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from operators.dicom.headers.header_values import numbers, positive_number, texts, words
from operators.dicom.headers.mr_images import MR_IMAGE_CLASSES
from operators.dicom.identity.provenance import MODEL_NAME
from operators.dicom.selection.reasons import Reason, against, hint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

_TELLING_WORDS: dict[str, str] = {
    "localizer": "LOCALIZER LOCALISER SCOUT SURVEY PLANSCAN",
    "reformatted": "MPR MPR_THICK MPR_THIN MPRTHICK REFORMATTED REFORMAT RESAMPLED CPR CURVED",
    "projection": "MIP MINIP PROJECTION_IMAGE PROJECTION MAXIMUM MINIMUM VOLUME_RENDERING VRT SSD"
    " 3DRENDER",
    "subtraction": "SUBTRACTION SUBTRACT SUBTRACTED SUB",
    "parameter_map": "ADC EADC ADC_UNSPECIFIED TRACE TRACEW ISOTROPIC FA COLFA TENSOR EXPONENTIAL"
    " MAP T1_MAP T2_MAP T2STAR_MAP T2_STAR_MAP R2_MAP R2STAR_MAP R2_STAR_MAP T1MAP T2MAP PD_MAP"
    " B0_MAP B1_MAP FIELD_MAP FF FAT_FRACTION FATFRACTION WATER_FRACTION PDFF CBF CBV RCBV MTT TTP"
    " PERFUSION TTEST ZSCORE MASK SEGMENTATION LABEL STD_DEVIATION DIVISION QUANTITY",
    "diffusion_image": "DIFFUSION DWI DTI ASL",
    "phase_image": "P PHASE PHASE_MAP PHASE_IMAGE PHASEMAP R REAL I IMAGINARY VELOCITY_MAP",
    "composed": "COMPOSED COMPOSING COMPOSITE STITCHED PASTED MOBIVIEW",
    "screen_capture": "SCREEN_SAVE SCREENSAVE CSA_REPORT CSAPARALLEL",
    "mosaic": "MOSAIC",
    "dixon_fat": "FAT F",
    "dixon_opposed_phase": "OUT_PHASE OUT_OF_PHASE OPP_PHASE OPPOSED_PHASE OPPOSED OP OOP OUTPHASE",
}
"""Reason -> words of Image Type, value 3 and later (PS3.3 C.7.6.1.1.2 and vendors' conformance
statements)."""

_COMPOSING_PREFIXES = ("COMP_",)
"""Siemens inline composing writes the algorithm: COMP_SP, COMP_AN, COMP_AD, COMP_DI."""

_KEEPING_WORDS = frozenset(
    {"NORM", "DIS2D", "DIS3D", "FM", "FIL", "FILTERED", "MOCO", "IN_PHASE", "INPHASE", "IP"}
    | {"WATER", "W", "DIXON"},
)
"""Processing that keeps slices and contrast: normalised, distortion-corrected, filtered,
motion-corrected, Dixon."""

_LOSSY_SYNTAXES = frozenset(
    {
        "1.2.840.10008.1.2.4.50",  # JPEG baseline
        "1.2.840.10008.1.2.4.51",  # JPEG extended
        "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
        "1.2.840.10008.1.2.4.91",  # JPEG 2000
        "1.2.840.10008.1.2.4.203",  # high-throughput JPEG 2000
    },
)

_IN_PHASE = frozenset({"IN_PHASE", "INPHASE", "IP"})
_WATER = frozenset({"WATER", "W"})

_MAKING_CODES: dict[str, str] = {
    "113041": "parameter_map",  # apparent diffusion coefficient
    "113042": "parameter_map",
    "113062": "subtraction",  # pixel by pixel subtraction
    "113065": "parameter_map",
    "113066": "parameter_map",
    "113067": "parameter_map",
    "113068": "parameter_map",
    "113069": "parameter_map",
    "113071": "reformatted",  # multiplanar reformatting of a group
    "113072": "reformatted",
    "113073": "reformatted",  # curved
    "113076": "parameter_map",  # segmentation
    "113078": "projection",
    "113079": "projection",
}
"""DCM codes of the Derivation Code Sequence (PS3.16 CID 7203) that make a new image; lossy
compression (113040), filtering and anonymisation aren't in it."""

_COLOUR_SAMPLES = 3


class DixonImage(NamedTuple):
    """Which reconstruction of a Dixon acquisition a plane is."""

    is_in_phase: bool
    is_water: bool


NO_DIXON = DixonImage(is_in_phase=False, is_water=False)


def judge_kind(header: Dataset, *, accept_composed: bool = False) -> tuple[Reason, ...]:
    """List what a plane's identity says against segmenting it.

    Parameters
    ----------
    header : Dataset
        Normal-form header of one plane.
    accept_composed : bool
        Take images stitched from several stations.

    Returns
    -------
    tuple of Reason
        Empty for a plain acquired MR image.
    """
    kind = words(header, "ImageType")
    reasons = [*_judge_object(header), *_judge_origin(header, kind)]
    for name, telling in _TELLING_WORDS.items():
        told = sorted(word for word in kind[2:] if word in telling.split())
        if name == "composed":
            told += [word for word in kind[2:] if word.startswith(_COMPOSING_PREFIXES)]
            if accept_composed:
                continue
        if told:
            reasons.append(against(name, f"Image Type {told[0]}"))
    reasons.extend(_judge_component(header))
    return tuple(dict.fromkeys(reasons))


def dixon_image(header: Dataset) -> DixonImage:
    """Tell in-phase and water images of a Dixon acquisition by Image Type."""
    kind = set(words(header, "ImageType")[2:])
    return DixonImage(bool(kind & _IN_PHASE), bool(kind & _WATER))


def _judge_object(header: Dataset) -> Iterator[Reason]:
    modality = words(header, "Modality")
    if modality and modality[0] != "MR":
        yield against("not_magnetic_resonance", f"Modality {modality[0][:16]}")
    sop_class = str(header.get("SOPClassUID", "")).strip()
    if sop_class and sop_class not in MR_IMAGE_CLASSES:
        yield against("not_an_mr_image", f"SOP class {sop_class[:64]}")
    elif not sop_class and not modality:
        yield against("not_an_mr_image", "neither Modality nor SOP class")
    if numbers(header, "SamplesPerPixel")[:1] == (_COLOUR_SAMPLES,):
        yield against("colour_image", f"{_COLOUR_SAMPLES} samples per pixel")
    # The model, not the manufacturer: synthetic studies of the same manufacturer are input.
    if texts(header, "ManufacturerModelName") == (MODEL_NAME,):
        yield against("own_result", "written by this product")


def _judge_origin(header: Dataset, kind: tuple[str, ...]) -> Iterator[Reason]:
    lossy = _is_lossy(header)
    if "SECONDARY" in kind[:2]:
        yield against("secondary_image", "lossy compressed" if lossy else "")
    elif lossy:
        yield hint("lossy_compressed", speaks_for=False)
    if kind[:1] == ("DERIVED",):
        why = _why_derived(header, kind, lossy=lossy)
        yield hint("derived_image", why, speaks_for=False) if why else against("derived_image")
    codes = header.get("DerivationCodeSequence") or ()
    for item in codes if hasattr(codes, "__iter__") else ():
        code = str(item.get("CodeValue", "")).strip() if hasattr(item, "get") else ""
        if code in _MAKING_CODES:
            yield against(_MAKING_CODES[code], f"derivation code {code}")


def _is_lossy(header: Dataset) -> bool:
    meta = getattr(header, "file_meta", None)
    syntax = str(meta.get("TransferSyntaxUID", "")) if meta is not None else ""
    flagged = words(header, "LossyImageCompression")[:1] == ("01",)
    shrunk = (positive_number(header, "LossyImageCompressionRatio") or 1.0) > 1.0
    return flagged or shrunk or syntax in _LOSSY_SYNTAXES


def _why_derived(header: Dataset, kind: tuple[str, ...], *, lossy: bool) -> str:
    """Find what kept slices and contrast although the image is DERIVED; empty if nothing does."""
    kept = [word for word in kind[2:] if word in _KEEPING_WORDS]
    if lossy:
        return "lossy compression"
    if kept:
        return f"Image Type {kept[0]}"
    deidentified = words(header, "PatientIdentityRemoved")[:1] == ("YES",)
    if deidentified or header.get("DeidentificationMethodCodeSequence"):
        return "de-identification"
    return ""


def _judge_component(header: Dataset) -> Iterator[Reason]:
    component = words(header, "ComplexImageComponent")[:1]
    if component and component[0] in {"PHASE", "REAL", "IMAGINARY"}:
        yield against("phase_image", f"complex component {component[0]}")
