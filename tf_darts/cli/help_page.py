"""What `--help` prints: a command's flags by group, with the values that its run would take."""

import math
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tf_darts import __version__
from tf_darts.cells.space import find_space
from tf_darts.cli import members
from tf_darts.cli.flag_table import MODES, SHOWN_DATA, Choice, Flag, Group, all_groups, groups_of
from tf_darts.config import presets
from tf_darts.config.methods import SEVERAL
from tf_darts.config.presets import Config
from tf_darts.errors import UserError

_WIDEST, _NARROWEST = 100, 50
_KIND_COLUMN = 40  # where the kinds of values begin
_FREE = "*"  # marks what may have another value when a run goes on
_NAMES = 22  # at most so wide is the column of the names of choices

# What the program itself has, beside the settings.
PROGRAM: Mapping[str, str] = {
    "--help": "The program prints this page, with the values that the other flags lead to.",
    "--print_config": "The program prints the whole configuration as a flagfile, and runs nothing.",
    "--flagfile=FILE": "The flags are read from this file too, one a line.",
    "--load=FILE.py": members.HELP,
    "--completion=SHELL": "The program prints what completes its flags in bash, zsh or fish.",
    "--version": "The program prints its version.",
}

# What one begins with, on the page that has no mode.
FIRST_COMMANDS: Mapping[str, str] = {
    "--mode=search --dataset=digits --epochs=4": "A search on small pictures that need no download."
    " It ends with where its cell is, what to look at, and the command that trains the cell.",
    "--mode=search --dataset=folder --data_dir=PICTURES": "A search on your own pictures, a folder"
    " for each class.",
    "--mode=train --dataset=digits --genotype=RUN/genotype.json": "A network of that cell is"
    " trained from scratch; --mode=test then tests it, once.",
    "--mode=export --run_dir=RUN --export_dir=models/NAME": "The network is written as a server"
    " takes it.",
    "--mode=select --dataset=digits --candidates=darts_first,random": "Searched cells are"
    " trained beside random ones: are they better?",
}
_GOING_ON = (
    "A command that was stopped, by Ctrl-C or in any other way, goes on where it stood when it is"
    " given again with the same --run_dir. Fewer --epochs, or less of each by --steps_per_epoch,"
    " are a smaller budget. The first line after TensorFlow is loaded says on what a run computes;"
    " it takes a GPU by itself."
)


def help_page(typed: Mapping[str, Any], width: int | None = None, bold: bool | None = None) -> str:
    """The page.

    Args:
      typed: the settings on the command line, by the names of today.
      width: of a line, in characters; that of the terminal by default.
      bold: whether names stand out; by default where standard output is a terminal.

    Raises:
      UserError: there is no such mode, data set, space, method or part.
    """
    columns = shutil.get_terminal_size().columns if width is None else width
    page = _Page(
        max(_NARROWEST, min(_WIDEST, columns)), sys.stdout.isatty() if bold is None else bold
    )
    if typed.get("mode"):
        page.of_command(typed)
    else:
        page.of_all()
    return "\n".join(page.lines)


