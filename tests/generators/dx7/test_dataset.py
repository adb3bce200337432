"""Datasets of DX7 voices: rows are the voices, notes and velocities that they say, whoever makes them."""

from pathlib import Path

import numpy as np
import pytest

from generators.dataset import Dataset
from generators.dx7.dataset import BLOCK, Dx7Rows, main
from generators.dx7.engine import render
from generators.dx7.synth import values_to_bytes
from generators.errors import ParameterError
from generators.generate import generate_dataset, render_columns

RATE, LENGTH = 8000, 0.1


def test_a_row_is_its_voice_at_its_note_and_velocity(tmp_path: Path) -> None:
    path = tmp_path / "dx7.hdf5"
    synth = Dx7Rows(RATE, LENGTH, notes=[40, 41, 60], velocities=[30, 90])
    generate_dataset(path, synth, 24, seed=3, sampling_method="prior")
    with Dataset(path) as dataset:
        dataset.check_finished()
        notes, velocities, families = (dataset.labels[name][:] for name in ("note", "velocity", "family"))
        assert set(notes) == {40, 41, 60}
        assert set(velocities) == {30, 90}
        assert len({dataset.card.names_of("family")[number] for number in families}) >= 5
        np.testing.assert_array_equal(dataset.values[:], dataset.classes[:])
        voices = values_to_bytes(dataset.values[:].astype(np.float64))
        again = render(voices, notes, velocities, 0.75 * LENGTH, LENGTH, RATE)
        np.testing.assert_array_equal(dataset.audio[:], again)
        other = render(voices, 64, velocities, 0.75 * LENGTH, LENGTH, RATE)
        assert not np.allclose(dataset.audio[:], other, atol=0.1)


def test_rows_depend_on_the_seed_and_their_number_alone() -> None:
    synth = Dx7Rows(RATE, LENGTH)
    whole = render_columns(synth, 0, 12, seed=0, method="prior")
    part = render_columns(Dx7Rows(RATE, LENGTH), 5, 9, seed=0, method="prior")
    for name, column in part.items():
        np.testing.assert_array_equal(column, whole[name][5:9])
    other = render_columns(synth, 5, 9, seed=1, method="prior")
    assert not np.array_equal(other["classes"], part["classes"])
    across = render_columns(synth, BLOCK - 2, BLOCK + 2, seed=0, method="prior")
    after = render_columns(synth, BLOCK, BLOCK + 2, seed=0, method="prior")
    np.testing.assert_array_equal(across["audio"][2:], after["audio"])
    assert not np.array_equal(after["classes"], whole["classes"][:2])


def test_shards_and_a_resumed_file_equal_the_whole(tmp_path: Path) -> None:
    small = ["--num_examples", "9", "--sample_rate", str(RATE), "--length", str(LENGTH), "--no-wavefiles"]
    place = ["--dataset_directory", str(tmp_path)]
    assert main([*small, *place, "--name", "whole"]) == 0
    for shard in ("1/2", "2/2"):
        assert main([*small, *place, "--name", "parts", "--shard", shard]) == 0
    content = (tmp_path / "whole.hdf5").read_bytes()
    with Dataset(tmp_path / "whole.hdf5", writable=True) as dataset:
        dataset.done[2:6] = False
        dataset.audio[2:6] = 0.0
    assert main([*small, *place, "--name", "whole"]) == 0
    assert (tmp_path / "whole.hdf5").read_bytes() == content
    with Dataset(tmp_path / "whole.hdf5") as whole, Dataset(str(tmp_path / "parts.*of2.hdf5")) as parts:
        np.testing.assert_array_equal(whole.audio[:], parts.audio[:])
        np.testing.assert_array_equal(whole.labels["note"][:], parts.labels["note"][:])


def test_other_notes_are_another_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--num_examples", "2", "--sample_rate", str(RATE), "--length", str(LENGTH), "--no-wavefiles"]
    place = ["--dataset_directory", str(tmp_path)]
    assert main([*small, *place]) == 0
    assert main([*small, *place, "--notes", "C4:C5"]) == 2
    assert "holds another dataset: notes" in capsys.readouterr().err


def test_families_are_those_asked_for() -> None:
    synth = Dx7Rows(RATE, LENGTH, families=["organ", "bass"])
    families = render_columns(synth, 0, 20, seed=0)["family"]
    names = synth.options["names"]["family"]
    assert {names[number] for number in families} == {"organ", "bass"}


def test_what_is_no_note_velocity_or_family_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for options, message in (
        (["--velocities", "0:10"], "velocities run from 1 to 127"),
        (["--notes", "H2"], "a note is a letter"),
        (["--families", "organs"], "unknown family of DX7 voices 'organs'"),
    ):
        assert main([*options, "--num_examples", "1"]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(ParameterError, match="notes of DX7 voices are MIDI numbers"):
        Dx7Rows(notes=())
