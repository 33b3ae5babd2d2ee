"""The settings of a search."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.cells.space import find_space
from tf_darts.config.division import divided, division_setting
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.config.run import RunConfig
from tf_darts.config.setting import MOST_EXAMPLES, again, operations_setting, setting
from tf_darts.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchConfig(RunConfig):
    """What every search has, whatever its space. Defaults are docs/method.md section 5's."""

    purpose: ClassVar[str] = "searches"

    mode: str = setting("search", "what to do", choices=("search",))
    optimization: str = setting(
        "bilevel",
        "bilevel (the method), or a baseline on training and validation data together: alternating"
        " steps of alpha and w, or simultaneous ones by w's SGD",
        choices=("bilevel", "joint_alternating", "joint_simultaneous"),
    )
    hypergradient: str = setting(
        "finite_difference",
        "how the architecture's gradient is estimated: "
        + ", ".join(f"{name} ({kind.about})" for name, kind in HYPERGRADIENTS.items()),
        choices=HYPERGRADIENTS,
    )
    finite_difference_radius: float = setting(
        0.01, "epsilon is this over the norm of the vector (eq. 8)", above=0.0, maximum=1e3
    )
    weight_learning_rate: float = setting(20.0, "of w, at its start", above=0.0, maximum=1e4)
    final_weight_learning_rate: float = setting(
        20.0,
        "of w, where the cosine from the first one ends (equal: constant)",
        minimum=0.0,
        maximum=1e4,
    )
    alpha_learning_rate: float = setting(3e-3, "of the architecture's Adam", above=0.0, maximum=1e4)
    alpha_beta_1: float = setting(0.9, "of the architecture's Adam", minimum=0.0, below=1.0)
    alpha_beta_2: float = setting(0.999, "of the architecture's Adam", minimum=0.0, below=1.0)
    alpha_weight_decay: float = setting(
        1e-3, "of alpha, added to the gradient", minimum=0.0, maximum=1e3
    )
    alpha_scale: float = setting(
        1e-3, "standard deviation of the first alpha", minimum=0.0, maximum=1e3
    )

    operations: str = operations_setting()

    @property
    def method(self) -> str:
        """What the search is compared by: the kind of its hypergradient, or a baseline's name."""
        return self.hypergradient if self.optimization == "bilevel" else self.optimization

    @property
    def unused(self) -> dict[str, str]:
        """Settings that mean nothing here, each with the flag that is why."""
        unused = {}
        why = f"--optimization={self.optimization}"
        kinds = HYPERGRADIENTS.values()
        estimate_settings = {name for kind in kinds for name in kind.settings.values()}
        if self.optimization != "bilevel":
            unused |= dict.fromkeys(("hypergradient", *sorted(estimate_settings)), why)
            unused["train_portion"] = why  # all is learnt from
        else:
            own_settings = set(HYPERGRADIENTS[self.hypergradient].settings.values())
            kind = f"--hypergradient={self.hypergradient}"
            unused |= dict.fromkeys(sorted(estimate_settings - own_settings), kind)
        if self.optimization == "joint_simultaneous":
            adams = ("learning_rate", "beta_1", "beta_2", "weight_decay")
            unused |= {f"alpha_{name}": why for name in adams}
        return unused

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        for name, why in self.unused.items():
            if name in overrides:
                raise UserError(f"--{name} has no meaning for {why}; leave it out.")
        self.check_devices()
        if self.operations:
            find_space(self.space).narrowed(self.operations)
        config, first, last = self, "weight_learning_rate", "final_weight_learning_rate"
        constant = getattr(preset, first) == getattr(preset, last)
        if constant and last not in overrides:
            # A constant rate stays one when only the rate is given.
            config = dataclasses.replace(config, final_weight_learning_rate=getattr(self, first))
        config.check_falling(first, last)
        if config.optimization != "bilevel":
            # Nothing is unrolled where the two parts of the data are one.
            config = dataclasses.replace(config, hypergradient="first_order")
        return config.with_run_dir(config.method)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextSearchConfig(SearchConfig):
    """What every search on text has: how the text is read. Defaults are for Penn Treebank."""

    purpose: ClassVar[str] = "searches on texts"

    bptt: int = setting(35, "time steps of a batch", minimum=4, maximum=10**4)
    short_probability: float = setting(
        0.05, "how often a training batch has half the time steps", minimum=0.0, below=1.0
    )
    min_count: int = setting(1, "rarer training words become <unk>", minimum=1, maximum=10**9)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSearchConfig(SearchConfig):
    """What every search on images has: how the images are read. Defaults are for CIFAR-10."""

    purpose: ClassVar[str] = "searches on images"
    prefers_inter_op_threads: ClassVar[bool] = True

    batch_size: int = again(SearchConfig, "batch_size", 64)
    evaluation_batch_size: int = again(SearchConfig, "evaluation_batch_size", 256)
    weight_learning_rate: float = again(SearchConfig, "weight_learning_rate", 0.025)
    final_weight_learning_rate: float = again(SearchConfig, "final_weight_learning_rate", 0.001)
    momentum: float = again(SearchConfig, "momentum", 0.9)
    weight_decay: float = again(SearchConfig, "weight_decay", 3e-4)
    clip_norm: float = again(SearchConfig, "clip_norm", 5.0)
    alpha_learning_rate: float = again(SearchConfig, "alpha_learning_rate", 3e-4)
    alpha_beta_1: float = again(SearchConfig, "alpha_beta_1", 0.5)
    image_size: int = setting(
        0, "pixels of a side (0: the data set's own)", minimum=0, maximum=2**13
    )
    train_portion: float = setting(
        0.5, "of the training images, for w; the rest is for alpha", above=0.0, below=1.0
    )
    train_examples: int = setting(
        0, "takes so many of the training images (0: all)", minimum=0, maximum=MOST_EXAMPLES
    )
    division: str = division_setting()
    crop_padding: int = setting(
        4, "pixels around an image before its random crop", minimum=0, maximum=2**12
    )
    flip: bool = setting(True, "half of the images, left to right")

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        return divided(super().validated(overrides, preset), overrides, "train_portion")
