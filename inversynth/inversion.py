"""From a sound to the settings that make it: `inversynth invert SOUND… --model RUN`.

A sound of any format, rate, length and channel count is mixed down, started at its onset, resampled, cut or padded to
what the model was trained on; the network names a class for every parameter; the synth renders them again; and what
came of it is written as a folder of four files (patch.json, match.wav, target.wav, report.html). What was done to the
sound is kept in words beside the result. Long files are read in blocks and never held whole.
"""

import logging
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import soundfile
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.audio import SILENCE_PEAK, check_audible, normalise_peak, read_audio, resample, write_audio
from generators.doors import EXIT_FAULT, run_door
from generators.errors import AudioError, InversynthError, ModelError, SettingsError
from generators.settings import Settings
from inversynth.patches import Patch, patch_from_probabilities, write_patch

if TYPE_CHECKING:
    from generators.parameters import ParameterSpace
    from generators.synth import Synth
    from models.model_files import LoadedModel, ModelCard

log = logging.getLogger(__name__)

FRAME = 0.005
"""Seconds, to the nearest sample, in which the onset detector measures one level; the ear parts two clicks about so."""

SILENCE = 60.0
"""Decibels below the loudest frame from which on down nothing is heard beside it; reverberation time ends there too."""

LOUD = 24.0
"""Decibels below the loudest frame above which a sound has begun, whatever the background."""

LEAD = 0.2
"""Seconds before the first loud frame that make it a pause, in which the background can be measured. A linear attack of
a second is loud after 0.06; of 4,000 random `fm` sounds this length takes the start of 19 for a pause."""

ABOVE_NOISE = 12.0
"""Decibels by which a beginning stands above the background; 5 ms of noise stray by far less."""

SHORTEST_SILENCE = 0.02
"""Seconds of silence that are left in front of a sound: too little to hear, and slow attacks begin like this."""

GUARD = 0.05
"""Seconds read, or padded, around a sound before its rate is changed, so that the filter meets no edge."""

BLOCK = 2**20
"""Samples, over all channels, held at once while a file is searched for its onset (4 MB)."""


@dataclass(frozen=True)
class Target:
    """A sound made ready: `audio` (samples,) float32 at the model's rate; `source` says where from and how."""

    audio: NDArray[np.float32]
    sample_rate: int
    name: str
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def treatment(self) -> tuple[str, ...]:
        """What was done to the sound, one sentence each."""
        return tuple(self.source.get("treatment", ()))


@dataclass(frozen=True)
class Inversion:
    """A sound, the patch found for it, and what that patch sounds like.

    Shapes: match (samples,) float32; truth (parameters,) classes where they are known.
    """

    target: Target
    patch: Patch
    match: NDArray[np.float32]
    truth: NDArray[np.integer[Any]] | None = None
    assumptions: Mapping[str, str] = field(default_factory=dict)


# --- making a sound ready --------------------------------------------------------------------------------------


def read_target(
    path: str | os.PathLike[str], sample_rate: int, length: float, start: float | None = None, normalise: bool = False
) -> Target:
    """Read a sound and fit it to `sample_rate` (hertz) and `length` (seconds).

    Args:
        start: second at which to begin; None finds the onset.
        normalise: scale to a peak of 1, as the model's training sounds were.
    Raises: AudioError for whatever cannot be heard or read.
    """
    path = Path(path)
    outline = measure_levels(path)
    if start is not None and not 0.0 <= start < outline.length:
        raise AudioError(f"{path} lasts {outline.length:.2f} s, and --start must lie within. Received: {start:g}")
    begin = find_start(outline, length) if start is None else start
    sound = read_audio(path, start=begin, length=length + max(GUARD, 1.0 / outline.sample_rate))
    check_audible(sound.audio, str(path) if start is None else f"{path} from {begin:g} s on")
    audio, samples = _resample(sound.audio, sound.sample_rate, sample_rate), round(length * sample_rate)
    padded = max(samples - len(audio), 0) / sample_rate
    audio = np.pad(audio[:samples], (0, max(samples - len(audio), 0)))
    left = max(outline.length - begin - length, 0.0)
    source = {
        "file": path.name,
        "sample_rate": outline.sample_rate,
        "channels": outline.channels,
        "length": round(outline.length, 6),
        "start": round(begin, 6),
        "padded": round(padded, 6),
        "left_out": round(left, 6),
        "treatment": _sentences(outline, sample_rate, length, begin, padded, left, start is not None, normalise),
    }
    return Target(normalise_peak(audio) if normalise else audio, sample_rate, path.stem or path.name, source)


