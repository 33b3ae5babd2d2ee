"""TensorFlow's first import: without its chatter, and with a sentence where a GPU stands idle.

While it is imported and first looks for devices, TensorFlow writes lines past every log level that
may be set: one is an error of CUDA, where there is no GPU. They go to the file descriptor, so that
is where they are caught. What is not known as chatter is written on afterwards.
"""

import contextlib
import faulthandler
import gc
import importlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence

from tf_darts.runtime.console import warn
from tf_darts.runtime.garbage import without_collection

# What a machine without a GPU is told at every start, and nobody can act on.
_CHATTER = re.compile(
    r"""
      ^WARNING:\ All\ log\ messages\ before\ absl::InitializeLog
    | oneDNN\ custom\ operations\ are\ on
    | Could\ not\ find\ cuda\ drivers\ on\ your\ machine
    | This\ TensorFlow\ binary\ is\ optimized\ to\ use
    | ^To\ enable\ the\ following\ instructions
    | Attempting\ to\ register\ factory\ for\ plugin
    | computation\ placer\ already\ registered
    | TF-TRT\ Warning:\ Could\ not\ find\ TensorRT
    | oneDNN\ supports\ DT_\w+\ only\ on\ platforms\ with\ AVX-512
    """,
    re.VERBOSE,
)
# Keras imports them wherever they are installed, for wrappers and pictures that nobody here asks it
# for: a third of all the time. Who imports them afterwards gets them.
_NOT_NEEDED = ("sklearn", "matplotlib")
# Why TensorFlow found no GPU: told in a sentence, where there is one.
_REASON = re.compile(
    r"failed call to cuInit: (?P<driver>.*)|(?P<libraries>Cannot dlopen some GPU libraries)"
)
_terminal = 2  # the descriptor that reaches the terminal


def write_line(text: str) -> None:
    """Writes a line of standard error at once, also while it is caught, as from a signal handler.

    Args:
      text: the line, without its end.
    """
    os.write(_terminal, f"{text}\n".encode())


def load_tensorflow() -> None:
    """Imports TensorFlow for a program, see `first_import`; where it is there already, nothing."""
    if "tensorflow" in sys.modules:
        return
    with first_import(), _without(_NOT_NEEDED), without_collection():
        importlib.import_module("tensorflow")
    gc.freeze()  # nobody looks through modules again


@contextlib.contextmanager
def first_import() -> Iterator[None]:
    """Inside, something may import TensorFlow for the first time, and its chatter is left out.

    TensorFlow then looks for its devices, of which it takes memory as it needs it. A warning says
    where the machine has a GPU that it does not find. Where TensorFlow is there already, or inside
    another `first_import`, nothing of that happens.
    """
    if "tensorflow" in sys.modules or _terminal != 2:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # of what is said after the start
    reasons: list[str] = []
    with _caught_errors(reasons):
        yield
        tensorflow = sys.modules.get("tensorflow")
        gpus = tensorflow.config.list_physical_devices("GPU") if tensorflow else []
        for gpu in gpus:
            with contextlib.suppress(RuntimeError):  # it is in use already
                tensorflow.config.experimental.set_memory_growth(gpu, True)
    if tensorflow and not gpus and (sign := card_sign()):
        built = tensorflow.sysconfig.get_build_info().get("is_cuda_build", False)
        warn(f"tf_darts: {idle_card(sign, built, reasons)}")


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Inside, TensorFlow is loaded and its lines that nobody can act on are left out."""
    if _terminal != 2:  # they are caught already
        yield
        return
    with _caught_errors([]):
        yield


@contextlib.contextmanager
def _without(modules: Sequence[str]) -> Iterator[None]:
    """Inside, modules that are not imported yet seem not to be installed."""
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def idle_card(sign: str, cuda_build: bool, reasons: list[str]) -> str:
    """The sentence about a GPU that TensorFlow does not find.

    Args:
      sign: by what it was seen.
      cuda_build: whether this TensorFlow can use one at all.
      reasons: what TensorFlow said of it.
    """
    why = "cannot open its CUDA libraries"
    if not cuda_build:
        why = "was built without CUDA"
    elif reasons:
        why += f" ({reasons[0]})"
    return (
        f"{sign} says that this machine has an NVIDIA GPU, but TensorFlow {why}, so it computes on"
        " the CPU; pip install 'tf_darts[cuda]' brings them, and CUDA_VISIBLE_DEVICES=-1 says that"
        " the CPU is meant."
    )


def card_sign(root: pathlib.Path = pathlib.Path("/")) -> str | None:
    """By what an NVIDIA GPU is seen that this process may use; None where none is.

    Args:
      root: of the file system.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return None
    driver = pathlib.Path("proc/driver/nvidia/version")
    nodes = sorted(node for node in (root / "dev").glob("nvidia[0-9]*"))
    for file in (root / driver, *nodes):
        if file.exists():
            return f"/{file.relative_to(root)}"
    return "nvidia-smi" if _lists_a_card() else None


def _lists_a_card() -> bool:
    """Whether `nvidia-smi` is there and knows a GPU (under Windows' Linux it alone does)."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.stdout.startswith(b"GPU 0")


@contextlib.contextmanager
def _caught_errors(reasons: list[str]) -> Iterator[None]:
    """Inside, file descriptor 2 is a file; then what matters of it is written on.

    Args:
      reasons: why TensorFlow finds no GPU is added here.
    """
    global _terminal
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    try:
        outside = os.dup(2)
    except OSError:  # standard error is closed: nobody would see it
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        _terminal = outside
        # An abort, as of a processor without AVX, would take what was caught with it.
        watching = not faulthandler.is_enabled()
        if watching:
            faulthandler.enable(outside)
        try:
            yield
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            if watching:
                faulthandler.disable()
            os.dup2(outside, 2)
            _terminal = 2
            os.close(outside)
            caught.seek(0)
            text = worth_saying(caught.read().decode(errors="replace"), reasons)
            # Nobody may be able to read it any more.
            with contextlib.suppress(OSError), os.fdopen(2, "w", closefd=False) as stream:
                stream.write(text)


def worth_saying(text: str, reasons: list[str]) -> str:
    """The lines of `text` that are no chatter.

    Args:
      text: what was written to standard error.
      reasons: why TensorFlow finds no GPU is added here, and left out.
    """
    messages = []
    for line in text.splitlines(keepends=True):
        if reason := _REASON.search(line):
            reasons.append(" ".join((reason["driver"] or reason["libraries"]).split()))
        elif not _CHATTER.search(line):
            messages.append(line)
    return "".join(messages)
