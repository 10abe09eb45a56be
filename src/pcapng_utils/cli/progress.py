"""A progress bar on standard error, for captures that take a while."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

#: Below this, a conversion is over before a bar would be seen.
_WORTH_A_BAR: Final = 8 << 20


@contextlib.contextmanager
def progress_bar(capture: Path, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Yields what is to be told the number of bytes read so far."""
    size = capture.stat().st_size if capture.is_file() else None
    if quiet or not sys.stderr.isatty() or (size is not None and size < _WORTH_A_BAR):
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Reading", total=size)
        yield lambda done: progress.update(task, completed=done)
