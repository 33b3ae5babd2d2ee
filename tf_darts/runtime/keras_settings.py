"""What Keras and TensorFlow must find in the environment before they are first imported."""

import json
import logging
import os
import pathlib
import platform
import sys
import tempfile

from tf_darts.errors import UserError

# Keras reads these from its own file, keras.json; all else that it may hold changes nothing here.
_DEFAULTS = {
    "backend": "tensorflow",
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
}
_X86 = "x86_64", "AMD64"


def apply() -> None:
    """Makes Keras 3 on TensorFlow, with its defaults, of whatever other programs have set.

    TensorFlow, where it is not imported yet, is asked for oneDNN unless TF_ENABLE_ONEDNN_OPTS says
    otherwise.

    Raises:
      UserError: Keras has been imported already, on another backend.
    """
    os.environ["TF_USE_LEGACY_KERAS"] = "0"  # tf.keras is Keras 3
    # Left to itself, TensorFlow computes without oneDNN on a processor without AVX-512: a step of
    # a search then takes 1.2 to 1.4 times as long (docs/performance.md).
    if platform.machine() in _X86 and "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    keras = sys.modules.get("keras")
    if keras is not None:
        backend = keras.backend.backend()
        if backend != "tensorflow":
            raise UserError(
                f"tf_darts needs Keras on TensorFlow, and this process has imported it on {backend}"
                " already; unset KERAS_BACKEND (and backend in keras.json), or import tf_darts"
                " before keras."
            )
        return
    os.environ["KERAS_BACKEND"] = "tensorflow"
    file = _keras_home() / "keras.json"
    ignored = _deviations(file)
    if ignored:
        # Keras has no switch for one setting of the file, but takes another directory for it.
        os.environ["KERAS_HOME"] = str(_clean_home(file.parent))
        logging.getLogger("tf_darts").warning(
            "%s is not used, since it has %s: numbers would change.", file, ignored
        )


def _keras_home() -> pathlib.Path:
    """Where Keras looks for its file."""
    if "KERAS_HOME" in os.environ:
        home = os.path.expanduser(os.environ["KERAS_HOME"])  # noqa: PTH111 (as Keras does it)
        return pathlib.Path(home)
    home = os.path.expanduser("~")  # noqa: PTH111
    return pathlib.Path(home if os.access(home, os.W_OK) else "/tmp", ".keras")


def _deviations(file: pathlib.Path) -> str:
    """What of a keras.json would change numbers or stop Keras, in words; "" for nothing."""
    try:
        settings = json.loads(file.read_text())
    except (OSError, ValueError):  # none; or not JSON, which Keras passes over too
        return ""
    if not isinstance(settings, dict):
        return "no JSON object"
    used = {name: settings.get(name, value) for name, value in _DEFAULTS.items()}
    del used["backend"]  # the environment's is stronger
    return ", ".join(f"{n} {value}" for n, value in used.items() if value != _DEFAULTS[n])


def _clean_home(user_home: pathlib.Path) -> pathlib.Path:
    """A directory with no keras.json but Keras's own defaults."""
    try:
        home = user_home / "tf_darts"
        home.mkdir(exist_ok=True)
        if not _deviations(home / "keras.json"):
            return home
    except OSError:  # a home that cannot be written
        pass
    return pathlib.Path(tempfile.mkdtemp(prefix="keras_"))
