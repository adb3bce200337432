"""Scores for models that play whole semitones."""

import pytest

from inversynth.playback.midi import BendCurve, Note, Score
from inversynth.playback.transpose import playable


def bent(start: float, *changes: tuple[float, float]) -> Note:
    curve = BendCurve()
    for time, semitones in changes:
        curve.change(time, semitones)
    return Note(start, 1.0, 60, 100, curve)


def test_pitch_bend_at_the_start_of_a_note_moves_it_by_whole_semitones(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    changes = ((1.0, 1.6), (2.5, -0.4), (4.0, -0.4))
    score = Score(tuple(bent(start, *changes) for start in (0.0, 1.0, 2.0, 3.0)))
    assert [note.pitch for note in playable(score, range(128), transpose=1, name="the model")] == [61, 63, 63, 61]
    assert caplog.messages == ["bent 3 notes at their start, to a whole semitone: the model plays no others"]


def test_score_without_a_bend_reports_none(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert playable(Score((Note(0.0, 1.0, 60),)), range(128)) == (Note(0.0, 1.0, 60),)
    assert not caplog.messages
