"""What a command line asks of the program itself: help, version, configuration, completion."""

import itertools
import sys
from collections.abc import Sequence

from absl import flags

from tf_darts.cli import flags as command_line
from tf_darts.cli import program
from tf_darts.cli.completion import SHELLS, completion
from tf_darts.cli.help_page import help_page
from tf_darts.cli.printed_config import printed_config
from tf_darts.config.setting import check_choice
from tf_darts.errors import UserError
from tf_darts.runtime.console import say
from tf_darts.runtime.environment import versions
from tf_darts.runtime.files import shown

_HELP = ("--help", "-help", "-h", "-?", "--helpshort", "--helpfull")


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of the program itself, but for --help, which absl has."""
    values_of = {"flag_values": values}
    flags.DEFINE_boolean("print_config", None, "The configuration is printed.", **values_of)
    flags.DEFINE_string("completion", None, "A shell's completion is printed.", **values_of)


def parse(arguments: list[str], values: flags.FlagValues = flags.FLAGS) -> list[str]:
    """The arguments that are no flags; where something is asked, the answer and the end.

    Raises:
      UserError: a flag is wrong.
      SystemExit: something was asked, and answered.
    """
    answer, left = _answered(arguments, values)
    if answer is None:
        return left
    say(answer)
    sys.exit(0)


def _answered(arguments: list[str], values: flags.FlagValues) -> tuple[str | None, list[str]]:
    """The answer to what is asked, None where it is nothing; and what is left of the arguments."""
    own = [*itertools.takewhile(lambda word: word != "--", arguments)]
    if "--version" in own:
        following = own[own.index("--version") + 1 :][:1]
        if following and following[0].isdecimal():
            number = shown(following[0])
            raise UserError(
                f"--version {number}: --version alone prints the program's version; write"
                f" --export_version={number} for that of an export."
            )
        return versions(), []
    helped = any(word in _HELP for word in own)
    if helped:
        arguments = [word for word in own if word not in _HELP] + arguments[len(own) :]
    left = program.parse_flags(arguments, values)
    if len(left) > 1 or not (helped or values["print_config"].value or values["completion"].value):
        return None, left
    if helped:
        return help_page(command_line.typed_settings(values)), left
    if values["completion"].value:
        shell = values["completion"].value
        check_choice("completion", shell, sorted(SHELLS))
        return completion(shell), left
    typed, sources = command_line.typed_settings(values), _sources(arguments, values)
    return printed_config(typed, sources, command_line.loaded(values)), left


def _sources(arguments: Sequence[str], values: flags.FlagValues) -> dict[str, str]:
    """Where each flag that is given has its value from: the last of those who give one."""
    sources: dict[str, str] = {}
    words = [*itertools.takewhile(lambda word: word != "--", arguments[1:])]
    for number, word in enumerate(words):
        name, equals, file = word.lstrip("-").partition("=")
        if word.startswith("-") and name == "flagfile":
            file = file if equals else "".join(words[number + 1 : number + 2])
            read = values.read_flags_from_files([f"--flagfile={file}"], force_gnu=False)
            sources |= dict.fromkeys(_names(read, values), f"In --flagfile={shown(file)} stands")
        else:
            sources |= dict.fromkeys(_names([word], values), "The command line gives")
    return sources


def _names(words: Sequence[str], values: flags.FlagValues) -> list[str]:
    """The flags that words give a value."""
    names = [word.lstrip("-").partition("=")[0] for word in words if word.startswith("-")]
    positive = [name if name in values else name.removeprefix("no") for name in names]
    return [name for name in positive if name in values]