class _Page:
    """Lines, written one after another."""

    def __init__(self, width: int, bold: bool) -> None:
        self.lines: list[str] = []
        self._width, self._bold = width, bold

    def of_command(self, typed: Mapping[str, Any]) -> None:
        """All of what a command may have, and what its run would take."""
        typed, assumed = _complete(typed)
        config, problem = _configuration(typed)
        named = ("mode", "dataset", "space", "method")
        words = [f"--{name}={typed[name]}" for name in named if typed.get(name)]
        self._head(" ".join(words), f"This command {MODES.get(config.mode, 'is a mode')}.")
        self._text(
            "It may have the flags below. Each stands with the value that the run takes as the"
            " command is now; then come the unit or kind of its values, and their range. A flag"
            f" with a {_FREE} may have another value when the run goes on."
            + (f" As no --dataset is named, the values are those of {assumed}." * bool(assumed))
        )
        self._groups(groups_of(config))
        if problem:
            self._title("What is still missing")
            self._text(problem, 2)

    def of_all(self) -> None:
        """The flags of all modes."""
        self._head("--mode=MODE", "Differentiable architecture search (DARTS) and its kin.")
        dataset = next(iter(SHOWN_DATA.values()))
        self._text(
            "Below are the flags of all modes. Each stands with its value in this page's default"
            f" mode, --mode=search --dataset={dataset}, or in that which stands above it. Add"
            " --mode, --dataset, --space and --method to --help to see the values that your run"
            f" takes, and only the flags that it may have. A flag with a {_FREE} may have another"
            " value when the run goes on."
        )
        self._title("Commands to begin with")
        for words, about in FIRST_COMMANDS.items():
            self._text(f"{self._strong('tf-darts')} {words}", 2)
            self._text(about, 6)
        self._text(_GOING_ON, 2)
        self._groups(all_groups())

    def _head(self, flags: str, about: str) -> None:
        self.lines += [f"tf-darts {__version__}", ""]
        self._text(f"{self._strong('tf-darts')} {flags} [--FLAG=VALUE ...]", 2)
        self.lines.append("")
        self._text(f"{about} (`python -m tf_darts.main` is the same program.)")

    def _groups(self, groups: Iterable[Group]) -> None:
        for group in groups:
            self._title(group.title)
            if any(c.about for flag in group.flags if flag.name in SEVERAL for c in flag.choices):
                self._text("Add a method or a part to --help to see the settings that it has.", 2)
            of = ""
            for flag in group.flags:
                if flag.of != of:
                    self._text(f"With {flag.of}:", 2)
                    of = flag.of
                self._flag(flag, 2)
        self._title("The program")
        for flag, sentence in PROGRAM.items():
            self.lines.append(f"  {self._strong(flag)}")
            self._text(sentence, 6)

    def _title(self, title: str) -> None:
        self.lines += ["", self._strong(title)]

    def _flag(self, flag: Flag, indent: int) -> None:
        written, about = written_flag(flag.name, flag.value), kind_of(flag)
        line = " " * indent + self._strong(written)
        room = max(2, _KIND_COLUMN - indent - len(written))
        if indent + len(written) + room + len(about) > self._width:
            self.lines.append(line)
            self._text(about, indent + 4)
        else:
            self.lines.append(line + " " * room + about)
        self._text(flag.field.metadata["help"], indent + 4)
        self._choices(flag.choices, indent + 4)

    def _choices(self, choices: tuple[Choice, ...], indent: int) -> None:
        if choices and not any(choice.about for choice in choices):
            self._text(f"One of {', '.join(choice.name for choice in choices)}.", indent)
            return
        column = indent + 2 + min(_NAMES, max((len(c.name) for c in choices), default=0)) + 2
        for choice in choices:
            head = " " * (indent + 2) + choice.name
            if len(head) + 2 > column:
                self.lines.append(head)
                head = ""
            text = textwrap.wrap(choice.about, self._width - column, break_on_hyphens=False) or [""]
            self.lines.append((head.ljust(column) + text[0]).rstrip())
            self.lines += [" " * column + more for more in text[1:]]
            for flag in choice.flags:
                self._flag(flag, indent + 4)

    def _text(self, text: str, indent: int = 0) -> None:
        space = " " * indent
        self.lines += textwrap.wrap(
            text,
            self._width,
            initial_indent=space,
            subsequent_indent=space,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _strong(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._bold else text


def _complete(typed: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The settings with a data set, and the flag of that where it was not among them."""
    if typed.get("dataset") or typed["mode"] in presets.COMMON:
        return dict(typed), ""
    space = find_space(typed["space"]).data if typed.get("space") else next(iter(SHOWN_DATA))
    return {**typed, "dataset": SHOWN_DATA[space]}, f"--dataset={SHOWN_DATA[space]}"


def _configuration(typed: Mapping[str, Any]) -> tuple[Config, str]:
    """What the command asks for; and what is wrong with it, where its settings are known yet."""
    try:
        return presets.configure(typed), ""
    except UserError as error:
        return presets.unchecked(typed), str(error)


def written_flag(name: str, value: Any) -> str:
    """A flag with its value, as it may be typed."""
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    if isinstance(value, float) and float(f"{value:.12g}") == value:
        return f"--{name}={value:.12g}"
    if isinstance(value, str) and "\n" in value:  # the text of a cell, in which it is a space
        value = " ".join(value.split())
    return f"--{name}={value}"


def kind_of(flag: Flag) -> str:
    """The kind of a flag's values, their unit and their range."""
    unit, kind = flag.field.metadata.get("unit", ""), flag.field.type
    if kind is bool:
        words = f"or --no{flag.name}" if flag.value else f"or --{flag.name}"
    elif kind is str:
        several = flag.name in SEVERAL
        words = ("names, with commas" if several else "name") if flag.choices else "text"
    else:
        words = unit or ("whole number" if kind is int else "number")
    words = ", ".join([words, *_range(flag.field.metadata)])
    return words + f" {_FREE}" * flag.field.metadata["operational"]


def _range(allowed: Mapping[str, Any]) -> Iterator[str]:
    least, most, above, below = (
        None if allowed.get(name) is None else _bound(allowed[name])
        for name in ("minimum", "maximum", "above", "below")
    )
    if least and most:
        yield f"{least} to {most}"
    elif least or above:
        yield f"{least} or more" if least else f"above {above}"
    if most and not least:
        yield f"at most {most}"
    if below:
        yield f"below {below}"


def _bound(bound: float) -> str:
    """A bound, in short: large round ones as powers."""
    if abs(bound) >= 1e4:
        for base in (10, 2):
            for more in (0, 1):
                power = round(math.log(abs(bound) + more, base))
                if type(bound)(base**power - more) == abs(bound):
                    sign = "-" if bound < 0 else ""
                    return f"{sign}{base}^{power}{'-1' * more}"
    return str(bound) if isinstance(bound, int) else f"{bound:g}"
