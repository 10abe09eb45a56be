"""Frames that read as an app's own: Java classes and methods in a stack of Python's.

A function's code can be given another name and file; `lab.experiment.operations` shows code whose file ends in `.java`
as Java does.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar, cast

from lab.experiment.plan import Job

T = TypeVar("T")


def as_app(job: Job, call: Callable[[], T]) -> T:
    """Call it as the app would: the job's SDK calls the frame of the class `truth.TN`, which calls it."""
    class_, method = job.sdk
    named = _disguised(f"truth.T{job.number}", "run")
    return cast(T, _disguised(class_, method)(lambda: named(call)))


def as_part(job: Job, name: str, call: Callable[[], T]) -> T:
    """Call it under a method of the class `truth.TN` of its own, for one of several parts of the job."""
    return cast(T, _disguised(f"truth.T{job.number}", name)(call))


def _disguised(class_: str, method: str) -> Callable[[Callable[[], Any]], Any]:
    code = _pass_on.__code__.replace(
        co_filename=f"{class_.rpartition('.')[2]}.java",
        co_name=method,
        co_qualname=f"{class_}.{method}",
        co_firstlineno=20 + zlib.crc32(f"{class_}.{method}".encode()) % 400,
    )
    return FunctionType(code, _pass_on.__globals__)


def _pass_on(call: Callable[[], T]) -> T:
    return call()
