"""Notes of the bundled GANSynth held for 4 s by a loop: pitch, jumps and level against those of 1 s; prints figures."""

import numpy as np
from numpy.typing import NDArray

from generators.analysis.pitch import find_note
from inversynth.gansynth.session import open_gansynth
from inversynth.playback.sustain import find_sustain


def levels(audio: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the level of parts of `size` samples, a quarter of which they overlap, in dB."""
    sums = np.concatenate([[0.0], np.cumsum(np.square(audio))])
    return np.asarray(10.0 * np.log10((sums[size:] - sums[:-size])[:: size // 4] / size + 1e-15))


def test_notes_of_four_seconds_have_the_pitch_and_the_texture_of_the_note() -> None:
    gansynth = open_gansynth("gansynth")
    rate = gansynth.sample_rate
    cents, jumps, beyond = [], [], []
    for audio in gansynth.decode(gansynth.draw_latents(len(gansynth.notes), 0), gansynth.notes):
        sustain = find_sustain(audio, rate)
        held = sustain.held(4 * rate)
        before, after = find_note(audio, rate), find_note(held, rate)
        if before is not None and after is not None:
            cents.append(100.0 * abs(after.midi - before.midi))
        time = (np.arange(4 * rate) - sustain.end) / rate
        line = np.where(time < 0.0, sustain.slope, sustain.decay) * time
        flat = held / 10.0 ** (line / 20.0)
        steady = audio[sustain.begin : sustain.end] / 10.0 ** (line[sustain.begin : sustain.end] / 20.0)
        later = flat[sustain.end :]
        jumps.append(np.abs(np.diff(later)).max() / np.abs(np.diff(steady)).max())
        known, made = levels(steady, rate // 20), levels(later, rate // 20)
        beyond.append(max(known.min() - made.min(), made.max() - known.max(), 0.0))
    print(f"\npitch of {len(cents)} notes: median {np.median(cents):.1f}, worst {max(cents):.1f} cents; ", end="")
    print(f"{sum(one <= 5.0 for one in cents)} within 5")
    print(f"jump: median {np.median(jumps):.2f}, worst {max(jumps):.2f}")
    print(f"level: median {np.median(beyond):.2f}, worst {max(beyond):.2f} dB")
    assert len(cents) >= 0.8 * len(gansynth.notes)
    assert np.mean(np.array(cents) <= 5.0) >= 0.9
    assert max(cents) <= 12.0
    assert max(jumps) <= 1.2
    assert max(beyond) <= 0.6
