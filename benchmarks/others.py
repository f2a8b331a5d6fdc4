"""Other programs' ways of asking, where they are installed: none of them is a part of the project, or needed by it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks.runs import Run

__all__ = ["GO", "available", "versions"]

GO = "Go miekg/dns"

_LIBRARIES = ("pycares", "aiodns", "blastdns")
_PROGRAMS = Path(__file__).with_name("peers")
_GO_PATH = Path("/usr/share/gocode")
"""Where Debian has libraries in Go."""
_GO_LIBRARY = _GO_PATH / "src/github.com/miekg/dns"
_LONGEST = 600.0
_MASSDNS = ("-q", "-t", "MX", "-o", "S", "-s", "1000", "--socket-count", "4", "--rcvbuf", "4194304")
"""Its fastest way on loopback that was found; by itself it has one socket and loses answers."""


def available(python: str, port: int, names: int, fewer: int, folder: Path) -> dict[str, Callable[[], Run]]:
    """Return the ways that are installed: programs on PATH, libraries in the interpreter ``python`` and of Go.

    The two tools ask about ``names`` names, the libraries about ``fewer``. What has to be built is built in ``folder``.
    """
    ways: dict[str, Callable[[], Run]] = {}
    if (massdns := shutil.which("massdns")) is not None:
        ways["massdns"] = partial(_by_massdns, massdns, port, names)
    if (dnsperf := shutil.which("dnsperf")) is not None:
        ways["dnsperf"] = partial(_by_dnsperf, dnsperf, port, names)
    for library in _LIBRARIES:
        if _has(python, library):
            ways[library] = partial(_by_program, [python, str(_PROGRAMS / f"ask_{library}.py")], port, fewer)
    if (node := shutil.which("node")) is not None:
        ways["node"] = partial(_by_program, [node, str(_PROGRAMS / "ask_node.mjs")], port, fewer)
    if (program := _built_go(folder)) is not None:
        ways[GO] = partial(_by_program, [str(program)], port, fewer)
    return ways


def versions(python: str, ways: Sequence[str], massdns: str) -> list[str]:
    """Return the names and versions of what was asked with, as far as they tell them; dnspython's first.

    ``massdns`` is which one that is: it does not tell by itself.
    """
    told = [f"dnspython {version('dnspython')}"]
    for way in ways:
        if way in _LIBRARIES:
            code = f"import importlib.metadata as m; print('{way}', m.version('{way}'))"
            told.append(_said([python, "-c", code]))
        elif way == "node":
            told.append(f"Node {_said(['node', '--version'])}")
        elif way == "dnsperf":
            told += re.findall(r"^Version (\S+)", _said(["dnsperf", "-h"]), re.MULTILINE)
            told[-1] = f"dnsperf {told[-1]}"
        elif way == "massdns":
            told.append(f"massdns {massdns}")
        elif way == GO:
            found = re.search(r"v\{(\d+), (\d+), (\d+)\}", (_GO_LIBRARY / "version.go").read_text(encoding="utf-8"))
            told.append(
                f"miekg/dns {'.'.join(found.groups()) if found else '?'} ({_said(['go', 'version']).split()[2]})"
            )
    return told


def _built_go(folder: Path) -> Path | None:
    """Build the program in Go, where there is a compiler and the library."""
    go = shutil.which("go")
    if go is None or not _GO_LIBRARY.is_dir():
        return None
    program = folder / "ask_go"
    environment = {**os.environ, "GOPATH": str(_GO_PATH), "GO111MODULE": "off", "GOCACHE": str(folder / "cache")}
    source = str(_PROGRAMS / "ask_go.go")
    subprocess.run([go, "build", "-o", str(program), source], env=environment, check=True, timeout=_LONGEST)
    return program


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return (done.stdout + done.stderr).strip()


def _has(python: str, library: str) -> bool:
    return (
        subprocess.run([python, "-c", f"import {library}"], capture_output=True, timeout=30, check=False).returncode
        == 0
    )


def _by_program(command: Sequence[str], port: int, names: int) -> Run:
    """Run one of `benchmarks.peers`, which times itself: starting an interpreter is not what is compared."""
    done = subprocess.run(
        [*command, str(port), str(names)], check=True, stdout=subprocess.PIPE, text=True, timeout=_LONGEST
    )
    told = json.loads(done.stdout)
    answered = told.pop("answered")
    return Run(queries=names, unresolved=names - answered, **told)


def _by_dnsperf(dnsperf: str, port: int, names: int) -> Run:
    with tempfile.NamedTemporaryFile("w") as file:
        file.writelines(f"d{number}.example MX\n" for number in range(names))
        file.flush()
        return _timed([dnsperf, "-s", "127.0.0.1", "-p", str(port), "-q", "200", "-d", file.name], names)


def _by_massdns(massdns: str, port: int, names: int) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        resolvers, asked = Path(folder, "resolvers"), Path(folder, "names")
        resolvers.write_text(f"127.0.0.1:{port}\n", encoding="ascii")
        asked.write_text("".join(f"d{number}.example\n" for number in range(names)), encoding="ascii")
        return _timed([massdns, *_MASSDNS, "-r", str(resolvers), "-w", os.devnull, "--root", str(asked)], names)


def _timed(command: Sequence[str], queries: int) -> Run:
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, timeout=_LONGEST)
    seconds, after = time.perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(queries=queries, seconds=seconds, cpu_seconds=cpu)
