"""Materials made once: by the first that needs them, whichever process of a session of tests that is."""

import fcntl
import json
from collections.abc import Sequence
from pathlib import Path

from tests.hostile.materials import make_materials
from tests.hostile.runner import Job, Worker


def prepared(worker: Worker, folder: Path) -> dict[str, str]:
    """Return the materials in a folder, made if they are not there yet; others that need them wait meanwhile.

    Raises: RuntimeError where a command that makes some of them fails.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def run(argv: Sequence[str], where: Path) -> None:
        outcome = worker.run(Job(argv, where))
        if outcome.code:
            raise RuntimeError(
                f"inversynth {' '.join(argv)}: {outcome.stderr.decode()} {outcome.fault} {outcome.ended}"
            )

    listed = folder / "materials.json"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not listed.is_file():
            return make_materials(folder, run)
        found: dict[str, str] = json.loads(listed.read_text())
        return found
