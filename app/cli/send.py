"""``spine-node send``: C-STORE the DICOM files of a folder to a peer, once, for trying things."""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path  # noqa: TC003 - read at run time for the command line
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.errors import ConfigurationError, ExitCode
from app.signals import stop_requests
from operators.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from app.node.delivery.batch import Batch, BatchReport
    from app.settings.tls import PeerTlsSettings

_TARGET: Final = re.compile(r"([!-\[\]-~][ -\[\]-~]{0,15})@(.+):([0-9]{1,5})")
_AE_TITLE: Final = re.compile(r"[!-\[\]-~][ -\[\]-~]{0,15}")
_LAST_PORT: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a peer listens."""

    ae_title: str
    host: str
    port: int
    tls: PeerTlsSettings | None = None


def send(
    folder: Annotated[Path, typer.Argument(help="Folder (or file) to send.", exists=True)],
    to: Annotated[str, typer.Option("--to", help="Peer: AET@HOST:PORT.")],
    calling: Annotated[str, typer.Option("--from", help="Our AE title.")] = "SPINESEND",
    as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False,  # noqa: FBT002
) -> None:
    """Send the DICOM files of a folder to a PACS or to a node (C-STORE)."""
    # Here, not above: every other command starts without the network library.
    from app.node.delivery.batch import collect, send_batch  # noqa: PLC0415 - see above
    from app.node.telemetry.logs import quiet_foreign_logs  # noqa: PLC0415 - see above

    quiet_foreign_logs()
    target, ours = parse_target(to), parse_ae_title(calling)
    batch = collect(folder)
    if not batch.files:
        told = ["no DICOM files were found", *_passed_over(batch)]
        sys.stderr.write("\n".join(told) + "\n")
        raise typer.Exit(int(ExitCode.UNREADABLE_INPUT))
    began = time.monotonic()
    with stop_requests() as stop, _progress(len(batch.files), is_wanted=not as_json) as show:

        def go_on(offered: int) -> None:
            show(offered)
            if stop.is_set():
                raise InterruptedRunError("sending was interrupted")

        report = send_batch(target, ours, batch.files, on_progress=go_on)
    if as_json:
        document = {
            "event": "sent",
            "not_dicom": batch.not_dicom,
            "passed_over": [asdict(item) for item in batch.passed_over],
            **report.as_dict(),
        }
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        sys.stdout.write("\n".join(lines_of(report, batch, time.monotonic() - began)) + "\n")
    raise typer.Exit(int(ExitCode.OK if report.is_complete else ExitCode.INCOMPLETE))


def parse_target(text: str) -> Target:
    """Read ``AET@HOST:PORT``.

    Parameters
    ----------
    text : str
        An IPv6 address stands in brackets.

    Returns
    -------
    Target
        Its three parts.

    Raises
    ------
    ConfigurationError
        If it is written differently.

    Examples
    --------
    >>> parse_target("PACS@[::1]:104")
    Target(ae_title='PACS', host='::1', port=104)
    """
    match = _TARGET.fullmatch(text)
    if match is None or not 0 < int(match[3]) <= _LAST_PORT:
        raise ConfigurationError(
            "the peer must be written as AET@HOST:PORT, e.g. PACS@10.0.0.5:104"
        )
    return Target(
        ae_title=match[1], host=match[2].removeprefix("[").removesuffix("]"), port=int(match[3])
    )


def parse_ae_title(text: str) -> str:
    """Check an AE title (PS3.5, 6.2).

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    if _AE_TITLE.fullmatch(text) is None:
        raise ConfigurationError("an AE title has 1 to 16 characters, without a backslash")
    return text


def lines_of(report: BatchReport, batch: Batch, duration_s: float) -> list[str]:
    """Say how sending went: counts, statuses, and the paths of what was passed over.

    Parameters
    ----------
    report : BatchReport
        What the peer answered.
    batch : Batch
        What was found.
    duration_s : float
        Time it took, s.

    Returns
    -------
    list of str
        Lines for people.
    """
    rate = report.sent / duration_s if duration_s > 0 else 0.0
    lines = [f"{report.sent} of {report.total} objects stored ({duration_s:.1f} s, {rate:.0f}/s)"]
    lines += [f"answered {name}: {count}" for name, count in sorted(report.answers.items())]
    if report.uncompressed:
        lines.append(f"sent uncompressed, as the peer takes no RLE Lossless: {report.uncompressed}")
    if batch.not_dicom:
        lines.append(f"not DICOM, left out: {batch.not_dicom} files")
    lines += _passed_over(batch)
    if report.failure:
        lines.append(f"ended early: {report.failure}")
    return lines


def _passed_over(batch: Batch) -> list[str]:
    return [f"not read: {item.path} ({item.reason})" for item in batch.passed_over]


@contextmanager
def _progress(total: int, *, is_wanted: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar where standard error is a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    if not (is_wanted and console.is_terminal):
        yield lambda _offered: None
        return
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as display:
        task = display.add_task("sending", total=total)
        yield lambda offered: display.update(task, completed=offered)
