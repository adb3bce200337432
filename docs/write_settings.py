"""Rewrite `.env.example` and the table of docs/settings.md from the settings of all commands.

`python -m docs.write_settings` does it.
The text around the table is written by hand; a test checks that both files are up to date.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from docs.write_commands import settings_behind
from generators.registry import OWN_COMMANDS
from generators.settings import PREFIX, Settings
from inversynth.checkpoints import commands as checkpoints
from inversynth.cli import COMMANDS
from inversynth.gansynth import commands as gansynth
from inversynth.start import BUNDLED_EXAMPLE
from inversynth.wae import commands as wae
from models.registry import RECIPES
from models.training.settings import TrainingSettings

PAGE = Path(__file__).with_name("settings.md")
EXAMPLE = Path(__file__).parents[1] / ".env.example"
MARKED = re.compile(r"(<!-- settings -->\n).*?(<!-- end -->)", re.DOTALL)

OTHERWISE = {
    ("generate envelope", "wavefiles"),
    ("generate dx7", "sample_rate"),
    *(("generate notes", name) for name in ("wavefiles", "length", "sample_rate")),
}
"""Settings that one command has another default for than the rest."""


def has_own_default(command: str, name: str) -> bool:
    """Return whether the default of a setting may differ from that of other commands, as it may for each model."""
    return command.startswith("train ") or (command, name) in OTHERWISE


def models_with_own_settings() -> list[str]:
    """Return the first model of each class of training settings, other than those of plain `train`."""
    found: dict[type[Settings], str] = {}
    for name, recipe in RECIPES.items():
        found.setdefault(recipe.settings, name)
    return [name for settings, name in found.items() if settings is not TrainingSettings]


HEAD = f"""\
# Every setting that the environment and .env may hold, with its default. `poetry run task start` copies this file to
# .env; remove the # of a line to set it. A flag wins over the environment, the environment over .env, and .env
# over the default; {PREFIX}MODEL wins over MODEL, and so on. docs/settings.md explains more.
"""


@dataclass
class Variable:
    """A variable: its further names, its default, and its meaning for each command that reads it."""

    name: str
    others: tuple[str, ...]
    default: str
    meanings: dict[str, list[str]] = field(default_factory=dict)

    @property
    def commands(self) -> list[str]:
        return [command for commands in self.meanings.values() for command in commands]


def variables(classes: dict[str, type[Settings]] | None = None) -> list[Variable]:
    """Gather the variables of all commands, in the order in which the commands are listed."""
    gathered: dict[frozenset[str], Variable] = {}
    for command, settings in (classes or settings_classes()).items():
        for name, info in settings.model_fields.items():
            names = tuple(variable for variable in settings.variables(name) if not variable.startswith(PREFIX))
            if not names:
                continue
            variable = gathered.setdefault(frozenset(names), Variable(names[0], names[1:], _text(info.default)))
            default = _text(info.default)
            if has_own_default(command, name):
                default = variable.default
            if default and variable.default not in ("", default):
                raise ValueError(f"{names[0]} has two defaults: {variable.default} and {default}")
            variable.default = variable.default or default
            meaning = (info.description or "") + _choices(info.annotation)
            variable.meanings.setdefault(meaning, []).append(command)
    return list(gathered.values())


def settings_classes() -> dict[str, type[Settings]]:
    """Return the settings class of each command, and of what a synth or a model has of its own behind it."""
    behind = {
        "generate": [f"generate {synth}" for synth in OWN_COMMANDS],
        "gansynth": [f"gansynth {name}" for name in gansynth.GROUP.table],
        "wae": [f"wae {name}" for name in wae.GROUP.table],
        "import": [f"import {name}" for name in checkpoints.GROUP.table],
        "train": [f"train {name}" for name in models_with_own_settings()],
    }
    names = [each for name in COMMANDS if name != "start" for each in (name, *behind.get(name, ()))]
    return {name: settings_behind(name) for name in names}


def example(found: Iterable[Variable]) -> str:
    """Write `.env.example`."""
    lines = [HEAD]
    for variable in found:
        also = f" (also {', '.join(variable.others)})" if variable.others else ""
        meanings = "; ".join(f"{', '.join(commands)}: {meaning}" for meaning, commands in variable.meanings.items())
        lines.append(f"# {meanings}{also}\n#{variable.name}={variable.default}\n")
    return "\n".join(lines)


def table(found: Iterable[Variable]) -> str:
    """Write the table of docs/settings.md."""
    rows = ["| variable | default | command | meaning |", "|---|---|---|---|"]
    for variable in found:
        names = ", ".join(f"`{name}`" for name in (variable.name, *variable.others))
        default = f"`{variable.default}`" if variable.default else ""
        meanings = "; ".join(variable.meanings).replace("|", "\\|").replace("<", "\\<")
        rows.append(f"| {names} | {default} | {', '.join(variable.commands)} | {meanings} |")
    return "\n".join(rows)


def page(text: str) -> str:
    """Return docs/settings.md with its table written anew."""
    return MARKED.sub(lambda found: f"{found[1]}{table(variables())}\n{found[2]}", text)


def _choices(annotation: Any) -> str:
    return f" ({', '.join(get_args(annotation))})" if get_origin(annotation) is Literal else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


if __name__ == "__main__":
    for path in (EXAMPLE, BUNDLED_EXAMPLE):
        path.write_text(example(variables()), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written: {EXAMPLE}, {PAGE}")
