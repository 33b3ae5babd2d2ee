"""In what a run is computed: versions, devices, processor, command; each start of it is recorded.

`environment.json` stands in every run directory. It is for people: nothing compares it, and a run
goes on in another environment.
"""

import collections
import datetime
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from etils import epy

from tf_darts import __version__
from tf_darts.errors import StateError
from tf_darts.runtime import files
from tf_darts.runtime.console import warn

with epy.lazy_imports():
    import tensorflow as tf

ENVIRONMENT = "environment.json"
MEMBERS = "tf_darts_members"  # the modules of files that `--load` names are in this package
DIGEST = "__digest__"  # of its file, an attribute of each

# By what they are called, the distributions that may have them.
_LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "TensorFlow": ("tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-intel"),
    "Keras": ("keras",),
    "NumPy": ("numpy",),
}
_ROOT = pathlib.Path(__file__).resolve().parents[2]


def versions() -> str:
    """One line of the versions of all that a run is computed with."""
    known = _versions()
    ours = known.pop("tf_darts")
    commit = f" (commit {known.pop('commit')})" if "commit" in known else ""
    return f"tf_darts {ours}{commit}, {', '.join(f'{n} {v}' for n, v in known.items())}"


def environment() -> dict[str, Any]:
    """What this process computes in, as JSON types; starts no device."""
    own = {"own_files": files_of_others} if (files_of_others := _files_of_others()) else {}
    return own | {
        "versions": _versions(),
        "system": platform.platform(),
        "processor": f"{_processor()}, {_count(_cores())} for this process",
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "as TensorFlow decides"),  # "0" or "1"
        "devices": [_device(device) for device in tf.config.list_physical_devices()],
    }


def record_start(path: pathlib.Path) -> None:
    """Adds this start to a run's `environment.json`: what is now, as far as it has changed.

    What may round sums otherwise than before is told. A file that cannot be read is begun anew,
    with a warning.

    Args:
      path: the run directory, which this process holds.

    Raises:
      StorageError: the file cannot be written.
    """
    file = path / ENVIRONMENT
    try:
        starts = _starts(file)
    except StateError as error:
        warn(f"tf_darts: {error} It is begun anew; the run goes on.")
        starts = []
    known: dict[str, Any] = {}
    for start in starts:
        known |= start
    here = environment()
    now = {name: value for name, value in here.items() if known.get(name) != value}
    if known:
        _tell_changes(path, known, here)
    time = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    starts.append({"time": time, "command": command(), **now})
    files.write_atomically(file, json.dumps({"starts": starts}, indent=2) + "\n")


