"""Hostile .keras files and run folders: archives, cards, networks and weights that are not what they seem."""

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.hostile.corpus.arrays import ZIP_FAULTS, bomb, members_of, patched_zip, zipped
from tests.hostile.corpus.member import Member, Must, Place, written
from tests.hostile.corpus.texts import HOSTILE_JSON, ODD_VALUES

CARD, CONFIG, WEIGHTS, METADATA = "inversynth.json", "config.json", "model.weights.h5", "metadata.json"

CARD_KEYS = (
    "model",
    "synth",
    "space",
    "sample_rate",
    "length",
    "features",
    "training",
    "weights_sha256",
    "software",
    "schema",
)


def _layer_of(module: str, name: str, config: Any, registered: str | None = None) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": config, "registered_name": registered}


LAMBDA = {"function": {"class_name": "__lambda__", "config": {"code": "4wE=", "defaults": None, "closure": None}}}

LAYERS: dict[str, dict[str, Any]] = {
    "dense-1e9": _layer_of("keras.layers", "Dense", {"units": 10**9}),
    "dense-1e30": _layer_of("keras.layers", "Dense", {"units": 10**30}),
    "torch": _layer_of("keras.layers", "TorchModuleWrapper", {"module": "gASV"}, "TorchModuleWrapper"),
    "lambda": _layer_of("keras.layers", "Lambda", LAMBDA),
    "os-system": _layer_of("os", "system", "true", "system"),
    "builtins": _layer_of("builtins", "exec", {"x": 1}, "exec"),
    "unknown": _layer_of("nowhere", "Nothing", {}, "Nothing"),
    "file-layer": _layer_of("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}),
    "saved-model": _layer_of("keras.layers", "TFSMLayer", {"filepath": "/tmp"}),
}
"""Layers that a network of ours never has."""


def card_name(held: dict[str, bytes]) -> str:
    """Return which member of a model file is its card."""
    return next(name for name in held if name.endswith(".json") and name not in (CONFIG, METADATA))


def _with(**changes: bytes | None) -> Callable[[Place], bytes]:
    """Replace members, `card` `config` `weights` `metadata`, or leave them out."""

    def make(place: Place) -> bytes:
        held = members_of(place.content())
        names = {"card": card_name(held), "config": CONFIG, "weights": WEIGHTS, "metadata": METADATA}
        for name, content in changes.items():
            if content is None:
                held.pop(names[name], None)
            else:
                held[names[name]] = content
        return zipped(held)

    return make


def _card(change: Callable[[dict[str, Any]], Any]) -> Callable[[Place], bytes]:
    def make(place: Place) -> bytes:
        held = members_of(place.content())
        card = json.loads(held[card_name(held)])
        change(card)
        return zipped({**held, card_name(held): json.dumps(card).encode()})

    return make


def _training(value: Any) -> Callable[[Place], bytes]:
    """Give every training setting of a card a value of another type."""

    def change(card: dict[str, Any]) -> None:
        card["training"] = dict.fromkeys(card.get("training", {}), value)

    return _card(change)


def _features(value: Any) -> Callable[[Place], bytes]:
    def change(card: dict[str, Any]) -> None:
        card["features"] = dict.fromkeys(card.get("features", {}), value)

    return _card(change)


def _config(change: Callable[[dict[str, Any]], Any]) -> Callable[[Place], bytes]:
    def make(place: Place) -> bytes:
        held = members_of(place.content())
        config = json.loads(held[CONFIG])
        result = change(config)
        return zipped({**held, CONFIG: json.dumps(config if result is None else result).encode()})

    return make


def _layer(layer: dict[str, Any]) -> Callable[[Place], bytes]:
    """Put a layer in the place of the last one, else of the whole network."""

    def change(config: dict[str, Any]) -> Any:
        layers = config.get("config", {}).get("layers")
        if not layers:
            return layer
        layers[-1] = {**layers[-1], **layer, "config": {**_dict(layers[-1]["config"]), **_dict(layer["config"])}}
        return None

    return _config(change)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"value": value}


