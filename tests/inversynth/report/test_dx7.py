"""Reports of DX7 voices: the chart of every algorithm, envelopes as the engine makes them, and the panel's words."""

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from generators.dx7 import panel
from generators.dx7.algorithms import ALGORITHMS
from generators.dx7.engine import trace
from generators.dx7.sysex import parse_syx
from generators.dx7.voice import PARAMETERS, Voice
from inversynth.explanation.audibility import HEARD, knob_audibility
from inversynth.inversion.result import Inversion
from inversynth.inversion.target import Target
from inversynth.patches.formats import patch_from_voice
from inversynth.patches.patch import Alternative, Patch, render_patch
from inversynth.report.dx7_chart import BOX, algorithm_places, draw_algorithm, draw_envelope, draw_lfo, draw_pitch
from inversynth.report.dx7_voice import MOST_HEARD
from inversynth.report.report import TEMPLATES, render_report
from inversynth.report.search_summary import changes

VOICE = Voice().replaced(
    name="TINE",
    algorithm=4,
    feedback=5,
    op1_rate_2=40,
    op1_level_2=0,
    op1_level_3=0,
    op2_output_level=70,
    op2_coarse=14,
    op2_detune=10,
    op3_output_level=90,
    op3_mode=1,
    op3_coarse=3,
    op3_fine=12,
    op4_break_point=0,
)


def inversion(patch: Patch) -> Inversion:
    audio = render_patch(patch)
    return Inversion(Target(name="sound", audio=audio, sample_rate=patch.sample_rate), patch, audio)


@pytest.fixture(scope="module")
def page() -> str:
    patch = patch_from_voice(VOICE)
    untold = {"untold": ["op1_velocity_sensitivity", "op4_break_point", "no such"]}
    return render_report(inversion(replace(patch, refinement=untold)))


@pytest.mark.parametrize("number", range(1, 33))
def test_charts_have_modulators_above_and_no_two_operators_in_one_place(number: int) -> None:
    algorithm = ALGORITHMS[number - 1]
    places = algorithm_places(algorithm)
    assert sorted(places) == [1, 2, 3, 4, 5, 6]
    assert {k for k, (_, row) in places.items() if row == 0} == set(algorithm.carriers)
    for operator in range(1, 7):
        for modulator in algorithm.modulators(operator):
            assert places[modulator][1] == places[operator][1] + 1
    for row in range(4):
        columns = sorted(column for column, at in places.values() if at == row)
        assert all(b - a >= 1.0 for a, b in pairwise(columns))
    carriers = [places[k][0] for k in algorithm.carriers]
    assert carriers == sorted(carriers)


def test_charts_are_those_of_the_panel_where_it_is_known() -> None:
    assert algorithm_places(ALGORITHMS[4]) == {1: (0, 0), 2: (0, 1), 3: (1, 0), 4: (1, 1), 5: (2, 0), 6: (2, 1)}
    three = algorithm_places(ALGORITHMS[15])
    assert [three[k] for k in (1, 2, 3, 4, 5, 6)] == [(1, 0), (0, 1), (1, 1), (1, 2), (2, 1), (2, 2)]
    shared = algorithm_places(ALGORITHMS[21])
    assert shared[6] == (2, 1)
    assert [shared[k][0] for k in (3, 4, 5)] == [1, 2, 3]


def test_a_chart_names_ratio_level_and_detune_and_dims_what_is_silent() -> None:
    svg = ElementTree.fromstring(draw_algorithm(VOICE, silent=[4, 5, 6]))
    groups = svg.findall("g")
    assert [group.find("title").text for group in groups][:4] == [  # type: ignore[union-attr]
        "Operator 1, carrier",
        "Operator 2, modulator",
        "Operator 3, carrier",
        "Operator 4, modulator, not heard",
    ]
    texts = [[text.text for text in group.findall("text")] for group in groups]
    assert texts[0] == ["1", "1.00", "LEVEL 99"]
    assert texts[1] == ["2", "14.00", "LEVEL 70", "+3"]
    assert texts[2] == ["3", "1318 Hz", "LEVEL 90"]
    assert ["silent" in str(group.get("class")) for group in groups] == [False] * 3 + [True] * 3
    width, height = (float(side) for side in str(svg.get("viewBox")).split()[2:])
    for path in svg.iter("path"):
        for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", str(path.get("d"))):
            assert 0 <= float(x) <= width
            assert 0 <= float(y) <= height


@pytest.mark.parametrize(("number", "source", "target"), [(5, 6, 6), (4, 4, 6), (6, 5, 6), (2, 2, 2)])
def test_feedback_leads_from_below_its_source_to_above_what_it_enters(number: int, source: int, target: int) -> None:
    svg = ElementTree.fromstring(draw_algorithm(Voice().replaced(algorithm=number - 1, feedback=3)))
    (loop,) = [path for path in svg.iter("path") if path.get("class") == "wire loop"]
    numbers = [float(each) for each in re.findall(r"[\d.]+", str(loop.get("d")))]
    boxes = {int(g.find("text").text): g.find("rect") for g in svg.findall("g")}  # type: ignore[union-attr, arg-type]
    below, above = boxes[source], boxes[target]
    assert below is not None
    assert above is not None
    assert numbers[1] == float(str(below.get("y"))) + BOX[1]
    assert numbers[-1] == float(str(above.get("y")))
    assert numbers[3] > float(str(above.get("x"))) + BOX[0]
    assert "loop" not in draw_algorithm(Voice().replaced(algorithm=number - 1, feedback=0))


