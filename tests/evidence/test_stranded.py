"""What is counted in mailboxes with real files, hostile ones among them."""

from __future__ import annotations

import os
import socket
import threading
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.errors import MailError
from mailswitch.core.mailboxes import MailboxTally, StrandedMail, skips_in_words
from mailswitch.core.names import DomainName
from mailswitch.evidence import mailboxes as mailboxes_module
from mailswitch.evidence.mailboxes import Mailboxes, MailboxSettings
from mailswitch.evidence.message_files import MessageName, parsed_name
from mailswitch.evidence.stranded import tallies
from tests.support.maildirs import CONTENT, DOMAIN, MOVED, Mailhouse


def _counted(mailhouse: Mailhouse, *only: str) -> dict[str, MailboxTally]:
    return {one.mailbox: one for one in tallies(mailhouse.mailboxes, DOMAIN, since=MOVED, only=only)}


def test_what_arrived_after_the_move_is_counted_by_mailbox(mailhouse: Mailhouse) -> None:
    mailhouse.put(days=-1)
    mailhouse.put(days=-30, flags="S")
    mailhouse.put(days=2)
    mailhouse.put(CONTENT * 2, days=5, flags="")
    mailhouse.put(days=3, flags="RS", folder=".Archive.2026")
    mailhouse.put(days=4, user="sales", flags="S")

    found = _counted(mailhouse)

    info = found["info"]
    assert (info.messages, info.unread, info.octets) == (3, 2, 4 * len(CONTENT))
    assert (info.oldest, info.newest) == (MOVED + timedelta(days=2), MOVED + timedelta(days=5))
    assert (found["sales"].messages, found["sales"].unread) == (1, 0)
    assert info.skipped == {}
    assert not info.is_in_use


def test_spam_is_counted_apart_and_what_never_waited_is_not_counted(mailhouse: Mailhouse) -> None:
    for folder in (".Sent", ".Drafts", ".Trash", ".INBOX.Gesendet"):
        mailhouse.put(folder=folder, flags="S")
    mailhouse.put(folder=".Spam")
    mailhouse.put(flags="ST")
    mailhouse.put()

    info = _counted(mailhouse)["info"]

    assert (info.messages, info.spam, info.unread) == (1, 1, 1)


def test_a_size_in_the_name_wins_over_the_files(mailhouse: Mailhouse) -> None:
    mailhouse.put(name=f"{int(MOVED.timestamp()) + 60}.M1P1.web01,S=1000000")

    assert _counted(mailhouse)["info"].octets == 1_000_000


def test_a_message_copied_later_by_imap_arrived_when_it_arrived(mailhouse: Mailhouse) -> None:
    path = mailhouse.put(flags="S", folder=".Archive")
    long_ago = (MOVED - timedelta(days=100)).timestamp()
    os.utime(path, (long_ago, long_ago))

    assert _counted(mailhouse)["info"].messages == 0


def test_only_the_mailboxes_asked_for_are_counted(mailhouse: Mailhouse) -> None:
    mailhouse.put()
    mailhouse.put(user="sales")

    assert list(_counted(mailhouse, "sales", "nobody")) == ["sales"]


def test_a_name_without_a_directory_has_no_mailboxes(mailhouse: Mailhouse) -> None:
    assert list(tallies(mailhouse.mailboxes, DomainName("other.example"), since=MOVED)) == []


@pytest.mark.parametrize("name", [".", "\\.\\.", "_x.example", "*.example"])
def test_a_name_that_is_no_host_is_never_looked_for(mailhouse: Mailhouse, name: str) -> None:
    mailhouse.put(domain="..")

    assert list(tallies(mailhouse.mailboxes, DomainName(name), since=MOVED)) == []


