"""Pictures of shaped sounds: one row a sound, equal pictures from equal sounds, and light ones of long sounds."""

import numpy as np
import pytest

from generators.dsp.envelopes import attack_sustain_release
from generators.envelope_generator import waveform
from models.neurosynth.plots import LONGEST, draw_shapes, outline

PNG = b"\x89PNG\r\n\x1a\n"


def shaped(samples: int, rows: int = 2, gain: float = 0.9):
    """Return basic, output and ideal, the output too quiet by `gain`."""
    basic = np.tile(waveform("sin", 0.6 * np.arange(samples)), (rows, 1))
    ideal = basic * attack_sustain_release(*([[level] * rows for level in (0.4, 0.7, 0.2)]), samples)
    return basic, gain * ideal, ideal


def drawn(path, *sounds, titles=("one", "two")):
    draw_shapes(*sounds, titles, path)
    return path.read_bytes()


def height(png: bytes) -> int:
    return int.from_bytes(png[20:24], "big")


@pytest.fixture
def texts(monkeypatch):
    """Collect the titles that are drawn."""
    from matplotlib.axes import Axes

    found, told = [], Axes.set_title
    monkeypatch.setattr(Axes, "set_title", lambda axes, text, **how: found.append(text) or told(axes, text, **how))
    return found


@pytest.mark.parametrize("samples", [12, 128, LONGEST + 1, 16384])
def test_a_picture_is_drawn_whatever_the_length(tmp_path, samples) -> None:
    png = drawn(tmp_path / "made" / "a.png", *shaped(samples))
    assert png.startswith(PNG)
    assert len(png) < 250_000
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["a.png"]


def test_equal_sounds_give_equal_files_and_others_do_not(tmp_path) -> None:
    first = drawn(tmp_path / "a.png", *shaped(64))
    assert drawn(tmp_path / "b.png", *shaped(64)) == first
    assert drawn(tmp_path / "c.png", *shaped(64, gain=0.5)) != first


def test_each_sound_has_a_row_with_its_title_and_its_error(tmp_path, texts) -> None:
    basic, output, ideal = shaped(64, rows=3)
    output[1] = ideal[1]
    tall = drawn(tmp_path / "a.png", basic, output, ideal, titles=("a $x", "b $y$", "c_2"))
    error = f"mean absolute error {np.abs(0.1 * ideal[0]).mean():.4f}"
    assert texts == ["a $x", error, "b $y$", "mean absolute error 0.0000", "c_2", error]
    flat = drawn(tmp_path / "b.png", basic[:1], output[:1], ideal[:1], titles=("one",))
    assert height(tall) > 1.5 * height(flat)


def test_what_is_not_finite_or_silent_is_drawn_all_the_same(tmp_path, texts) -> None:
    basic, output, ideal = shaped(64)
    output[0, 3], output[1] = np.inf, np.nan
    assert drawn(tmp_path / "a.png", basic, output, ideal).startswith(PNG)
    assert texts[1] == "mean absolute error nan"
    assert drawn(tmp_path / "b.png", *np.zeros((3, 2, 64))).startswith(PNG)


def test_a_sound_without_its_ideal_is_refused(tmp_path) -> None:
    basic, output, ideal = shaped(64)
    with pytest.raises(ValueError, match="zip"):
        draw_shapes(basic, output, ideal[:1], ("one", "two"), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_an_outline_holds_the_extremes_of_every_step() -> None:
    audio = np.asarray([0.0, 1.0, -2.0, 3.0, 4.0, -5.0])
    low, high = outline(audio, 3)
    assert low.tolist() == [0.0, -2.0, -5.0]
    assert high.tolist() == [1.0, 3.0, 4.0]
    assert outline(audio, 100)[0].tolist() == audio.tolist()
