"""A process and everything that it starts, ended together: a process group, or a job object on Windows."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

MEMORY = 2 << 30                        # bytes of memory for the checked code, beyond what Python needs


def start(command: list[str], **options: Any) -> Any:
    """A ``Popen`` with these options, which has its ``job`` on Windows.

    ``end`` ends it together with its descendants.
    """
    if os.name == "nt":
        process: Any = subprocess.Popen(command, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP, **options)
        process.job = _job(process)
        return process
    return subprocess.Popen(command, start_new_session=True, **options)


def end(process: subprocess.Popen[bytes]) -> None:
    """End the process and its descendants, and wait for the process."""
    if os.name == "nt":
        process.kill()
        _kernel32().CloseHandle(process.job)                # the last handle: the system ends every process of the job
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):       # all have ended; macOS refuses if only a zombie is left
            pass
    process.wait()


def limit_memory() -> None:
    """Limit the memory of this process, so that it raises MemoryError. On Windows the job object does this."""
    try:
        import resource
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = used + MEMORY if hard == resource.RLIM_INFINITY else min(used + MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    except (ImportError, OSError, ValueError):              # no such limit on this system
        pass


# ------------------------------------------------------------------------------------------------ Windows

def _kernel32():
    import ctypes
    from ctypes import wintypes
    library = ctypes.WinDLL("kernel32", use_last_error=True)        # type: ignore[attr-defined]  # of Windows alone
    library.CreateJobObjectW.restype = wintypes.HANDLE
    library.CreateJobObjectW.argtypes = wintypes.LPVOID, wintypes.LPCWSTR
    library.SetInformationJobObject.argtypes = wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD
    library.AssignProcessToJobObject.argtypes = wintypes.HANDLE, wintypes.HANDLE
    library.CloseHandle.argtypes = (wintypes.HANDLE,)
    return library


def _job(process):
    """A job object that holds ``process``, limits the memory of each member and ends all members when it is closed.

    https://learn.microsoft.com/windows/win32/procthread/job-objects
    """
    import ctypes
    from ctypes import wintypes

    class Basic(ctypes.Structure):
        _fields_ = [("PerProcessUserTimeLimit", ctypes.c_int64), ("PerJobUserTimeLimit", ctypes.c_int64),
                    ("LimitFlags", wintypes.DWORD), ("MinimumWorkingSetSize", ctypes.c_size_t),
                    ("MaximumWorkingSetSize", ctypes.c_size_t), ("ActiveProcessLimit", wintypes.DWORD),
                    ("Affinity", ctypes.c_size_t), ("PriorityClass", wintypes.DWORD),
                    ("SchedulingClass", wintypes.DWORD)]

    class Extended(ctypes.Structure):
        _fields_ = [("Basic", Basic), ("IoInfo", ctypes.c_uint64 * 6), ("ProcessMemoryLimit", ctypes.c_size_t),
                    ("JobMemoryLimit", ctypes.c_size_t), ("PeakProcessMemoryUsed", ctypes.c_size_t),
                    ("PeakJobMemoryUsed", ctypes.c_size_t)]

    kill_on_close, process_memory, extended = 0x2000, 0x100, 9
    limits, library = Extended(), _kernel32()
    limits.Basic.LimitFlags = kill_on_close | process_memory
    limits.ProcessMemoryLimit = MEMORY
    job = library.CreateJobObjectW(None, None)
    library.SetInformationJobObject(job, extended, ctypes.byref(limits), ctypes.sizeof(limits))
    library.AssignProcessToJobObject(job, int(process._handle))
    return job
