"""Settings of the doors: flag > environment > `.env` > default, one rule for every command.

pydantic-settings parses and validates; this module adds the two spellings of a variable (`INVERSYNTH_MODEL` wins over
`MODEL`), second names (`ARCHITECTURE` for `model`), a refusal of contradictions, and faults told in one line.
"""

import argparse
import difflib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, FiniteFloat, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    CliApp,
    CliSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as SourceError

from generators.errors import SettingsError

PREFIX = "INVERSYNTH_"
ENV_FILE = ".env"
TAKEN = frozenset({"NAME", "HOME", "USER", "HOST", "LANG", "PATH", "SHELL", "TERM"})
"""Variables that systems set for reasons of their own (WSL puts the host into NAME); these need the prefix."""


def _parts(value: Any) -> Any:
    """Cut text at its commas, brackets around it or not; a flag that is given twice comes as text within text."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in re.sub(r"[\[\]]", "", value).split(",") if part.strip()]


Numbers = Annotated[tuple[FiniteFloat, ...], NoDecode, BeforeValidator(_parts)]
"""A field that lists numbers: `0,0.2,0.4` or `[0, 0.2, 0.4]`, as a flag and as a variable."""

Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parts)]
"""A field that lists words: `violin,flute`, as a flag and as a variable."""


def _dataset_name(name: str) -> str:
    if not is_plain_name(name):
        raise ValueError("must be a plain name without slashes; folders go into --dataset_directory")
    return name


DatasetName = Annotated[str, AfterValidator(_dataset_name)]
"""A field that names a dataset beside the folder it goes into."""


class Settings(BaseSettings):
    """Base of every settings class: fields are flags, and variables in upper case.

    `other_names` maps a field to further names it answers to, as a flag and as a variable; `other_flags` to names that
    are flags only, and `other_variables` to the variable it answers to in place of its own name, where that means
    something else at another door. Fields listed in `flags_only` are read from the command line alone (a sound to
    invert has no place in `.env`). `preliminary` settings are read before others, which they choose.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        protected_namespaces=(),
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_exit_on_error=False,
    )
    other_names: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    other_flags: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    other_variables: ClassVar[Mapping[str, str]] = {}
    flags_only: ClassVar[frozenset[str]] = frozenset()
    preliminary: ClassVar[bool] = False

    @classmethod
    def flags(cls, field: str) -> tuple[str, ...]:
        """Names of the flags that set a field, without their hyphens in front, its own name first."""
        return (field, *cls.other_names.get(field, ()), *cls.other_flags.get(field, ()))

    @classmethod
    def variables(cls, field: str) -> tuple[str, ...]:
        """Names of the variables that set a field, the strongest first; none for a field that is a flag only."""
        if field in cls.flags_only:
            return ()
        names = [
            cls.other_variables.get(field, field).upper(),
            *(name.upper() for name in cls.other_names.get(field, ())),
        ]
        return tuple(PREFIX + name for name in names) + tuple(name for name in names if name not in TAKEN)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            _Variables(settings_cls, os.environ, "the environment"),
            _Variables(settings_cls, read_env_file(), ENV_FILE),
        )

    @classmethod
    def parse(cls, argv: Sequence[str] | None = None, prog: str | None = None) -> Self:
        """Read flags, environment and `.env`.

        Raises: SettingsError naming the setting, where it was set and what it must be. `--help` exits with 0.
        """
        args = list(sys.argv[1:] if argv is None else argv)
        shortcuts = {field: _spellings(*cls.flags(field)) for field in cls.model_fields}
        try:
            source: CliSettingsSource[Any] = CliSettingsSource(
                cls,
                cli_prog_name=prog,
                cli_shortcuts={field: names for field, names in shortcuts.items() if names},
                formatter_class=_HelpFormatter,
                add_argument_method=_add_argument,
            )
            return CliApp.run(cls, cli_args=args, cli_settings_source=source, cli_exit_on_error=False)
        except ValidationError as error:
            raise SettingsError("; ".join(cls._explain(args, fault) for fault in error.errors()[:3])) from None
        except SourceError as error:
            if isinstance(error.__cause__, SettingsError):
                raise error.__cause__ from None
            raise SettingsError(cls._explain_flags(str(error))) from None

    @classmethod
    def _explain(cls, args: Sequence[str], fault: Any) -> str:
        field = str(fault["loc"][0]) if fault["loc"] else ""
        if fault["type"] == "missing":
            return f"{field} is required. Received: nothing. See --help"
        message = re.sub(r"^(Value error|Assertion failed), ", "", fault["msg"])
        if not field:
            return message
        message = message.replace("Input should be", "must be").replace("Value should be", "must be")
        received = fault.get("input")
        return f"{field} {message}. Received: {cls._origin(args, field, received)}"

    @classmethod
    def _origin(cls, args: Sequence[str], field: str, received: Any) -> str:
        """Say where a value came from, the way its user wrote it."""
        flags = {f"--{name}" for name in (field, *_spellings(*cls.flags(field)))}
        if any(arg.split("=")[0] in flags for arg in args):
            return f"--{field} {received}"
        for place, variables in (("the environment", os.environ), (ENV_FILE, read_env_file())):
            for name in cls.variables(field):
                if variables.get(name):
                    return f"{name}={received} in {place}"
        return str(received)

    @classmethod
    def _explain_flags(cls, message: str) -> str:
        message = message.removeprefix("error parsing CLI: ")
        unrecognized = re.search(r"unrecognized arguments: (\S+)", message)
        if not unrecognized:
            return f"{message}. See --help"
        flags = [f"--{field}" for field in cls.model_fields]
        close = difflib.get_close_matches(unrecognized[1], flags, n=1)
        return f"unknown argument {unrecognized[1]}.{f' Did you mean {close[0]}?' if close else ''} See --help"


