"""Patch files: they come back as they were written, and whatever is wrong with one is named in a line."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generators.errors import InversynthError, ParameterError
from generators.registry import build_synth
from generators.sampling import sample_classes
from inversynth.patches.formats import SUFFIXES, patch_from_csv, patch_to_csv, read_any_patch, write_any_patch
from inversynth.patches.patch import (
    SCHEMA,
    Patch,
    patch_from_card,
    patch_from_json,
    patch_from_probabilities,
    read_patch,
    render_patch,
    write_patch,
)

SYNTH = build_synth("fm")
SPACE = SYNTH.space


@pytest.fixture
def patch() -> Patch:
    probabilities = np.random.default_rng(3).uniform(0.05, 1.0, SPACE.size)
    return patch_from_probabilities(
        SPACE, probabilities, 16384, 1.0, model="C3", source={"file": "a.wav"}, scores={"stft_pcc": 91.5}
    )


def changed(patch: Patch, **changes: Any) -> str:
    return json.dumps(json.loads(patch.to_json()) | changes)


def with_row(patch: Patch, **changes: Any) -> str:
    card = json.loads(patch.to_json())
    card["parameters"][0] |= changes
    return json.dumps(card)


def test_patch_comes_back_as_it_was_written(patch: Patch, tmp_path: Path) -> None:
    back = read_patch(write_patch(tmp_path / "deep" / "patch.json", patch))
    assert np.array_equal(back.values, patch.values)
    assert np.array_equal(back.classes, patch.classes)
    assert back.probabilities is not None
    assert patch.probabilities is not None
    assert np.allclose(back.probabilities, patch.probabilities, atol=1e-5)
    assert (back.space, back.model, back.source, back.scores) == (SPACE, "C3", {"file": "a.wav"}, {"stft_pcc": 91.5})


def test_patch_file_says_all_that_the_schema_promises(patch: Patch) -> None:
    card = json.loads(patch.to_json())
    assert card["schema"] == SCHEMA
    assert card["synth"] == "fm"
    assert card["space_fingerprint"] == SPACE.fingerprint
    assert [row["name"] for row in card["parameters"]] == list(SPACE.names)
    for row, size in zip(card["parameters"], SPACE.sizes, strict=True):
        assert len(row["probabilities"]) == size
        assert row["probability"] == row["probabilities"][row["class"]] == max(row["probabilities"])
        assert sum(row["probabilities"]) == pytest.approx(1.0, abs=1e-4)
    assert card["parameters"][0]["unit"] == "Hz"
    assert patch.to_json().count("\n    {") == len(SPACE)  # a line for each parameter


def test_rendered_patch_is_the_sound_of_its_classes(patch: Patch) -> None:
    assert np.array_equal(render_patch(patch), SYNTH.render_classes(patch.classes))


def test_patch_of_values_between_levels_needs_no_probabilities(patch: Patch) -> None:
    values = SPACE.unit_to_values(np.full(len(SPACE), 0.51))
    back = patch_from_json(Patch(SPACE, values, 16384, 1.0).to_json())
    assert np.allclose(back.values, values)
    assert back.probabilities is None


def test_patch_written_by_hand_may_shuffle_rows_and_leave_out_what_follows_from_others() -> None:
    classes = sample_classes(SPACE, 0, 1, seed=1)[0]
    values = SPACE.classes_to_values(classes)
    rows = [{"name": name, "value": float(value)} for name, value in zip(SPACE.names, values, strict=True)][::-1]
    text = json.dumps({"schema": SCHEMA, "synth": "fm", "sample_rate": 16384, "length": 1, "parameters": rows})
    assert np.array_equal(patch_from_json(text).classes, classes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "other/1"}, "must have schema 'inversynth-patch/2'. Received: 'other/1'"),
        ({"synth": "fn"}, "unknown synth 'fn'"),
        ({"space_fingerprint": "0" * 16}, "belongs to another version of synth 'fm'"),
        ({"sample_rate": "16384"}, "'sample_rate' of a patch must be a finite number. Received: '16384'"),
        ({"length": float("nan")}, "a patch must be JSON with finite numbers. Received: NaN"),
        ({"length": 10**400}, "a patch must be JSON with integers within 64 bits. Received: 1000"),
        ({"synth": "fm" * 9999}, "'synth' of a patch must have at most 4096 characters. Received: 'fmfm"),
        ({"k" * 9999: 1}, "a patch has an unknown key 'kkkk"),
        ({"parameters": {}}, "'parameters' of a patch must be a list"),
        ({"parameters": []}, "must set the 23 parameters of synth 'fm', each once. Received: 0"),
        ({"scores": {"stft_pcc": "good"}}, "'stft_pcc' of 'scores'"),
    ],
)
def test_fault_of_a_patch_is_named(patch: Patch, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as error:
        patch_from_json(changed(patch, **change))
    assert message in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("length", [float("nan"), 10**400])
def test_numbers_that_json_does_not_have_are_no_values_either(patch: Patch, length: float) -> None:
    card = json.loads(changed(patch, length=length))
    with pytest.raises(ParameterError, match="'length' of a patch must be a finite number"):
        patch_from_card(card)


def test_text_that_asks_for_more_than_a_patch_can_be_is_refused(tmp_path: Path, patch: Patch) -> None:
    for text, message in (
        ("[" * 60_000, "must be JSON of at most 64 levels"),
        ('{"schema": "' + "a" * (5 << 20) + '"}', "must have at most 4,194,304 bytes"),
        (patch.to_json().replace('"fm"', '"\\ud800"'), "must be JSON with Unicode text"),
        (patch.to_json().replace('"synth"', '"synth": 1, "synth"'), "each key once in an object. Received: 'synth'"),
    ):
        with pytest.raises(ParameterError, match=message) as error:
            patch_from_json(text)
        assert len(str(error.value)) < 300
    with (tmp_path / "sparse.json").open("wb") as file:
        file.truncate(1 << 40)
    for name in ("sparse.json", "sparse.csv"):
        (tmp_path / "sparse.json").rename(tmp_path / name)
        with pytest.raises(ParameterError, match=r"a patch has at most 4\.19\d+ MB"):
            read_any_patch(tmp_path / name)
        (tmp_path / name).rename(tmp_path / "sparse.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ParameterError, match="a patch is a regular file"):
        read_any_patch(tmp_path / "pipe")


def test_a_long_line_of_a_table_is_shortened_in_the_message() -> None:
    with pytest.raises(ParameterError, match="must begin with the line") as error:
        patch_from_csv("x," * 100_000)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 1e6}, "'f_sin' in a patch must lie in 440..1046.5. Received: 1e+06"),
        ({"value": None}, "'value' of 'f_sin' in a patch must be a finite number"),
        ({"class": 99}, "must be the level nearest to its value"),
        ({"name": "f_sinus"}, "at odds: f_sin, f_sinus"),
        ({"name": "f_saw"}, "at odds: f_sin"),
        ({"probabilities": [0.5, 0.5]}, "must be 16 numbers in 0..1"),
        ({"probabilities": ["a"] * 16}, "must be 16 numbers in 0..1"),
        ({"probabilities": [0.5] * 16}, "must sum to 1. Received: 8"),
    ],
)
def test_fault_of_a_parameter_is_named(patch: Patch, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as error:
        patch_from_json(with_row(patch, **change))
    assert message in str(error.value)


def test_what_is_no_patch_is_named(tmp_path: Path, patch: Patch) -> None:
    (tmp_path / "text.json").write_text("hello")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    for name, message in {
        "text.json": "must be JSON",
        "list.json": "must be a JSON object. Received: list",
        "bytes.json": "cannot read",
        "absent.json": "no such patch",
        ".": "a patch is a file",
    }.items():
        with pytest.raises(ParameterError, match=message):
            read_patch(tmp_path / name)
    with pytest.raises(InversynthError, match="cannot write"):
        write_patch(tmp_path / "text.json" / "patch.json", patch)
    assert not list(tmp_path.glob(".*"))


# --- roots -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "csv", "midi-cc"])
def test_root_comes_back_from_every_format_and_is_rendered(patch: Patch, form: str, tmp_path: Path) -> None:
    low = replace(patch, root=44.37)
    back = read_any_patch(write_any_patch(tmp_path / f"patch{SUFFIXES[form]}", low, form))
    assert back.root == 44.37
    expected = SYNTH.at_root(44.37).render(low.values)
    np.testing.assert_array_equal(render_patch(back), expected)
    assert np.abs(render_patch(patch) - expected).max() > 0.01


def test_patch_of_an_older_version_has_root_a4(patch: Patch) -> None:
    card = json.loads(patch.to_json())
    assert card.pop("root") == 69.0
    assert patch_from_card(card).root == 69.0
    old = "\n".join(row for row in patch_to_csv(patch).splitlines() if not row.startswith("#root"))
    assert patch_from_csv(old).root == 69.0


def test_root_is_written_for_synths_that_transpose_alone() -> None:
    sine = build_synth("sine")
    card = json.loads(Patch(sine.space, sine.space.classes_to_values([0, 0, 0, 0]), 16384, 1.0).to_json())
    assert "root" not in card
    with pytest.raises(ParameterError, match="synth 'sine' does not transpose"):
        patch_from_card(card | {"root": 57.0})


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (3, "'root' of a patch does not fit: the root of synth 'fm' at 16384 Hz must lie in 9..89.22 (MIDI numbers)"),
        ("A2", "'root' of a patch must be a finite number. Received: 'A2'"),
    ],
)
def test_root_that_does_not_fit_is_refused(patch: Patch, root: Any, message: str) -> None:
    with pytest.raises(ParameterError) as fault:
        patch_from_card(json.loads(patch.to_json()) | {"root": root})
    assert message in str(fault.value)
