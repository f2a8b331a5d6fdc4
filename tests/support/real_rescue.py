"""Stranded mail sent on through a real Postfix, in namespaces of its own (see `tests.support.real_mail`).

``unshare --net --mount --pid --fork --kill-child --mount-proc python -m tests.support.real_rescue FOLDER`` prints a
JSON object of what happened. The other side is a mail server of ours at 192.0.2.25, which refuses and puts off as told.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.support import real_mail
from tests.support.mta import Mta, attached
from tests.support.rescue_child import Dying
from tests.support.rescuing import Desk, Hourglass

_PORT = 25
CONTENTS = (
    b"Subject: plain\n\nhello\n.\n..\nFrom here\n",
    b"Subject: 8 bit\n\n\xe3\x81\x82 \xff\xfe\n",
    b"Subject: no newline at the end\n\nhello",
    b"Subject: nul\n\na\0b\n",
    b"Subject: cr\n\na\rb\n",
    b"Subject: long\n\n" + b"x" * 100_000 + b"\n",
    b"Subject: mixed\n\na\r\nb\n",
    b"Subject: crlf\r\n\r\nhello\r\n",
    b"Subject: long, but allowed\n\n" + b"y" * 998 + b"\n",
)


class _RealTime(Hourglass):
    """Waits as long as it says, but ten times as fast."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        time.sleep(seconds / 10)


def _log_to(path: Path) -> None:
    """Be the machine's syslog daemon: write what comes to /dev/log in the classic form."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    Path("/dev/log").unlink(missing_ok=True)
    receiver.bind("/dev/log")
    Path("/dev/log").chmod(0o666)
    path.touch()

    def receive() -> None:
        with path.open("a", encoding="utf-8", buffering=1) as log:
            while True:
                text = receiver.recv(65_536).decode("utf-8", "replace").rstrip("\n\0").partition(">")[2]
                log.write(f"{text[:15]} web01 {text[16:]}\n")

    threading.Thread(target=receive, daemon=True).start()


def _reply(command: str) -> str | None:
    if command.upper().startswith("RCPT TO:<GONE@"):
        return "550 5.1.1 no such user here"
    return "450 4.2.0 greylisted" if command.upper().startswith("RCPT TO:<LATER@") else None


def _desk(folder: Path, log: Path) -> Desk:
    desk = Desk(folder, _PORT, log)
    desk.time = _RealTime()
    desk.look()
    return desk


def _in_child(act: Callable[[], object]) -> int:
    """Do something in a process of its own and return how it ended."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _everything(root: Path, log: Path, remote: Mta) -> dict[str, object]:
    (root / "all").mkdir()
    desk = _desk(root / "all", log)
    for content in CONTENTS:
        desk.arrive(content)
    result = desk.send(batch=4)
    return {
        "counts": {str(one): number for one, number in result.counts.items()},
        "stopped": result.stopped,
        "arrived": [base64.b64encode(attached(mail.content)).decode("ascii") for mail in remote.taken],
        "senders": sorted({mail.sender for mail in remote.taken}),
    }


def _refusal(root: Path, log: Path, user: str) -> dict[str, object]:
    (root / user).mkdir()
    desk = _desk(root / user, log)
    for number in range(3):
        desk.arrive(b"Subject: %d\n\nhello\n" % number, user=user)
    result = desk.send(wait=timedelta(minutes=1))
    return {"counts": {str(one): number for one, number in result.counts.items()}, "stopped": result.stopped}


def _killed(root: Path, log: Path, remote: Mta, stage: str) -> dict[str, object]:
    folder = root / stage
    folder.mkdir()
    desk = _desk(folder, log)
    for number in range(3):
        desk.arrive(b"Subject: %s %d\n\nhello\n" % (stage.encode("ascii"), number))
    before = len(remote.taken)

    def send() -> None:
        desk.outbox = Dying(desk.outbox, stage)
        desk.send()

    ended = _in_child(send)
    # Postfix notices a connection's end, and delivers, in its own time.
    real_mail._until("the connection's end", lambda: _has_noticed(log))
    time.sleep(1)
    again = _desk_again(folder, log)
    result = again.send()
    subjects = [mail.content.count(b"Subject: " + stage.encode("ascii")) for mail in remote.taken[before:]]
    return {
        "killed": ended == -signal.SIGKILL,
        "mails": len(subjects),
        "distinct": len({attached(mail.content) for mail in remote.taken[before:]}),
        "perhaps": len(result.perhaps),
        "stopped": result.stopped,
    }


def _has_noticed(log: Path) -> bool:
    text = log.read_text(encoding="utf-8")
    return text.count("]: connect from") == text.count("]: disconnect from")


def _desk_again(folder: Path, log: Path) -> Desk:
    desk = Desk(folder, _PORT, log)
    desk.time = _RealTime()
    desk.scene.clock.move(timedelta(minutes=1))  # no process looks before the one that came before it
    return desk


def _kept(root: Path, log: Path) -> dict[str, object]:
    """Postfix still takes the name for its own, whatever the panel says."""
    Path("/etc/postfix/transport").write_text("", encoding="ascii")
    real_mail._run("postconf", "-e", "virtual_mailbox_domains = other.example, moved.example")
    real_mail._run("postfix", "reload")
    return _refusal(root, log, "kept")


def main(folder: Path) -> None:
    """Play everything and tell it."""
    os.environ["TZ"] = "UTC"
    real_mail._cover(folder)
    (folder / "etc" / "transport").write_text(f"moved.example smtp:[{real_mail.REMOTE}]:2526\n", encoding="ascii")
    main_file = folder / "etc" / "main.cf"
    text = main_file.read_text(encoding="ascii")
    main_file.write_text(text.replace("virtual_mailbox_domains = moved.example, ", "virtual_mailbox_domains = "))
    _log_to(folder / "maillog")
    real_mail._run("postfix", "start")
    real_mail._until("postfix", lambda: real_mail._is_listening("127.0.0.1", _PORT))
    remote = Mta(folder / "remote.log", host=real_mail.REMOTE, port=2526)
    remote.reply = _reply
    log = folder / "maillog"
    with remote:
        found = {
            "all": _everything(folder, log, remote),
            "gone": _refusal(folder, log, "gone"),
            "later": _refusal(folder, log, "later"),
            **{stage: _killed(folder, log, remote, stage) for stage in ("intend", "intended", "replied")},
            "kept": _kept(folder, log),
        }
    real_mail._run("postfix", "stop")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
