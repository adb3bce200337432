"""The course of a progressive training, image by image."""

import itertools

import pytest

from generators.errors import ModelError
from models.gansynth.presets import SCHEDULES, growth_of
from models.gansynth.schedule import Growth

RELEASE, TINY, SMOKE = (SCHEDULES[name] for name in ("release", "tiny", "smoke"))


def test_the_release_has_thirteen_stages_and_the_last_takes_what_is_left():
    stages = list(RELEASE.stages())
    assert [stage.number for stage in stages] == list(range(13))
    assert [stage.blocks for stage in stages] == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    assert {stage.images for stage in stages[:-1]} == {800_000}
    assert stages[-1].images == 1_400_000
    assert stages[-1].end == 11_000_000
    assert [stage.stable for stage in stages] == [True, False] * 6 + [True]


@pytest.mark.parametrize("growth", [RELEASE, TINY, SMOKE])
def test_stages_follow_each_other_without_a_gap(growth):
    stages = list(growth.stages())
    assert stages[0].first == 0
    assert all(one.end == other.first for one, other in itertools.pairwise(stages))
    assert stages[-1].end == growth.total
    assert stages[-1].blocks == growth.blocks


@pytest.mark.parametrize(
    ("image", "progress"),
    [
        (0, 0.0),
        (31, 0.0),
        (32, 0.0),
        (48, 0.5),
        (63, 31 / 32),
        (64, 1.0),
        (96, 1.0),
        (112, 1.5),
        (128, 2.0),
        (319, 2.0),
    ],
)
def test_progress_rests_in_stable_stages_and_rises_between(image, progress):
    assert SMOKE.progress(image) == pytest.approx(progress)


@pytest.mark.parametrize("growth", [TINY, SMOKE])
def test_progress_stays_within_the_blocks_of_its_stage(growth):
    for stage in growth.stages():
        for image in (stage.first, (stage.first + stage.end) // 2, stage.end - 1):
            progress = growth.progress(image)
            assert progress == stage.blocks - 1 if stage.stable else stage.blocks - 2 <= progress < stage.blocks - 1


def test_without_growing_there_is_one_stage_of_all_blocks():
    growth = Growth(7, 800_000, 800_000, 4_000_000, progressive=False)
    (stage,) = growth.stages()
    assert (stage.blocks, stage.images, stage.stable) == (7, 4_000_000, True)
    assert growth.progress(0) == growth.progress(3_999_999) == 6.0


def test_totals_that_do_not_suffice_are_refused():
    with pytest.raises(ModelError, match=r"growing to 3 blocks takes 129 images at least\. Received: a total of 128"):
        Growth(3, 32, 32, 128)
    with pytest.raises(ModelError, match="stages need a block"):
        Growth(3, 0, 32, 320)


def test_a_course_is_read_from_the_options_of_a_training():
    options = {"size": "tiny", "stable_images": 8000, "transition_images": 8000, "total_images": 120000}
    assert growth_of({**options, "progressive": True}) == TINY
    assert [stage.blocks for stage in growth_of({**options, "progressive": False}).stages()] == [6]