def _weights(change: Callable[[h5py.File], None]) -> Callable[[Place], bytes]:
    """Change the weights; the card, which knows their hash, stays."""

    def make(place: Place) -> bytes:
        held = members_of(place.content())
        path = place.folder / "weights.h5"
        path.write_bytes(held[WEIGHTS])
        with h5py.File(path, "r+") as file:
            change(file)
        held[WEIGHTS] = path.read_bytes()
        path.unlink()
        return zipped(_rehashed(held))

    return make


def _rehashed(held: dict[str, bytes]) -> dict[str, bytes]:
    """Let the card name the hash of the weights that there are: who writes hostile files can count, too."""
    import hashlib

    card = json.loads(held[card_name(held)])
    for key, value in card.items():
        if key.endswith("sha256") and isinstance(value, str):
            card[key] = hashlib.sha256(held[WEIGHTS]).hexdigest()
    return {**held, card_name(held): json.dumps(card).encode()}


def _first(file: h5py.File) -> h5py.Dataset:
    found: list[h5py.Dataset] = []
    file.visititems(lambda name, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found[0]


def _replace_first(file: h5py.File, value: Any, **options: Any) -> None:
    column = _first(file)
    name, shape = column.name, column.shape
    del file[name]
    if isinstance(value, (h5py.SoftLink, h5py.ExternalLink)):
        file[name] = value
    else:
        file.create_dataset(name, data=np.broadcast_to(np.asarray(value), shape), **options)


def _run_folder(change: Callable[[Path], None]) -> Callable[[Place], Path]:
    """Return a maker of a run folder around the valid model file, with something in it changed."""

    def make(place: Place) -> Path:
        folder = place.folder / "run"
        folder.mkdir()
        (folder / "best.keras").write_bytes(place.content())
        change(folder)
        return folder

    return make


def members() -> Iterator[Member]:
    """Walk hostile model files."""

    def model(name: str, make: Callable[[Place], bytes] | bytes, must: Must = "refuse", group: int = 7) -> Member:
        return Member(f"model/{name}", group, ("model",), written("hostile.keras", make), must)

    for name, (local, central) in ZIP_FAULTS.items():
        for number in range(4):

            def fault(place: Place, a=local, b=central, n=number) -> bytes:  # type: ignore[no-untyped-def]
                return patched_zip(zipped(members_of(place.content())), a, b, n)

            yield model(f"zip-{name}-{number}", fault, "either")
    yield model("zip-empty", zipped({}))
    yield model("zip-deflated", lambda place: zipped(members_of(place.content()), zipfile.ZIP_DEFLATED), "either")
    yield model("zip-bzip2", lambda place: zipped(members_of(place.content()), zipfile.ZIP_BZIP2), "either")
    yield model("zip-lzma", lambda place: zipped(members_of(place.content()), zipfile.ZIP_LZMA), "either")
    yield model("zip-behind-junk", lambda place: bytes(1000) + place.content(), "either")
    yield model("zip-with-others", lambda place: zipped({**members_of(place.content()), "../evil": b"x"}), "either")
    yield model(
        "zip-of-many",
        lambda place: zipped({**members_of(place.content()), **{f"a{i}": b"" for i in range(20_000)}}),
        "either",
    )
    for name in (WEIGHTS, CONFIG, METADATA):
        yield model(f"{name.split('.')[0]}-of-2-gb", bomb(name, b"", 1 << 31))
    for part in ("card", "config", "weights", "metadata"):
        yield model(f"no-{part}", _with(**{part: None}), "either" if part == "metadata" else "refuse")
        yield model(f"{part}-empty", _with(**{part: b""}), "either" if part == "metadata" else "refuse")
        for name, text in HOSTILE_JSON.items():
            content = text.encode("utf-8", "surrogatepass")
            yield model(
                f"{part}-json-{name}", _with(**{part: content}), "either" if part == "metadata" else "refuse", 5
            )
        yield model(
            f"{part}-no-utf8", _with(**{part: b'{"a": "\xff"}'}), "either" if part == "metadata" else "refuse", 5
        )
    for key in CARD_KEYS:
        for name, value in ODD_VALUES.items():
            yield model(f"card-{key}-{name}", _card(lambda card, k=key, v=value: card.__setitem__(k, v)), "either", 5)
        yield model(f"card-{key}-absent", _card(lambda card, k=key: card.pop(k, None)), "either")
    for name, value in ODD_VALUES.items():
        yield model(f"training-all-{name}", _training(value), "either")
        yield model(f"features-all-{name}", _features(value), "either")
    for name, layer in LAYERS.items():
        yield model(f"layer-{name}", _layer(layer))
        yield model(f"network-{name}", _config(lambda config, one=layer: one))
    yield model("layers-none", _config(lambda config: config.get("config", {}).update(layers=[])))
    yield model("layers-million", _config(lambda c: _repeat(c)))
    yield model(
        "compiled", _config(lambda config: config.update(compile_config={"optimizer": LAYERS["os-system"]})), "either"
    )
    for name, value in {"nan": np.float32(np.nan), "infinite": np.float32(np.inf), "double": np.float64(1.0)}.items():
        yield model(f"weights-{name}", _weights(lambda file, v=value: _replace_first(file, v)), "either")
    yield model("weights-of-strings", _weights(lambda file: _replace_first(file, np.asarray("text", object))))
    yield model("weights-external", _weights(lambda file: _replace_first(file, h5py.ExternalLink("/etc/passwd", "/a"))))
    yield model("weights-loop", _weights(lambda file: _replace_first(file, h5py.SoftLink("/layers"))))
    yield model("weights-cleared", _weights(lambda file: file.clear()))
    yield model("weights-scalar", _weights(_scalar))
    yield model("weights-vast", _weights(_vast))
    for name, change in RUNS.items():
        yield Member(f"run/{name}", 7, ("model",), _run_folder(change))


def _repeat(config: dict[str, Any]) -> None:
    layers = config.get("config", {}).get("layers")
    if layers:
        layers.extend(layers[:1] * 30_000)


def _scalar(file: h5py.File) -> None:
    column = _first(file)
    name = column.name
    del file[name]
    file[name] = np.float32(1)


def _vast(file: h5py.File) -> None:
    column = _first(file)
    name = column.name
    del file[name]
    file.create_dataset(name, (10**6, 10**6), "f4", chunks=(64, 64))


def _text(name: str, text: str | bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode()) and None


def _pipe(folder: Path) -> None:
    (folder / "best.keras").unlink()
    os.mkfifo(folder / "best.keras")


def _dangling(folder: Path) -> None:
    (folder / "best.keras").unlink()
    (folder / "best.keras").symlink_to("nowhere")


RUNS: dict[str, Callable[[Path], None]] = {
    "settings-deep": _text("settings.json", "[" * 60_000),
    "settings-list": _text("settings.json", "[]"),
    "settings-nan": _text("settings.json", '{"schema": "inversynth-run/1", "settings": NaN, "data": 1e999}'),
    "settings-bytes": _text("settings.json", b"\xff\xfe"),
    "settings-digits": _text(
        "settings.json", '{"schema": "inversynth-run/1", "settings": {"seed": ' + "9" * 5000 + "}}"
    ),
    "metrics-deep": _text("metrics.json", "[" * 60_000),
    "metrics-text": _text("metrics.json", '{"n": "many", "test": "x"}'),
    "metrics-list": _text("metrics.json", "[1]"),
    "history-odd": _text("history.csv", "epoch,loss\n" + "9" * 400 + ",nan\n\0"),
    "settings-is-a-folder": lambda folder: (folder / "settings.json").mkdir(),
    "last-is-text": _text("last.keras", "text"),
    "best-is-text": _text("best.keras", "text"),
    "best-is-a-pipe": _pipe,
    "best-dangling": _dangling,
    "folds-odd": lambda folder: (folder / "fold_1").write_text("x") and None,
    "folds-empty": lambda folder: (folder / "fold_1").mkdir(),
}
"""Run folders in which something is not what it seems."""
