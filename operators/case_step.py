"""The base of every step that takes cases and hands them on: ports, progress, failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from monai.deploy.core import Operator

from operators.case import advance

if TYPE_CHECKING:
    from typing import Any

    from operators.case import Case, Progress


class CaseStep(Operator):
    """Receive ``cases``, do one thing to each that has not failed, emit ``cases``.

    A step says its `NAME`, which is its module's, and what it does to one case in `step`; what it
    needs for that it takes in a constructor of its own.

    Parameters
    ----------
    fragment : Application
        The graph it belongs to.
    *args, **kwargs
        Conditions and further arguments of a MONAI Deploy operator.
    progress : callable
        Told before and after each case (`operators.case.Progress`).
    """

    NAME: ClassVar[str]

    def __init__(self, fragment: Any, *args: Any, progress: Progress, **kwargs: Any) -> None:
        self._progress = progress
        super().__init__(fragment, *args, **{"name": self.NAME, **kwargs})

    def setup(self, spec: Any) -> None:
        """Declare ``cases`` in and out."""
        spec.input("cases")
        spec.output("cases")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Advance every case."""
        op_output.emit(self.advanced(op_input.receive("cases")), "cases")

    def advanced(self, cases: tuple[Case, ...]) -> tuple[Case, ...]:
        """Cases after this step; a failure stays with its case (`operators.case.advance`)."""
        return advance(cases, self.NAME, self.step, self._progress)

    def step(self, case: Case) -> Case:
        """Do it to one case.

        Raises
        ------
        SpineError
            Why this case ends here; the others go on.
        """
        raise NotImplementedError
