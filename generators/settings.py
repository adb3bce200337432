"""Settings of the commands: flag > environment > `.env` > default, one rule for all.

pydantic-settings parses and validates; this module adds the two spellings of a variable (`INVERSYNTH_MODEL` wins over
`MODEL`), second names (`ARCHITECTURE` for `model`), old names that announce the new one, an error where two names
contradict each other, help without Python types, and every error as one line.
"""

import argparse
import difflib
import inspect
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    FiniteFloat,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
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
"""Variables that operating systems set themselves (WSL puts the host into NAME); these need the prefix."""

LARGEST = 10**9
"""Largest size of a number, either way, where neither its field nor `LIMITS` says another: no count of rows or
examples reaches it, and products of two still fit into 64 bits."""

SMALLEST = 1e-30
"""Smallest size of a number other than 0: networks compute in float32, whose numbers below 1e-38 become 0."""

LIMITS: Mapping[str, int] = {
    "seed": 2**63 - 1,  # HDF5 stores it as a signed integer of 64 bits
    "workers": 256,  # threads, each with a stack and a buffer of its own; no machine gains from more
    "batch_size": 65_536,  # of one second, 4 GB
    "sample_rate": 768_000,  # hertz: twice what converters reach
    "folds": 1000,  # each trains a network
    "epochs": 1_000_000,  # as many as a history is read with; the longest training of the papers has 400
    "steps_per_epoch": 1_000_000,  # of 64 examples, a hundred times the largest dataset here
    "dsize": 10_000_000,  # examples of an epoch, of which some work grows with each; 2,048 are published
    "critic_steps": 1000,  # for one of the generator, of which five are published
    **dict.fromkeys(("conv_dim", "latent", "macros"), 4096),  # widths: a dense layer of two has 64 MB
    "final_length": 3_840_000,  # samples: four minutes at the 16 kHz of NSynth
}
"""Largest values of settings of these names, in every command, unless their field sets a bound of its own."""

MOST_ITEMS = 10_000
"""Items of a list of numbers or words."""

ENV_BYTES = 1 << 20
"""Of `.env`, which is read at the start of every command; the example of all settings has 20 kB."""

MOST_DIGITS = 64
"""Characters of a number; a float64 in full takes 24."""


def _parts(value: Any) -> Any:
    """Split text at its commas, with or without brackets; pydantic-settings joins a repeated flag to "[a,[b,c]]"."""
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


def _shard(text: str) -> str:
    numbers = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    if not numbers or not 1 <= int(numbers[1]) <= int(numbers[2]):
        raise ValueError("must be k/n with k from 1 to n, and n up to 9999")
    return text


Shard = Annotated[str, AfterValidator(_shard)]
"""A field that names one of n parts of a work, counted from 1: `2/4`."""


def is_numeric(annotation: Any) -> bool:
    """Return whether a field holds a number, a list of numbers, or either of them or nothing."""
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return is_numeric(parts[0])
    return annotation in (int, float) or (get_origin(annotation) is not Literal and any(map(is_numeric, parts)))


ENCODED = "\ue000argument:"
"""Begins a positional argument that is encoded on its way through pydantic-settings; U+E000 is for private use."""


def _encode_argument(text: str) -> str:
    """Write any text in letters and digits that no parser takes for anything else."""
    return f'"{ENCODED}{text.encode("utf-8", "surrogatepass").hex()}"'


def _decode_argument(item: Any) -> Any:
    if isinstance(item, str) and item.startswith(ENCODED):
        return bytes.fromhex(item.removeprefix(ENCODED)).decode("utf-8", "surrogatepass")
    return item


def _check_digits(text: str) -> None:
    """Raise ValueError where Python reads a number that no one else would write: 1_000, other scripts, inf, nan."""
    if re.search(r"\b(inf|infinity|nan)\b", text, re.IGNORECASE):
        raise ValueError("must be a finite number")
    if "_" in text or not text.isascii() or max(map(len, re.split(r"[,\s]+", text))) > MOST_DIGITS:
        raise ValueError(f"must be written in up to {MOST_DIGITS} digits, as 1000 or 0.5 or 1e-4")


def _bounded_list(value: Any) -> Any:
    if isinstance(value, tuple) and len(value) > MOST_ITEMS:
        raise ValueError(f"must have at most {MOST_ITEMS} items, which are {len(value)}")
    return value


