"""Real Postfix and Dovecot in namespaces of their own, set up as Plesk does, and what happens to their mail.

``unshare --net --mount --pid --fork --kill-child --mount-proc python -m tests.support.real_mail FOLDER`` leaves
``FOLDER/maillog.1`` and ``FOLDER/maillog``, rotated in the middle, as their syslog daemon wrote them, and
``FOLDER/journal.json``, the same as systemd's journal has it. Nothing of it is seen outside: the network is a loopback
interface with every address, the files of the machine's own Postfix are covered by mounts, and all processes end with
the first one.

Facts:

- A name is local for as long as it is in ``virtual_mailbox_domains``; its mail goes to the pipe ``plesk_virtual``
  (plesk.md section 5). Mail to ``lmtp.example`` goes to Dovecot by LMTP instead.
- Dovecot checks the passwords of authenticated submission (``smtpd_sasl_type = dovecot``).
- journald takes what comes to ``/dev/log`` and hands it on to the syslog daemon, as it does on a Plesk server.
- There is no DNS: Postfix knows the clients in ``/etc/hosts`` by name, all others are ``unknown``.
"""

from __future__ import annotations

import imaplib
import os
import poplib
import shutil
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from email.message import EmailMessage
from functools import partial
from pathlib import Path

HERE, FILTER, OUTSIDER, REMOTE = "203.0.113.10", "185.201.16.7", "198.51.100.9", "192.0.2.25"
NAMES = ("moved", "other", "alias", "lists", "lmtp")
_PATIENCE_SECONDS = 45
_DEFER = Path("/etc/postfix/defer")
_MAIN = """\
compatibility_level = 3.6
myhostname = web01.example.net
mydestination = web01.example.net, localhost
mynetworks = 127.0.0.1/32, 203.0.113.10/32
inet_interfaces = all
inet_protocols = ipv4
smtp_host_lookup = native
disable_dns_lookups = yes
alias_maps = texthash:/etc/postfix/aliases
alias_database =
virtual_mailbox_domains = moved.example, other.example, alias.example, lists.example, lmtp.example
virtual_mailbox_maps = static:all
virtual_alias_maps = texthash:/etc/postfix/virtual
virtual_transport = plesk_virtual
transport_maps = texthash:/etc/postfix/transport
plesk_virtual_destination_recipient_limit = 1
minimal_backoff_time = 1s
queue_run_delay = 2s
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
"""
_MASTER = """\
smtp      inet n - n - - smtpd
submission inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes -o syslog_name=postfix/submission
10025     inet n - n - - smtpd -o smtpd_authorized_xforward_hosts=127.0.0.1 -o content_filter=
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
local     unix - n n - - local
lmtp      unix - - n - - lmtp
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
plesk_virtual unix - n n - - pipe flags=R user=nobody argv=/etc/postfix/deliver ${recipient}
"""
_FILES = {
    "main.cf": _MAIN,
    "master.cf": _MASTER,
    "aliases": 'members "|/usr/sbin/sendmail -f owner@lists.example bob@moved.example ann@other.example"\n'
    "root admin@other.example\n",
    "virtual": "info@alias.example info@moved.example\nteam@lists.example members@localhost\n"
    "away@other.example somebody@remote.example\n",
    "transport": f"remote.example smtp:[{REMOTE}]:2525\nnowhere.example error:5.1.1 no such user\n"
    "lmtp.example lmtp:unix:private/dovecot-lmtp\n",
    "deliver": f"#!/bin/sh\ntest ! -e {_DEFER} || exit 75\ncat >/dev/null\n",
}
_DOVECOT = """\
protocols = imap lmtp pop3
listen = 203.0.113.10
ssl = no
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/var/spool/postfix/vmail/%d/%n allow_all_users=yes
}
first_valid_uid = 1
first_valid_gid = 1
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
}
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    mode = 0666
  }
}
"""