def _tell_changes(path: pathlib.Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Warns if a run is to be computed by something else: it need not end as it would have."""
    files_before, files_now = (start.get("own_files", {}) for start in (before, now))
    names = sorted(n for n, digest in files_now.items() if files_before.get(n, digest) != digest)
    if names:
        warn(
            f"tf_darts: {path} was begun with another {' and '.join(names)}. What is computed from"
            " here on is by the file as it is now, and may end otherwise than it would have."
        )
    changes = [
        f"{was}, now {is_now.removeprefix('TensorFlow ')}"
        for was, is_now in zip(_arithmetic(before), _arithmetic(now), strict=True)
        if was != is_now
    ]
    if changes:
        warn(
            f"tf_darts: {path} was computed with {'; '.join(changes)}. What is computed from here"
            " on may be rounded otherwise, and then ends otherwise than it would have there."
        )


def _arithmetic(start: Mapping[str, Any]) -> list[str]:
    """What decides how a sum is rounded, in words."""
    listed = start.get("versions")
    version = listed.get("TensorFlow", "?") if isinstance(listed, Mapping) else "?"
    devices = start.get("devices")
    kinds = devices if isinstance(devices, list) else ["CPU"]
    # Runs from before it was recorded did not ask for it.
    onednn = {"0": "oneDNN off", "1": "oneDNN on"}.get(
        str(start.get("onednn", "")), "oneDNN as TensorFlow decides"
    )
    processor = str(start.get("processor", "?"))
    processor = processor.replace(", 1 cores for", ", 1 core for")  # as older versions wrote it
    return [f"TensorFlow {version}", onednn, processor, " and ".join(map(str, kinds))]


def recorded_environment(path: pathlib.Path) -> list[dict[str, Any]]:
    """Every start of a run with its whole environment; of older versions' runs there is none.

    Raises:
      StateError: the file cannot be read.
    """
    known: dict[str, Any] = {}
    starts = []
    for start in _starts(path / ENVIRONMENT):
        known = known | start
        starts.append(known)
    return starts


def in_short(path: pathlib.Path) -> str:
    """The environment of a run's last start, and when it began; "not recorded" of old runs."""
    try:
        starts = recorded_environment(path)
    except StateError:
        return f"{ENVIRONMENT} cannot be read"
    if not starts:
        return "not recorded"
    often = f", started {len(starts)} times" if len(starts) > 1 else ""
    return f"{in_words(starts[-1])}; begun {starts[0].get('time', '')}{often}"


def last_command(path: pathlib.Path) -> str:
    """The command of a run's last start; "not recorded" of old runs."""
    try:
        starts = recorded_environment(path)
    except StateError:
        return f"{ENVIRONMENT} cannot be read"
    return str(starts[-1].get("command", "not recorded")) if starts else "not recorded"


def in_words(start: Mapping[str, Any]) -> str:
    """A start as people read it: versions, processor and what there is besides."""
    listed = start.get("versions")
    words = [f"{n} {v}" for n, v in listed.items()] if isinstance(listed, Mapping) else []
    devices = start.get("devices")
    others = [str(d) for d in devices if d != "CPU"] if isinstance(devices, list) else []
    return ", ".join([*words, str(start.get("processor", "")), *others]).strip(", ")


def in_rows(start: Mapping[str, Any]) -> dict[str, str]:
    """A start by what is recorded of it, each as one text."""
    return {name: _in_one(value) for name, value in start.items()}


def command() -> str:
    """The command of this process, as a shell takes it."""
    return shlex.join(sys.orig_argv)


def _in_one(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _starts(file: pathlib.Path) -> list[dict[str, Any]]:
    if not files.exists(file):
        return []
    starts = files.read_json(file).get("starts")
    if not isinstance(starts, list) or not all(isinstance(start, dict) for start in starts):
        raise StateError(f"{file}: holds no starts of a run.")
    return starts


def _versions() -> dict[str, str]:
    known = {"tf_darts": __version__}
    commit = _commit()
    if commit:
        known["commit"] = commit
    known["Python"] = platform.python_version()
    for name, distributions in _LIBRARIES.items():
        for distribution in distributions:
            try:
                known[name] = importlib.metadata.version(distribution)
                break
            except importlib.metadata.PackageNotFoundError:
                continue
    return known


def _files_of_others() -> dict[str, str]:
    """By name, a digest of each file that `--load` has loaded, as it was then.

    Files of one name stand there by their whole paths.
    """
    own = {
        pathlib.Path(module.__file__): module.__dict__[DIGEST]
        for name, module in sys.modules.items()
        if name.startswith(f"{MEMBERS}.")
    }
    alike = collections.Counter(path.name for path in own)
    return {path.name if alike[path.name] == 1 else str(path): mark for path, mark in own.items()}


def digest(content: bytes) -> str:
    """What is recorded of a file."""
    return hashlib.sha256(content).hexdigest()[:16]


def _commit() -> str:
    """The commit of a checkout, with "-dirty" where files differ; "" where nobody knows one."""
    if not (_ROOT / ".git").exists():
        return _installed_commit()
    asked = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    quiet = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=5, env=quiet)
    except (OSError, subprocess.SubprocessError):
        return ""  # no git here, or none that answers
    return said.stdout.strip() if said.returncode == 0 else ""


def _installed_commit() -> str:
    """The commit that pip installed from a repository."""
    try:
        text = importlib.metadata.distribution("tf_darts").read_text("direct_url.json")
        return str(json.loads(text or "{}").get("vcs_info", {}).get("commit_id", ""))[:7]
    except (importlib.metadata.PackageNotFoundError, ValueError, AttributeError):
        return ""


def _processor() -> str:
    """The processor's name."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _count(cores: int) -> str:
    return "1 core" if cores == 1 else f"{cores} cores"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _device(device: Any) -> str:
    """A device as people call it: "GPU: NVIDIA H100"."""
    name = tf.config.experimental.get_device_details(device).get("device_name")
    return f"{device.device_type}: {name}" if name else device.device_type