class Settings(BaseSettings):
    """Base of every settings class: fields are flags, and variables in upper case.

    `other_names` maps a field to further names of it, as a flag and as a variable; `other_flags` to names that are
    flags only, and `other_variables` to the variable that is read in place of its own name, where that has another
    meaning for another command. Fields listed in `flags_only` are read from the command line alone (a sound to invert
    has no place in `.env`). `preliminary` settings are read before others, which they choose.

    `renamed` maps an old name to the field that replaced it: `{"output_directory": "output_dir"}`. The old flag
    (`--output_directory`, `--no-…`, hyphens for underscores) and the old variable (`OUTPUT_DIRECTORY`, with and without
    prefix) keep working, are shown neither by help nor by the documentation, and print their new name once per run.
    `renamed_flags` and `renamed_variables` do so for a flag or a variable alone. A class inherits those of its bases.
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
    renamed: ClassVar[Mapping[str, str]] = {}
    renamed_flags: ClassVar[Mapping[str, str]] = {}
    renamed_variables: ClassVar[Mapping[str, str]] = {}
    flags_only: ClassVar[frozenset[str]] = frozenset()
    preliminary: ClassVar[bool] = False

    @field_validator("*", mode="wrap")
    @classmethod
    def _check_numbers(cls, value: Any, parse: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """Hold every number to plain digits and to bounds: its field's own, else those of `LIMITS`, else `LARGEST`."""
        name = str(info.field_name)
        field = cls.model_fields[name]
        if not is_numeric(field.annotation):
            return _bounded_list(
                parse([_decode_argument(item) for item in value] if isinstance(value, list) else value)
            )
        for text in (value,) if isinstance(value, str) else ():
            _check_digits(text)
        parsed = _bounded_list(parse(value))
        limit = LIMITS.get(name, LARGEST)
        for number in parsed if isinstance(parsed, (list, tuple)) else (parsed,):
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                continue
            if isinstance(number, float) and not math.isfinite(number):
                raise ValueError("must be a finite number")
            if 0.0 < abs(number) < SMALLEST:
                raise ValueError(f"must be 0, or at least {SMALLEST:g} either way")
            if number > limit and not any(isinstance(bound, (Le, Lt)) for bound in field.metadata):
                raise ValueError(f"must be at most {limit}")
            if number < -limit and not any(isinstance(bound, (Ge, Gt)) for bound in field.metadata):
                raise ValueError(f"must be at least {-limit}")
        return parsed

    @classmethod
    def flags(cls, field: str) -> tuple[str, ...]:
        """Names of the flags that set a field, without the leading hyphens, its own name first; old names left out."""
        return (field, *cls.other_names.get(field, ()), *cls.other_flags.get(field, ()))

    @classmethod
    def variables(cls, field: str) -> tuple[str, ...]:
        """Names of the variables that set a field, the strongest first; none for a field that is a flag only.

        Old names are left out.
        """
        return cls._spelled(field, cls._variable_names(field))

    @classmethod
    def all_variables(cls, field: str) -> tuple[str, ...]:
        """Names of all variables that are read for a field, old ones too, the strongest first."""
        old = [name.upper() for name, new in cls._old_names("renamed", "renamed_variables").items() if new == field]
        return cls._spelled(field, [*cls._variable_names(field), *old])

    @classmethod
    def _variable_names(cls, field: str) -> list[str]:
        own = cls.other_variables.get(field, field)
        return [name.upper() for name in (own, *cls.other_names.get(field, ()))]

    @classmethod
    def _spelled(cls, field: str, names: Sequence[str]) -> tuple[str, ...]:
        if field in cls.flags_only:
            return ()
        return tuple(PREFIX + name for name in names) + tuple(name for name in names if name not in TAKEN)

    @classmethod
    def _old_names(cls, *tables: str) -> dict[str, str]:
        """Merge tables of old names over this class and its bases: old name -> field."""
        merged: dict[str, str] = {}
        for each in reversed(cls.__mro__):
            for table in tables:
                merged |= vars(each).get(table, {})
        return {old: field for old, field in merged.items() if field in cls.model_fields}

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
        args, notices = cls._replace_old_flags(list(sys.argv[1:] if argv is None else argv))
        notices += cls._old_variables()
        if not cls.preliminary:
            for notice in dict.fromkeys(notices):
                print(notice, file=sys.stderr)
        shortcuts = {field: _spellings(*cls.flags(field)) for field in cls.model_fields}
        try:
            source: CliSettingsSource[Any] = CliSettingsSource(
                cls,
                cli_prog_name=prog,
                cli_shortcuts={field: names for field, names in shortcuts.items() if names},
                formatter_class=_HelpFormatter,
                add_argument_method=partial(_add_argument, cls.model_fields),
            )
            return CliApp.run(cls, cli_args=args, cli_settings_source=source, cli_exit_on_error=False)
        except ValidationError as error:
            raise SettingsError("; ".join(cls._explain(args, fault) for fault in error.errors()[:3])) from None
        except SourceError as error:
            if isinstance(error.__cause__, SettingsError):
                raise error.__cause__ from None
            raise SettingsError(cls._explain_flags(str(error))) from None

    @classmethod
    def _replace_old_flags(cls, args: list[str]) -> tuple[list[str], list[str]]:
        """Write new flags in place of old ones. Returns the arguments, and a line for each old name among them.

        Raises: SettingsError where an old flag and its new one have different values.
        """
        new_flags: dict[str, str] = {}
        for old, field in cls._old_names("renamed", "renamed_flags").items():
            for name in (old, *_spellings(old)):
                new_flags |= {f"--{name}": f"--{field}", f"--no-{name}": f"--no-{field}"}
        replaced: list[str] = []
        notices: list[str] = []
        for place, arg in enumerate(args):
            if arg == "--":
                replaced += args[place:]
                break
            flag, equals, value = arg.partition("=")
            if value == "--" and flag.startswith("--"):  # argparse drops it, and leaves a list where text should be
                raise SettingsError(f"{flag} needs a value other than '--'. Received: {arg}. See --help")
            new = new_flags.get(flag)
            if new is None:
                replaced.append(arg)
                continue
            notices.append(f"{flag} is now {new}")
            replaced.append(new + equals + value)
            written = value if equals else next(iter(args[place + 1 :]), "")
            cls._check_against_new(args, flag, new, written)
        return replaced, notices

    @classmethod
    def _check_against_new(cls, args: Sequence[str], old: str, new: str, value: str) -> None:
        """Raise SettingsError if the field that `old` sets to a value is set to another by one of its own flags."""
        negative = "no-" if new.startswith("--no-") else ""
        field = new.removeprefix("--no-").removeprefix("--")
        names = (field, *_spellings(*cls.flags(field)))
        is_switch = cls.model_fields[field].annotation is bool
        for place, arg in enumerate(args):
            flag, equals, other = arg.partition("=")
            if flag.removeprefix("--no-").removeprefix("--") not in names or not flag.startswith("--"):
                continue
            other = other if equals else next(iter(args[place + 1 :]), "")
            if is_switch and flag.startswith("--no-") != bool(negative):
                raise SettingsError(f"{old} and {flag} contradict each other: {old} is now {new}. Keep one")
            if not is_switch and other != value:
                raise SettingsError(
                    f"{old} and {flag} set the same thing. Received: {old} {value} and {flag} {other}. Keep one"
                )

    @classmethod
    def _old_variables(cls) -> list[str]:
        """Return a line for each old variable that is set."""
        notices = []
        for place, variables in (("the environment", os.environ), (ENV_FILE, read_env_file())):
            for field in cls.model_fields:
                current = cls.variables(field)
                for name in cls.all_variables(field):
                    if name not in current and variables.get(name):
                        new = (PREFIX if name.startswith(PREFIX) else "") + current[0].removeprefix(PREFIX)
                        notices.append(f"{name} in {place} is now {new if new in current else current[0]}")
        return notices

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
        """Return where a value came from, as its user wrote it."""
        flags = {f"--{name}" for name in (field, *_spellings(*cls.flags(field)))}
        if any(arg.split("=")[0] in flags for arg in args):
            return f"--{field} {received}"
        for place, variables in (("the environment", os.environ), (ENV_FILE, read_env_file())):
            for name in cls.all_variables(field):
                if variables.get(name):
                    return f"{name}={received} in {place}"
        return str(received)

    @classmethod
    def _explain_flags(cls, message: str) -> str:
        message = message.removeprefix("error parsing CLI: ")
        unreadable = re.search(r'(?:error parsing value for field "|Parsing error encountered for )(\w+)', message)
        if unreadable:
            return (
                f"--{unreadable[1]} must be items with commas between them, all brackets and quotes closed. See --help"
            )
        unrecognized = re.search(r"unrecognized arguments: (\S+)", message)
        if not unrecognized:
            return f"{message}. See --help"
        flags = [f"--{field}" for field in cls.model_fields]
        close = difflib.get_close_matches(unrecognized[1], flags, n=1)
        return f"unknown argument {unrecognized[1]}.{f' Did you mean {close[0]}?' if close else ''} See --help"


