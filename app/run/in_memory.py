"""Run the graph once and hand back the finished cases instead of files.

The same graph as `app.run.execute`'s, up to its last step: what becomes a file there is an array
here. The public front of it is the package ``spine_node``.
"""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.run.bootstrap import prepare_process
from operators.errors import InterruptedRunError

if TYPE_CHECKING:
    from pathlib import Path

    from app.run.models import ModelBundle
    from operators.case import Case, Progress
    from operators.dicom.selection.series_selection import (
        SelectionSettings,
        SeriesDecision,
    )
    from operators.imaging.volume import Volume

_ONE_AT_A_TIME: Final = threading.Lock()
"""Networks and their threads are shared: a second graph beside the first would only slow both."""

_LOOK_S: Final = 0.05
"""How often the waiting thread takes Ctrl-C back from Holoscan, s."""


@dataclass
class Findings:
    """What one run of the graph found.

    Attributes
    ----------
    cases : tuple of Case
        Finished or failed, one per accepted stack or image.
    decisions : tuple of SeriesDecision
        About every series of a DICOM input.
    passed_over : dict of str to int
        How many files and links of the input were not read, by reason.
    """

    cases: tuple[Case, ...] = ()
    decisions: tuple[SeriesDecision, ...] = ()
    passed_over: dict[str, int] = field(default_factory=dict)


def load_graph() -> None:
    """Load the SDK, which costs seconds, ahead of the first run."""
    prepare_process()
    import app.run.graph  # noqa: F401, PLC0415 - holoscan must find the process prepared


def segment(
    source: Path | Volume,
    models: ModelBundle,
    selection: SelectionSettings,
    progress: Progress | None = None,
) -> Findings:
    """Run the graph on one study or image; Ctrl-C ends it at its next progress.

    Parameters
    ----------
    source : Path or Volume
        DICOM folder or file, NIfTI file, or an image in memory.
    models : ModelBundle
        Loaded networks.
    selection : SelectionSettings
        What of a DICOM input is worth segmenting.
    progress : callable, optional
        Told (case key, step, fraction), in another thread.

    Returns
    -------
    Findings
        A case that failed holds its error.

    Raises
    ------
    SpineError
        What ends the run as a whole, as in `app.run.execute.execute`.
    """
    stop = threading.Event()

    def report(key: str, step: str, fraction: float) -> None:
        if stop.is_set():
            raise InterruptedRunError("the run was told to stop")
        if progress is not None:
            progress(key, step, fraction)

    # The graph's run() lets no signal through until it ends, so it gets a thread of its own.
    with _ONE_AT_A_TIME, ThreadPoolExecutor(1, thread_name_prefix="spine-graph") as pool:
        running = pool.submit(_run, source, models, selection, report)
        try:
            while not wait([running], timeout=_LOOK_S).done:
                _take_back_interrupts()
        except KeyboardInterrupt:
            stop.set()
            raise
        return running.result()


def _take_back_interrupts() -> None:
    """Install Python's handler of SIGINT again: Holoscan's, beside a thread's run(), segfaults.

    Python keeps what it was told last, so this changes nothing for the caller; handlers belong to
    the main thread, which is also the one that Ctrl-C interrupts.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is threading.main_thread() and handler is not None:
        signal.signal(signal.SIGINT, handler)


def _run(
    source: Path | Volume, models: ModelBundle, selection: SelectionSettings, report: Progress
) -> Findings:
    load_graph()
    from app.run.graph import SpineApplication, Wiring  # noqa: PLC0415 - as above

    found = Findings()
    ended = threading.Event()

    def take_cases(cases: tuple[Case, ...]) -> None:
        found.cases = cases
        ended.set()

    def take_decisions(decisions: tuple[SeriesDecision, ...]) -> None:
        found.decisions = decisions

    wiring = Wiring(
        source=source,
        semantic_mask=None,
        semantic_model=models.semantic,
        instance_model=models.instance,
        labelling_model=models.labelling,
        write=None,
        selection=selection,
        on_decisions=take_decisions,
        on_passed_over=found.passed_over.update,
        on_cases=take_cases,
        progress=report,
    )
    SpineApplication(wiring).run()
    if not ended.is_set():
        raise InterruptedRunError("the graph ended without a result")
    return found
