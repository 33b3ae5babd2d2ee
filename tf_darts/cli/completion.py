"""What completes the flags of `tf-darts` in a shell, made of the same table as `--help`.

    tf-darts --completion=bash > ~/.local/share/bash-completion/completions/tf-darts
    tf-darts --completion=zsh > "${fpath[1]}/_tf-darts"
    tf-darts --completion=fish > ~/.config/fish/completions/tf-darts.fish

A flag is offered where the mode that stands on the line has it, and after its `=` its values.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from tf_darts.cli.flag_table import Flag, all_groups, names_by_mode
from tf_darts.cli.help_page import PROGRAM
from tf_darts.config.methods import SEVERAL

_PROGRAM = "tf-darts"
# Flags whose values are paths, of which there is no other mark; their ends say it.
_PATHS = ("_dir", "flagfile", "load", "genotype", "table")


class _Completed(NamedTuple):
    """A flag as a shell completes it."""

    name: str
    takes_value: bool
    choices: tuple[str, ...]
    is_path: bool
    about: str
    modes: tuple[str, ...]  # that have it; empty: all


def completion(shell: str) -> str:
    """The script for one of `SHELLS`."""
    return SHELLS[shell](_completed())


def _completed() -> list[_Completed]:
    """Every flag, once; a boolean one with its negative."""
    completed: dict[str, _Completed] = {}
    by_mode = names_by_mode()
    flags = [f for group in all_groups() for shown in group.flags for f in shown.all]
    for flag in flags:
        modes = tuple(mode for mode, names in by_mode.items() if flag.name in names)
        for made in _of(flag, () if len(modes) == len(by_mode) else modes):
            completed.setdefault(made.name, made)
    for text, about in PROGRAM.items():
        name, equals, _ = text.removeprefix("--").partition("=")
        choices = ("bash", "fish", "zsh") if name == "completion" else ()
        completed[name] = _Completed(name, bool(equals), choices, name.endswith(_PATHS), about, ())
    return list(completed.values())


def _of(flag: Flag, modes: tuple[str, ...]) -> list[_Completed]:
    about = flag.field.metadata["help"]
    if flag.field.type is bool:
        names = (flag.name, f"no{flag.name}")
        return [_Completed(name, False, (), False, about, modes) for name in names]
    choices = tuple(choice.name for choice in flag.choices)
    return [_Completed(flag.name, True, choices, flag.name.endswith(_PATHS), about, modes)]


def _bash(flags: list[_Completed]) -> str:
    modes = dict.fromkeys(mode for flag in flags for mode in flag.modes)
    cases = "\n".join(
        f"    {mode}) flags={_words(f for f in flags if not f.modes or mode in f.modes)} ;;"
        for mode in modes
    )
    values = "\n".join(
        f"      {flag.name}) values={shlex.quote(' '.join(flag.choices))} ;;"
        for flag in flags
        if flag.choices
    )
    paths = "|".join(flag.name for flag in flags if flag.is_path)
    return f"""# bash completion of {_PROGRAM}; made by `{_PROGRAM} --completion=bash`.
_tf_darts() {{
  local line=${{COMP_LINE:0:COMP_POINT}} current flags values= name value before= mode=
  current=${{line##*[[:space:]]}}
  [[ $line =~ --mode[=\\ ]([a-z_]+)[[:space:]] ]] && mode=${{BASH_REMATCH[1]}}
  COMPREPLY=()
  if [[ $current == --*=* ]]; then
    name=${{current%%=*}} value=${{current#*=}}
    case ${{name#--}} in
{values}
      {paths})
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$value")
        return ;;
    esac
    case ${{name#--}} in
      {"|".join(SEVERAL)})
        if [[ $value == *,* ]]; then
          before=${{value%,*}},
          value=${{value##*,}}
        fi ;;
    esac
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$values" -- "$value")
    # Without "=" among the breaks of words, bash replaces the whole word.
    if [[ $COMP_WORDBREAKS != *=* ]]; then
      COMPREPLY=("${{COMPREPLY[@]/#/$name=}}")
    fi
    return
  fi
  case $mode in
{cases}
    *) flags={_words(flags)} ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
  if [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *= ]]; then
    compopt -o nospace
  fi
}}
complete -F _tf_darts {_PROGRAM}"""


def _words(flags: Iterable[_Completed]) -> str:
    """The flags in quotes, those that take a value with their `=`."""
    return shlex.quote(" ".join(f"--{f.name}{'=' * f.takes_value}" for f in flags))


def _zsh(flags: list[_Completed]) -> str:
    def spec(flag: _Completed) -> str:
        about = flag.about.replace("\\", "\\\\")
        for character in "[]:":
            about = about.replace(character, f"\\{character}")
        value = f"({' '.join(flag.choices)})" if flag.choices else ""
        value = "_files" if flag.is_path else value
        if flag.name in SEVERAL:
            value = f"_values -s , name {' '.join(flag.choices)}"
        end = f"=[{about}]:{flag.name}:{value}" if flag.takes_value else f"[{about}]"
        return f"  {shlex.quote(f'--{flag.name}{end}')}"

    specs = "\n".join(spec(flag) for flag in flags)
    modes = dict.fromkeys(mode for flag in flags for mode in flag.modes)
    others = {m: [f.name for f in flags if f.modes and m not in f.modes] for m in modes}
    cases = "\n".join(
        f"  {mode}) specs=(${{specs:#--({'|'.join(names)})(=*|\\[*)}}) ;;"
        for mode, names in others.items()
    )
    return f"""#compdef {_PROGRAM}
# zsh completion of {_PROGRAM}; made by `{_PROGRAM} --completion=zsh`.
local -a specs=(
{specs}
)
case ${{${{(M)words:#--mode=*}}#--mode=}} in
{cases}
esac
_arguments -S $specs"""


def _fish(flags: list[_Completed]) -> str:
    lines = [
        f"# fish completion of {_PROGRAM}; made by `{_PROGRAM} --completion=fish`.",
        f"complete -c {_PROGRAM} -f",
    ]
    for flag in flags:
        words = ["complete", "-c", _PROGRAM, "-l", flag.name, "-d", shlex.quote(flag.about)]
        if flag.modes:
            pattern = "|".join(flag.modes)
            words += ["-n", shlex.quote(_FISH_CONDITION.format(pattern=pattern))]
        if flag.takes_value:
            words.append("-r" if flag.is_path else "-x")
        if flag.is_path:
            words.append("-F")
        elif flag.choices:
            words += ["-a", shlex.quote(" ".join(flag.choices))]
        lines.append(" ".join(words))
    return "\n".join(lines)


# Whether the line has no mode yet, or one that has the flag.
_FISH_CONDITION = (
    "not string match -qr -- '--mode[= ]' (commandline -c);"
    " or string match -qr -- '--mode[= ]({pattern})\\b' (commandline -c)"
)

SHELLS: Mapping[str, Callable[[list[_Completed]], str]] = {
    "bash": _bash,
    "fish": _fish,
    "zsh": _zsh,
}
