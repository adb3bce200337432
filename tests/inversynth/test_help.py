"""The help of every command: plain placeholders, no Python types, no empty defaults, every line within the width."""

import re

import pytest

from generators.registry import OWN_COMMANDS
from inversynth.checkpoints import commands as checkpoints
from inversynth.cli import COMMANDS, main
from inversynth.gansynth import commands as gansynth
from inversynth.wae import commands as wae

LINES = [
    *([name] for name in COMMANDS),
    *(["generate", name] for name in OWN_COMMANDS),
    *(["gansynth", name] for name in gansynth.GROUP.table),
    *(["wae", name] for name in wae.GROUP.table),
    *(["import", name] for name in checkpoints.GROUP.table),
    *(["train", "--model", name] for name in ("neurosynth", "nsynth", "nsynth-baseline", "note-classifier")),
    *(["train", "--model", name] for name in ("gansynth", "wae", "mcnn", "macros")),
]

PYTHON = re.compile(r"\b(?:str|int|float|bool|tuple|list|dict|Path|None|NoneType|Optional|Annotated)\b(?!-)")
FLAG = re.compile(r"^  (--[\w-]+(?:, --[\w-]+)*)(?: (\S+))?(?:  |$)")
PLACEHOLDER = re.compile(r"N|NUMBER|WORD|FILE|FOLDER|PATH|\{[^{}]+\}")


def help_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_help_shows_placeholders_and_no_python(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(words, capsys)
    placeholders = [found[2] for line in text.splitlines() if (found := FLAG.match(line)) and found[2]]
    for placeholder in placeholders:
        parts = re.split(r",(?![^{]*\})|\|", placeholder)
        assert all(PLACEHOLDER.fullmatch(part) or part == "…" for part in parts), placeholder
    assert "(default: )" not in text
    defaults = re.findall(r"\(default: ([^)]*)\)", text)
    assert not [each for each in defaults if PYTHON.search(each) or re.search(r"[\[\](']", each)], defaults
    assert max(map(len, text.splitlines())) <= 120


def test_the_lines_cover_settings_of_all_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(LINES) > 35
    text = help_of(["generate", "envelope"], capsys)
    assert "--attacks NUMBER,…" in text
    assert "(default: 0.0,0.2,0.4)" in text
