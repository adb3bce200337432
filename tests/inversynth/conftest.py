"""What inversion is tested with: a network that names given classes, a small real model file, a reader of pages."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from generators.registry import build_synth
from generators.synth import Synth
from inversynth.search import stages
from models.model_files import ModelCard
from tests.inversynth.nsynth.toy_codec import Toy


@pytest.fixture(autouse=True)
def short_matches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give matches few renders where a test does not ask how near they come: a whole one takes seconds."""
    if "search" not in request.path.parts:
        monkeypatch.setattr(stages, "MATCH_RENDERS", 200)
        monkeypatch.setattr(stages, "MATCH_ON_RENDERS", 100)


VOID = {"meta", "link", "path", "rect", "circle", "col", "br", "image", "img", "input", "use"}

SHORT = 0.25
"""Seconds; long enough for a picture, short enough for many of them."""


def card_of(synth: Synth, **changes: object) -> ModelCard:
    """Describe a model of a synth."""
    details: dict[str, object] = {"model": "C3", "features": {"fft_length": 512, "hop_length": 256}}
    details |= {"weights_sha256": "ab" * 32, "software": "a test"}
    return ModelCard(
        synth=synth.name,
        space=synth.space.to_json(),
        sample_rate=synth.sample_rate,
        length=synth.length,
        **(details | changes),  # type: ignore[arg-type]
    )


@dataclass
class Oracle:
    """Stands in for a `LoadedModel` that always names the same classes, with a given certainty."""

    card: ModelCard
    classes: NDArray[np.integer]
    certainty: float = 0.9

    def predict(self, audio: NDArray[np.floating]) -> NDArray[np.float32]:
        space = self.card.parameter_space
        assert audio.shape == (1, self.card.samples)
        one_hot = space.classes_to_one_hot(self.classes)[np.newaxis]
        return (self.certainty * one_hot + (1.0 - self.certainty) / 16).astype(np.float32)


@pytest.fixture
def fm() -> Synth:
    return build_synth("fm", 16384, SHORT)


@pytest.fixture
def oracle_of() -> Callable[..., Oracle]:
    """Return a function that makes a model naming given classes of a synth."""

    def make(synth: Synth, classes: NDArray[np.integer], certainty: float = 0.9, **changes: object) -> Oracle:
        return Oracle(card_of(synth, **changes), classes, certainty)

    return make


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a real, untrained network for the `sine` synth at 8,000 Hz and a quarter of a second."""
    from models.backend import start_keras

    start_keras()
    import keras

    from models.model_files import save_model

    synth = build_synth("sine", 8000, SHORT)
    audio = keras.Input((synth.samples,))
    model = keras.Model(audio, keras.layers.Dense(synth.space.size, activation="sigmoid")(audio))
    path = tmp_path_factory.mktemp("model") / "best.keras"
    save_model(model, path, card_of(synth, model="tiny"))
    return path


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """Make every model file an autoencoder of notes that can be worked out by hand; there is one, toy.keras."""
    from models.nsynth import inference as coder

    toy = Toy(tmp_path / "toy.keras")
    toy.path.touch()
    monkeypatch.setattr(coder, "load_nsynth", lambda path: toy)
    return toy


class Page(HTMLParser):
    """Reads a page strictly: tags must nest; keeps elements with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in {tag}: {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def _read_page(html: str, links: tuple[str, ...] = ()) -> Page:
    """Parse a page and assert that nothing in it is fetched from anywhere, save by links that a reader follows."""
    page = Page(html)
    assert not re.search(r"https?:|@import", html)
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            value = attributes.get(name)
            if value is not None and not (tag == "a" and value in links):
                assert value.startswith(("data:", "#")), f"<{tag} {name}={value[:60]}>"
    for url in re.findall(r"url\(([^)]*)\)", html):
        assert url.startswith("#")
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    return page


@pytest.fixture(name="read_page")
def page_reader() -> Callable[..., Page]:
    """Return the strict reader of a page."""
    return _read_page