class _Variables(EnvSettingsSource):
    """Reads a field from a mapping of variables, refusing two that contradict each other."""

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str | None], place: str) -> None:
        self._variables, self._place = dict(variables), place
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        assert issubclass(self.settings_cls, Settings)
        names = self.settings_cls.variables(field_name)
        found = [(name, value) for name in names if (value := self._variables.get(name))]
        if not found:
            return None, field_name, False
        strongest = found[0]
        same_rank = [pair for pair in found if pair[0].startswith(PREFIX) == strongest[0].startswith(PREFIX)]
        for name, value in same_rank[1:]:
            if value != strongest[1]:
                raise SettingsError(
                    f"{strongest[0]} and {name} set the same thing. Received: {strongest[0]}={strongest[1]} and "
                    f"{name}={value} in {self._place}. Keep one"
                )
        return strongest[1], field_name, self.field_is_complex(field)


def _add_argument(container: Any, *names: str, **options: Any) -> argparse.Action:
    """Add an argument to argparse; a list of paths is quoted, for pydantic would split "a,b.wav" at its comma."""
    if options.get("nargs") in ("*", "+") and not any(name.startswith("-") for name in names):
        options["type"] = partial(json.dumps, ensure_ascii=False)
    action: argparse.Action = argparse._ActionsContainer.add_argument(container, *names, **options)
    return action


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Shows each flag once: the spelling with hyphens works too, but says nothing new."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=116)

    def add_usage(self, usage: str | None, actions: Any, groups: Any, prefix: str | None = None) -> None:
        positionals = [self._format_args(a, str(a.metavar or a.dest)) for a in actions if not a.option_strings]
        super().add_usage(" ".join(["%(prog)s", *positionals, "[options]"]), actions, groups, prefix)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        shown = [name for name in action.option_strings if "-" not in name.removeprefix("--no-").lstrip("-")]
        value = "" if action.nargs == 0 else " " + self._format_args(action, str(action.metavar or action.dest))
        return ", ".join(shown) + value


def is_plain_name(name: str) -> bool:
    """Say whether a name can name a file or folder by itself, without leading anywhere else."""
    return name not in ("", ".", "..") and not any(character in name for character in "/\\\0")


def read_env_file() -> dict[str, str | None]:
    """Read `.env` in the working folder; an absent file is an empty one. Raises SettingsError if it is no text."""
    try:
        return dict(dotenv_values(ENV_FILE, interpolate=False)) if Path(ENV_FILE).is_file() else {}
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{ENV_FILE} must be a readable UTF-8 text file. Received: {error}") from None


def _spellings(field: str, *others: str) -> list[str]:
    """Further flags of a field: its other names, and all of them with hyphens."""
    names = [*others, *(name.replace("_", "-") for name in (field, *others) if "_" in name)]
    return list(dict.fromkeys(names))
