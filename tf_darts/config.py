"""Every setting, with the paper's values as presets by (mode, data set).

A setting is a field of a frozen dataclass; its metadata say what it may be. The command line
(`command_line.py`) makes one flag of each field, so a new setting is one line here.
"""

import dataclasses
import difflib
import math
import pathlib
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from tf_darts.errors import UserError


def setting(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    below: float | None = None,
    above: float | None = None,
    choices: tuple[str, ...] | None = None,
    operational: bool = False,
) -> Any:
    """A field of a configuration.

    Args:
      default: its value in the preset.
      help: one line for `--help`.
      minimum: the smallest value allowed.
      below: values must be smaller than this.
      above: values must be larger than this.
      choices: the only values allowed.
      operational: it changes how a run goes about its work, not what it computes, so a run may
        be resumed with another value.
    """
    metadata = {
        "help": help,
        "minimum": minimum,
        "below": below,
        "above": above,
        "choices": choices,
        "operational": operational,
    }
    return dataclasses.field(default=default, metadata=metadata)


def rate(default: float, help: str) -> Any:
    """A probability of dropping."""
    return setting(default, help, minimum=0.0, below=1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """What every search has, whatever its space. Defaults are docs/method.md section 5's.

    Attributes:
      learns_from: the kind of its data sets, for messages.
    """

    learns_from: ClassVar[str] = "all data sets"

    mode: str = setting("search", "what to do", choices=("search",))
    dataset: str = setting("ptb", "what to learn from")
    data_dir: str = setting("", "where the data are (empty: the usual place)", operational=True)
    run_dir: str = setting("", "where the run lives (empty: under runs/)", operational=True)
    seed: int = setting(0, "of every random draw of the run", minimum=0)
    epochs: int = setting(50, "passes over the training data", minimum=1)
    steps_per_epoch: int = setting(0, "shortens an epoch (0: all of it)", minimum=0)
    batch_size: int = setting(256, "examples of a training and of a validation batch", minimum=2)
    evaluation_batch_size: int = setting(10, "examples of a batch in evaluation", minimum=1)
    hypergradient: str = setting(
        "finite_difference",
        "first_order (xi = 0), finite_difference (the paper's second order) or exact",
        choices=("first_order", "finite_difference", "exact"),
    )
    finite_difference_radius: float = setting(
        0.01, "epsilon is this over the norm of the vector (eq. 8)", above=0.0
    )
    weight_learning_rate: float = setting(20.0, "of w, at its start", above=0.0)
    final_weight_learning_rate: float = setting(
        20.0, "of w, where the cosine from the first one ends (equal: constant)", minimum=0.0
    )
    momentum: float = setting(0.0, "of w's SGD", minimum=0.0, below=1.0)
    weight_decay: float = setting(5e-7, "of w, added to the gradient", minimum=0.0)
    clip_norm: float = setting(0.25, "largest global norm of w's gradient (0: none)", minimum=0.0)
    alpha_learning_rate: float = setting(3e-3, "of the architecture's Adam", above=0.0)
    alpha_beta_1: float = setting(0.9, "of the architecture's Adam", minimum=0.0, below=1.0)
    alpha_beta_2: float = setting(0.999, "of the architecture's Adam", minimum=0.0, below=1.0)
    alpha_weight_decay: float = setting(1e-3, "of alpha, added to the gradient", minimum=0.0)
    alpha_scale: float = setting(1e-3, "standard deviation of the first alpha", minimum=0.0)
    precision: str = setting("float32", "of all arithmetic", choices=("float32", "float64"))
    distribution: str = setting("one_device", "replicas of the step", choices=("one_device",))
    deterministic: bool = setting(
        False, "op determinism: bit-identical repetition, a little slower", operational=True
    )
    checkpoint_steps: int = setting(
        50,
        "steps between checkpoints, besides one at every epoch's end",
        minimum=1,
        operational=True,
    )
    max_rollbacks: int = setting(
        0,
        "how often a diverged search goes back to its last epoch's end",
        minimum=0,
        operational=True,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecurrentSearchConfig(SearchConfig):
    """The search for recurrent cells on text, as on Penn Treebank (docs/method.md section 5)."""

    learns_from: ClassVar[str] = "texts"

    units: int = setting(300, "width of embedding and hidden state", minimum=1)
    bptt: int = setting(35, "time steps of a batch", minimum=4)
    short_probability: float = setting(
        0.05, "how often a training batch has half the time steps", minimum=0.0, below=1.0
    )
    min_count: int = setting(1, "rarer training words become <unk>", minimum=1)
    embedding_dropout: float = rate(0.0, "whole rows (words) of the embedding")
    input_dropout: float = rate(0.2, "the embedded words")
    cell_input_dropout: float = rate(0.75, "x inside the cell")
    hidden_dropout: float = rate(0.25, "the states inside the cell")
    output_dropout: float = rate(0.75, "the cell's outputs")
    slowness: float = setting(1e-3, "weight of mean (h_t - h_t-1)^2 in w's loss", minimum=0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvolutionalSearchConfig(SearchConfig):
    """The search for convolutional cells on images (docs/method.md section 4)."""

    learns_from: ClassVar[str] = "images"

    channels: int = setting(16, "of the first cell's nodes", minimum=1)
    layers: int = setting(8, "cells of the supernet, two of them reduction cells", minimum=3)
    image_size: int = setting(0, "pixels of a side (0: the data set's own)", minimum=0)
    train_portion: float = setting(
        0.5, "of the training images, for w; the rest is for alpha", above=0.0, below=1.0
    )
    train_examples: int = setting(0, "takes so many of the training images (0: all)", minimum=0)
    crop_padding: int = setting(4, "pixels around an image before its random crop", minimum=0)
    flip: bool = setting(True, "half of the images, left to right")


_CIFAR10 = ConvolutionalSearchConfig(
    dataset="cifar10",
    batch_size=64,
    evaluation_batch_size=256,
    weight_learning_rate=0.025,
    final_weight_learning_rate=0.001,
    momentum=0.9,
    weight_decay=3e-4,
    clip_norm=5.0,
    alpha_learning_rate=3e-4,
    alpha_beta_1=0.5,
)

# The paper searches on ptb and cifar10; other texts and images take their settings.
PRESETS: Mapping[tuple[str, str], SearchConfig] = {
    ("search", "ptb"): RecurrentSearchConfig(),
    ("search", "wikitext2"): RecurrentSearchConfig(dataset="wikitext2"),
    ("search", "pydoc"): RecurrentSearchConfig(dataset="pydoc"),
    ("search", "text"): RecurrentSearchConfig(dataset="text"),
    ("search", "cifar10"): _CIFAR10,
    # Digits are not the same in a mirror, and these are 8 pixels wide.
    ("search", "digits"): dataclasses.replace(
        _CIFAR10, dataset="digits", crop_padding=1, flip=False
    ),
    ("search", "folder"): dataclasses.replace(_CIFAR10, dataset="folder"),
}
# By mode, what the image classification sets of TensorFlow Datasets take that are not named above.
TFDS_PRESETS: Mapping[str, SearchConfig] = {"search": _CIFAR10}

# Flags that other modes take. They are known, so that using one where it means nothing is answered
# with a reason; nothing reads their values.
ELSEWHERE: Mapping[str, str] = {"genotype": "modes that take a found cell"}


def fields(config: Any) -> dict[str, dataclasses.Field]:
    """The settings of a configuration (or of its class) by name."""
    return {field.name: field for field in dataclasses.fields(config)}


def _preset(mode: str, dataset: str | None, data_dir: str) -> SearchConfig:
    """The settings that a data set takes; raises `UserError` where it is not known."""
    if (mode, dataset) in PRESETS:
        return PRESETS[mode, dataset]
    datasets = [name for known, name in PRESETS if known == mode]
    choices = (
        f"with --mode={mode} use one of {', '.join(datasets)}, or an image classification set of"
        " TensorFlow Datasets."
    )
    if not dataset:
        raise UserError(f"no --dataset given; {choices}")
    # Name, configuration and version; a set may also be only in the user's directory.
    name = re.split("[/:]", dataset)[0]
    published = tfds.list_builders()
    if name in published or (data_dir and name and (pathlib.Path(data_dir) / name).is_dir()):
        return dataclasses.replace(TFDS_PRESETS[mode], dataset=dataset)
    near = difflib.get_close_matches(dataset, sorted({*datasets, *published}))
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    raise UserError(f"--dataset={dataset}: not known{hint}; {choices}")


def _owner(name: str) -> str | None:
    """What a flag is for that means nothing here."""
    kinds = {preset.learns_from for preset in PRESETS.values() if name in fields(preset)}
    return f"searches on {' and '.join(sorted(kinds))}" if kinds else ELSEWHERE.get(name)


def _check(field: dataclasses.Field, value: Any) -> None:
    allowed = field.metadata
    if allowed["choices"] and value not in allowed["choices"]:
        raise UserError(
            f"--{field.name}={value}: not known; use one of {', '.join(allowed['choices'])}."
        )
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    bounds = [
        (allowed["minimum"], "at least", lambda v, b: v >= b),
        (allowed["above"], "more than", lambda v, b: v > b),
        (allowed["below"], "less than", lambda v, b: v < b),
    ]
    bounds = [bound for bound in bounds if bound[0] is not None]
    inside = all(holds(value, bound) for bound, _, holds in bounds)
    if not (inside and math.isfinite(value)):
        words = " and ".join(f"{text} {bound:g}" for bound, text, _ in bounds)
        if not math.isfinite(value):
            words = f"a finite number {words}".rstrip()
        raise UserError(f"--{field.name}={value}: out of range; it must be {words}.")


def configure(overrides: Mapping[str, Any]) -> SearchConfig:
    """The preset of `overrides["mode"]` and `overrides["dataset"]`, with the rest put over it.

    Args:
      overrides: the settings given by name, `mode` and `dataset` among them.

    Raises:
      UserError: a name or value that is not allowed; the sentence lists what is.
    """
    modes = sorted({mode for mode, _ in PRESETS})
    mode, dataset = overrides.get("mode"), overrides.get("dataset")
    if mode not in modes:
        given = f"--mode={mode}: not known" if mode else "no --mode given"
        raise UserError(f"{given}; use one of {', '.join(modes)}.")
    preset = _preset(mode, dataset, overrides.get("data_dir", ""))
    known = fields(preset)
    for name, value in overrides.items():
        if name not in known:
            owner = f"; it is for {_owner(name)}" if _owner(name) else ""
            raise UserError(
                f"--{name} has no meaning for --mode={mode} --dataset={dataset}{owner}; leave it"
                " out."
            )
        _check(known[name], value)
    config = dataclasses.replace(preset, **overrides)
    if "finite_difference_radius" in overrides and config.hypergradient != "finite_difference":
        raise UserError(
            f"--finite_difference_radius has no meaning for --hypergradient={config.hypergradient};"
            " leave it out, or use --hypergradient=finite_difference."
        )
    constant = preset.final_weight_learning_rate == preset.weight_learning_rate
    if constant and "final_weight_learning_rate" not in overrides:
        # A constant rate stays one when only the rate is given.
        config = dataclasses.replace(config, final_weight_learning_rate=config.weight_learning_rate)
    if config.final_weight_learning_rate > config.weight_learning_rate:
        raise UserError(
            f"--final_weight_learning_rate={config.final_weight_learning_rate:g} is above"
            f" --weight_learning_rate={config.weight_learning_rate:g}; a schedule falls."
        )
    if not config.run_dir:
        name = re.sub(r"[/:]", "_", dataset)
        name = f"{mode}_{name}_{config.hypergradient}_seed{config.seed}"
        config = dataclasses.replace(config, run_dir=f"runs/{name}")
    return config


def computed_settings(config: SearchConfig) -> dict[str, Any]:
    """The settings that decide what a run computes, as JSON types: a resumed run shares them."""
    return {
        name: getattr(config, name)
        for name, field in fields(config).items()
        if not field.metadata["operational"]
    }
