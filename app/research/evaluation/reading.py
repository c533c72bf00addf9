"""Read the masks of one case, of any program whose numbers are known, onto one grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from app.research.evaluation.grids import bring_onto
from app.research.evaluation.mask_files import kind_of, read_mask, read_names, require_kind
from app.research.evaluation.measures import Masks
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from pathlib import Path

    from app.research.evaluation.label_schemes import LabelScheme
    from app.research.evaluation.mask_files import MaskKind
    from app.research.evaluation.pairing import CaseFiles
    from operators.imaging.volume import Grid, LabelMap


def read_reference(files: CaseFiles, scheme: LabelScheme | None = None) -> Masks:
    """Read one case's reference; both of its maps lie on one grid.

    Parameters
    ----------
    files : CaseFiles
        From `find_cases`.
    scheme : LabelScheme, optional
        Of masks with another program's numbers.

    Returns
    -------
    Masks
        The instance map on the semantic map's grid.

    Raises
    ------
    UnreadableInputError
        If a file cannot be read, its labels do not tell what it is (``unknown_kind``) or tell
        that it is not what its name says (``other_kind``) or of no scheme that was stated
        (``foreign_labels``).
    GeometryError
        If the two maps lie on different grids.
    """
    return _read(files, None, None) if scheme is None else _translated(files, None, scheme)


def read_prediction(
    files: CaseFiles | None, reference: Masks, scheme: LabelScheme | None = None
) -> Masks:
    """Read one case's prediction onto the reference's grid.

    Parameters
    ----------
    files : CaseFiles or None
        None = this method has nothing for the case: it found nothing, so all is empty.
    reference : Masks
        From `read_reference`.
    scheme : LabelScheme, optional
        Of masks with another program's numbers.

    Returns
    -------
    Masks
        Only the kinds of map that were found.

    Raises
    ------
    UnreadableInputError, GeometryError
        As in `read_reference`.
    """
    if files is None:
        return Masks(
            semantic=_empty(reference.semantic),
            instances=_empty(reference.instances),
            tells=None if scheme is None else scheme.tells,
        )
    like = reference.semantic or reference.instances
    if scheme is not None:
        return _translated(files, None if like is None else like.grid, scheme)
    plain: MaskKind = "semantic" if reference.semantic is not None else "instances"
    return _read(files, None if like is None else like.grid, plain)


def _read(files: CaseFiles, grid: Grid | None, plain_kind: MaskKind | None) -> Masks:
    found: dict[str, LabelMap] = {}
    paths: dict[MaskKind, Path | None] = {
        "semantic": files.semantic,
        "instances": files.instances,
    }
    for kind, path in paths.items():
        if path is not None:
            found[kind] = require_kind(read_mask(path, kind), kind)
    if files.plain is not None:
        mask = read_mask(files.plain)
        told = kind_of(mask.labels_zyx) or plain_kind
        if told is None:
            raise UnreadableInputError(
                "the labels do not tell a semantic from an instance map", reasons=("unknown_kind",)
            )
        found[told] = mask
    for kind_name, mask in found.items():
        grid = grid or mask.grid
        found[kind_name] = bring_onto(mask, grid)
    names = {} if files.instances is None else read_names(files.instances)
    return Masks(
        semantic=found.get("semantic"),
        instances=found.get("instances"),
        names=names,
        numbers_are_levels=files.instances is None or files.instances.suffix != ".dcm",
    )


def _empty(labels: LabelMap | None) -> LabelMap | None:
    return None if labels is None else labels.with_labels(np.zeros_like(labels.labels_zyx))


def _translated(files: CaseFiles, grid: Grid | None, scheme: LabelScheme) -> Masks:
    """Read the one mask of a case by a stated scheme."""
    paths = [path for path in files.paths if path is not None]
    if len(paths) != 1 or paths[0].suffix == ".dcm":
        raise UnreadableInputError(
            "where a label scheme is stated, a case has one mask, as NIfTI or .mha",
            reasons=("scheme_needs_one_mask",),
        )
    masks = scheme.read(read_mask(paths[0]))

    def brought(mask: LabelMap | None) -> LabelMap | None:
        return None if mask is None else bring_onto(mask, grid or mask.grid)

    return replace(masks, semantic=brought(masks.semantic), instances=brought(masks.instances))
