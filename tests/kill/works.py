"""Kinds of work that a process may die in, each small, and what tells two outcomes apart."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

IGNORED = ("events.out.tfevents.", "timing.json", ".lock")
"""Beginnings of names of files that may differ: what depends on the clock, and locks."""


KILLS = 50


@dataclass(frozen=True)
class Work:
    """A kind of work: the words of its command, in which `{name}` stands for a material.

    `kills` is how often `--all` kills it, `tested` how often the tests do, each less often where a run takes long.
    """

    name: str
    words: tuple[str, ...]
    kills: int = KILLS
    tested: int = 2

    def command(self, materials: Mapping[str, str]) -> list[str]:
        """Return the words with the materials in place."""
        return [word.format_map(materials) for word in self.words]


WORKS = {
    work.name: work
    for work in (
        Work(
            "dataset",
            (
                *("generate", "sine", "--num_examples", "96", "--length", "0.05", "--sample_rate", "8000"),
                *("--workers", "6", "--name", "made"),
            ),
        ),
        Work("benchmark pages", ("page", "benchmarks.md")),
        Work(
            "grid",
            (
                *("grid", "{brass}", "{flute}", "{organ}", "{violin}", "--model", "{wavenet}", "--resolution", "2"),
                *("--final_length", "100", "--workers", "1", "--batch_size", "4", "--pitches", "60"),
            ),
            tested=1,
        ),
        Work(
            "decode",
            (
                *("decode", "{brass}/brass_60.wav", "{flute}/flute_60.wav", "{organ}/organ_60.wav"),
                *("--model", "{wavenet}", "--batch_size", "1"),
            ),
            tested=1,
        ),
        Work("invert", ("invert", "{fm_sound}", "--budget", "none")),
        Work(
            "training",
            ("train", "--model", "C1", "--dataset_file", "{sine}", "--epochs", "2", "--batch_size", "4"),
            tested=1,
        ),
        Work(
            "adversarial training",
            (
                *("train", "--model", "gansynth", "--dataset_file", "{notes}", "--size", "smoke", "--epochs", "3"),
                *("--stable_images", "8", "--transition_images", "8", "--total_images", "48", "--epoch_images", "8"),
            ),
            kills=10,
            tested=0,
        ),
    )
}

Digests = dict[str, str]


def digests(folder: Path) -> Digests:
    """Hash the files below a folder, by their paths."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(IGNORED)
    }


def difference(mine: Digests, theirs: Digests) -> list[str]:
    """Name the files in which two outcomes differ."""
    return sorted(name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name))


def partial_files(folder: Path) -> list[str]:
    """Name what was begun and never finished."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.partial*"))
