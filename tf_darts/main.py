"""The command line: `python -m tf_darts.main --mode=search --dataset=ptb`.

Every setting is a flag (`--help` lists them); `--flagfile=flags/NAME.flags` reads them from a file.
An installed package has it as `tf-darts`.
A run lives in its `--run_dir`, and the same command goes on with it where it was stopped.
"""
# ruff: noqa: E402 (what must come before the imports that take seconds)

import logging as standard_logging
import os
import signal
import sys
from types import FrameType

from tf_darts.runtime import start_up


def _leave(number: int, frame: FrameType | None) -> None:
    """Ends the process at Ctrl-C, while it only imports: an exception would end in any library."""
    del frame
    start_up.write_line("tf_darts: interrupted before it began; nothing was written.")
    os._exit(128 + number)


if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _leave)

from absl import flags, logging

from tf_darts.cli import early_checks, program, questions
from tf_darts.cli import flags as command_line
from tf_darts.errors import UserError
from tf_darts.runtime.console import say


def define_flags() -> None:
    """Defines a flag for each setting, and those of the program itself."""
    command_line.define_flags()
    questions.define_flags()
    flags.adopt_module_key_flags(command_line)


def main(arguments: list[str]) -> None:
    """Runs the mode that the flags ask for."""
    if len(arguments) > 1:
        raise UserError(f"{arguments[1]!r} is not a flag; write --NAME=VALUE.")
    config = command_line.config_from_flags()
    early_checks.check_files(config)
    # Not before: TensorFlow takes seconds, which a wrong flag and --help need not.
    if "tensorflow" not in sys.modules:
        say("Loading TensorFlow …")
    start_up.load_tensorflow()
    from tf_darts.runtime.devices import say_device

    say_device(config)
    from tf_darts.cli.modes import MODES

    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    MODES[config.mode](config)


if __name__ == "__main__":
    # Left to itself, absl shows TensorFlow's INFO lines too; --verbosity=0 brings them back.
    flags.FLAGS.verbosity = logging.WARNING
    logging.get_absl_handler().setFormatter(standard_logging.Formatter("%(message)s"))
    program.run(main, "tf_darts", define_flags, questions.parse)
