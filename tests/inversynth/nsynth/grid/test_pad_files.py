"""Settings of a pad that somebody else wrote: read within bounds, or refused in one line."""

import json
from pathlib import Path

import pytest

from generators.errors import DatasetError
from inversynth.nsynth.grid.pad import OLD_SCHEMA, SCHEMA, open_pad

SHAPE = {"resolution": 1, "pitches": [60], "length": 4}
SETTINGS = {"nsynth": SHAPE, "inversynth": {"schema": SCHEMA, "file": "a.bin"}}


def test_settings_that_fit_their_rows_are_opened(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(8))
    (tmp_path / "a.json").write_text(json.dumps(SETTINGS))
    assert open_pad(tmp_path / "a.json")[1].shape == (1, 1, 1, 4)


def test_pads_of_the_first_version_are_opened_in_the_form_of_today(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(8))
    old = {"schema": OLD_SCHEMA, "file": "a.bin", "corners": ["b"], "sample_rate": 16000, **SHAPE}
    (tmp_path / "a.json").write_text(json.dumps(old))
    settings, rows = open_pad(tmp_path / "a.json")
    assert rows.shape == (1, 1, 1, 4)
    assert settings["nsynth"] == {**SHAPE, "sampleRate": 16000}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        "[]",
        json.dumps(SETTINGS | {"inversynth": {"schema": "x" * 100_000, "file": "a.bin"}}),
        json.dumps(SETTINGS | {"inversynth": {"schema": SCHEMA, "file": 3}}),
        json.dumps(SETTINGS | {"inversynth": 3}),
        json.dumps(SETTINGS | {"nsynth": []}),
        json.dumps(SETTINGS | {"nsynth": SHAPE | {"length": -4, "resolution": -1}}),
        json.dumps(SETTINGS | {"nsynth": SHAPE | {"length": 1.5}}),
        json.dumps(SETTINGS | {"nsynth": SHAPE | {"length": 10**400}}),
        json.dumps(SETTINGS | {"nsynth": SHAPE | {"length": 2**63, "resolution": 2**63}}),
        json.dumps(SETTINGS | {"nsynth": SHAPE | {"pitches": 60}}),
        json.dumps({"schema": OLD_SCHEMA, "file": "a.bin"}),
        json.dumps({"schema": "x" * 100_000}),
    ],
)
def test_settings_that_are_none_are_refused_in_a_short_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(8))
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError) as error:
        open_pad(tmp_path / "a.json")
    assert len(str(error.value)) < 400 + 2 * len(str(tmp_path))
