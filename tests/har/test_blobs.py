"""Large bodies wait on disk, and give its space back as they are dropped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from pcapng_utils.har import blobs as module
from pcapng_utils.har.blobs import Blob, Blobs
from pcapng_utils.har.temporary import private_file


class Files(list[BinaryIO]):
    """The files that were asked for."""

    def new(self) -> BinaryIO:
        self.append(private_file())
        return self[-1]

    @property
    def open(self) -> list[bool]:
        return [not file.closed for file in self]


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def blobs(files: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[Blobs]:
    monkeypatch.setattr(module, "_FILE_SIZE", 1000)
    made = Blobs(files.new)
    yield made
    made.clear()


def content(i: int) -> bytes:
    return b"%03d" % i * 200


def test_blobs_come_back_whatever_file_they_are_in(blobs: Blobs, files: Files) -> None:
    written = [blobs.write([content(i)[:7], content(i)[7:]]) for i in range(40)]
    assert len(files) > 4
    for i in (3, 39, 0, 17):
        assert b"".join(blobs.read(written[i], piece_size=7)) == content(i)


def test_a_file_is_gone_with_the_last_of_its_blobs(blobs: Blobs, files: Files) -> None:
    first = [blobs.write([content(i)]) for i in range(2)]
    second = blobs.write([content(2)])
    assert files.open == [True, True]
    blobs.drop(first[1])
    assert files.open == [True, True]
    blobs.drop(first[0])
    assert files.open == [False, True]
    assert b"".join(blobs.read(second)) == content(2)
    blobs.drop(second)
    assert files.open == [False, False]
    again = blobs.write([content(4)])
    assert b"".join(blobs.read(again)) == content(4)
    blobs.clear()
    assert not any(files.open)


def test_few_files_are_open_however_much_is_written(blobs: Blobs, files: Files) -> None:
    for _ in range(10_000):
        blobs.write([b"x" * 1000])
    assert len(files) < 128  # 640 GB, were the files as large as they are otherwise
    assert all(files.open)


def test_another_process_reads_them_by_their_descriptors(blobs: Blobs, files: Files) -> None:
    other = Blobs(files.new, 1)
    written = [other.write([content(i)]) for i in range(10)]
    other.flush()
    received = Blobs(files.new, 1)
    received.open({number: (os.dup(file), count) for number, (file, count) in other.descriptors().items()})
    other.clear()
    own = blobs.write([b"own"])
    blobs.take_over(received)
    for i, blob in enumerate(written):
        assert b"".join(blobs.read(blob)) == content(i)
        blobs.drop(blob)
    assert list(blobs.descriptors()) == [0]
    assert b"".join(blobs.read(own)) == b"own"


def test_the_system_copies_a_blob_to_a_file_from_where_the_file_is(tmp_path: Path) -> None:
    blobs = Blobs(private_file)
    blobs.write([b"before"])
    blob = blobs.write([b"0123456789" * 50_000])
    with (tmp_path / "out").open("wb") as out:
        out.write(b"<")
        out.flush()
        done = blobs.send(blob, out.fileno())
        assert done in (0, blob.length)  # none, where the system is not made for that
        out.writelines(blobs.read(Blob(blob.offset + done, blob.length - done)))
        out.write(b">")
    assert (tmp_path / "out").read_bytes() == b"<" + b"0123456789" * 50_000 + b">"
    blobs.clear()


def test_a_file_that_the_system_cannot_copy_to_gets_nothing(tmp_path: Path) -> None:
    blobs = Blobs(private_file)
    blob = blobs.write([b"x" * 1000])
    with (tmp_path / "out").open("ab") as out:  # Linux does not copy to files that are appended to
        assert blobs.send(blob, out.fileno()) == 0
    with (tmp_path / "out").open("rb") as out, pytest.raises(OSError, match="Bad file descriptor"):
        blobs.send(blob, out.fileno())
    blobs.clear()


def test_a_temporary_file_that_was_cut_short_is_said_to_be(blobs: Blobs, files: Files) -> None:
    blob = blobs.write([content(1)])
    files[0].truncate(100)
    with pytest.raises(OSError, match="shorter than what was written"):
        list(blobs.read(blob))
