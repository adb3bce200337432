"""The documentation against the code: every command and flag is documented, and every line that can be typed parses."""

import importlib
import importlib.util
import os
import re
import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from docs import write_commands, write_settings
from generators.settings import Settings
from inversynth.cli import COMMANDS, main
from inversynth.systems import SYSTEMS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path for pattern in ("*.md", "docs/*.md", "test_datasets/*.md", "tests/golden/*.md") for path in ROOT.glob(pattern)
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELLS = ("", "sh", "bash", "console", "shell")
OURS = ("generators", "models", "inversynth")
BESIDE = ("benchmarks", "docs", "tests")
"""Packages of the checkout whose modules are not doors of the settings."""

GENERAL = {"--help", "--version", "--no-"}
"""Flags of every command, and the way to turn one off."""


class Parsed(BaseException):
    """Ends a door once its settings are parsed."""


@pytest.fixture
def parsing_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let doors parse their settings and go no further."""
    parse = Settings.parse.__func__

    def stop(cls: type[Settings], argv: Sequence[str] | None = None, prog: str | None = None) -> Settings:
        settings: Settings = parse(cls, argv, prog)
        if cls.preliminary:
            return settings
        raise Parsed(settings)

    monkeypatch.setattr(Settings, "parse", classmethod(stop))


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def tasks() -> dict[str, str]:
    """The command behind each task of taskipy."""
    found = tomllib.loads(text(ROOT / "pyproject.toml"))["tool"]["taskipy"]["tasks"]
    return {name: task if isinstance(task, str) else task["cmd"] for name, task in found.items()}


def commands_in(line: str) -> list[list[str]]:
    """Split a shell line into commands of words; redirections, comments and settings before a command are dropped."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    words = iter(lexer)
    for word in words:
        if set(word) <= set("|&;"):
            commands.append([])
        elif set(word) <= set(">"):
            next(words)
        elif commands[-1] or not re.fullmatch(r"[A-Z_]+=.*", word):
            commands[-1].append(word)
    return [command for command in commands if command]


def typed_lines(page: str) -> list[str]:
    """The shell lines of a page's code blocks, continued lines joined."""
    lines = []
    for language, block in BLOCK.findall(page):
        if language in SHELLS:
            lines += block.replace("\\\n", " ").splitlines()
    return [line.strip().removeprefix("$ ") for line in lines if line.strip()]


def module_words(words: list[str]) -> list[str] | None:
    """Return [module, *arguments] of a command that is ours to check, else None."""
    if words[:3] == ["poetry", "run", "task"] and words[3] != "--list":
        assert words[3] in tasks(), f"no such task: {words[3]}"
        words = [*shlex.split(tasks()[words[3]]), *words[4:]]
    elif words[:2] == ["poetry", "run"]:
        words = words[2:]
    if words[0] == "inversynth":
        return ["inversynth", *words[1:]]
    if re.fullmatch(r"(.*/)?python3?", words[0]) and words[1:2] == ["-m"]:
        return words[2:]
    return None


CASES = [
    pytest.param(words, id=f"{path.relative_to(ROOT)}: {' '.join(words)}")
    for path, words in dict.fromkeys(
        (path, tuple(words))
        for path in PAGES
        for line in typed_lines(text(path))
        if re.match(r"([A-Z_]+=\S+ )*(inversynth|poetry|\S*python3?) (?! )", line)  # two blanks: a drawing
        for words in commands_in(line)
    )
]


def test_there_are_lines_to_check() -> None:
    assert len(CASES) >= 15
    assert any(case.values[0][0] == "inversynth" for case in CASES)


@pytest.mark.parametrize("words", CASES)
@pytest.mark.usefixtures("parsing_only")
def test_a_line_that_can_be_typed_parses(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    found = module_words(list(words))
    if found is None or found[0].split(".")[0] not in (*OURS, *BESIDE):
        return
    module, *argv = found
    if module.split(".")[0] in BESIDE:
        assert importlib.util.find_spec(module), f"no such module: {module}"
        return
    command = main if module == "inversynth" else importlib.import_module(module).main
    if argv in (["--help"], ["--version"]):
        return
    with pytest.raises((Parsed, SystemExit)) as ended:
        assert command(argv) is None, capsys.readouterr().err
    assert not isinstance(ended.value, SystemExit) or ended.value.code == 0


@pytest.mark.usefixtures("parsing_only")
@pytest.mark.parametrize("line", ["inversynth evaluate runs/C6", "inversynth train --epoch 3", "inversynth trian"])
def test_a_line_that_would_not_parse_is_noticed(line: str) -> None:
    assert main(commands_in(line)[0][1:]) == 2


def test_every_command_has_its_section_and_no_other() -> None:
    sections = re.findall(r"^## inversynth (\w+)$", text(ROOT / "docs" / "commands.md"), re.MULTILINE)
    assert sections == list(COMMANDS)


def test_every_section_has_its_table_of_flags() -> None:
    page = text(ROOT / "docs" / "commands.md")
    marked = [found[1] for found in write_commands.MARKED.findall(page)]
    assert [name for name in marked if " " not in name] == list(COMMANDS)
    assert [name for name in marked if " " in name] == [
        name for name in write_settings.settings_classes() if " " in name
    ]
    for section in page.split("\n## ")[1:]:
        name = section.split()[1]
        assert f"<!-- flags of {name} -->" in section


def test_tables_of_flags_are_up_to_date() -> None:
    page = text(write_commands.PAGE)
    assert write_commands.page(page) == page, "run: python -m docs.write_commands"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_of_a_command_is_reported(command: str) -> None:
    section = text(write_commands.PAGE).split(f"\n## inversynth {command}\n")[1].split("\n## ")[0]
    for name in write_commands.settings_of(COMMANDS[command].load()).model_fields:
        assert f"`--{name}`" in section or f"`{name.upper()}`" in section, name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert re.search(rf"\binversynth {command}\b", text(ROOT / "README.md"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_flag_that_a_page_mentions_exists(path: Path) -> None:
    known = set(GENERAL)
    start = write_commands.settings_behind("start")
    for settings in (start, *write_settings.settings_classes().values()):
        for field in settings.model_fields:
            for name in settings.flags(field):
                known |= {f"--{name}", f"--{name.replace('_', '-')}", f"--no-{name}"}
    codes = re.findall(r"`([^`\n]+)`", BLOCK.sub("", text(path)))
    ours = [code for code in codes if re.match(r"--|inversynth |python -m (generators|models|inversynth)\b", code)]
    mentioned = {word for code in ours for word in re.findall(r"(?<!\S)--[\w-]+", code)}
    assert not mentioned - known  # flags of other programs stand behind their names: `ruff check --fix`


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_every_system_is_in_the_readme_as_it_is_in_the_list(system) -> None:
    rows = [row for row in text(ROOT / "README.md").splitlines() if row.startswith(f"| {system.name}")]
    assert len(rows) == 1
    assert f"| {system.status} |" in rows[0]
    assert f"`{system.command}`" in rows[0] or not system.command


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text(path))
    missing = [
        target
        for target in targets
        if "://" not in target and not os.path.exists(path.parent / target)  # noqa: PTH110
    ]
    assert not missing


def test_make_targets_that_a_page_names_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), re.MULTILINE))
    for path in PAGES:
        page = text(path)
        named = set(re.findall(r"`make ([a-z]+)`", page))
        named |= {line.split()[1] for line in typed_lines(page) if re.match(r"make [a-z]+", line)}
        assert named <= targets, path.name
