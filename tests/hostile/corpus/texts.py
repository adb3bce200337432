"""Hostile JSON, CSV and other text, in patches, spaces, cards, labels."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile.corpus.member import Member, Must, Place, written

HOSTILE_JSON: dict[str, str] = {
    **{"deep": "[" * 60_000, "deep-objects": '{"a":' * 60_000, "digits": "9" * 400, "digits-5000": "9" * 5000},
    **{"1e999": "1e999", "nan": "NaN", "infinity": "-Infinity", "null": "null", "true": "true", "list": "[]"},
    **{"object": "{}", "string": '"x"', "empty": "", "open": '{"a": 1', "twice": '{"a": 1, "a": 2}', "bom": "\ufeff{}"},
    **{"comment": "// {}\n{}", "two": "{} {}", "surrogate": '"\\ud800"', "nul": '"\\u0000"', "escape": '"\\u001b[31m"'},
}
"""JSON that a reader must survive wherever it stands; none is what any of our files holds."""


def json_in(place: Place) -> Any:
    """Return what the valid file holds."""
    return json.loads(place.content())


def changed(change: Callable[[Any], Any]) -> Callable[[Place], bytes]:
    """Return the valid file with something in it changed."""

    def make(place: Place) -> bytes:
        content = json_in(place)
        result = change(content)
        return json.dumps(content if result is None else result).encode()

    return make


ODD_VALUES: dict[str, Any] = {
    **{"null": None, "list": [], "object": {}, "text": "x", "empty": "", "minus": -1, "zero": 0, "true": True},
    **{"huge": 10**400, "large": 1e308, "infinite": float("inf"), "nan": float("nan"), "fraction": 0.5},
    **{
        "surrogate": "\ud800",
        "escape": "\x1b[31m",
        "newline": "a\nb",
        "nested": [[[[]]]],
        "million": 10**6,
        "2e9": 2**31,
    },
}
"""What may stand in place of any value of a card; JSON as Python writes it, NaN and all."""

PATCH_KEYS = (
    *("schema", "synth", "space_fingerprint", "sample_rate", "length", "level_db", "parameters", "model"),
    *("software", "source", "scores", "alternatives", "sound", "search"),
)


def _set(key: str, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        content[key] = value

    return change


def _without(key: str) -> Callable[[Any], None]:
    return lambda content: content.pop(key, None)


def _parameter(key: str, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        content["parameters"][0][key] = value

    return change


def _large(place: Place) -> bytes:
    return b'{"schema": "' + b"a" * (100 << 20) + b'"}'


def _odd_text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def members() -> Iterator[Member]:
    """Walk hostile patches, spaces and labels."""

    def patch(name: str, make: bytes | Callable[[Place], bytes], must: Must = "either", group: int = 5) -> Member:
        return Member(f"patch/{name}", group, ("patch",), written("hostile.json", make), must)

    for name, text in HOSTILE_JSON.items():
        yield patch(f"json-{name}", _odd_text(text), "refuse")
        yield Member(f"space/json-{name}", 5, ("space",), written("hostile.json", _odd_text(text)), "refuse")
        yield patch(f"alternatives-json-{name}", _spliced("alternatives", text))
    yield patch("100-mb", _large, "refuse")
    yield Member("space/100-mb", 5, ("space",), written("hostile.json", _large), "refuse")
    for key in PATCH_KEYS:
        for name, value in ODD_VALUES.items():
            yield patch(f"{key}-{name}", changed(_set(key, value)))
        yield patch(f"{key}-absent", changed(_without(key)))
    for key in ("name", "value", "class", "probabilities", "unit", "determined"):
        for name, value in ODD_VALUES.items():
            yield patch(f"parameter-{key}-{name}", changed(_parameter(key, value)))
    yield patch(
        "parameters-twice", changed(lambda content: content["parameters"].extend(content["parameters"])), "refuse"
    )
    yield patch("parameters-300000", changed(lambda c: c.update(parameters=c["parameters"][:1] * 300_000)), "refuse")
    for key in ("synth", "parameters"):
        for name, value in ODD_VALUES.items():
            yield Member(
                f"space/{key}-{name}", 5, ("space",), written("hostile.json", changed(_set(key, value))), "refuse"
            )
    for name, value in ODD_VALUES.items():
        for key in ("name", "levels", "unit"):
            make = written("hostile.json", changed(_parameter(key, value)))
            yield Member(f"space/parameter-{key}-{name}", 5, ("space",), make)
    yield from _tables()


def _spliced(key: str, text: str) -> Callable[[Place], bytes]:
    def make(place: Place) -> bytes:
        content = json_in(place)
        content[key] = "HERE"
        return json.dumps(content).replace('"HERE"', text or '""').encode("utf-8", "surrogatepass")

    return make


def _tables() -> Iterator[Member]:
    """Walk patches and labels as comma-separated values."""
    rows = {
        **{"empty": "", "head-only": "name,value,unit,class\n", "nul": "name,value\n\0,\0\n", "quote": 'name,"value\n'},
        **{"wide": "name,value," + "," * 100_000 + "\n", "long": "name,value\n" + "a" * 300_000 + ",1\n"},
        **{"semicolons": "name;value;unit;class\na;1;;\n", "tabs": "name\tvalue\n", "returns": "name,value\r\ra,1\r"},
        **{"nan": "name,value,unit,class\n#schema,x,,\na,nan,,nan\n", "digits": "name,value\na," + "9" * 5000 + "\n"},
        **{"escape": "name,value\n\x1b[31m,1\n", "file-only": "file\n", "file-up": "file,instrument\n../../x.wav,a\n"},
        **{"file-twice": "file,instrument\nflute_60.wav,a\nflute_60.wav,b\n", "no-file": "instrument\na\n"},
        **{"pitch": "file,pitch\nflute_60.wav,999\n", "pitch-huge": f"file,pitch\nflute_60.wav,{'9' * 400}\n"},
        **{"pitch-nan": "file,pitch\nflute_60.wav,nan\n", "split": "file,split\nflute_60.wav,dev\n"},
        **{"label-name": "file,../x\nflute_60.wav,1\n", "label-audio": "file,audio\nflute_60.wav,1\n"},
        **{"label-escape": "file,\x1b[31m\nflute_60.wav,\x1b[0m\n", "short": "file,instrument,family\nflute_60.wav\n"},
        **{
            "excess": "file\nflute_60.wav,a,b,c\n",
            "million-labels": "file," + ",".join(f"l{i}" for i in range(20_000)) + "\n",
        },
    }
    for name, text in rows.items():
        yield Member(f"csv/{name}", 5, ("csv",), written("hostile.csv", text.encode()))
        yield Member(f"patch/csv-{name}", 5, ("patch",), written("hostile.csv", text.encode()), "refuse")
    for name, content in {
        "utf-16": "file,instrument\n".encode("utf-16"),
        "latin-1": "file,caf\xe9\n".encode("latin-1"),
    }.items():
        yield Member(f"csv/{name}", 5, ("csv",), written("hostile.csv", content), "refuse")
        yield Member(f"patch/csv-{name}", 5, ("patch",), written("hostile.csv", content), "refuse")
