"""Reports: one file that asks the network for nothing, shows every parameter, and is written for every reader."""

import base64
import io
import itertools
import os
import re
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generators.registry import build_synth
from generators.sampling import sample_classes
from generators.synth import Synth
from inversynth.explanation.audibility import HEARD, knob_audibility, neighbours
from inversynth.explanation.explain import explain
from inversynth.inversion.inversion import invert
from inversynth.inversion.result import Inversion, write_inversion
from inversynth.inversion.target import Target
from inversynth.patches.patch import Alternative, Patch, patch_from_json
from inversynth.report import charts, plots
from inversynth.report.controls import (
    describe_certainty,
    describe_place,
    format_value,
    knob_path,
    knob_tip,
    nearest_note_name,
    panels,
    ranked_knobs,
)
from inversynth.report.figures import to_svg
from inversynth.report.index import write_index
from inversynth.report.report import describe_match, embed_sounds, render_report, tiles
from inversynth.report.search_summary import name_root


@pytest.fixture
def found(fm: Synth, oracle_of: Callable) -> Inversion:
    classes, others = sample_classes(fm.space, 0, 2, seed=5)
    target = Target(
        fm.render_classes(classes), fm.sample_rate, "<b>kick & snare</b>", {"treatment": ["It was cut <here>."]}
    )
    return invert(target, oracle_of(fm, others), truth=classes)


def test_report_needs_nothing_beside_itself(found: Inversion, read_page: Callable) -> None:
    read_page(render_report(found))


def test_report_shows_every_parameter_with_its_whole_distribution(
    found: Inversion, fm: Synth, read_page: Callable
) -> None:
    html = render_report(found)
    page = read_page(html)
    rows = [row for row in page.all("th") if row.get("scope") == "row"]
    assert len(rows) == len(fm.space) == 23
    for column, parameter in enumerate(fm.space.parameters):
        assert f'<span class="name">{parameter.name}</span>' in html
        value = format_value(float(found.patch.values[column]), parameter.unit)
        assert f"<b>{value}</b>" in html
        assert f"class {found.patch.classes[column]}/15" in html
    assert len(page.all("rect")) >= found.patch.space.size
    assert sum((row.get("class") or "").startswith("chosen") for row in page.all("rect")) == 23


def test_report_can_be_read_without_eyes(found: Inversion, read_page: Callable) -> None:
    page = read_page(render_report(found))
    assert page.elements[0] == ("html", {"lang": "en"})
    drawings = page.all("svg")
    assert len(drawings) == 6 + 2 * 23
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in drawings)
    assert all(player["aria-label"] and "controls" in player for player in page.all("audio"))
    headings = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(headings))
    identities = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    named = [name for _, a in page.elements for name in (a.get("aria-labelledby") or "").split()]
    assert set(named) <= set(identities)


def test_report_escapes_what_a_file_is_called(found: Inversion) -> None:
    html = render_report(found)
    assert "<b>kick" not in html
    assert "&lt;b&gt;kick &amp; snare&lt;/b&gt;" in html
    assert "It was cut &lt;here&gt;." in html


def test_report_shows_the_truth_only_where_it_is_known(found: Inversion, read_page: Callable) -> None:
    assert "MPR" in render_report(found)
    assert "Blue marks the setting" in render_report(found)
    unknown = Inversion(found.target, Patch(found.patch.space, found.patch.values, 16384, 0.25), found.audio)
    html = render_report(unknown)
    read_page(html)
    assert "MPR" not in html
    assert "Blue marks" not in html
    assert 'class="strip"' not in html  # nor probabilities where none are known


def test_embedded_sounds_and_patch_are_those_of_the_inversion(found: Inversion, read_page: Callable) -> None:
    page = read_page(render_report(found))
    players = page.all("audio")
    for player, sound in zip(players, (found.target.audio, found.audio), strict=True):
        content = base64.b64decode((player["src"] or "").removeprefix("data:audio/wav;base64,"))
        audio, rate = soundfile.read(io.BytesIO(content))
        assert rate == 16384
        assert np.corrcoef(audio, sound)[0, 1] > 0.9999
    link = next(link for link in page.all("a") if "download" in link)
    text = base64.b64decode((link["href"] or "").partition("base64,")[2]).decode()
    assert np.array_equal(patch_from_json(text).classes, found.patch.classes)


