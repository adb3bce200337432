"""Refining a given patch: it comes nearer or stays, between classes too, and what is wrong is printed in a line."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generators.registry import build_synth
from generators.sampling import sample_classes
from generators.synth import Synth
from inversynth.inversion.refine import near_patch, refine_patch
from inversynth.inversion.refine_command import main
from inversynth.inversion.target import Target
from inversynth.patches.patch import Patch, patch_from_probabilities, read_patch, write_patch
from inversynth.search import gradient
from inversynth.search.objective import Objective
from inversynth.search.search import refine
from inversynth.search.stages import STAGES
from tests.inversynth.sounds import save


@pytest.fixture
def near(fm: Synth) -> tuple[np.ndarray, Patch]:
    """Return classes and a patch without probabilities that is a step off in three of them."""
    classes = sample_classes(fm.space, 0, 3, seed=12)[2].astype(int)
    others = classes.copy()
    others[[0, 16, 20]] += np.where(classes[[0, 16, 20]] < 8, 1, -1)
    return classes, Patch(fm.space, fm.space.classes_to_values(others), fm.sample_rate, fm.length)


def test_a_patch_without_probabilities_is_expected_to_be_near(near: tuple[np.ndarray, Patch]) -> None:
    _, patch = near
    probabilities = near_patch(patch)
    space = patch.space
    assert np.array_equal(space.probabilities_to_classes(probabilities), patch.classes)
    assert all(probabilities[part].sum() == pytest.approx(1.0) for part in space.slices)


def test_command_refines_a_patch_into_the_folder_of_an_inversion(
    tmp_path: Path, fm: Synth, near: tuple[np.ndarray, Patch], capsys: pytest.CaptureFixture[str]
) -> None:
    classes, patch = near
    save(tmp_path / "bell.wav", fm.render_classes(classes), fm.sample_rate, subtype="FLOAT")
    write_patch(tmp_path / "near.json", patch)
    assert main(["near.json", "bell.wav", "--output_dir", "out", "--budget", "full"]) == 0
    printed = capsys.readouterr().out
    assert "pick" in printed
    assert "renders (about 2,000)" in printed
    assert "dB away" in printed
    found = read_patch(tmp_path / "out" / "bell" / "patch.json")
    assert sorted(path.name for path in (tmp_path / "out" / "bell").iterdir()) == [
        "match.wav",
        "patch.json",
        "report.html",
        "target.wav",
    ]
    record = found.refinement
    assert record["budget"] == "full"
    assert record["residual_db"] < -40.0
    assert record["distance"] < 0.1 * record["start_distance"]
    assert record["stages"][0]["name"] == "pick"
    assert found.determined is not None
    assert found.determined[20]


def test_values_between_classes_are_kept_where_no_class_comes_as_near(fm: Synth) -> None:
    rng = np.random.default_rng(3)
    values = fm.space.unit_to_values(rng.uniform(0.2, 0.8, len(fm.space)))
    patch = Patch(fm.space, values, fm.sample_rate, fm.length)
    found = refine_patch(Target(fm.render(values), fm.sample_rate, "a"), patch)
    assert np.array_equal(found.patch.values, values)
    assert found.patch.refinement["distance"] == found.patch.refinement["start_distance"]
    assert found.patch.level_db == pytest.approx(0.0, abs=1e-3)


def test_an_interrupted_search_writes_its_best_and_ends_with_130(
    tmp_path: Path, fm: Synth, near: tuple[np.ndarray, Patch], monkeypatch: pytest.MonkeyPatch
) -> None:
    classes, patch = near
    save(tmp_path / "bell.wav", fm.render_classes(classes), fm.sample_rate, subtype="FLOAT")
    write_patch(tmp_path / "near.json", patch)
    pick = STAGES["pick"]

    def interrupted(state):
        yield next(pick.run(state))
        raise KeyboardInterrupt

    monkeypatch.setitem(STAGES, "pick", replace(pick, run=interrupted))
    assert main(["near.json", "bell.wav", "--output_dir", "out"]) == 130
    found = read_patch(tmp_path / "out" / "bell" / "patch.json")
    assert found.refinement["interrupted"]
    assert found.refinement["distance"] <= found.refinement["start_distance"]
    assert (tmp_path / "out" / "bell" / "report.html").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"synth": "sine"}, "belongs to another version of synth 'sine'"),
        ({"synth": "moog"}, "unknown synth 'moog'"),
        ({"schema": "inversynth-patch/9"}, "must have schema 'inversynth-patch/2'"),
        ({"colour": "red"}, "has an unknown key 'colour'"),
        ({"levle_db": 3.0}, "has an unknown key 'levle_db'. Did you mean 'level_db'?"),
        ({"level_db": 900}, "'level_db' of near.json must lie in +-200 dB. Received: 900"),
        ({"refinement": 3}, "'refinement' of near.json must be an object. Received: 3"),
        ({"alternatives": [{"values": {}, "distance": 1, "residual_db": 1}]}, "must set the 23 parameters of 'fm'"),
        ({"verdict": []}, ""),
    ],
)
def test_command_names_a_fault_of_the_patch_in_one_line(
    tmp_path: Path, fm: Synth, near: tuple, change: dict, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "near.json").write_text(json.dumps(json.loads(near[1].to_json()) | change))
    save(tmp_path / "a.wav", fm.render_classes(near[0]), fm.sample_rate)
    assert main(["near.json", "a.wav", "--budget", "none"]) == (2 if message else 0)
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == bool(message)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"value": 1e5}, "'f_sin' in near.json must lie in 440..1046.5. Received: 100000"),
        ({"hue": 1}, "'f_sin' in near.json has an unknown key 'hue'"),
        ({"determined": "no"}, "'determined' of 'f_sin' in near.json must be true or false. Received: 'no'"),
    ],
)
def test_command_names_a_fault_of_a_parameter_in_one_line(
    tmp_path: Path, fm: Synth, near: tuple, row: dict, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    card = json.loads(near[1].to_json())
    card["parameters"][0] |= row
    (tmp_path / "near.json").write_text(json.dumps(card))
    save(tmp_path / "a.wav", fm.render_classes(near[0]), fm.sample_rate)
    assert main(["near.json", "a.wav"]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1


def test_command_names_a_fault_of_the_sound_in_one_line(
    tmp_path: Path, near: tuple, capsys: pytest.CaptureFixture[str]
) -> None:
    write_patch(tmp_path / "near.json", near[1])
    save(tmp_path / "silent.wav", np.zeros(5000))
    for sound, message in {"silent.wav": "must be audible", "absent.wav": "no such sound"}.items():
        assert main(["near.json", sound]) == 2
        printed = capsys.readouterr().err
        assert message in printed
        assert len(printed.splitlines()) == 1


def test_patches_of_the_first_schema_are_still_read(fm: Synth, oracle_of: Callable) -> None:
    from inversynth.patches.patch import patch_from_json

    patch = patch_from_probabilities(fm.space, np.ones(fm.space.size), fm.sample_rate, fm.length)
    card = json.loads(patch.to_json())
    del card["level_db"]
    back = patch_from_json(json.dumps(card | {"schema": "inversynth-patch/1"}))
    assert np.array_equal(back.values, patch.values)
    assert (back.level_db, back.determined, dict(back.refinement), back.alternatives) == (0.0, None, {}, ())


def test_knobs_move_between_their_levels_where_that_comes_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient, "STEPS", 20)
    synth = build_synth("sine", 8000, 0.25)
    values = np.array([103.0, 805.0, 0.6, 0.85])
    audio = synth.render(values)
    scores = synth.space.classes_to_one_hot(synth.space.values_to_classes(values))
    plain = refine(synth, audio, scores, "fast")
    moved = refine(synth, audio, scores, "fast", continuous=True)
    assert [stage.name for stage in moved.stages][-1] == "between"
    assert moved.distance < 0.9 * plain.distance
    assert np.abs(moved.values - synth.space.classes_to_values(moved.classes)).max() > 1e-3
    assert float(Objective(audio, synth.sample_rate).distance(synth.render(moved.values))) == pytest.approx(
        moved.distance, abs=1e-4
    )
    exact = refine(synth, synth.render_classes(plain.classes), scores, "fast", continuous=True)
    assert [stage.name for stage in exact.stages] == ["beam"]  # nothing is left to move


def test_patch_at_another_root_is_refined_at_that_root(fm: Synth, near: tuple[np.ndarray, Patch]) -> None:
    classes, patch = near
    audio = fm.at_root(52.5).render_classes(classes)
    found = refine_patch(Target(audio, fm.sample_rate, "low"), replace(patch, root=52.5), "full").patch
    assert found.root == 52.5
    assert found.verdict["distance"] < 0.05
