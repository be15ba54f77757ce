"""Takes from this process what a parser does not need: memory, time, files, network, children.

For the parser child only; nothing here can be undone. The kernel's limits hold for every library.
What the system does not have (Windows: all of them) is skipped; the audit hook, which stops what
goes through Python, is everywhere.
"""

from __future__ import annotations

import math
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PEAK = re.compile(rb"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_STATUS: list[int] = []  # descriptor of /proc/self/status, where the system has it
CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000  # linux/sched.h
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# What no parser does, by the names in "Audit events table" of Python's documentation.
REFUSED = frozenset(
    {
        *("os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"),
        *("os.symlink", "os.truncate", "os.utime", "os.putenv", "os.kill"),
        *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile"),
        *("os.startfile/2", "os.system", "pty.spawn", "subprocess.Popen", "_winapi.CreateProcess"),
        *("sqlite3.connect", "urllib.Request", "webbrowser.open"),
    }
)
REFUSED_FAMILIES = ("ftplib.", "imaplib.", "poplib.", "smtplib.", "socket.", "shutil.", "tempfile.")
# Read by libraries that ask for the local time zone; they hold nothing else.
CLOCK_FILES = ("/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo", "/usr/lib/zoneinfo")


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """What reading one source may take; `memory_bytes` and `files` are of the whole child.

    Parsing gives the articles of a source together, so it is limited as a whole; cutting them into
    passages takes time in proportion to their text, and is limited one by one.
    """

    cpu_s: float = 30.0  # processor time until the next article comes out, in whole seconds
    wall_s: float = 60.0  # from the first byte sent, or from an article, to the next one or the end
    memory_bytes: int = 1 << 30  # address space, the interpreter's own 0.2 GB included
    files: int = 64  # open at once


DEFAULT_LIMITS = ParserLimits()


def confine(limits: ParserLimits) -> None:
    """Apply everything but the processor time, which `allow_cpu` grants per source."""
    sys.dont_write_bytecode = True
    if sys.platform == "linux" and not _STATUS:
        with suppress(OSError):  # without /proc the peak is not known
            _STATUS.append(os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC))
    _leave_network()
    _limit("AS", limits.memory_bytes)
    _limit("FSIZE", 0)
    _limit("CORE", 0)
    _limit("NOFILE", limits.files)
    _limit("NPROC", 0)  # no threads either; not enforced for root
    sys.addaudithook(_guard(_readable_roots()))


def allow_cpu(seconds: float) -> None:
    """Let this process use `seconds` more of processor time; after that SIGXCPU ends it."""
    _limit("CPU", math.ceil(time.process_time() + seconds), hard=False)


def peak_memory() -> int:
    """Return the most bytes of memory this process has held; 0 where that is not known.

    After `confine` only, which opens what is read here.
    """
    if _STATUS:
        # Not ru_maxrss: on Linux that outlives exec, so a child begins with the size of its parent.
        found = _PEAK.search(os.pread(_STATUS[0], 65_536, 0))
        return int(found[1]) * 1024 if found else 0
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 0


def _limit(name: str, value: int, *, hard: bool = True) -> None:
    """Set a limit of the kernel, as far as it exists here and the present one allows."""
    try:
        import resource
    except ImportError:  # Windows
        return
    kind = getattr(resource, f"RLIMIT_{name}", None)
    if kind is None:
        return
    most = resource.getrlimit(kind)[1]
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    with suppress(ValueError, OSError):  # macOS takes no limit of the address space
        resource.setrlimit(kind, (value, value if hard else most))


def _leave_network() -> None:
    """Move to an empty network of our own, where the kernel allows that (Linux)."""
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):
        unshare = ctypes.CDLL(None, use_errno=True).unshare
        # Without a new user first: root keeps its right to read the installed packages.
        for flags in (CLONE_NEWNET, CLONE_NEWUSER | CLONE_NEWNET):
            if unshare(flags) == 0:
                return


def _readable_roots() -> tuple[str, ...]:
    """Return the folders that a library may read: code, its data, and time zones."""
    import sysconfig

    package = Path(__file__).resolve().parents[1]
    code = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()}
    # Beside this package may lie anything, the articles too, unless it was installed.
    code |= {entry for entry in sys.path if entry and Path(entry).resolve() != package.parent}
    code |= {str(package), *CLOCK_FILES}
    roots = {os.path.abspath(entry) for entry in code} | {os.path.realpath(item) for item in code}
    return tuple(sorted(root for root in roots if len(Path(root).parts) > 1))


def _guard(roots: tuple[str, ...]) -> Callable[[str, tuple[Any, ...]], None]:
    """Return the audit hook: an error for what is refused, and for files outside of `roots`."""
    folders = tuple(root + os.sep for root in roots)

    def may_open(path: object, mode: object, flags: object) -> bool:
        if isinstance(path, int):  # opened before, or by a call that was checked
            return True
        if isinstance(mode, str) and set(mode) & set("wax+"):
            return False
        if isinstance(flags, int) and flags & WRITING:
            return False
        real = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]
        return real == os.devnull or real in roots or real.startswith(folders)

    def guard(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            if not may_open(*args):
                raise PermissionError(f"a parser may not open {args[0]!a}")
        elif event in REFUSED or event.startswith(REFUSED_FAMILIES):
            raise PermissionError(f"a parser may not do {event}")

    return guard
