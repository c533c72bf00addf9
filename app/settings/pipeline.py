"""Settings of the pipeline: what a run, a cohort, a MAP and a node's worker have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from app.settings.section import Section


class ApplicationSettings(Section):
    """Name and version that a MAP host shows."""

    title: str = Field(min_length=1)
    """Shown by the host."""
    version: str = Field(pattern=r"^\d+\.\d+\.\d+([-+].*)?$")
    """Of the application; three numbers."""
    input_formats: list[str] = Field(alias="input-formats", default_factory=list)
    """For the manifest."""
    output_formats: list[str] = Field(alias="output-formats", default_factory=list)
    """For the manifest."""


class ResourceSettings(Section):
    """What a MAP host should give the container."""

    cpu: int = Field(ge=1, default=2)
    """Processor cores."""
    gpu: int = Field(ge=0, default=0)
    """Graphics processors; none are needed."""
    memory: str = Field(pattern=r"^\d+(Mi|Gi)$", default="4Gi")
    """With its unit, Mi or Gi."""


class ModelSettings(Section):
    """Which model folders are used, by registry name or by path."""

    directory: Path = Path("models")
    """Of the registry and the model folders; relative to app.yaml."""
    semantic: str = "spine_t2w_compact"
    """Phase 1: name in the registry, or path of a model folder."""
    instance: str = "vertebra_instance_compact"
    """Phase 2: as above."""
    labelling: str | None = None
    """A labelling network of SPINEPS, which the levels of vertebrae then rest on, too: as above;
    null: none."""
    other_modality: bool = False
    """Also take a phase 1 model that says it is for other images than T2w MR. Nothing here was
    judged with one: series are still chosen as T2w."""


class InferenceSettings(Section):
    """Where and how the networks run."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: CUDA where there is one."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: fp32 in phase 1 and, where the processor computes in it, bf16 in phase 2. bf16: both,
    on such a processor, where phase 1 takes half the time; edges of its masks move a little."""
    engine: Literal["auto", "torch", "openvino"] = "auto"
    """What runs phase 1; auto: OpenVINO on a CPU, PyTorch elsewhere. PyTorch in fp32 on a CPU is
    the reference that the other is tested against."""
    threads: int = Field(ge=0, le=1024, default=0)
    """0: as many as there are cores."""


class SelectionOptions(Section):
    """What is worth segmenting, beyond what physics says."""

    reject_other_body_parts: bool = True
    """Where three independent texts agree on another body part and none names the spine."""


class OutputSettings(Section):
    """What is written beside the two segmentation objects."""

    measurement_report: bool = True
    """Also the measurements as DICOM SR, where a run or a MAP writes; a node: peers.objects."""
    overlay: bool = False
    """Also a picture, where the command line does not say."""
    measurements: bool = False
    """Also measurements.csv, where the command line does not say."""
    report_file: bool = False
    """Also the report as a PDF file, where the command line does not say."""
    pdf: bool = False
    """Also the report as a DICOM Encapsulated PDF, where the command line does not say."""
    preview: bool = False
    """Also the picture as a DICOM Secondary Capture, where the command line does not say."""

    @property
    def extras(self) -> frozenset[str]:
        """Names of the optional kinds of results that are wanted."""
        return frozenset(name for name, is_wanted in self if is_wanted)


def _one_line_of_ascii(text: str) -> str:
    """Refuse what a DICOM object of another character set, or of one line, cannot hold."""
    strange = "".join(dict.fromkeys(c for c in text if not " " <= c <= "~" or c == "\\"))
    if strange:
        raise ValueError(f"may hold one line of ASCII without backslash, not {strange!r}")
    if not any(c.isalpha() for c in text):
        raise ValueError("needs words")
    return text


_Line = Annotated[str, AfterValidator(_one_line_of_ascii)]


class IntendedUseSettings(Section):
    """Optional: what results are for, said everywhere in place of "research use only".

    Nothing else takes that notice away.
    """

    statement: _Line = Field(min_length=10, max_length=300)
    """In one sentence, in ASCII."""
    responsible: _Line = Field(min_length=3, max_length=64)
    """Name of the responsible person, in ASCII. Every change is kept in the audit trail."""
