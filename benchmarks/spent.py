"""What a process takes, as Linux counts it (proc(5)): memory in bytes, CPU in seconds."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path

__all__ = ["cpu_seconds", "in_use", "most_resident", "resident"]

_FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _MallocInfo(ctypes.Structure):
    """struct mallinfo2 of glibc 2.33 and later (mallinfo(3))."""

    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


def resident(pid: int | None = None) -> int:
    """Return the memory that a process, by default this one, has now."""
    return _memory("VmRSS", pid)


def most_resident(pid: int | None = None) -> int:
    """Return the most memory that a process, by default this one, ever had."""
    return _memory("VmHWM", pid)


def in_use() -> int:
    """Return the octets that this process has allocated and not freed.

    Pages that the allocator keeps for later are not in it, so they cannot be taken for a leak. Python's own objects of
    up to 512 octets are, by the arenas that hold them.
    """
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = _MallocInfo
    told = library.mallinfo2()
    return int(told.uordblks) + int(told.hblkhd)


def cpu_seconds(pid: int) -> float:
    """Return what all threads of a process spent so far, to a hundredth of a second; its children are not in it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")


def _memory(kind: str, pid: int | None) -> int:
    status = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="utf-8")
    found = re.search(rf"^{kind}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise ValueError(f"the system does not tell {kind} of a process: the benchmark needs Linux")
    return int(found.group(1)) * 1024
