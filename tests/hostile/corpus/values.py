"""Values of numbers, words and lists that no one types on purpose."""

import os
from collections.abc import Iterator

from tests.hostile.corpus.member import Member, Must, constant
from tests.hostile.corpus.places import ODD_NAMES

NEVER = {
    **{"empty": "", "blank": " ", "word": "seven", "nan": "nan", "comma": "1,2", "hex": "0x10", "digits": "1_000"},
    **{"two": "1 2", "arabic": "٣", "bracket": "[" * 2000, "quote": '"', "escape": "\x1b[31m5", "newline": "1\n2"},
    **{"dashes": "--", "object": "{}", "none": "None", "percent": "50%"},
}
"""What is no number, as text."""

INTEGERS = {
    **{"minus-one": "-1", "minus-huge": "-99999999999999999999", "2-to-63": str(2**63), "2-to-64": str(2**64)},
    **{"400-digits": "9" * 400, "5000-digits": "9" * 5000, "fraction": "1.5", "infinity": "inf", "1e999": "1e999"},
    **{"billion": "1000000000", "trillion": "1000000000000", "2-to-31": str(2**31), "zero": "0"},
}
NUMBERS = {
    **{"infinity": "inf", "minus-infinity": "-inf", "1e999": "1e999", "1e308": "1e308", "minus-1e308": "-1e308"},
    **{"1e-320": "1e-320", "minus-one": "-1", "minus-zero": "-0.0", "zero": "0", "400-digits": "9" * 400},
    **{"billion": "1e9"},
}
LISTS = {
    **{"none": ",", "brackets": "[]", "open": "[1", "nested": "[[1]]", "nan-inside": "1,nan", "huge-inside": "1e999"},
    **{"thousand": ",".join(["1"] * 1000), "hundred-thousand": ",".join(["1"] * 100_000), "words": "a,b"},
}
REFUSED = {"nan", "word", "dashes", "object", "hex", "5000-digits", "1e999", "digits"}
"""What no number may be, whatever it is for."""

LIKELY = {
    "digits",
    "arabic",
    "nan",
    "2-to-64",
    "billion",
    "trillion",
    "zero",
    "infinity",
    "1e308",
    "1e-320",
    "minus-one",
    "400-digits",
}
"""Numbers that a check is most likely to have forgotten."""

WORDS = {
    **{name: os.fsdecode(odd) for name, odd in ODD_NAMES.items()},
    **{
        "empty": "",
        "parent": "..",
        "up": "../up",
        "slash": "a/b",
        "root": "/",
        "long": "n" * 300,
        "longer": "n" * 9000,
    },
    **{
        "semicolons": ";;",
        "comma-alone": ",",
        "colon-alone": ":",
        "weights": "a:nan,b:1",
        "weight-huge": "flute:1e999",
    },
    **{"number": "60", "number-huge": "9" * 400, "range": "0:127:0", "range-huge": f"0:{10**12}:1", "nan": "nan"},
    **{
        "range-back": "127:0:1",
        "range-odd": "1:2:3:4",
        "minus": "-1",
        "arabic": "٦٠",
        "shard": "9/2",
        "shard-0": "1/0",
    },
    **{"note-far": "C99999999999", "none": "None", "dunder": "__class__", "dotted": "os.system:x"},
}


def members() -> Iterator[Member]:
    """Walk values of numbers, lists and words."""
    for name, text in {**NEVER, **INTEGERS}.items():
        must: Must = "refuse" if name in REFUSED else "either"
        yield Member(f"integer/{name}", 9, ("integer",), constant(text), must, everywhere=name in LIKELY)
    for name, text in {**NEVER, **NUMBERS}.items():
        refused = name in REFUSED or "infinity" in name
        yield Member(
            f"number/{name}",
            9,
            ("number",),
            constant(text),
            "refuse" if refused else "either",
            everywhere=name in LIKELY,
        )
    for kind in ("integers", "numbers"):
        for name, text in {**NEVER, **(INTEGERS if kind == "integers" else NUMBERS), **LISTS}.items():
            if name not in ("comma", "empty"):
                yield Member(f"{kind}/{name}", 9, (kind,), constant(text))
    for name, text in WORDS.items():
        group = 3 if name in ODD_NAMES else 9
        yield Member(
            f"word/{name}",
            group,
            ("word", "words", "stem"),
            constant(text),
            everywhere=name in ("empty", "long", "nan", "no-utf8", "escape"),
        )
        if name not in ODD_NAMES:
            yield Member(f"named/{name}", group, ("model",), constant(text))
    for name in ("empty", "word", "quote", "escape", "long"):
        text = {**NEVER, **WORDS}[name]
        yield Member(f"choice/{name}", 9, ("choice",), constant(text), "refuse" if text else "either", everywhere=True)
