"""The knobs of a patch show what is rendered: at another root, other carriers and depths."""

from dataclasses import replace

from generators.synth import Synth
from inversynth.patches.patch import Patch
from inversynth.report.controls import panels


def test_knobs_of_a_transposed_patch_show_the_frequencies_that_sound(fm: Synth) -> None:
    values = fm.space.classes_to_values([15] * 23)
    patch = Patch(
        fm.space,
        values,
        fm.sample_rate,
        fm.length,
        probabilities=fm.space.normalise_probabilities([1.0] * fm.space.size),
    )
    plain, low = (panels(one, truth=[0] * 23) for one in (patch, replace(patch, root=57.0)))
    shown = {knob.name: knob for panel in low.values() for knob in panel}
    assert (shown["f_sin"].value, shown["f_sin"].truth, shown["f_sin"].remark) == ("523.3 Hz", "220 Hz", "C5")
    assert shown["f_sin"].bars[0].words == "class 0, 220 Hz: 6.2%"
    assert (shown["B_saw"].value, shown["f_cut"].value) == ("750 Hz", "4,000 Hz")
    assert [knob.turned for knob in low["Sine"]] == [knob.turned for knob in plain["Sine"]]
