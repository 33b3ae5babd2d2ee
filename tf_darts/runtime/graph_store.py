"""What was traced once is kept in a directory for the next run of the same configuration.

A file's name is a digest of all that the graph depends on: the configuration, the code of this
package and of modules that are not installed, and the versions of Python, TensorFlow, Keras and
NumPy. Where any of it is another, nothing is found and the graph is made anew. `--graph_cache`
says where; without it nothing is kept.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import platform
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.errors import StateError, StorageError, UserError
from tf_darts.runtime import files
from tf_darts.runtime.console import warn
from tf_darts.runtime.graph_copies import GraphCopy
from tf_darts.runtime.memory.traced import TracedMemory

_PACKAGE = pathlib.Path(__file__).resolve().parents[1]
_ADVICE = "delete it, and it is made anew"
_GENERATED = "__autograph_generated_file"  # by TensorFlow, of modules that are installed


@dataclasses.dataclass(frozen=True)
class _Store:
    directory: pathlib.Path
    configuration: str
    variables: Sequence[tf.Variable]

    def file(self, *what: Any) -> pathlib.Path:
        """Where something of this configuration is kept."""
        text = "\n".join([self.configuration, *map(repr, what)])
        return self.directory / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.graph"


_open: _Store | None = None
_first_seen: dict[pathlib.Path, str] = {}  # a digest of each file of code, when it was looked at


def check_directory(directory: str) -> None:
    """Raises `UserError` where graphs cannot be kept; nothing is made.

    The code is looked at: what changes from here on is noticed when graphs are to be kept.

    Args:
      directory: which need not be there yet, nor the one that it is in.
    """
    for file, digest in _code().items():
        _first_seen.setdefault(file, digest)
    path = files.expanded(directory)
    there = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        problem = "cannot be written" if there.is_dir() else "is no directory"
        raise UserError(
            f"--graph_cache={files.shown(directory)}: {files.shown(there)} {problem}; give another"
            " directory, or leave it out."
        )


@contextlib.contextmanager
def keeping(
    directory: str, configuration: Mapping[str, Any], variables: Sequence[tf.Variable] = ()
) -> Iterator[None]:
    """Inside, named functions of `whole_programs` are kept, and memory that was counted.

    Args:
      directory: is made where it is missing; empty: nothing is kept.
      configuration: all that decides what is traced, besides code and versions.
      variables: what functions may read; another run has as many of the same shapes.

    Raises:
      StorageError: the directory cannot be made.
    """
    global _open
    if not directory:
        yield
        return
    if not hasattr(sys.modules.get("__main__"), "__file__"):
        warn(
            "tf_darts: --graph_cache keeps nothing in an interactive session, whose code nobody can"
            " compare with another's."
        )
        yield
        return
    code = _code()
    if changed := sorted(f.name for f, d in code.items() if _first_seen.setdefault(f, d) != d):
        warn(
            f"tf_darts: --graph_cache keeps nothing, since {' and '.join(changed)} changed while"
            " this process ran, which may have loaded what was there before."
        )
        yield
        return
    path = files.expanded(directory)
    files.make_directory(path)
    digest = hashlib.sha256("".join(sorted(set(code.values()))).encode()).hexdigest()
    known = {"configuration": dict(configuration), "code": digest, "versions": _versions()}
    configured = json.dumps(known, sort_keys=True, default=repr)
    before, _open = _open, _Store(path, configured, variables)
    try:
        yield
    finally:
        _open = before


def kept(function: tf.types.experimental.PolymorphicFunction, name: str) -> Callable[..., Any]:
    """A compiled function whose graph is read if it is kept, and else traced and kept.

    Args:
      function: of an `input_signature`; it does nothing but compute.
      name: tells it from the others of a configuration; empty: it is not kept.
    """
    if _open is None or not name:
        return function
    return _Kept(function, _open.file(name, function.input_signature), _open.variables)


class _Kept:
    """Such a function; called like a `tf.function`."""

    def __init__(self, function: Any, file: pathlib.Path, variables: Sequence[tf.Variable]) -> None:
        self._function, self._file, self._variables = function, file, variables
        self._concrete: Any = None
        self._making = threading.Lock()

    def __call__(self, *arguments: Any) -> Any:
        if not tf.config.functions_run_eagerly():
            self.get_concrete_function()
        return self._function(*arguments)

    def get_concrete_function(self) -> Any:
        """The only one."""
        with self._making:
            if self._concrete is None:
                copy = _read(self._file, lambda c: GraphCopy.from_bytes(c, self._variables))
                if copy is not None:
                    signature = self._function.input_signature
                    self._function = tf.function(copy, input_signature=signature, autograph=False)
                self._concrete = self._function.get_concrete_function()
                if copy is None:
                    self._keep()
            return self._concrete

    def _keep(self) -> None:
        try:
            content = GraphCopy.of(self._concrete).to_bytes(self._variables)
        except ValueError:  # it has variables of its own, as a loss's scale with 16 bits
            return
        _write(self._file, content)


def counted(count: Callable[[], TracedMemory | None], *what: Any) -> TracedMemory | None:
    """The memory that `count` finds, which is kept too.

    Args:
      count: traces it; None where nobody can say.
      *what: tells it from the others of a configuration.
    """
    if _open is None:
        return count()
    file = _open.file("memory", *what)
    found = _read(file, lambda content: TracedMemory(**json.loads(content)))
    if found is None and (found := count()) is not None:
        _write(file, json.dumps(dataclasses.asdict(found)))
    return found


def _read(file: pathlib.Path, parse: Callable[[bytes], Any]) -> Any:
    """What is kept; None where nothing is, or nothing that can be read, which is told."""
    try:
        return parse(files.read_bytes(file, _ADVICE)) if files.exists(file) else None
    except (StateError, ValueError, TypeError) as error:
        warn(f"tf_darts: --graph_cache: {file} is made anew: {error}.")
        return None


def _write(file: pathlib.Path, content: str | bytes) -> None:
    """Keeps something; a run does not end where that cannot be done."""
    try:
        files.write_atomically(file, content)
    except StorageError as error:
        warn(f"tf_darts: --graph_cache: nothing is kept: {error}")


def _versions() -> list[str]:
    devices = sorted(device.device_type for device in tf.config.list_logical_devices())
    libraries = (tf.__version__, keras.__version__, np.__version__)
    return [platform.python_version(), *libraries, keras.config.image_data_format(), *devices]


def _code() -> dict[pathlib.Path, str]:
    """A digest of each file of this package, and of all other modules that are not installed."""
    installed = [sysconfig.get_path(n) for n in ("stdlib", "platstdlib", "purelib", "platlib")]
    loaded = (getattr(module, "__file__", None) for module in tuple(sys.modules.values()))
    paths = {pathlib.Path(file) for file in loaded if file and file.endswith(".py")}
    own = (
        path
        for path in paths
        if not any(map(path.is_relative_to, installed)) and not path.name.startswith(_GENERATED)
    )
    digests = {}
    for path in {*own, *_PACKAGE.rglob("*.py")}:
        with contextlib.suppress(OSError):  # what calls itself a file and is none
            digests[path] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests
