"""Rewrite the tables of flags in docs/commands.md from the settings of the commands: python -m docs.write_commands

The text around them is written by hand; a test checks that the page is up to date.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from unittest.mock import patch

from generators.settings import Settings
from inversynth.cli import COMMANDS

PAGE = Path(__file__).with_name("commands.md")
MARKED = re.compile(r"(<!-- flags of (\w+(?: [\w-]+)?) -->\n).*?(<!-- end -->)", re.DOTALL)


class Found(BaseException):
    """Ends a command when it parses its settings, and carries their class."""

    def __init__(self, settings: type[Settings]) -> None:
        self.settings = settings


def settings_of(command: Callable[[Sequence[str]], int], argv: Sequence[str] = ()) -> type[Settings]:
    """Return the settings class of a command, or of the subcommand that its first word names."""

    read = Settings.parse.__func__  # type: ignore[attr-defined]

    def stop(cls: type[Settings], argv: Sequence[str] | None = None, prog: str | None = None) -> Settings:
        if cls.preliminary:
            chosen: Settings = read(cls, argv, prog)
            return chosen
        raise Found(cls)

    with patch.object(Settings, "parse", classmethod(stop)):
        try:
            command(argv)
        except Found as found:
            return found.settings
    raise LookupError(f"{command.__module__}.main asks for no settings")


def flag_table(settings: type[Settings], beside: type[Settings] | None = None) -> str:
    """Return a Markdown table of all flags of a command, or of those that differ from the settings `beside` it."""
    common = {name: _shown(beside, name) for name in beside.model_fields} if beside else {}
    rows = ["| flag | variable | default | meaning |", "|---|---|---|---|"]
    for name, field in sorted(settings.model_fields.items(), key=lambda item: not _is_positional(item[1])):
        if common.get(name) == _shown(settings, name):
            continue
        variables = [variable for variable in settings.variables(name) if not variable.startswith("INVERSYNTH_")]
        variables = variables or list(settings.variables(name)[:1])
        flags = ", ".join(f"`--{flag}`" for flag in settings.flags(name))
        flag = f"`{name.upper()}`" if _is_positional(field) else flags
        cells = [
            flag + _choices(field.annotation),
            ", ".join(f"`{variable}`" for variable in variables),
            _default(field),
            (field.description or "").replace("|", "\\|").replace("<", "\\<"),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def page(text: str) -> str:
    """Return the page with every table between its marks written anew."""

    def table(words: str) -> str:
        command, *behind = words.split()
        return flag_table(settings_behind(words), settings_behind(command) if behind else None)

    return MARKED.sub(lambda found: f"{found[1]}{table(found[2])}\n{found[3]}", text)


def settings_behind(words: str) -> type[Settings]:
    """Return the settings class of a command, or of `generate SYNTH` and `train MODEL` where these have their own."""
    command, *rest = words.split()
    return settings_of(COMMANDS[command].load(), ["--model", *rest] if command == "train" and rest else rest)


def _shown(settings: type[Settings], name: str) -> tuple[Any, ...]:
    field = settings.model_fields[name]
    return settings.flags(name), field.default, field.description


def _is_positional(field: Any) -> bool:
    return any(type(mark).__name__ == "_CliPositionalArg" or "Positional" in repr(mark) for mark in field.metadata)


def _choices(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " " + " or ".join(f"`{choice}`" for choice in get_args(annotation))
    return ""


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, bool):
        return "on (`--no-` turns off)" if default else "off"
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    return "" if default in (None, "", [], ()) else f"`{default}`"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written: {PAGE}")