def test_a_mailbox_without_a_maildir_and_a_stray_file_are_no_mailboxes(mailhouse: Mailhouse) -> None:
    mailhouse.put()
    (mailhouse.root / DOMAIN.text / "fresh").mkdir()
    (mailhouse.root / DOMAIN.text / "note.txt").write_text("x")

    assert list(_counted(mailhouse)) == ["info"]


def test_nothing_is_followed_out_of_a_mailbox(mailhouse: Mailhouse, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"root's own")
    elsewhere = Mailhouse(tmp_path / "elsewhere")
    elsewhere.put()
    mailhouse.put()
    new = mailhouse.maildir() / "new"
    at = int(MOVED.timestamp()) + 60
    (new / f"{at}.link").symlink_to(secret)
    os.mkfifo(new / f"{at}.fifo")
    (new / f"{at}.directory").mkdir()
    with socket.socket(socket.AF_UNIX) as unix:
        here = Path.cwd()
        os.chdir(new)  # a socket's path is short
        unix.bind(f"{at}.socket")
        os.chdir(here)
    (mailhouse.maildir() / ".Linked").symlink_to(elsewhere.maildir())
    (mailhouse.root / DOMAIN.text / "linked").symlink_to(elsewhere.root / DOMAIN.text / "info")
    sales = mailhouse.root / DOMAIN.text / "sales"
    sales.mkdir()
    (sales / "Maildir").symlink_to(elsewhere.maildir())

    found = _counted(mailhouse)

    assert found["info"].messages == 1
    assert found["info"].skipped == {"symbolic link": 2, "special file": 2, "directory in a message's place": 1}
    assert (found["linked"].messages, found["linked"].skipped) == (0, {"symbolic link": 1})
    assert (found["sales"].messages, found["sales"].skipped) == (0, {"symbolic link": 1})


def test_a_domains_directory_that_is_a_link_is_refused(mailhouse: Mailhouse, tmp_path: Path) -> None:
    (mailhouse.root / DOMAIN.text).symlink_to(tmp_path)

    with pytest.raises(MailError, match="symbolic link"):
        _counted(mailhouse)


@pytest.mark.root
def test_what_belongs_to_another_user_is_not_looked_at(mailhouse: Mailhouse) -> None:
    os.chown(mailhouse.put(), 12345, 12345)
    mailhouse.put()
    os.chown(mailhouse.maildir("sales"), 12345, 12345)

    found = _counted(mailhouse)

    assert (found["info"].messages, found["info"].skipped) == (1, {"file of another owner": 1})
    assert found["sales"].skipped == {"directory of another owner": 1}


def test_names_that_would_upset_a_terminal_are_counted_like_others(mailhouse: Mailhouse) -> None:
    at = int(MOVED.timestamp()) + 60
    for name in ("\x1b[2J", "\udcff\udcfe", "a\nb", "'; rm -rf /", "\N{RIGHT-TO-LEFT OVERRIDE}x"):
        mailhouse.put(name=f"{at}.{name}", user="b\x1bd")

    assert _counted(mailhouse)["b\x1bd"].messages == 5


def test_dovecots_and_couriers_own_files_are_no_messages(mailhouse: Mailhouse) -> None:
    mailhouse.put()
    for name in ("dovecot-uidlist", "maildirsize", "subscriptions", "courierimapuiddb"):
        (mailhouse.maildir() / name).write_text("x")
    (mailhouse.maildir() / "cur" / ".hidden").write_text("x")

    assert _counted(mailhouse)["info"].messages == 1