def test_players_share_one_gain_and_do_not_clip() -> None:
    loud, soft = np.array([0.0, 4.0, -1.0]), np.array([0.0, 0.4, -0.1])
    uris, gain = embed_sounds([loud, soft], 8000)
    peaks = [np.abs(soundfile.read(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])))[0]).max() for uri in uris]
    assert peaks[0] == pytest.approx(0.9, abs=1e-3)
    assert peaks[0] / peaks[1] == pytest.approx(10.0, rel=1e-2)
    assert gain == pytest.approx(20 * np.log10(0.9 / 4.0))


def test_panels_follow_the_parts_of_the_synth(found: Inversion) -> None:
    parts = {part: [knob.name for knob in knobs] for part, knobs in panels(found.patch).items()}
    assert list(parts) == ["Sine", "Saw", "Triangle", "Square", "Envelope", "Filter", "Gate"]
    assert parts["Saw"] == ["f_saw", "v_saw", "A_saw", "B_saw"]
    assert parts["Filter"] == ["f_cut", "q"]
    sine = build_synth("sine").space
    patch = Patch(sine, sine.classes_to_values(np.zeros(4, int)), 16384, 1.0)
    assert list(panels(patch)) == ["Notes", "Amplitudes"]


@pytest.mark.parametrize(("folder", "address"), [("a #1%", "a%20%231%25"), (os.fsdecode(b"caf\xe9"), "caf%E9")])
def test_index_leads_to_each_report_and_names_the_faults(
    tmp_path: Path, found: Inversion, read_page: Callable, folder: str, address: str
) -> None:
    index = tmp_path / "index.html"
    report = write_inversion(found, tmp_path / folder, index)
    write_index(index, ["AudioError: no such sound: x.wav"])
    page = read_page(index.read_text(), links=(f"{address}/report.html",))
    assert "no such sound: x.wav" in page.text
    assert len(page.all("img")) == 2
    back = read_page(report.read_text(), links=("../index.html",)).all("a")
    assert any(link.get("href") == "../index.html" for link in back)