@dataclass(frozen=True)
class Outline:
    """A file in brief: `levels` (frames,) in dB of full scale, one each `frame` seconds, and how it is stored."""

    levels: NDArray[np.float64]
    frame: float
    sample_rate: int
    channels: int
    frames: int

    @property
    def length(self) -> float:
        """Seconds."""
        return self.frames / self.sample_rate


def measure_levels(path: Path) -> Outline:
    """Measure the level of a file's mono mix in frames of 5 ms, reading it in blocks.

    Raises: AudioError for a missing file, a folder, no audio, no samples, NaN or infinite samples, and silence.
    """
    read_audio(path, length=1.0)  # says what is wrong with a file that cannot even be opened
    means: list[NDArray[np.float64]] = []
    loudest = mixed = 0.0
    frames = 0
    try:
        with soundfile.SoundFile(path) as file:
            rate, channels = file.samplerate, file.channels
            hop = max(1, round(FRAME * rate))
            for block in file.blocks(max(hop, BLOCK // channels // hop * hop), dtype="float32", always_2d=True):
                if not np.all(np.isfinite(block)):
                    raise AudioError(f"samples must be finite. Received: NaN or infinity in {path}")
                mono = block.mean(axis=1, dtype=np.float64)
                frames += len(mono)
                loudest, mixed = max(loudest, float(np.abs(block).max())), max(mixed, float(np.abs(mono).max()))
                starts = np.arange(0, len(mono), hop)
                means.append(np.add.reduceat(np.square(mono), starts) / np.diff([*starts, len(mono)]))
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError(f"cannot read {path} to its end: {error}. Save it anew") from None
    if loudest >= SILENCE_PEAK and mixed < loudest * 10.0 ** (-SILENCE / 20.0):
        raise AudioError(f"the channels of {path} cancel each other when they are mixed down. Save one of them alone")
    if mixed < SILENCE_PEAK:
        raise AudioError(f"a sound must be audible (peak above -100 dB). Received: silence in {path}")
    return Outline(10.0 * np.log10(np.maximum(np.concatenate(means), 1e-14)), hop / rate, rate, channels, frames)


def find_start(outline: Outline, length: float) -> float:
    """Return the second from which on a sound is analysed.

    Its onset where it is longer than the `length` analysed. A shorter one is taken whole, but for digital silence in
    front (below -100 dB of full scale), since a synth starts at once and softly begun notes must not be shifted.
    """
    if outline.frames > round(length * outline.sample_rate):
        return find_onset(outline.levels, outline.frame)
    silence = int(np.argmax(outline.levels > 20.0 * math.log10(SILENCE_PEAK))) * outline.frame
    return silence if silence >= SHORTEST_SILENCE else 0.0


def find_onset(levels: NDArray[np.floating[Any]], frame: float = FRAME) -> float:
    """Return the second at which a sound begins, given its levels in dB, one each `frame` seconds.

    The first frame that is at most 60 dB below the loudest one and, where 100 ms or more pass before the first loud
    frame (24 dB below the loudest), also 12 dB above the background: the median level of that time. A beginning within
    20 ms of the file's own counts as 0.
    """
    loudest = float(levels.max())
    threshold = loudest - SILENCE
    lead = int(np.argmax(levels >= loudest - LOUD))
    if lead * frame >= LEAD:
        background = float(np.median(levels[:lead]))
        threshold = max(threshold, min(background + ABOVE_NOISE, loudest - LOUD))
    onset = int(np.argmax(levels >= threshold)) * frame
    return onset if onset >= SHORTEST_SILENCE else 0.0


def _resample(audio: NDArray[np.float32], sample_rate: int, target_rate: int) -> NDArray[np.float32]:
    """Change the rate with silence on both sides, so that the filter neither meets an edge nor wraps around it."""
    if sample_rate == target_rate:
        return audio
    divisor = math.gcd(sample_rate, target_rate)
    units = math.ceil(GUARD * divisor)  # spans that are whole numbers of samples at both rates
    before, after = units * sample_rate // divisor, units * target_rate // divisor
    wide = resample(np.pad(audio, before), sample_rate, target_rate)
    return wide[after : after + math.ceil(len(audio) * target_rate / sample_rate)]


def _sentences(
    outline: Outline,
    sample_rate: int,
    length: float,
    begin: float,
    padded: float,
    left: float,
    chosen: bool,
    normalise: bool,
) -> list[str]:
    sentences = []
    if outline.channels > 1:
        sentences.append(f"Its {outline.channels} channels were mixed down to one.")
    if outline.sample_rate != sample_rate:
        sentences.append(f"It was resampled from {outline.sample_rate:,} Hz to {sample_rate:,} Hz.")
    if chosen:
        sentences.append(f"It was analysed from {begin:.2f} s on, as asked.")
    elif begin:
        sentences.append(f"It begins at {begin:.2f} s; what lies before was left out.")
    if left > 0.5 / sample_rate:
        sentences.append(f"It goes on after the {length:g} s that were analysed; {left:.2f} s were left out.")
    if padded:
        sentences.append(f"{padded:.2f} s of silence were added at its end, to reach {length:g} s.")
    if normalise:
        sentences.append("It was scaled to a peak of 1, as the sounds were that the model learned from.")
    return sentences


# --- inverting -------------------------------------------------------------------------------------------------


def invert(target: Target, model: "LoadedModel", truth: ArrayLike | None = None) -> Inversion:
    """Name the settings that make a sound, render them, and score the result against it.

    Args:
        target: at the model's sample rate and length. truth: (parameters,) classes that really made it, if known.
    Raises: ModelError where the model's parameter space is not that of its synth.
    """
    synth = model_synth(model.card)
    probabilities = np.asarray(model.predict(target.audio[np.newaxis]))[0]
    patch = patch_from_probabilities(
        synth.space,
        probabilities,
        synth.sample_rate,
        synth.length,
        model=model.card.model,
        source=target.source,
    )
    match = synth.render(patch.values)
    match = normalise_peak(match) if learned_normalised(model.card) else match
    classes = None if truth is None else synth.space.check_classes(truth)
    scores = score(target.audio, match, synth.sample_rate)
    if classes is not None:
        scores |= score_classes(classes, probabilities, synth.space)
    return Inversion(target, replace(patch, scores=scores), match, classes, assumptions(model.card))


def score(target: NDArray[Any], match: NDArray[Any], sample_rate: int) -> dict[str, float]:
    """Measure how alike two sounds are, by every measure of `audio_metrics`. Shapes: (samples,) each."""
    from inversynth import audio_metrics

    return {name: round(float(one[0]), 6) for name, one in audio_metrics.evaluate(target, match, sample_rate).items()}


def score_classes(classes: NDArray[Any], probabilities: NDArray[Any], space: "ParameterSpace") -> dict[str, float]:
    """Measure how well the true classes were named: `mpr` in 0..100 and `top_1` in 0..1, over parameters."""
    from models.metrics import mean_percentile_rank, top_k_accuracy

    pair = classes[np.newaxis], probabilities[np.newaxis]
    return {
        "mpr": round(float(np.mean(mean_percentile_rank(*pair, space.slices))), 6),
        "top_1": round(float(np.mean(top_k_accuracy(*pair, space.slices, 1))), 6),
    }


def model_synth(card: "ModelCard") -> "Synth":
    """Build the synth that a model speaks of. Raises ModelError where its parameter space has changed since."""
    from generators.registry import build_synth

    synth = build_synth(card.synth, card.sample_rate, card.length)
    difference = card.parameter_space.difference(synth.space)
    if difference:
        raise ModelError(
            f"model {card.model} must belong to synth '{card.synth}' as it is now. Received: {difference}. "
            "Train it again"
        )
    return synth


def learned_normalised(card: "ModelCard") -> bool:
    """Tell whether a model learned from sounds scaled to a peak of 1."""
    return bool(card.features.get("normalise"))


def assumptions(card: "ModelCard") -> dict[str, str]:
    """Say in words what an inversion takes for granted: synth, rate, length, window, parameters, model and hash."""
    from generators.registry import find_synth

    space = card.parameter_space
    window = {name: card.features[name] for name in ("fft_length", "hop_length") if name in card.features}
    return {
        "Synth": f"{card.synth}: {find_synth(card.synth).description}",
        "Sample rate": f"{card.sample_rate:,} Hz",
        "Length": f"{card.length:g} s",
        "Window": (
            f"{window['fft_length']} samples every {window['hop_length']}, Hann" if len(window) == 2 else "raw audio"
        ),
        "Parameter space": f"{len(space)} parameters, {space.size} classes, fingerprint {space.fingerprint}",
        "Level": "scaled to a peak of 1" if learned_normalised(card) else "as it is",
        "Model": card.model,
        "Weights": f"sha256 {card.weights_sha256[:16]}…" if card.weights_sha256 else "unknown",
        "Made by": str(card.software),
    }


# --- writing ---------------------------------------------------------------------------------------------------


def write_inversion(inversion: Inversion, folder: Path) -> Path:
    """Write patch.json, target.wav, match.wav and report.html into a folder; returns the report's path."""
    from inversynth.report import write_report

    rate = inversion.target.sample_rate
    write_audio(folder / "target.wav", inversion.target.audio, rate)
    write_audio(folder / "match.wav", inversion.match, rate)
    write_patch(folder / "patch.json", inversion.patch)
    return write_report(folder / "report.html", inversion)


def invert_files(
    paths: Iterable[Path],
    card: "ModelCard",
    load: "Callable[[], LoadedModel]",
    folder: Path,
    start: float | None = None,
    on_fault: Callable[[Path, InversynthError], None] | None = None,
) -> Iterator[tuple[Inversion, Path]]:
    """Invert sounds one after another, each into a folder of its own; yields each with its report's path.

    `load` is called for the first sound that can be heard. A sound at fault goes to `on_fault`, or raises without it.
    """
    model_synth(card)  # a model that does not fit its synth is told before anything is read
    model = None
    for path, name in name_folders(list(paths)):
        try:
            target = read_target(path, card.sample_rate, card.length, start, learned_normalised(card))
        except AudioError as fault:
            if on_fault is None:
                raise
            on_fault(path, fault)
            continue
        model = model or load()
        inversion = invert(target, model)
        yield inversion, write_inversion(inversion, folder / name)


def name_folders(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """Give each sound a folder named after it, and a number where two have the same name."""
    taken, named = {"index.html"}, []
    for path in paths:
        name, number = path.stem or "sound", 2
        while name.casefold() in taken:
            name, number = f"{path.stem}-{number}", number + 1
        taken.add(name.casefold())
        named.append((path, name))
    return named


class InvertSettings(Settings):
    """Estimate the synthesizer settings behind sounds (WAV, FLAC, OGG, MP3, AIFF) and write a report for each."""

    flags_only: ClassVar = frozenset({"sounds", "model", "output_directory", "start", "synth_info"})

    sounds: CliPositionalArg[list[Path]] = Field([], description="the sounds, of any rate, length and channel count")
    model: Path | None = Field(None, description="a run folder of `inversynth train`, or a .keras file")
    output_directory: Path = Field(Path("output"), description="where a folder for each sound is made")
    start: float | None = Field(None, ge=0, description="second at which to begin; by default the sound's onset")
    synth_info: CliToggleFlag[bool] = Field(False, description="print what is assumed of the sounds; needs none")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth invert") -> int:
    """Invert the sounds named; returns the exit code, which is 2 where one of them is at fault."""
    faults: list[tuple[Path, str]] = []
    code = run_door(InvertSettings, lambda settings: _run(settings, faults), argv, prog)
    return code or (EXIT_FAULT if faults else 0)


def _run(settings: InvertSettings, faults: list[tuple[Path, str]]) -> None:
    from inversynth.report import describe, write_index

    if settings.model is None:
        raise SettingsError("--model is required: a run folder of `inversynth train`, or a .keras file")
    if not settings.sounds and not settings.synth_info:
        raise SettingsError("name one or more sounds. Received: none. See --help")
    card, load = open_model(settings.model)
    if settings.synth_info:
        for name, words in assumptions(card).items():
            print(f"{name + ':':<17}{words}")

    def on_fault(path: Path, fault: InversynthError) -> None:
        message = " ".join(f"{type(fault).__name__}: {fault}".split())
        faults.append((path, message))
        print(message, file=sys.stderr)

    done = []
    for inversion, report in invert_files(
        settings.sounds, card, load, settings.output_directory, settings.start, on_fault
    ):
        done.append((inversion, report))
        print(f"{inversion.target.name}: {describe(inversion.patch.scores)} -> {report}")
    if len(settings.sounds) > 1 and done:
        print(f"all: {write_index(settings.output_directory / 'index.html', done, faults)}")


def open_model(path: Path) -> "tuple[ModelCard, Callable[[], LoadedModel]]":
    """Read a model's card at once, and its weights (and TensorFlow) only when they are called for."""
    from models.model_files import load_model, read_card

    return read_card(path), lambda: load_model(path)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.inversion"))
