"""What a figure was measured on: processor, cores, memory and software, but never the name of a machine."""

import importlib.metadata
import os
import platform
import resource
import sys
from pathlib import Path

from generators.parallel import available_cores

SOFTWARE = ("numpy", "numba", "h5py", "keras", "tensorflow", "jax", "torch")


def describe() -> str:
    """Return one line, e.g. `AMD EPYC, 2 cores, 25 GB of memory; Python 3.11.7 on Linux`."""
    cores = available_cores()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{_processor()}, {cores} core{'' if cores == 1 else 's'}, {memory:.0f} GB of memory; "
        f"Python {platform.python_version()} on {platform.system()}"
    )


def software(*names: str) -> str:
    """Return the versions of those packages that are installed, e.g. `numpy 2.4.6, keras 3.15.1`."""
    found = []
    for name in names or SOFTWARE:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def peak_memory() -> float:
    """Return the most memory that this process has held so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would pass on the peak of the process that started this one
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024.0


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