class _Variables(EnvSettingsSource):
    """Reads a field from a mapping of variables; two that contradict each other raise SettingsError."""

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str | None], place: str) -> None:
        self._variables, self._place = dict(variables), place
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        assert issubclass(self.settings_cls, Settings)
        names = self.settings_cls.all_variables(field_name)
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


def _add_argument(fields: Mapping[str, FieldInfo], container: Any, *names: str, **options: Any) -> argparse.Action:
    """Add an argument to argparse, with a placeholder and a default that show no Python.

    Each of several positionals is encoded: pydantic-settings would split "a,b.wav" at its comma, take a folder `60` for
    a number, and double the escapes of quotes and tabs.
    """
    is_flag = any(name.startswith("-") for name in names)
    if options.get("nargs") in ("*", "+") and not is_flag:
        options["type"] = _encode_argument
    name = options.get("dest", names[0]).lstrip("-")
    field = fields.get(name)
    if field is not None:
        if is_flag and "metavar" in options:
            options["metavar"] = _placeholder(name, field.annotation)
        options["help"] = " ".join(part for part in (field.description, _default(field, is_flag)) if part).replace(
            "%", "%%"
        )
    action: argparse.Action = argparse._ActionsContainer.add_argument(container, *names, **options)
    return action


def _placeholder(name: str, annotation: Any) -> str:
    """Return what stands for a value in the help: N, NUMBER, WORD, FILE, FOLDER, PATH, a choice, or a list of these."""
    origin, parts = get_origin(annotation), [part for part in get_args(annotation) if part is not NoneType]
    if origin is Annotated:
        return _placeholder(name, parts[0])
    if origin is Literal:
        return "{" + ",".join(map(str, parts)) + "}"
    if origin in (Union, UnionType):
        return "|".join(dict.fromkeys(_placeholder(name, part) for part in parts))
    if origin in (list, tuple):
        several = ["…"] if origin is list or ... in parts else []
        return ",".join([*(_placeholder(name, part) for part in parts if part is not ...), *several])
    if annotation is Path:
        return "FOLDER" if name.endswith(_FOLDER_NAMES) else "FILE" if name.endswith("file") else "PATH"
    return {int: "N", float: "NUMBER"}.get(annotation, "WORD")


