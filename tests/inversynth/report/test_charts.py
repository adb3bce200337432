"""Charts written as SVG: the colours, ticks and places that matplotlib gives, without importing it."""

import io
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.ticker import MaxNLocator
from PIL import Image

from generators.analysis.spectrogram import log_spectrogram
from inversynth.report import charts

RATE = 8000
TIME = np.arange(RATE) / RATE
SINE = (0.5 * np.sin(2 * np.pi * 1000.0 * TIME)).astype(np.float32)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_the_colour_scale_is_magma() -> None:
    expected = matplotlib.colormaps["magma"](np.arange(256), bytes=True)[:, :3]
    assert expected.tobytes() == charts.MAGMA
    stops = [to_hex(matplotlib.colormaps["magma"](place)) for place in np.linspace(0.0, 1.0, 9)]
    for ours, theirs in zip(charts.colour_stops(), stops, strict=True):
        assert np.abs(np.subtract([*bytes.fromhex(ours[1:])], [*bytes.fromhex(theirs[1:])])).max() <= 1  # of 255


def test_a_spectrogram_has_the_pixels_that_matplotlib_would_draw() -> None:
    limits = charts.decibel_limits([SINE])
    decibels = np.asarray(log_spectrogram(SINE[None]))[0].T
    share = (decibels - limits[0]) / (limits[1] - limits[0])
    expected = matplotlib.colormaps["magma"](share, bytes=True)[::-1, :, :3]
    drawn = pixels(charts.spectrogram_png(SINE, limits))
    np.testing.assert_array_equal(drawn, expected)
    brightness = drawn.sum(axis=(1, 2), dtype=int)
    assert abs(len(drawn) - 1 - brightness.argmax() - 1000.0 / (RATE / 2) * (len(drawn) - 1)) <= 1  # 1 kHz, from below


