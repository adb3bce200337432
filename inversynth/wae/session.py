"""What the commands of `inversynth wae` share: settings, a model with a vocoder, and mixtures of styles."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from generators.errors import ModelError, SettingsError
from generators.files import write_text
from inversynth.audio_command import SHARED, AudioPageSettings, with_bar
from inversynth.inputs import model_loader
from inversynth.report.audio_page import finite
from inversynth.report.tables import csv_text

if TYPE_CHECKING:
    from models.wae.inference import Renderer, WaeModel

MAKER = "WAE-Fader"
"""Heading of their pages."""

NOTES_FILE = "notes.csv"
"""Note, latent and style weights of each sound."""

LONGEST_SLUG = 80
"""Characters of a mixture in the name of a file."""

STYLES = "violin, a mixture such as violin:0.5,clarinet:0.5 of any weights, or several separated by semicolons"
"""How styles are given, for help texts."""


class WaeSettings(AudioPageSettings):
    """Settings that the commands of the group share."""

    flags_only: ClassVar = SHARED | {"renderer", "mcnn", "griffin_lim_iterations"}
    renamed: ClassVar = {"rounds": "griffin_lim_iterations"}

    model: str = Field("wae", description="a bundled model, a run folder, or a .keras file")
    renderer: Literal["mcnn", "griffinlim"] = Field(
        "mcnn", description="vocoder: a network in one pass, or iterative phase reconstruction, which is slow"
    )
    mcnn: str = Field("mcnn", description="with mcnn: a bundled model, a run folder, or a .keras file")
    griffin_lim_iterations: int = Field(200, ge=0, le=10_000, description="with griffinlim: iterations")


@dataclass(frozen=True)
class Mixture:
    """Weights of a model's styles: `text` as given, `weights` (styles,)."""

    text: str
    weights: NDArray[np.float32]

    @property
    def caption(self) -> str:
        """The mixture for captions: `violin`, `violin 0.5 + clarinet 0.5`."""
        return " + ".join(part.strip().replace(":", " ") for part in self.text.split(","))

    @property
    def slug(self) -> str:
        """The mixture for file names."""
        return slug(self.text.replace(":", "").replace(",", "+"))


@dataclass(frozen=True)
class Session:
    """A loaded model with the vocoder that renders its spectrograms, described by `rendered_by`."""

    wae: "WaeModel"
    renderer: "Renderer"
    rendered_by: str
    batch_size: int = 8

    @property
    def sample_rate(self) -> int:
        return self.wae.analysis.sample_rate

    def sounds(self, latents: ArrayLike, notes: ArrayLike, weights: ArrayLike) -> NDArray[np.float32]:
        """Decode notes, with a progress bar on a terminal.

        Shapes: (n, latent), (n,), (n, styles) -> (n, samples). Raises: ModelError.
        """
        decode = partial(self.wae.decode, latents, notes, weights, renderer=self.renderer, batch_size=self.batch_size)
        return with_bar(decode, len(np.atleast_1d(notes)), f"{self.wae.name} with {self.rendered_by}")

    def decoded(
        self,
        latents: NDArray[np.float32],
        notes: NDArray[np.intp],
        weights: NDArray[np.float32],
        on_notes: Callable[[int], object],
    ) -> Iterator[NDArray[np.float32]]:
        """Yield decoded notes one by one, for any number of them: a batch is held at a time.

        Args:
            on_notes: called with how many more are ready.
        Shapes: (n, latent), (n,), (n, styles) -> (samples,) each. Raises: ModelError.
        """
        for first in range(0, len(notes), self.batch_size):
            part = slice(first, first + self.batch_size)
            made = self.wae.decode(latents[part], notes[part], weights[part], self.renderer, self.batch_size)
            yield from finite(made, f"{self.wae.name} with {self.rendered_by}")
            on_notes(len(made))

    def facts(self) -> dict[str, str]:
        """Return the description of model and vocoder for a page."""
        wae = self.wae
        known = f"{len(wae.styles)} of {wae.label}: {', '.join(wae.styles)}"
        span = f"MIDI {wae.notes[0]} to {wae.notes[-1]}"
        return {
            "Model": f"{wae.name} ({wae.fingerprint}), {wae.variant.name}, latent of {wae.latent}, notes of "
            f"{wae.seconds:.3g} s at {self.sample_rate:,} Hz, {span}",
            "Styles": known,
            "Vocoder": self.rendered_by,
        }


