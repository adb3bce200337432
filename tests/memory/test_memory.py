"""Memory does not grow with a sound: two commands are measured here, all of them by `python -m tests.memory --all`."""

from pathlib import Path

import pytest

from tests.hostile.commands import classes
from tests.memory.__main__ import measure, peak_of
from tests.memory.commands import COMMANDS

TAKING = {"sound", "sounds", "inputs", "corners", "midi", "notes_from"}
"""Fields that name a sound or a score of any length."""


def test_every_command_that_takes_a_sound_has_a_bound() -> None:
    taking = {name for name, settings in classes().items() if TAKING & set(settings.model_fields)}
    assert taking - {"generate notes"} <= set(COMMANDS)
    assert "generate notes" in COMMANDS


@pytest.mark.parametrize("name", ["refine", "grid"])  # the quickest to start; 200 s are 77 MB of samples
def test_a_long_sound_takes_hardly_more_memory_than_a_short_one(name: str, tmp_path: Path) -> None:
    found = peak_of(name, tmp_path, seconds=200.0)
    assert not found.fault
    assert found.above <= COMMANDS[name].bound


def test_what_is_measured_is_the_command_alone() -> None:
    held = bytearray(300_000_000)  # of this process, of which nothing may be counted
    small, code, _ = measure(["python", "-S", "-c", "pass"])
    large, _, _ = measure(["python", "-S", "-c", "print(len(bytearray(b'a' * 200_000_000)))"])
    assert code == 0
    assert small < 60
    assert large > small + 150
    assert len(held) == 300_000_000