def test_index_lists_reports_nearest_first_and_those_of_earlier_versions_last(
    tmp_path: Path, found: Inversion, read_page: Callable
) -> None:
    words = {"far": (9.0, "far"), "near": (0.1, "reachable"), "notes/001": (2.0, "close"), "like": (6.0, "similar")}
    for name, (distance, word) in words.items():
        verdict = {"word": word, "distance": distance, "sentence": f"It is {word}."}
        scores = {"log_mel_distance": distance, "envelope_cosine": 0.5}
        patch = replace(found.patch, refinement={"budget": "fast"}, verdict=verdict, scores=scores)
        write_inversion(replace(found, patch=patch), tmp_path / name)
    for name, (distance, word) in {"old far": (0.7, "out of reach"), "old near": (0.01, "reachable")}.items():
        verdict = {"word": word, "distance": distance, "sentence": f"It is {word}."}
        patch = replace(found.patch, refinement={"distance": distance}, verdict=verdict, scores={"stft_pcc": 90.0})
        write_inversion(replace(found, patch=patch), tmp_path / name)
    write_inversion(found, tmp_path / "broken")
    (tmp_path / "broken" / "patch.json").write_text("{}")
    html = write_index(tmp_path / "index.html").read_text()
    links = ["near", "notes/001", "like", "far", "old near", "old far", "broken"]
    page = read_page(html, links=tuple(f"{name.replace(' ', '%20')}/report.html" for name in links))
    shown = [link["href"] for link in page.all("a") if link.get("href") != "#main" and "tabindex" not in link]
    assert [link.replace("%20", " ") for link in shown] == [f"{name}/report.html" for name in links]
    badges = [span["class"] for span in page.all("span") if (span.get("class") or "").startswith("badge")]
    assert badges == ["badge good", "badge near", "badge fair", "badge poor", "badge good", "badge poor"]
    assert "7 sounds" in page.text
    assert "must have schema" in page.text  # of the broken one


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (440.0, "Hz", "440 Hz"),
        (1046.502, "Hz", "1,046.5 Hz"),
        (16.46666, "Hz", "16.467 Hz"),
        (0.0, "Hz", "0 Hz"),
        (0.26, "s", "0.26 s"),
        (0.001, "", "0.001"),
        (1.0, "", "1"),
        (-2.5, "dB", "-2.5 dB"),
    ],
)
def test_values_are_written_short_with_their_unit(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


@pytest.mark.parametrize(("hertz", "note"), [(440.0, "A4"), (523.2511, "C5"), (261.6256, "C4"), (450.0, ""), (0.0, "")])
def test_notes_are_named(hertz: float, note: str) -> None:
    assert nearest_note_name(hertz) == note


def test_both_spectrograms_share_a_scale_that_holds_the_louder_one() -> None:
    time = np.arange(16384) / 16384
    loud, soft = np.sin(2 * np.pi * 440 * time), 0.01 * np.sin(2 * np.pi * 440 * time)
    assert charts.decibel_limits([loud, soft]) == charts.decibel_limits([soft, loud]) == (-30.0, 50.0)
    low, high = charts.decibel_limits([np.zeros(1000)])
    assert low < high


def test_drawings_take_the_colours_of_the_page(fm: Synth) -> None:
    audio = fm.render_classes(sample_classes(fm.space, 0, 1, seed=0)[0])
    svg = to_svg(plots.waveforms(audio, 0.5 * audio, fm.sample_rate), 'two "sounds"')
    assert "var(--target)" in svg
    assert "var(--match)" in svg
    assert "currentColor" in svg
    assert "#0102" not in svg
    assert 'aria-label="two &quot;sounds&quot;"' in svg
    for superfluous in ("xmlns", "<style", "<metadata", "font-family", "DejaVu", ' width="4'):
        assert superfluous not in svg
    assert svg == to_svg(plots.waveforms(audio, 0.5 * audio, fm.sample_rate), 'two "sounds"')


def test_knobs_turn_clockwise_from_lower_left_to_lower_right() -> None:
    left, top, right = (knob_tip(position) for position in (0.0, 0.5, 1.0))
    assert left[0] < 20 < right[0]
    assert left[1] == right[1] > 20
    assert top == (20.0, 4.0)
    assert " 0 1 1 " in knob_path(0.0, 1.0)  # the long way round
    assert " 0 0 1 " in knob_path(0.0, 0.5)


def test_report_tells_what_the_search_found_out(found: Inversion, fm: Synth, read_page: Callable) -> None:
    plain = render_report(found)
    assert "The search" not in plain
    assert "Other settings" not in plain
    other = Alternative(fm.space.classes_to_values(sample_classes(fm.space, 0, 1, seed=6)[0]), 2.0, -31.0, -10.0)
    stage = {"name": "pick", "renders": 1234, "seconds": 0.2, "residual_db": -3.01, "distance": 1.5}
    patch = replace(
        found.patch,
        level_db=-10.0,
        determined=np.arange(23) != knob_audibility(found.patch).argmin(),  # of no effect here
        alternatives=(other,),
        refinement={"budget": "full", "renders": 1300, "seconds": 0.3, "residual_db": -61.5, "stages": [stage, {}]},
        verdict={"word": "far", "distance": 9.0, "sentence": "No <chance>.", "hint": "Try <more>."},
    )
    html = render_report(replace(found, patch=patch_from_json(patch.to_json())))
    page = read_page(html)
    assert len(page.all("audio")) == 3
    for words in (
        "Not like it.",
        "No &lt;chance&gt;.",
        "Try &lt;more&gt;.",
        "10.0 dB quieter",
        "1,234 (about 2,000)",
        "<td>1.50 dB</td><td>50 %</td>",
        "Alternative 1",
        "1,300 renders in 0.30 s",
    ):
        assert words in html
    assert html.count('class="knob free"') == html.count("free: not audible") == 1


def test_a_knob_that_is_heard_is_not_called_free(found: Inversion, fm: Synth) -> None:
    moved = np.full(23, HEARD)
    moved[5] = 0.0
    heard, unheard = ranked_knobs(replace(found.patch, determined=np.zeros(23, bool)), moved)
    assert [knob.name for knob in unheard] == [fm.space.names[5]]
    assert unheard[0].free
    assert not any(knob.free for knob in heard)


def test_verdict_and_pictures_stand_above_every_number(found: Inversion) -> None:
    body = render_report(found).partition("<body>")[2]
    places = [body.index(part) for part in ('class="grade"', 'aria-label="Log-mel picture', 'class="number"')]
    assert places == sorted(places)
    assert body.count("Log-mel picture of the") == 2
    assert body.index("Log-mel distance") < body.index("STFT PCC")


@pytest.mark.parametrize(
    ("word", "shown"), [("reachable", True), ("close", False), ("far", False), ("doubtful", False)]
)
def test_probabilities_are_shown_only_where_the_synth_makes_the_sound(found: Inversion, word: str, shown: bool) -> None:
    verdict = {"word": word, "distance": 1.0, "sentence": "It is."}
    unknown = replace(found, truth=None, patch=replace(found.patch, verdict=verdict))
    html = render_report(unknown)
    assert ('class="strip"' in html) is shown
    assert ("have one value that is more likely" in html) is shown
    assert not re.search(r"<small>\d+ %</small>", html)  # certainty is said in words


def test_certainty_is_said_of_the_most_probable_class_alone() -> None:
    distribution = np.array([0.02, 0.97, 0.01])
    assert describe_certainty(distribution, 1) == "certain"
    assert describe_certainty(distribution, 0) == ""
    assert describe_certainty(np.array([0.6, 0.4]), 0) == "likely"
    assert describe_certainty(np.array([0.4, 0.35, 0.25]), 0) == "one of several"
    assert describe_certainty(None, 0) == ""


def test_knobs_stand_in_the_order_in_which_they_are_heard(found: Inversion, fm: Synth) -> None:
    moved = knob_audibility(found.patch)
    heard, unheard = ranked_knobs(found.patch, moved)
    assert len(heard) + len(unheard) == len(fm.space)
    changes = [moved[fm.space.index(knob.name)] for knob in heard]
    assert changes == sorted(changes, reverse=True)
    assert changes[-1] >= HEARD
    assert all(moved[fm.space.index(knob.name)] < HEARD for knob in unheard)
    assert heard[0].heard == f"{moved.max():.1f} dB"
    assert heard[0].heard_share == 1.0
    html = render_report(found)
    names = [f'<span class="name">{knob.name}</span>' for knob in [*heard, *unheard]]
    places = [html.index(name) for name in names]
    assert places == sorted(places)


def test_a_report_explains_how_the_oscillators_make_the_sound(found: Inversion) -> None:
    html = render_report(found)
    for paragraph in explain(found.patch):
        assert f"<dt>{paragraph.head}</dt><dd>{escape(paragraph.text)}</dd>" in html
    assert html.index("How it makes this sound") < html.index("The settings, the most audible first")


def test_a_knob_without_effect_is_not_heard_and_one_that_stops_the_sound_is() -> None:
    synth = build_synth("fm", 16384, 0.25)
    values = synth.space.classes_to_values(sample_classes(synth.space, 0, 1, seed=5)[0])
    for name in ("A_saw", "A_tri", "A_sqr"):
        values[synth.space.index(name)] = synth.space.parameters[synth.space.index(name)].low
    values[synth.space.index("A_sin")] = synth.space.parameters[synth.space.index("A_sin")].high
    moved = knob_audibility(Patch(synth.space, values, 16384, 0.25))
    assert moved[synth.space.index("f_sin")] > 1.0 > moved[synth.space.index("B_saw")]
    assert moved[synth.space.index("f_sin")] > 5 * moved[synth.space.index("f_saw")]


def test_neighbours_move_one_knob_by_one_class_within_its_range() -> None:
    sine = build_synth("sine").space
    patch = Patch(sine, sine.classes_to_values([0, 1, 2, 1]), 16384, 1.0)
    columns, rows = neighbours(patch)
    assert columns.tolist() == [0, 1, 1, 2, 3, 3]
    steps = np.abs(sine.values_to_classes(rows).astype(int) - patch.classes.astype(int))
    assert (steps.sum(axis=1) == 1).all()
    assert (steps.argmax(axis=1) == columns).all()


def test_a_knob_between_two_classes_says_so_and_moves_by_a_whole_one(found: Inversion, fm: Synth) -> None:
    assert describe_place(3 / 15, 15) == "class 3/15"
    assert describe_place(3.4 / 15, 15) == "class 3.4/15"
    assert describe_place(1.0, 15) == "class 15/15"
    assert describe_place(0.0, 0) == "class 0/0"
    units = np.full(23, 3.4 / 15)
    patch = replace(found.patch, values=fm.space.unit_to_values(units))
    columns, rows = neighbours(patch)
    steps = fm.space.values_to_unit(rows) - units
    np.testing.assert_allclose(np.abs(steps).sum(axis=1), 1 / 15, atol=1e-9)
    assert len(columns) == 2 * 23
    assert render_report(replace(found, patch=patch)).count("class 3.4/15</small>") == 23


def test_what_the_sound_plays_stands_at_the_top(found: Inversion) -> None:
    source = {**found.target.source, "remarks": ["It plays <A3>.", "More notes follow."]}
    html = render_report(replace(found, target=replace(found.target, source=source)))
    assert "It plays &lt;A3&gt;. More notes follow.</p>" in html.partition("</header>")[0]


def test_a_root_other_than_a4_is_named(found: Inversion) -> None:
    assert "at root" not in render_report(found)
    assert "at root C3." in render_report(replace(found, patch=replace(found.patch, root=48.0)))
    assert name_root(47.88) == "C3 \N{MINUS SIGN}12 cents"


def test_the_headline_holds_a_musicians_three_figures() -> None:
    scores = {"log_mel_distance": 2.94, "envelope_cosine": 0.973, "pitch_cents": -12.4, "stft_pcc": 90.0, "mpr": 99.0}
    assert [(tile.name, tile.number) for tile in tiles(scores)] == [
        ("Log-mel distance", "2.9 dB"),
        ("Pitch", "\N{MINUS SIGN}12 cents"),
        ("Envelope", "97 %"),
        ("MPR", "99.00"),
    ]
    assert tiles(scores | {"pitch_cents": 12.4}, averaged=True)[1].number == "12 cents"
    unpitched = {name: value for name, value in scores.items() if name != "pitch_cents"}
    assert tiles(unpitched)[1].number == "\N{EN DASH}"
    assert "no single pitch" in tiles(unpitched)[1].words
    assert [tile.name for tile in tiles({"stft_pcc": 90.0, "ft_pcc": 80.0})] == ["STFT PCC", "FT PCC"]  # earlier


def test_a_match_is_described_on_one_line_by_grade_distance_and_differences(found: Inversion) -> None:
    verdict = {"word": "close", "distance": 2.94, "sentence": "Pitch right, attack 40 ms late."}
    patch = replace(found.patch, verdict=verdict, scores={"log_mel_distance": 2.94, "envelope_cosine": 1.0})
    assert describe_match(patch) == "close (2.9 dB). Pitch right, attack 40 ms late."
    assert describe_match(replace(patch, verdict={})).startswith("Log-mel distance 2.9 dB, Pitch")


def test_report_shows_seconds_of_the_search_where_an_earlier_version_kept_them(found: Inversion) -> None:
    stage = {"name": "pick", "renders": 1234, "residual_db": -61.5, "distance": 0.01}
    record = {"budget": "full", "renders": 1300, "residual_db": -61.5}
    timed, untimed = (
        render_report(replace(found, patch=replace(found.patch, refinement={**record, **spent, "stages": [row]})))
        for spent, row in (({"seconds": 0.3}, {**stage, "seconds": 0.2}), ({}, stage))
    )
    assert "1,300 renders in 0.30 s." in timed
    assert "1,300 renders." in untimed
    assert "<td>0.20 (about " in timed
    for word in ("Seconds", "(about "):
        assert word in timed
    assert "Seconds" not in untimed
    assert untimed.count("(about ") == 1  # of the renders
    assert not re.search(r"\bnan\b", untimed.lower().split("<body", 1)[1].split("</table>")[0])


def test_blind_test_plays_the_sounds_of_the_page(found: Inversion, read_page: Callable) -> None:
    html = render_report(found)
    page = read_page(html)
    buttons = [button for button in page.all("button") if "aria-pressed" not in button]
    assert [button.get("data-guess") for button in buttons] == [None, None, "0", "1"]
    keys = [player.get("data-key") for player in page.all("audio")]
    assert keys[:2] == ["1", "2"]  # where its script finds target and match
