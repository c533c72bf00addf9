"""What measurements are about: segments of the segmentations of a stack, and the spine as a whole.

A vertebra and a disc are segments of the instance segmentation. Canal and cord are segments of the
semantic one, measured behind each of them. How a region is written stands in
``measurement_report``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from operators.anatomy.codes import CANAL, CORD, DISC, SPINE, VERTEBRA, Concept
from operators.dicom.identity.result_kinds import MEASUREMENT_REPORT
from operators.dicom.results.companions import companion_uid
from operators.dicom.results.segments import coded_concept, instance_segments
from operators.errors import EncodingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from operators.anatomy.levels import LevelName

IN_THE_CANAL: Final = {"canal": CANAL, "cord": CORD}
"""Structures that are measured behind a vertebra or a disc -> what they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What a group of measurements is about.

    Attributes
    ----------
    name : str
        For people, with the level and its reserve.
    uid : str
        Tracking UID; that of the segment, where the group is about the segment as a whole.
    finding : Concept
        What it is.
    site : CodedConcept
        Where it is: the level, where the segmentation codes it, otherwise the spine.
    note : str
        How the number in the name is meant, and what the level rests on; may be empty.
    segmentation : Dataset or None
        Where its segment is; None where it has none.
    segment : int
        Segment number in it.
    """

    name: str
    uid: str
    finding: Concept
    site: CodedConcept
    note: str = ""
    segmentation: Dataset | None = None
    segment: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentedStack:
    """Both segmentations of a stack, and the segments by what they stand for.

    Attributes
    ----------
    semantic, instances : Dataset
        The segmentations.
    by_label : dict of int to Dataset
        Items of the instance segmentation's Segment Sequence by label.
    """

    semantic: Dataset
    instances: Dataset
    by_label: dict[int, Dataset]

    @classmethod
    def of(
        cls,
        segmentations: tuple[Dataset, Dataset],
        labels: Iterable[int],
        levels: Mapping[int, LevelName],
    ) -> SegmentedStack:
        """Take the segmentations that were made of these labels and levels."""
        semantic, instances = segmentations
        order = [segment.label for segment in instance_segments(labels, levels)]
        by_label = dict(zip(order, instances.SegmentSequence, strict=True))
        return cls(semantic=semantic, instances=instances, by_label=by_label)

    def images(self) -> list[Dataset]:
        """Source images, by their identifiers alone."""
        images = []
        for item in self.semantic.SourceImageSequence:
            image = Dataset()
            image.StudyInstanceUID = self.semantic.StudyInstanceUID
            image.SeriesInstanceUID = self.source_series_uid
            image.SOPClassUID = item.ReferencedSOPClassUID
            image.SOPInstanceUID = item.ReferencedSOPInstanceUID
            images.append(image)
        return images

    def frames(self) -> dict[str, list[int]]:
        """Frames that were segmented, by the identifier of their multi-frame source image."""
        found: dict[str, set[int]] = {}
        for group in self.semantic.PerFrameFunctionalGroupsSequence:
            source = group.DerivationImageSequence[0].SourceImageSequence[0]
            number = source.get("ReferencedFrameNumber")
            if number is not None:
                found.setdefault(str(source.ReferencedSOPInstanceUID), set()).add(int(number))
        return {uid: sorted(numbers) for uid, numbers in found.items()}

    @property
    def source_series_uid(self) -> str:
        """Series that was segmented."""
        return str(self.semantic.ReferencedSeriesSequence[0].SeriesInstanceUID)

    def region(self, instance: int, part: str = "") -> Region:
        """Region of a vertebra or disc, or of a part of the canal behind it.

        Parameters
        ----------
        instance : int
            X or 100 + X; 0: the spine as a whole.
        part : str
            Key of `IN_THE_CANAL`; empty: the vertebra or disc itself.

        Returns
        -------
        Region
            What measurements of it are about.

        Raises
        ------
        EncodingError
            ``unknown_structure``: the instance is no segment.
        """
        if not instance:
            uid = companion_uid(self.semantic, MEASUREMENT_REPORT, "spine")
            return Region(name="spine", uid=uid, finding=SPINE, site=coded_concept(SPINE))
        item = self.by_label.get(instance)
        if item is None:
            raise EncodingError(
                f"a measurement of {instance}, which is no segment", reasons=("unknown_structure",)
            )
        if part:
            return self._in_the_canal(item, part)
        kind = item.SegmentedPropertyTypeCodeSequence[0].CodeValue
        return Region(
            name=str(item.TrackingID),
            uid=str(item.TrackingUID),
            finding=DISC if kind == DISC.value else VERTEBRA,
            site=_site(item),
            note=str(item.get("SegmentDescription", "")),
            segmentation=self.instances,
            segment=int(item.SegmentNumber),
        )

    def _in_the_canal(self, behind: Dataset, part: str) -> Region:
        finding = IN_THE_CANAL[part]
        number = next(
            (
                int(item.SegmentNumber)
                for item in self.semantic.SegmentSequence
                if item.SegmentedPropertyTypeCodeSequence[0].CodeValue == finding.value
            ),
            0,
        )
        return Region(
            name=f"{finding.meaning.lower()} behind {behind.TrackingID}",
            uid=companion_uid(self.semantic, MEASUREMENT_REPORT, part, str(behind.TrackingUID)),
            finding=finding,
            site=_site(behind),
            note=str(behind.get("SegmentDescription", "")),
            segmentation=self.semantic if number else None,
            segment=number,
        )


def _site(item: Dataset) -> CodedConcept:
    place = item.AnatomicRegionSequence[0]
    version = place.get("CodingSchemeVersion")
    return CodedConcept(place.CodeValue, place.CodingSchemeDesignator, place.CodeMeaning, version)