def check_renderer(settings: WaeSettings) -> None:
    """Raise SettingsError for a flag of the other renderer."""
    for flag, renderer in (("griffin_lim_iterations", "griffinlim"), ("mcnn", "mcnn")):
        if flag in settings.model_fields_set and settings.renderer != renderer:
            raise SettingsError(
                f"--{flag} goes with --renderer {renderer}. Received: --renderer {settings.renderer}. Leave one out"
            )


def load_model(name: str) -> "WaeModel":
    """Find and load a bundled model, a run or a model file. Raises ModelError."""
    loaded: WaeModel = model_loader(name, "models.wae.inference:load_wae")()
    return loaded


def open_session(settings: WaeSettings) -> Session:
    """Find and load the model and the vocoder that settings name. Raises ModelError, SettingsError."""
    check_renderer(settings)
    wae = load_model(settings.model)

    from inversynth.pretrained import find_model
    from models.wae.vocoders import griffin_lim_renderer, mcnn_renderer

    if settings.renderer == "griffinlim":
        renderer = griffin_lim_renderer(wae.analysis, settings.griffin_lim_iterations, settings.seed)
        return Session(wae, renderer, f"Griffin-Lim, {settings.griffin_lim_iterations} iterations", settings.batch_size)
    try:
        renderer = mcnn_renderer(find_model(settings.mcnn), wae.analysis)
    except ModelError as error:
        raise ModelError(f"{error}. Or use --renderer griffinlim") from None
    return Session(wae, renderer, f"MCNN {settings.mcnn}", settings.batch_size)


def check_styled(wae: "WaeModel") -> None:
    """Raise ModelError for a model that is not conditioned on style, which style would not change."""
    if not wae.variant.style:
        raise ModelError(
            "styles need a model conditioned on style, wae-style or wae-fader. "
            f"Received: {wae.variant.name} in {wae.loaded.path}"
        )


def parse_mixtures(text: str, wae: "WaeModel") -> list[Mixture]:
    """Parse mixtures separated by `;`; an empty text gives every style of the model. Raises ModelError."""
    if text.strip():
        parts = [part for part in text.split(";") if part.strip()]
        if not parts:
            raise ModelError(f"styles are written as violin or violin:0.5,flute:0.5;flute. Received: '{text}'")
        return [parse_mixture(part, wae) for part in parts]
    return [Mixture(name, row) for name, row in zip(wae.styles, np.eye(len(wae.styles), dtype="f"), strict=True)]


def parse_mixture(text: str, wae: "WaeModel") -> Mixture:
    """Parse one mixture. Raises ModelError for an unknown style or an invalid weight."""
    return Mixture(text.strip(), wae.style_weights(text))


def parse_latent(numbers: Sequence[float], wae: "WaeModel") -> NDArray[np.float32]:
    """Return a latent given by a flag, (1, latent). Raises ModelError for another number of dimensions."""
    if len(numbers) != wae.latent:
        raise ModelError(f"a latent of {wae.name} has {wae.latent} dimensions. Received: {len(numbers)}")
    return np.asarray([numbers], np.float32)


def format_latent(latent: NDArray[Any]) -> str:
    """Format a latent as `--latent` takes it."""
    return ",".join(f"{number:.3f}" for number in latent)


def slug(text: str) -> str:
    """Return a text as part of a file name."""
    return re.sub(r"[^\w.+#-]+", "_", text)[:LONGEST_SLUG].strip("._") or "sound"


def write_notes(
    folder: Path,
    wae: "WaeModel",
    names: Sequence[str],
    latents: NDArray[np.float32],
    notes: Sequence[int] | NDArray[np.intp],
    weights: NDArray[np.float32],
) -> Path:
    """Write a line for each sound: name, note, latent, and the weight of each style. Raises InversynthError.

    Shapes: latents (n, latent), notes (n,), weights (n, styles).
    """
    head = ["name", "note", *(f"latent{number}" for number in range(1, wae.latent + 1)), *wae.styles]
    rows = [
        [name, int(note), *map(float, latent), *map(float, row)]
        for name, note, latent, row in zip(names, notes, latents, weights, strict=True)
    ]
    return write_text(folder / NOTES_FILE, csv_text(head, rows))