_FOLDER_NAMES = ("dir", "directory", "folder")
"""How the name of a setting ends that is a folder."""


def _default(field: FieldInfo, is_flag: bool) -> str:
    """Return the note on a default at the end of a setting's help, or nothing where the default is nothing."""
    if field.is_required():
        return "(required)" if is_flag else ""
    value = field.get_default(call_default_factory=True)
    if value is None or value is False or value in ("", (), []):
        return ""
    if value is True:
        return "(default: on)"
    if isinstance(value, (list, tuple)):
        value = ("," if is_flag else " ").join(map(str, value))
    return f"(default: {value})"


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Shows each flag once, spelt with underscores; the spelling with hyphens works too."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=116)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return super()._fill_text(inspect.cleandoc(text), width, indent)

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
    """Return whether a name is that of a file or folder alone, without any path."""
    return name not in ("", ".", "..") and not any(character in name for character in "/\\\0")


def read_env_file() -> dict[str, str | None]:
    """Read `.env` in the working folder; an absent file is an empty one.

    Raises: SettingsError if it is no text, or longer than settings are.
    """
    try:
        if Path(ENV_FILE).is_file() and (size := Path(ENV_FILE).stat().st_size) > ENV_BYTES:
            raise SettingsError(
                f"{ENV_FILE} has at most {ENV_BYTES} bytes. Received: {size}. Keep settings alone in it"
            )
        return dict(dotenv_values(ENV_FILE, interpolate=False)) if Path(ENV_FILE).is_file() else {}
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{ENV_FILE} must be a readable UTF-8 text file. Received: {error}") from None


def _spellings(field: str, *others: str) -> list[str]:
    """Further flags of a field: its other names, and all of them with hyphens."""
    names = [*others, *(name.replace("_", "-") for name in (field, *others) if "_" in name)]
    return list(dict.fromkeys(names))
