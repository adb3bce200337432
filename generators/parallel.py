"""Map a function over many jobs on several cores, with results in order and a bounded number in flight."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return the number of cores this process may use (an affinity mask or container limit counts)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int | None = None
) -> Generator[Result, None, None]:
    """Yield function(job) for each job, in order, computed by `workers` threads (default: one per core).

    Threads suffice because rendering and file writing release the GIL. At most `workers` + 1 results wait to be
    taken, so memory stays bounded; closing the iterator early cancels what has not begun.
    """
    workers = workers or available_cores()
    if workers == 1:
        yield from map(function, jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for job in jobs:
                pending.append(pool.submit(function, job))
                if len(pending) > workers + 1:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
