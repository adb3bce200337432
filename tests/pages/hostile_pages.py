"""Every page that a command writes, of names and words that try to run scripts and to reach the network."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import soundfile

from generators.dx7.prior import sample_voices
from generators.dx7.synth import Dx7Synth, voice_values
from generators.registry import build_synth
from generators.sampling import sample_classes
from inversynth.evaluation.compare import Comparison, render_comparison
from inversynth.inversion.inversion import invert
from inversynth.inversion.result import Inversion, write_inversion
from inversynth.inversion.target import Target
from inversynth.inversion.voices import invert_voice
from inversynth.macros import Control, Position, render_controls
from inversynth.nsynth.grid.job import Job
from inversynth.nsynth.grid.pad import build_pad
from inversynth.patches.patch import Alternative
from inversynth.report.audio_page import AudioPage, Clip, ClipRow, write_audio_page
from inversynth.report.index import write_index
from inversynth.report.plots import knob_panel
from inversynth.report.report import write_report
from tests.inversynth.conftest import SHORT, Oracle, card_of

RUN = "document.documentElement.dataset.ran=1"
"""What every attack does where it is executed."""

ATTACK = (
    f"\"'><img src=http://example.invalid/x.png onerror={RUN}><script>{RUN}</script>"
    f"<link rel=stylesheet href=http://example.invalid/x.css><svg onload={RUN}>"
    "</title></style></textarea>{{7*191}}$\\alpha\n\x1b[2J"
)
NAME = f"'\"><img src=x onerror={RUN}><script>{RUN}<script>$a"
"""An attack that may name a file: without a slash."""

SOUND = (0.5 * np.sin(np.arange(2000) / 5.0)).astype(np.float32)


def _inversion() -> Inversion:
    synth = build_synth("fm", 16384, SHORT)
    classes, others = sample_classes(synth.space, 0, 2, seed=5)
    target = Target(synth.render_classes(classes), synth.sample_rate, ATTACK, {"treatment": [ATTACK], "file": ATTACK})
    found = invert(target, cast(Any, Oracle(card_of(synth), others)), truth=classes)
    space = replace(
        synth.space,
        parameters=tuple(
            replace(one, name=f"{one.name}{NAME}", description=ATTACK) if number == 3 else one
            for number, one in enumerate(synth.space.parameters)
        ),
    )
    other = Alternative(synth.space.classes_to_values(sample_classes(synth.space, 0, 1, seed=6)[0]), 0.02, -31.0, -10.0)
    patch = replace(
        found.patch,
        space=space,
        model=ATTACK,
        alternatives=(other,),
        refinement={
            **{"budget": ATTACK, "renders": 3, "seconds": 0.3, "residual_db": -61.5},
            **{"stages": [{"name": ATTACK, "renders": 3, "seconds": 0.2, "residual_db": -61.5, "distance": 0.01}]},
        },
        verdict={"word": "out of reach", "distance": 0.7, "sentence": ATTACK},
    )
    return replace(found, patch=patch)


def _report(folder: Path) -> Path:
    return write_report(folder / "report.html", _inversion(), folder / "index.html")


def _voice(folder: Path) -> Path:
    synth = Dx7Synth(16000, 0.25)
    sound = synth.render(voice_values(sample_voices(1, 3)[0]).astype(np.float64))[0]
    target = Target(sound, synth.sample_rate, ATTACK, {"treatment": [ATTACK], "file": ATTACK})
    found = invert_voice(target, "none")
    patch = replace(found.patch, model=ATTACK, verdict={"word": "far", "distance": 9.7, "sentence": ATTACK})
    return write_report(folder / "report.html", replace(found, patch=patch), folder / "index.html")


def _index(folder: Path) -> Path:
    write_inversion(_inversion(), folder / NAME)
    return write_index(folder / "index.html", [ATTACK])


def _comparison(folder: Path) -> Path:
    found = _inversion()
    dataset = cast(Any, SimpleNamespace(path=Path(NAME)))
    card = card_of(build_synth("fm", 16384, SHORT), model=NAME)
    page = folder / "report.html"
    page.write_text(render_comparison([Comparison(0, found, found.audio)], card, dataset, ATTACK), encoding="utf-8")
    return page


def _controls(folder: Path) -> Path:
    patch = _inversion().patch
    positions = [
        Position(slider, replace(patch, values=patch.space.unit_to_values(np.full(23, slider))), SOUND)
        for slider in (0.0, 0.5, 1.0)
    ]
    space = replace(patch.space, synth=ATTACK)
    scores = {"explained_variance": {"All": 0.5}, "pca_explained_variance": {"All": 0.4}, "n": 3}
    card = SimpleNamespace(scores={"test": scores})
    controls = cast(Any, SimpleNamespace(space=space, loaded=SimpleNamespace(card=card)))
    page = folder / "macros.html"
    page.write_text(render_controls([Control(1, 0.3, positions)], controls), encoding="utf-8")
    return page


def _sounds(folder: Path) -> Path:
    patch = _inversion().patch
    page = AudioPage(
        title=ATTACK,
        lead=ATTACK,
        rows=[
            ClipRow(ATTACK, [Clip(NAME, SOUND, ATTACK), Clip(f"{NAME}2", SOUND)], ATTACK, NAME, ATTACK)
            if many
            else ClipRow(ATTACK, [Clip(f"{NAME}3", SOUND, ATTACK, lambda palette: knob_panel(patch, palette=palette))])
            for many in (True, False)
        ],
        sample_rate=8000,
        facts={ATTACK: ATTACK},
        maker=ATTACK,
        table=[[ATTACK, "b"], [ATTACK, ATTACK]],
    )
    return cast(Path, write_audio_page(page, folder))


def _pad(folder: Path) -> Path:
    job = Job((NAME, "b", f"c{NAME}", "d"), ("0",) * 4, (60, 62), 2, 800, 8000, ATTACK, 64, 50)
    for note in job.notes:
        path = job.path_of(note, folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, SOUND, 8000, subtype="PCM_16", format="WAV")
    return build_pad(job, folder)


PAGES: dict[str, Callable[[Path], Path]] = {
    "report.html": _report,
    "index.html": _index,
    "comparison.html": _comparison,
    "controls.html": _controls,
    "sounds.html": _sounds,
    "pad.html": _pad,
}
"""A writer of a page for each template."""

FURTHER: dict[str, Callable[[Path], Path]] = {"report.html of a DX7 voice": _voice}
"""Pages of those templates that hold further parts."""
