"""Exports that every mail program reads, written whole or not at all."""

from __future__ import annotations

import errno
import gzip
import io
import mailbox
import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailswitch.core.errors import ConfigError, MailError
from mailswitch.evidence import mailboxes as mailboxes_module
from mailswitch.evidence import mbox
from mailswitch.evidence.mbox import append_message, export
from tests.support.maildirs import CONTENT, DOMAIN, MOVED, Mailhouse


def _unquoted(content: bytes) -> bytes:
    return re.sub(rb"(?m)^>(>*From )", rb"\1", content)


def _listing(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def _messages(path: Path) -> Iterator[bytes]:
    """Read an mbox with the standard library."""
    box = mailbox.mbox(path, create=False)
    try:
        for key in box.keys():  # noqa: SIM118 - a mailbox iterates over messages
            yield _unquoted(box.get_bytes(key))
    finally:
        box.close()


_lines = st.lists(
    st.binary(max_size=40)
    | st.sampled_from([b"From bob", b">From ", b">>>>From x", b"From", b">", b"", b"From \r", b"\0" * 5])
    | st.builds(lambda marks, word: b">" * marks + word, st.integers(0, 200_000), st.sampled_from([b"From x", b"y"])),
    max_size=8,
).map(b"\n".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(_lines, min_size=1, max_size=4))
@example([b"x" * 70_000 + b"From "])
@example([b">" * 65_536 + b"From here\n", b">" * 65_534 + b"From"])
def test_every_message_comes_back_octet_for_octet(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("mbox") / "export.mbox"
    with path.open("wb") as stream:
        for content in contents:
            append_message(stream, io.BytesIO(content), MOVED)

    # An mbox cannot tell whether a message's last line was ended.
    wanted = [content if not content or content.endswith(b"\n") else content + b"\n" for content in contents]
    found = [one if not one or one.endswith(b"\n") else one + b"\n" for one in _messages(path)]
    assert found == wanted


def test_each_message_begins_as_rfc_4155_says() -> None:
    stream = io.BytesIO()
    append_message(stream, io.BytesIO(CONTENT), datetime(2026, 1, 5, 7, 8, 9, tzinfo=UTC))
    append_message(stream, io.BytesIO(b"Return-Path: <>\n\n"), MOVED)
    append_message(stream, io.BytesIO(b"Return-Path: <a b\x1b@x>\n\n"), MOVED)

    begins = [line for line in stream.getvalue().split(b"\n") if line.startswith(b"From ")]
    assert begins == [
        b"From bob@sender.example Mon Jan  5 07:08:09 2026",
        b"From MAILER-DAEMON Sun Nov  1 00:00:00 2026",
        b"From MAILER-DAEMON Sun Nov  1 00:00:00 2026",
    ]


def test_what_arrived_after_the_move_is_exported_for_its_owner_alone(mailhouse: Mailhouse, tmp_path: Path) -> None:
    mailhouse.put(b"Subject: old\n\n", days=-3)
    mailhouse.put(b"Subject: one\n\nFrom here\n")
    mailhouse.put(gzip.compress(b"Subject: two\n\n"), flags="S", folder=".Archive")
    mailhouse.put(b"Subject: junk\n\n", folder=".Spam")
    mailhouse.put(b"Subject: three\n\n", user="sales")
    path = tmp_path / "out.mbox"
    before = os.umask(0)
    try:
        done = export(mailhouse.mailboxes, DOMAIN, path, since=MOVED)
    finally:
        os.umask(before)

    assert list(_messages(path)) == [b"Subject: one\n\nFrom here\n", b"Subject: two\n\n", b"Subject: three\n\n"]
    assert (done.messages, done.octets, done.skipped) == (3, path.stat().st_size, {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_spam_and_single_mailboxes_are_exported_on_request(mailhouse: Mailhouse, tmp_path: Path) -> None:
    mailhouse.put(b"Subject: junk\n\n", folder=".Spam")
    mailhouse.put(b"Subject: other\n\n", user="sales")
    path = tmp_path / "out.mbox"

    export(mailhouse.mailboxes, DOMAIN, path, since=MOVED, only=["info"], is_with_spam=True)

    assert list(_messages(path)) == [b"Subject: junk\n\n"]


def test_originals_stay_as_they_are_read_times_included(mailhouse: Mailhouse, tmp_path: Path) -> None:
    path = mailhouse.put()
    before = path.stat()

    export(mailhouse.mailboxes, DOMAIN, tmp_path / "out.mbox", since=MOVED)

    after = path.stat()
    assert path.read_bytes() == CONTENT
    assert (after.st_mtime_ns, after.st_ctime_ns, after.st_atime_ns) == (
        before.st_mtime_ns,
        before.st_ctime_ns,
        before.st_atime_ns,
    )


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "directory"])
def test_nothing_is_overwritten_or_written_through(mailhouse: Mailhouse, tmp_path: Path, kind: str) -> None:
    mailhouse.put()
    path, target = tmp_path / "out.mbox", tmp_path / "target"
    match kind:
        case "file":
            path.write_text("precious")
        case "link":
            target.write_text("precious")
            path.symlink_to(target)
        case "dangling":
            path.symlink_to(target)
        case _:
            path.mkdir()
    before = _listing(tmp_path)

    with pytest.raises(ConfigError, match="nothing is overwritten"):
        export(mailhouse.mailboxes, DOMAIN, path, since=MOVED)

    assert _listing(tmp_path) == before
    assert kind not in {"file", "link"} or path.read_text() == "precious"


@pytest.mark.parametrize("is_nameless", [True, False])
def test_a_file_that_appears_meanwhile_is_not_replaced(
    mailhouse: Mailhouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_nameless: bool,
) -> None:
    mailhouse.put()
    path = tmp_path / "out.mbox"
    if not is_nameless:
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    keep = mbox._keep

    def raced(stream: io.BufferedRandom) -> None:
        keep(stream)
        path.write_text("somebody's")

    monkeypatch.setattr(mbox, "_keep", raced)

    with pytest.raises(ConfigError, match="cannot be given this name: File exists"):
        export(mailhouse.mailboxes, DOMAIN, path, since=MOVED)

    assert path.read_text() == "somebody's"
    assert _listing(tmp_path) == ["mailnames", "out.mbox"]


@pytest.mark.parametrize("is_nameless", [True, False])
def test_a_full_disk_leaves_nothing_behind(
    mailhouse: Mailhouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_nameless: bool,
) -> None:
    for _ in range(5):
        mailhouse.put(b"x" * 50_000)
    if not is_nameless:
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    fdopen = os.fdopen

    class _SmallDisk(io.FileIO):
        def write(self, octets: object) -> int:
            if self.tell() > 100_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(octets)  # type: ignore[arg-type]

    def small(descriptor: int, mode: str) -> object:
        return io.BufferedRandom(_SmallDisk(descriptor, "r+")) if mode == "w+b" else fdopen(descriptor, mode)

    monkeypatch.setattr(os, "fdopen", small)

    with pytest.raises(MailError, match=r"nothing is exported: .*No space left on device"):
        export(mailhouse.mailboxes, DOMAIN, tmp_path / "out.mbox", since=MOVED)

    assert _listing(tmp_path) == ["mailnames"]


def test_a_place_where_no_file_can_be_made_is_told(mailhouse: Mailhouse, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file can be made there"):
        export(mailhouse.mailboxes, DOMAIN, tmp_path / "missing" / "out.mbox", since=MOVED)


def test_what_cannot_be_read_is_left_out_and_told(mailhouse: Mailhouse, tmp_path: Path) -> None:
    mailhouse.put(b"CRYPTED\x03\x07xyz")
    mailhouse.put(gzip.compress(b"x" * 100_000)[:50])
    mailhouse.put(b"Subject: fine\n\n")
    (mailhouse.maildir() / "new" / "1794000000.x").symlink_to("nowhere")
    path = tmp_path / "out.mbox"

    done = export(mailhouse.mailboxes, DOMAIN, path, since=MOVED)

    assert list(_messages(path)) == [b"Subject: fine\n\n"]
    assert done.skipped == {"message encrypted by Dovecot": 1, "unreadable message": 1, "symbolic link": 1}


def test_a_message_that_is_fetched_or_deleted_meanwhile_is_exported_once_or_told(
    mailhouse: Mailhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched, deleted = mailhouse.put(b"Subject: fetched\n\n"), mailhouse.put(b"Subject: deleted\n\n")
    opened = mailboxes_module.Folder.opened
    cur = mailhouse.maildir() / "cur"

    def meanwhile(folder: mailboxes_module.Folder, arrival: mailboxes_module.Arrival) -> object:
        if fetched.exists():
            fetched.rename(cur / f"{fetched.name}:2,S")
            deleted.unlink()
        return opened(folder, arrival)

    monkeypatch.setattr(mailboxes_module.Folder, "opened", meanwhile)
    path = tmp_path / "out.mbox"

    export(mailhouse.mailboxes, DOMAIN, path, since=MOVED)

    assert list(_messages(path)) == [b"Subject: fetched\n\n"]


def test_a_mailbox_in_use_without_an_end_is_not_exported(
    mailhouse: Mailhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cur = mailhouse.put(flags="").parent
    opened = mailboxes_module.Folder.opened

    def used(folder: mailboxes_module.Folder, arrival: mailboxes_module.Arrival) -> object:
        stamp = cur.stat().st_mtime_ns + 1_000_000
        os.utime(cur, ns=(stamp, stamp))
        return opened(folder, arrival)

    monkeypatch.setattr(mailboxes_module.Folder, "opened", used)

    with pytest.raises(MailError, match="somebody keeps using the mailbox"):
        export(mailhouse.mailboxes, DOMAIN, tmp_path / "out.mbox", since=MOVED)

    assert _listing(tmp_path) == ["mailnames"]


def test_a_moment_after_the_move_is_the_message_own(mailhouse: Mailhouse, tmp_path: Path) -> None:
    mailhouse.put(days=2)
    path = tmp_path / "out.mbox"
    export(mailhouse.mailboxes, DOMAIN, path, since=MOVED)

    shown = f"{MOVED + timedelta(days=2):%a %b} {3:2} 00:00:00 2026".encode()
    assert path.read_bytes().startswith(b"From bob@sender.example " + shown + b"\n")