class Syslog:
    """The machine's syslog daemon: writes what journald hands on in the classic form, as rsyslog does for Plesk."""

    def __init__(self, log: Path) -> None:
        self._log, self._lock = log, threading.Lock()
        # journald throws away what it cannot hand on at once, and ten datagrams are soon waiting on a busy machine.
        Path("/proc/sys/net/unix/max_dgram_qlen").write_text("10000", encoding="ascii")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_388_608)
        self._socket.bind("/run/systemd/journal/syslog")
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self) -> None:
        while True:
            text = self._socket.recv(65_536).decode("utf-8", "replace").rstrip("\n\0")
            stamp, rest = text.partition(">")[2][:15], text.partition(">")[2][16:]
            with self._lock, self._log.open("a", encoding="utf-8") as log:
                log.write(f"{stamp} web01 {rest}\n")

    def rotate(self) -> None:
        """Rename the log; the next line makes a new one."""
        with self._lock:
            self._log.rename(self._log.with_name(f"{self._log.name}.1"))

    def text(self) -> str:
        """Return everything so far."""
        older = self._log.with_name(f"{self._log.name}.1")
        with self._lock:
            return "".join(one.read_text(encoding="utf-8") for one in (older, self._log) if one.exists())


def _run(*arguments: str, text: str | None = None) -> None:
    subprocess.run(arguments, input=text, text=True, check=True, timeout=_PATIENCE_SECONDS, stdout=subprocess.DEVNULL)


def _until(what: str, is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)


def _cover(folder: Path) -> None:
    """Put our own directories over the machine's, and give loopback every address."""
    _run("mount", "--make-rprivate", "/")
    devices = folder / "dev"
    for path in ("dev", "etc", "spool", "data"):
        (folder / path).mkdir()
    for name in ("null", "zero", "full", "random", "urandom"):
        (devices / name).touch()
        _run("mount", "--bind", f"/dev/{name}", str(devices / name))
    (devices / "fd").symlink_to("/proc/self/fd")
    (devices / "log").symlink_to("/run/systemd/journal/dev-log")
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{FILTER} out7.eu.mimecast.com\n", encoding="ascii")
    for name, text in _FILES.items():
        (folder / "etc" / name).write_text(text, encoding="ascii")
    (folder / "etc" / "deliver").chmod(0o755)
    for name in ("dynamicmaps.cf", "postfix-files"):
        shutil.copy(f"/etc/postfix/{name}", folder / "etc" / name)
    (folder / "spool" / "vmail").mkdir(mode=0o777)
    (folder / "spool" / "vmail").chmod(0o777)
    shutil.chown(folder / "data", "postfix")
    for source, target in (
        (hosts, "/etc/hosts"), (folder / "etc", "/etc/postfix"), (folder / "spool", "/var/spool/postfix"),
        (folder / "data", "/var/lib/postfix"),
    ):  # fmt: skip
        _run("mount", "--bind", str(source), target)
    _run("mount", "--rbind", str(devices), "/dev")
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/systemd/journal").mkdir(parents=True)
    Path("/run/systemd/journald.conf.d").mkdir()
    Path("/run/systemd/journald.conf.d/lab.conf").write_text(
        "[Journal]\nStorage=volatile\nForwardToSyslog=yes\n", encoding="ascii"
    )
    _run("mount", "-t", "tmpfs", "tmpfs", "/var/lib/dovecot")
    _run("ip", "link", "set", "lo", "up")
    for one in (HERE, FILTER, OUTSIDER, REMOTE):
        _run("ip", "address", "add", f"{one}/32", "dev", "lo")


def _start(folder: Path) -> None:
    (folder / "dovecot.conf").write_text(_DOVECOT, encoding="ascii")
    _run("postfix", "start")
    _run("dovecot", "-c", str(folder / "dovecot.conf"))
    subprocess.Popen(["smtp-sink", "-u", "nobody", f"{REMOTE}:2525", "10"])
    for host, port in ((HERE, 25), (HERE, 587), (HERE, 143), (HERE, 110), (REMOTE, 2525)):
        _until(f"{host}:{port}", partial(_is_listening, host, port))


