"""The models that can be exported: inputs, outputs, and what a program must know about them.

What a model's class does around its network is exported with it where possible: levels, one-hot notes, the inverse
transform. What is left to the program that embeds it is described in the JSON file beside it.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.errors import ModelError, SettingsError
from generators.parameters import ParameterSpace
from inversynth.export.signature import TOLERANCE, Exportable, Port
from models.model_files import load_model, read_card

if TYPE_CHECKING:
    from models.gansynth.inference import GanSynthModel
    from models.wae.inference import WaeModel

FULL_SCALE = "full scale is -1 to 1"
MIDI_NOTE = "MIDI note, 60 is C4"


PARTIALS_TOLERANCE = 3e-2
"""Tolerance for a bank of sines: for a partial of 10 kHz the last digit of its float32 frequency makes 0.01 radians in
1.5 s, which changes samples but not the sound."""


@dataclass(frozen=True)
class ExportableKind:
    """A kind of model.

    Attributes:
        title, inputs, outputs: for messages and the documentation. describe: takes a model file and, where the row
            `renders`, the file of an MCNN that renders the outputs, or None.
    """

    title: str
    inputs: str
    outputs: str
    describe: Callable[[Path, Path | None], Exportable]
    renders: bool = False


def exportable(path: Path, mcnn: Path | None = None) -> Exportable:
    """Load a model and return its exportable network.

    Args:
        mcnn: the model file of the vocoder for the spectrograms of a WAE.
    Raises: ModelError for a model that is not a single pass of a network; SettingsError for an MCNN without a WAE.
    """
    kind = read_card(path).kind
    if kind.name not in ROWS:
        known = ", ".join(row.title for row in ROWS.values())
        raise ModelError(
            f"models that work in one pass can be exported: {known}. "
            f"Received: {path}, {kind.model}. Use it with: {kind.command}"
        )
    row = ROWS[kind.name]
    if mcnn is not None and not row.renders:
        raise SettingsError(f"--mcnn goes with a model of inversynth wae. Received: {path}, {row.title}. Leave it out")
    return row.describe(path, mcnn)


def _inverter(path: Path, mcnn: Path | None) -> Exportable:
    from keras import ops

    loaded = load_model(path)
    card, samples = loaded.card, loaded.samples
    space = card.parameter_space
    normalised = bool(card.features.get("normalise"))

    def run(given: Mapping[str, Any]) -> dict[str, Any]:
        audio = given["audio"]
        if normalised:
            peak = ops.max(ops.abs(audio), axis=-1, keepdims=True)
            audio = audio / ops.where(peak > 0.0, peak, ops.ones_like(peak))
        return {"probabilities": loaded.model(audio, training=False)}

    def draw(rng: np.random.Generator, count: int) -> NDArray[Any]:
        return _sounds(rng, count, samples, card.sample_rate)

    return Exportable(
        card.model,
        (loaded.model,),
        run,
        (Port("audio", (samples,), FULL_SCALE, "a mono sound, cut or filled with zeros to this length", draw),),
        (Port("probabilities", (space.size,), "0 to 1", "of the levels, one parameter after another"),),
        {
            "synth": space.synth,
            "reading": "probabilities[first] to probabilities[first + count - 1] are those of a parameter's levels; "
            "the setting is the level at the greatest of them",
            "parameters": [
                _levels(space, name, part.start) for name, part in zip(space.names, space.slices, strict=True)
            ],
        },
    )


def _neurosynth(path: Path, mcnn: Path | None) -> Exportable:
    from models.neurosynth.inference import load_envelope_shaper
    from models.neurosynth.metrics import ATTRIBUTES

    shaper = load_envelope_shaper(path)
    model, sizes = shaper.loaded.model, [len(levels) for levels in shaper.levels]
    starts = np.cumsum([0, *sizes]).tolist()
    length: int | str = "samples" if shaper.any_length else shaper.samples

    def draw_classes(rng: np.random.Generator, count: int) -> NDArray[Any]:
        return np.concatenate([np.eye(size)[rng.integers(size, size=count)] for size in sizes], axis=1)

    def draw_waves(rng: np.random.Generator, count: int) -> NDArray[Any]:
        time = np.arange(shaper.samples)
        return np.sin(2 * np.pi * (time / rng.uniform(5, 32, (count, 1)) + rng.uniform(size=(count, 1))))

    return Exportable(
        shaper.loaded.name,
        (model,),
        lambda given: {"shaped": model([given["basic"], given["classes"]], training=False)},
        (
            Port("basic", (length,), FULL_SCALE, "a steady waveform at a peak of 1", draw_waves),
            Port("classes", (sum(sizes),), "0 or 1", "one-hot classes of each attribute, side by side", draw_classes),
        ),
        (Port("shaped", (length,), FULL_SCALE, "the waveform under the envelope of its classes"),),
        {
            "trained_samples": shaper.samples,
            "attributes": [_levels(shaper.space, name, first) for name, first in zip(ATTRIBUTES, starts, strict=False)],
        },
    )


def _gansynth(path: Path, mcnn: Path | None) -> Exportable:
    from keras import ops

    from models.gansynth.inference import load_gansynth
    from models.layers.resolution import upscaled

    gansynth = load_gansynth(path)
    model, notes, progress = gansynth.loaded.model, np.asarray(gansynth.notes, np.float32), gansynth.progress

    def run(given: Mapping[str, Any]) -> dict[str, Any]:
        one_hot = ops.cast(ops.equal(ops.round(given["note"]), notes), "float32")
        made = model([given["latent"], one_hot, progress * ops.ones_like(given["note"])], training=False)
        spectrograms = gansynth.normaliser.undo(upscaled(made, gansynth.format.frames // made.shape[1]))
        return {"sound": gansynth.format.to_audio(spectrograms, ops)}

    return Exportable(
        gansynth.name,
        (model,),
        run,
        (_latent_port(gansynth), _note_port(gansynth)),
        (Port("sound", (gansynth.samples,), FULL_SCALE, "the note; peaks may pass full scale"),),
        {"notes": list(gansynth.notes), "latent_law": "standard normal", "picture": asdict(gansynth.format)},
    )


def _wae(path: Path, mcnn: Path | None) -> Exportable:
    from keras import ops

    from generators.analysis.mel import log_mel_to_mel
    from models.wae.conditions import LOWEST, NOTE_WIDTH, OCTAVES, SEMITONES, conditions
    from models.wae.inference import load_wae
    from models.wae.vocoders import matching_renderer

    wae = load_wae(path)
    renderer = None if mcnn is None else matching_renderer(mcnn, wae.analysis)
    analysis, styles = wae.analysis, len(wae.styles)
    known = np.arange(LOWEST, LOWEST + SEMITONES * OCTAVES)
    labels = conditions(known, np.zeros((len(known), styles)))[:, :NOTE_WIDTH]

    def run(given: Mapping[str, Any]) -> dict[str, Any]:
        note = given["note"]
        one_hot = ops.cast(ops.equal(ops.round(note), known.astype(np.float32)), "float32")
        condition = ops.concatenate([ops.matmul(one_hot, labels), given["styles"]], axis=-1)
        spectrogram = wae.decoder([given["latent"], condition], training=False)[..., 0]
        if renderer is None:
            return {"picture": spectrogram}
        mels = log_mel_to_mel(ops.transpose(spectrogram, (0, 2, 1)), ops)
        return {"sound": renderer.render(mels, note)}

    def draw_styles(rng: np.random.Generator, count: int) -> NDArray[Any]:
        return rng.dirichlet(np.ones(styles), count)

    meaning = "weight of each style, in their order: one-hot, or any mixture, weights above 1 and below 0 among them"
    sound = Port("sound", (analysis.samples,), FULL_SCALE, "the note")
    spectrogram = Port(
        "picture", (analysis.bands, analysis.frames), "log(1 + magnitude)", "of Slaney's mel bands, the lowest first"
    )
    return Exportable(
        wae.name,
        (wae.decoder, *([renderer.network] if renderer else [])),
        run,
        (_latent_port(wae), _note_port(wae), Port("styles", (styles,), "weight", meaning, draw_styles)),
        (sound if renderer else spectrogram,),
        {
            "kind": wae.variant.name,
            "notes": list(wae.notes),
            "styles": list(wae.styles),
            "styles_are": wae.label,
            "latent_law": "standard normal",
            "analysis": asdict(analysis),
            "renderer_sha256": renderer.loaded.card.weights_sha256 if renderer else None,
        },
        PARTIALS_TOLERANCE if renderer and renderer.takes_note else TOLERANCE,
    )


def _mcnn(path: Path, mcnn: Path | None) -> Exportable:
    from models.mcnn.inference import load_mcnn

    renderer = load_mcnn(path)
    analysis = renderer.analysis

    def run(given: Mapping[str, Any]) -> dict[str, Any]:
        return {"sound": renderer.render(given["mels"], given.get("note"))}

    def draw_mels(rng: np.random.Generator, count: int) -> NDArray[Any]:
        slope = 10.0 ** rng.uniform(-3.0, 0.5, (count, 1, analysis.bands))
        return slope * rng.exponential(size=(count, analysis.frames, analysis.bands))

    def draw_notes(rng: np.random.Generator, count: int) -> NDArray[Any]:
        return rng.integers(36, 84, (count, 1))

    mels = Port(
        "mels", (analysis.frames, analysis.bands), "magnitude", "of Slaney's mel bands, the lowest first", draw_mels
    )
    note = Port("note", (1,), MIDI_NOTE, "fractions lie between semitones; 0 where it is unknown", draw_notes)
    return Exportable(
        renderer.loaded.name,
        (renderer.network,),
        run,
        (mels, note) if renderer.takes_note else (mels,),
        (Port("sound", (analysis.samples,), FULL_SCALE, "the note"),),
        {"analysis": asdict(analysis)},
        PARTIALS_TOLERANCE if renderer.takes_note else TOLERANCE,
    )


def _levels(space: ParameterSpace, name: str, first: int) -> dict[str, Any]:
    """Describe a parameter, whose levels begin at index `first` of the input or output."""
    parameter = space.parameters[space.index(name)]
    return {
        "name": name,
        "unit": parameter.unit,
        "description": parameter.description,
        "first": first,
        "count": len(parameter.levels),
        "levels": list(parameter.levels),
    }


def _latent_port(model: "GanSynthModel | WaeModel") -> Port:
    def draw(rng: np.random.Generator, count: int) -> NDArray[Any]:
        return rng.normal(size=(count, model.latent))

    return Port("latent", (model.latent,), "standard deviations", "the timbre", draw)


def _note_port(model: "GanSynthModel | WaeModel") -> Port:
    def draw(rng: np.random.Generator, count: int) -> NDArray[Any]:
        return rng.choice(model.notes, (count, 1))

    return Port("note", (1,), MIDI_NOTE, "one of `notes`", draw)


def _sounds(rng: np.random.Generator, count: int, samples: int, sample_rate: int) -> NDArray[Any]:
    """Draw sounds: decaying partials of a random pitch with a little noise. Shapes: -> (count, samples)."""
    time = np.arange(samples) / sample_rate
    pitch = 110.0 * 2.0 ** rng.uniform(0, 4, (count, 1, 1))
    partials = pitch * np.arange(1, 6)[:, None]
    tones = np.sin(2 * np.pi * partials * time) * (partials < sample_rate / 2) * rng.uniform(size=(count, 5, 1))
    fading = np.exp(-time * rng.uniform(0, 6, (count, 1)))
    return 0.2 * fading * tones.sum(axis=1) + 0.01 * rng.normal(size=(count, samples))


ROWS: dict[str, ExportableKind] = {
    "audio": ExportableKind("networks that invert sounds", "a sound", "probabilities of settings", _inverter),
    "envelope": ExportableKind("neurosynth", "a waveform, classes", "the shaped waveform", _neurosynth),
    "latents": ExportableKind("gansynth", "latent, note", "sound", _gansynth),
    "pictures": ExportableKind(
        "wae", "latent, note, styles", "sound by an MCNN, or a mel spectrogram", _wae, renders=True
    ),
    "mels": ExportableKind("mcnn", "mel magnitudes, note", "sound", _mcnn),
}
"""By the name of the kind of input, a key of `models.input_kinds.INPUT_KINDS`."""
