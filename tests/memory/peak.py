"""Run a command and print its peak memory: `python tests/memory/peak.py COMMAND…`.

A process of its own, small and without imports: Linux counts what the starting process held until `exec` as memory of
the command, and a process that has loaded TensorFlow holds more than most commands need.
"""

import os
import sys

if __name__ == "__main__":
    pid = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
    _, status, usage = os.wait4(pid, 0)
    print(f"peak {usage.ru_maxrss * 1024} exit {os.waitstatus_to_exitcode(status)}", flush=True)