def test_a_drawn_envelope_stands_at_the_levels_of_the_engine() -> None:
    traced = trace(VOICE, hold=0.75, length=1.0)
    svg = ElementTree.fromstring(draw_envelope(traced, 1, 0.75, 1.0))
    (line,) = [path for path in svg.iter("path") if path.get("class") == "line"]
    points = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", str(line.get("d")))][1:]
    left, right, top, bottom = 30.0, 254.0, 8.0, 84.0
    for x, y in points[2:]:
        seconds = (x - left) / (right - left)
        level = -60.0 * (y - top) / (bottom - top)
        near = traced.levels[np.abs(traced.times - seconds).argmin(), 0]
        assert level == pytest.approx(max(near, -60.0), abs=0.6)
    (off,) = [path for path in svg.iter("path") if path.get("class") == "off"]
    assert float(str(off.get("d"))[1:].split()[0]) == pytest.approx(left + 0.75 * (right - left), abs=0.1)


def test_lfo_and_pitch_envelope_are_drawn() -> None:
    lfo = ElementTree.fromstring(draw_lfo(Voice().replaced(lfo_speed=30, lfo_wave=4), 60, 1.0))
    (line,) = [path for path in lfo.iter("path") if path.get("class") == "line"]
    heights = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", str(line.get("d")))]
    middle = (max(heights) + min(heights)) / 2
    rises = sum(a > middle >= b for a, b in pairwise(heights))
    assert abs(rises - panel.lfo_hertz(Voice().replaced(lfo_speed=30))) <= 1
    bent = Voice().replaced(pitch_level_1=70, pitch_level_2=70, pitch_level_3=70)
    pitch = draw_pitch(trace(bent, hold=0.5, length=1.0), 0.5, 1.0)
    assert "+5" in pitch  # twenty steps of 1/32 octave are 7.5 semitones


def test_a_report_shows_the_voice_in_panel_words(page: str, read_page: Callable) -> None:
    read_page(page)
    assert "The voice: algorithm 5" in page
    assert "How it makes this sound" in page
    assert "Modulates operator 1: ratio 14.00, OUTPUT LEVEL 70." in page
    for label in ("FEEDBACK", "OSC KEY SYNC", "TRANSPOSE", "A MOD SENS", "KEY VELOCITY SENSITIVITY", "BREAK POINT"):
        assert f"<dt>{label}" in page
    for label in ("WAVE", "SPEED", "DELAY", "PMD", "AMD"):
        assert f"<dt>{label}</dt>" in page
    assert page.count('<svg class="course"') == 8
    assert page.count('<svg class="algorithm"') == 1


def test_what_the_sound_does_not_tell_is_marked(page: str) -> None:
    assert page.count('<div class="untold"') == 2
    assert "Marked like this" in page
    told = render_report(inversion(patch_from_voice(VOICE)))
    assert "untold" not in told.split("</style>")[1]


def test_the_voice_of_a_report_can_be_saved(page: str) -> None:
    found = re.search(r'download="voice.syx" href="data:application/octet-stream;base64,([^"]+)"', page)
    assert found is not None
    (voice,) = parse_syx(base64.b64decode(found[1])).voices
    assert all(voice[parameter.name] == VOICE[parameter.name] for parameter in PARAMETERS)
    assert voice.name == "TINE"


def test_the_knobs_that_are_heard_most_stand_in_panel_words(page: str) -> None:
    patch = patch_from_voice(VOICE)
    moved = knob_audibility(patch)
    order = [int(column) for column in (-moved).argsort(kind="stable") if moved[column] >= HEARD]
    rows = re.findall(r'<div><dt>([^<]+)</dt><dd>([^<]+)</dd><dd class="change">([\d.]+) dB</dd></div>', page)
    names = [panel.label(PARAMETERS[column].name) for column in order]
    assert [row[0] for row in rows] == names
    assert [row[2] for row in rows] == [f"{moved[column]:.1f}" for column in order]
    assert {row[0]: row[1] for row in rows}["OP 2 OUTPUT LEVEL"] == "70"
    first = page[: page.index(f"{len(order) - MOST_HEARD} MORE")]
    assert first.count('class="change"') == MOST_HEARD


def test_style_sheets_close_what_they_open() -> None:
    sheets = list(TEMPLATES.glob("*.css"))
    assert len(sheets) >= 2
    for sheet in sheets:
        depth = 0
        for mark in re.findall(r"[{}]", sheet.read_text(encoding="utf-8")):
            depth += 1 if mark == "{" else -1
            assert 0 <= depth <= 2, sheet.name
        assert depth == 0, sheet.name


def test_alternatives_of_a_voice_are_told_in_panel_words() -> None:
    patch = patch_from_voice(VOICE)
    values = patch.values.copy()
    values[patch.space.index("algorithm")] = 21
    values[patch.space.index("op2_detune")] = 0
    words = dict(changes(patch, Alternative(values, 0.1, -30.0)))
    assert words == {"ALGORITHM": "5 → 22", "OP 2 DETUNE": "+3 → −7"}


def test_a_silent_voice_has_a_report() -> None:
    loud = inversion(patch_from_voice(Voice()))
    silent = patch_from_voice(Voice().replaced(op1_output_level=0))
    html = render_report(replace(loud, patch=silent, audio=render_patch(silent)))
    assert "Nothing is heard at C4." in html
