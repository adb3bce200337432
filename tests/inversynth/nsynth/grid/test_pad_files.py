"""Settings of a pad that somebody else wrote: read within bounds, or refused in one line."""

import json
from pathlib import Path

import pytest

from generators.errors import DatasetError
from inversynth.nsynth.grid.pad import SCHEMA, open_pad

SETTINGS = {"schema": SCHEMA, "file": "a.bin", "resolution": 1, "pitches": [60], "length": 4}


def test_settings_that_fit_their_rows_are_opened(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(8))
    (tmp_path / "a.json").write_text(json.dumps(SETTINGS))
    assert open_pad(tmp_path / "a.json")[1].shape == (1, 1, 1, 4)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        "[]",
        json.dumps(SETTINGS | {"schema": "x" * 100_000}),
        json.dumps(SETTINGS | {"length": -4, "resolution": -1}),
        json.dumps(SETTINGS | {"length": 1.5}),
        json.dumps(SETTINGS | {"length": 10**400}),
        json.dumps(SETTINGS | {"length": 2**63, "resolution": 2**63}),
        json.dumps(SETTINGS | {"pitches": 60}),
        json.dumps(SETTINGS | {"file": 3}),
    ],
)
def test_settings_that_are_none_are_refused_in_a_short_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(8))
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError) as error:
        open_pad(tmp_path / "a.json")
    assert len(str(error.value)) < 400 + 2 * len(str(tmp_path))