def _is_listening(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def _message() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "bob@sender.example", "you@moved.example", "hello"
    message.set_content("hello")
    return message


def _smtp(
    *to: str, source: str = FILTER, port: int = 25, login: str | None = None, sender: str = "bob@sender.example"
) -> None:
    with smtplib.SMTP(HERE, port, source_address=(source, 0), timeout=_PATIENCE_SECONDS) as client:
        if login is not None:
            client.login(login, "secret")
        client.send_message(_message(), sender, list(to))


def _refused(to: str, *, source: str) -> None:
    try:
        _smtp(to, source=source)
    except smtplib.SMTPRecipientsRefused:
        return
    raise AssertionError(f"{to} was taken")


def _sendmail(*to: str, sender: str = "www@other.example") -> None:
    _run("sendmail", "-f", sender, *to, text="Subject: form\n\nhello\n")


def _first_half() -> None:
    for _ in range(4):
        _smtp("info@moved.example")
    _smtp("a@moved.example", "b@moved.example", "c@other.example")
    _smtp("info@alias.example")
    _smtp("x@lmtp.example", source=OUTSIDER)
    _smtp("away@other.example")
    _smtp("team@lists.example")
    for to in ("info@moved.example", "info@alias.example", "root", "x@lmtp.example"):
        _sendmail(to)
    _sendmail("nobody@nowhere.example")


def _second_half() -> None:
    _DEFER.touch()
    _smtp("late@moved.example")
    _smtp("info@other.example", source=OUTSIDER, port=587, login="www@moved.example", sender="www@moved.example")
    _smtp("info@moved.example", source="127.0.0.1")
    _smtp("info@moved.example", source=HERE)
    for _ in range(2):
        _refused("info@gone.example", source=OUTSIDER)
    _refused("info@gone.example", source=FILTER)
    _refused('"x@moved.example"@gone.example', source=OUTSIDER)


def _read_mail() -> None:
    for user in ("info@moved.example", "info@moved.example", "Bob@Moved.example"):
        with imaplib.IMAP4(HERE, 143, timeout=_PATIENCE_SECONDS) as client:
            client.login(user, "secret")
    try:
        with imaplib.IMAP4(HERE, 143, timeout=_PATIENCE_SECONDS) as client:
            client.login("info@moved.example", "wrong")
    except imaplib.IMAP4.error:
        pass
    pop = poplib.POP3(HERE, 110, timeout=_PATIENCE_SECONDS)
    pop.user("info@other.example")
    pop.pass_("secret")
    pop.quit()


def _is_queue_empty() -> bool:
    found = subprocess.run(["postqueue", "-p"], capture_output=True, text=True, check=True, timeout=_PATIENCE_SECONDS)
    return "is empty" in found.stdout


def main(folder: Path) -> None:
    """Play everything and leave the log."""
    os.environ["TZ"] = "UTC"
    _cover(folder)
    log = Syslog(folder / "maillog")
    subprocess.Popen(["/lib/systemd/systemd-journald"], stderr=subprocess.DEVNULL)
    _until("journald", Path("/run/systemd/journal/dev-log").exists)
    _start(folder)
    _first_half()
    _until("the first half delivered", _is_queue_empty)
    log.rotate()
    _second_half()
    _until("a deferred message", lambda: "status=deferred" in log.text())
    _DEFER.unlink()
    _run("postqueue", "-f")
    _read_mail()
    _until("the second half delivered", _is_queue_empty)
    _until("the last log-in", lambda: "pop3-login: Login: user=<info@other.example>" in log.text())
    _run("postfix", "stop")
    _forge()
    _until("the forged line", lambda: "forged.example" in log.text())
    _record(folder / "journal.json")


def _forge() -> None:
    """Let a tenant's script write to the log what a delivery looks like: anybody may."""
    delivered = "relay=plesk_virtual, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (x)"
    texts = ("smtpd", f"FEED00: client=x[{FILTER}]"), ("pipe", f"FEED00: to=<info@forged.example>, {delivered}")
    for program, text in texts:
        _run(
            "setpriv", "--reuid=10005", "--regid=10005", "--clear-groups",
            "logger", "--id=4711", "--priority=mail.info", f"--tag=postfix/{program}", text,
        )  # fmt: skip


def _record(file: Path) -> None:
    words = ("journalctl", "--output=json", "--no-pager", "--quiet", "SYSLOG_FACILITY=2")
    with file.open("wb") as stream:
        subprocess.run(words, stdout=stream, check=True, timeout=_PATIENCE_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