def test_pairs_halve_the_height_and_keep_the_louder_bin() -> None:
    limits = charts.decibel_limits([SINE])
    whole, half = (
        pixels(charts.spectrogram_png(SINE, limits, pairs)).astype(int).sum(axis=2) for pairs in (False, True)
    )
    assert half.shape == (len(whole) // 2, whole.shape[1])
    np.testing.assert_array_equal(half.max(axis=0), whole[1:].max(axis=0))  # the topmost of an odd number is left out


@pytest.mark.parametrize("most", [4, 5, 6])
@pytest.mark.parametrize("ends", [(0.0, 1.0), (0.0, 8192.0), (-0.63, 0.63), (247.9, 267.8), (0.0, 0.05), (-2e-6, 2e-6)])
def test_ticks_are_those_of_matplotlib(ends: tuple[float, float], most: int) -> None:
    expected = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(*ends)
    kept = [place for place in expected if ends[0] - 1e-12 <= place <= ends[1] + 1e-12]
    np.testing.assert_allclose(charts.ticks(*ends, most)[0], kept, atol=1e-12)


def test_drawings_are_well_formed_in_the_colours_of_the_page_and_say_what_they_are() -> None:
    label = 'two "sounds" & <one>'
    limits = charts.decibel_limits([SINE])
    drawings = (
        charts.draw_spectrogram(SINE, RATE, limits, label),
        charts.draw_waveforms(SINE, 0.5 * SINE, RATE, label),
        charts.draw_close_up(SINE, 0.5 * SINE, RATE, label),
    )
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        assert (root.get("role"), root.get("aria-label")) == ("img", label)
        assert "currentColor" in drawing
    for drawing in drawings[1:]:
        assert all(colour in drawing for colour in ("var(--target)", "var(--match)", "var(--line)"))
    words = [text.text for text in ElementTree.fromstring(drawings[1]).iter("text")]
    assert words == ["0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1 s", "\N{MINUS SIGN}0.5", "0.0", "0.5", "amplitude"]
    words = [text.text for text in ElementTree.fromstring(drawings[0]).iter("text")]
    assert words[-6:] == ["0", "1,000", "2,000", "3,000", "4,000", "Hz"]


def test_a_log_mel_picture_shows_a_tone_at_its_pitch_on_a_logarithmic_axis() -> None:
    rows = np.geomspace(charts.LOWEST_ROW, 8192.0, charts.MEL_ROWS)
    time = np.arange(16384) / 16384
    for hertz in (220.0, 880.0, 3520.0):
        columns = charts.log_mel_columns(np.sin(2 * np.pi * hertz * time), 16384)
        assert columns.shape[1] == charts.MEL_ROWS
        middle = columns[len(columns) // 2]
        assert abs(np.log2(rows[middle.argmax()] / hertz)) < 1 / 12  # within a semitone, as wide as a band
        assert middle.max() == pytest.approx(0.0, abs=4.0)  # dB of full scale; a band sums a main lobe
        assert middle[np.abs(np.log2(rows / hertz)) > 1.0].max() < -40.0


def test_log_mel_pictures_share_a_scale_and_are_no_wider_than_a_page_needs() -> None:
    loud = np.sin(np.arange(40 * RATE) / 5.0)
    low, high = charts.log_mel_limits([loud, 0.01 * loud], RATE)
    assert (low, high) == charts.log_mel_limits([0.01 * loud, loud], RATE)
    assert high - low == charts.RANGE
    assert len(charts.log_mel_columns(loud, RATE)) <= charts.MEL_COLUMNS
    drawing = charts.draw_log_mel(loud[:RATE], RATE, (low, high), "a tone")
    words = [text.text for text in ElementTree.fromstring(drawing).iter("text")]
    assert words[-6:] == ["100", "200", "500", "1,000", "2,000", "Hz"]


def test_a_close_up_passes_through_every_sample_at_its_height() -> None:
    sound = np.zeros(RATE, np.float32)
    sound[4000] = 1.0
    drawing = charts.draw_close_up(sound, sound, RATE, "a click")
    path = re.search(r'd="(M[^"]*)" style="fill: none; stroke: var\(--target\)', drawing)
    assert path
    points = np.array([[float(number) for number in point.split()] for point in path[1][1:].split("L")])
    assert len(points) == round(charts.ZOOM * RATE)
    high, rest = points[:, 1].min(), np.delete(points[:, 1], points[:, 1].argmin())
    panel = charts._wide_panel((0.0, 1.0), 1.08)
    assert (high, rest.min()) == pytest.approx((float(panel.y(1.0)), float(panel.y(0.0))), abs=0.01)


def test_silence_is_drawn_too() -> None:
    silence = np.zeros(RATE, np.float32)
    for drawing in (
        charts.draw_log_mel(silence, RATE, charts.log_mel_limits([silence], RATE), "silence"),
        charts.draw_spectrogram(silence, RATE, charts.decibel_limits([silence]), "silence"),
        charts.draw_waveforms(silence, silence, RATE, "silence"),
        charts.draw_close_up(silence, silence, RATE, "silence"),
    ):
        assert "nan" not in ElementTree.tostring(ElementTree.fromstring(drawing)).decode()


def test_charts_do_not_import_matplotlib() -> None:
    program = "import sys; import inversynth.report.charts; print('matplotlib' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )


def test_a_column_of_a_long_sound_shows_the_loudest_of_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "MOST_COLUMNS", 30)
    monkeypatch.setattr(charts, "BLOCK_FRAMES", 10)
    audio = np.random.default_rng(0).normal(size=100 * 256 + 77).astype(np.float32)
    whole = np.asarray(log_spectrogram(audio[np.newaxis]))[0]
    step = -(-len(whole) // 30)
    expected = np.stack([whole[first : first + step].max(axis=0) for first in range(0, len(whole), step)])
    np.testing.assert_allclose(charts.decibel_columns(audio), expected, atol=1e-3)
    assert len(expected) <= 30