def test_a_folder_that_somebody_uses_meanwhile_is_counted_again(
    mailhouse: Mailhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that moves from new to cur while both are read would be counted twice."""
    path = mailhouse.put()
    read = parsed_name
    moved: list[Path] = []

    def fetched_meanwhile(name: str) -> MessageName:
        if not moved:
            moved.append(path.rename(mailhouse.maildir() / "cur" / f"{path.name}:2,S"))
        return read(name)

    monkeypatch.setattr(mailboxes_module, "parsed_name", fetched_meanwhile)

    info = _counted(mailhouse)["info"]

    assert moved
    assert (info.messages, info.unread, info.is_in_use) == (1, 0, False)


def test_a_mailbox_that_is_used_without_an_end_says_so(mailhouse: Mailhouse, monkeypatch: pytest.MonkeyPatch) -> None:
    cur = mailhouse.put(flags="").parent
    read = parsed_name

    def used_all_the_time(name: str) -> MessageName:
        stamp = cur.stat().st_mtime_ns + 1_000_000
        os.utime(cur, ns=(stamp, stamp))
        return read(name)

    monkeypatch.setattr(mailboxes_module, "parsed_name", used_all_the_time)

    assert _counted(mailhouse)["info"].is_in_use


def test_counting_is_right_while_mail_keeps_arriving(mailhouse: Mailhouse) -> None:
    for _ in range(50):
        mailhouse.put()
    done = threading.Event()

    def arrive() -> None:
        while not done.is_set():
            mailhouse.put(days=-5)

    sender = threading.Thread(target=arrive)
    sender.start()
    try:
        found = [_counted(mailhouse)["info"].messages for _ in range(20)]
    finally:
        done.set()
        sender.join()

    assert set(found) == {50}


def _fill(mailhouse: Mailhouse, user: str, messages: int) -> None:
    """Give a mailbox many messages that are all the same file; a file has at most 65,000 names on ext4."""
    at = int(MOVED.timestamp()) + 60
    for begin in range(0, messages, 50_000):
        source = mailhouse.put(user=user, name=f"{at}.M0B{begin}.web01")
        places = [os.open(mailhouse.maildir(user, folder=one) / "cur", os.O_RDONLY) for one in ("", ".A", ".B")]
        for number in range(begin + 1, min(begin + 50_000, messages)):
            os.link(source, f"{at}.M{number}.web01:2,", dst_dir_fd=places[number % 3])
        for place in places:
            os.close(place)


def test_a_hundred_thousand_messages_are_counted_to_the_last(mailhouse: Mailhouse) -> None:
    _fill(mailhouse, "info", 100_000)

    assert _counted(mailhouse)["info"].messages == 100_000


def test_counting_takes_the_memory_of_one_message_however_many_there_are(mailhouse: Mailhouse) -> None:
    """The budget holds the names of a tenth of them."""
    _fill(mailhouse, "few", 100)
    _fill(mailhouse, "many", 5_000)
    _counted(mailhouse, "few")
    peaks = {}
    for user in ("few", "many"):
        tracemalloc.start()
        _counted(mailhouse, user)
        peaks[user] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert peaks["many"] < peaks["few"] + 50_000


def test_mailboxes_that_cannot_be_read_are_told_with_what_to_do(tmp_path: Path) -> None:
    missing = Mailboxes(MailboxSettings(root=tmp_path / "nowhere"))
    with pytest.raises(MailError, match="No such file or directory; run this as root"):
        list(tallies(missing, DOMAIN, since=MOVED))

    (tmp_path / "here").mkdir()
    ownerless = Mailboxes(MailboxSettings(root=tmp_path / "here", owner="nobody-called-so"))
    with pytest.raises(MailError, match="there is no user 'nobody-called-so'"):
        list(tallies(ownerless, DOMAIN, since=MOVED))


def test_amounts_add_up_over_mailboxes(mailhouse: Mailhouse) -> None:
    mailhouse.put()
    mailhouse.put(user="sales")
    (mailhouse.maildir() / "new" / "1794000000.x").symlink_to("nowhere")
    found = StrandedMail(
        server="web01", name=DOMAIN, since=MOVED, remark=None, mailboxes=tuple(_counted(mailhouse).values())
    )

    assert (found.messages, found.octets) == (2, 2 * len(CONTENT))
    assert skips_in_words(one.skipped for one in found.mailboxes) == "1 x symbolic link"
    assert skips_in_words(()) is None
