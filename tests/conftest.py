"""What holds for every test: loopback only, nothing left out in silence."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

# --- Hypothesis ----------------------------------------------------------------------------------

# No deadline: a test that shares two cores with its siblings says nothing about speed.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=150, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

# --- Loopback only -------------------------------------------------------------------------------


class NetworkEscape(BaseException):
    """A test tried to reach something outside this machine.

    Not an Exception: code under test that reports unreachable hosts must not swallow it.
    """


def _refuse_the_network(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        end, address = arguments
        if isinstance(end, socket.socket) and end.family in {socket.AF_INET, socket.AF_INET6}:
            host = address[0] if isinstance(address, tuple) else None
            if host is not None and not _is_loopback(host):
                raise NetworkEscape(f"{event} {address!r}")
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0]
        if host is not None and not _is_literal(host):
            raise NetworkEscape(f"{event} {host!r}")


def _is_loopback(host: object) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _is_literal(host: object) -> bool:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if text in {"", "localhost"}:
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


sys.addaudithook(_refuse_the_network)

# --- Nothing left out in silence -----------------------------------------------------------------

_NEEDS = {
    "schemas": ("MAILSWITCH_PLESK_XSD", "Plesk's official XML schemas"),
    "postgresql": ("MAILSWITCH_TEST_POSTGRESQL", "a PostgreSQL server"),
    "root": (None, "root"),
    "mail_servers": (None, "root, Postfix, Dovecot and iproute2 (on Debian: script/mail-servers)"),
    "dns_servers": (None, "NSD and Unbound (on Debian: script/dns-servers)"),
}
"""What tests marked so need, and the variable that says where it is."""
_MAIL_PROGRAMS = ("postfix", "smtp-sink", "dovecot", "ip", "unshare", "journalctl", "logger")
_LEFT_OUT: pytest.StashKey[Counter[str]] = pytest.StashKey()
_PASSED: pytest.StashKey[Counter[str]] = pytest.StashKey()
_SKIPPED: pytest.StashKey[list[str]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--must-run", action="append", default=[], choices=sorted(_NEEDS), help="fail if none of these ran"
    )
    parser.addoption("--fail-on-skip", action="store_true", help="a skipped test is a failure")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEFT_OUT] = Counter()
    config.stash[_PASSED] = Counter()
    config.stash[_SKIPPED] = []
    config.pluginmanager.register(_Recorder(config), "mailswitch-recorder")
    schemas = os.environ.get("MAILSWITCH_PLESK_XSD")
    if schemas and not Path(schemas).is_dir():
        raise pytest.UsageError(f"MAILSWITCH_PLESK_XSD names no folder: {schemas}")
    for marker in config.getoption("must_run"):
        if not _is_at_hand(marker):
            raise pytest.UsageError(f"--must-run={marker} needs {_NEEDS[marker][0] or _NEEDS[marker][1]}")


def _is_at_hand(marker: str) -> bool:
    variable = _NEEDS[marker][0]
    if variable is not None:
        return bool(os.environ.get(variable))
    if marker == "root":
        return os.geteuid() == 0
    # Where Debian puts servers, only root looks by itself.
    folders = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    if marker == "dns_servers":
        return all(shutil.which(name, path=folders) for name in ("nsd", "unbound"))
    return os.geteuid() == 0 and all(shutil.which(name, path=folders) for name in _MAIL_PROGRAMS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = [marker for marker in _NEEDS if not _is_at_hand(marker)]
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    counted: Counter[str] = config.stash[_LEFT_OUT]
    for item in items:
        needed = [marker for marker in missing if item.get_closest_marker(marker)]
        (left_out if needed else kept).append(item)
        counted.update(needed)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output["left_out"] = dict(counted)


class _Recorder:
    """Counts, in the process that reports, what ran of each kind."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.passed and report.when == "call":
            self._config.stash[_PASSED].update(marker for marker in _NEEDS if marker in report.keywords)
        if report.skipped and not hasattr(report, "wasxfail"):
            self._config.stash[_SKIPPED].append(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take over what a worker left out; every worker collects the same, so the last one's word is enough."""
        output = getattr(node, "workeroutput", {})
        if "left_out" in output:
            self._config.stash[_LEFT_OUT] = Counter(output["left_out"])


def _complaints(config: pytest.Config) -> list[str]:
    found = [
        f"no test marked {marker} passed, at least one must"
        for marker in config.getoption("must_run")
        if not config.stash[_PASSED][marker]
    ]
    if config.getoption("fail_on_skip"):
        found += [f"skipped: {name}" for name in config.stash[_SKIPPED]]
    return found


def pytest_sessionfinish(session: pytest.Session) -> None:
    is_worker = hasattr(session.config, "workeroutput")
    if not is_worker and session.exitstatus == pytest.ExitCode.OK and _complaints(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for marker, count in sorted(config.stash[_LEFT_OUT].items()):
        variable, what = _NEEDS[marker]
        why = "" if variable is None else f" ({variable} is not set)"
        terminalreporter.write_line(f"left out: {count} tests marked {marker}, which need {what}{why}", yellow=True)
    for complaint in _complaints(config):
        terminalreporter.write_line(f"failed: {complaint}", red=True)
