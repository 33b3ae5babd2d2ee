"""The settings of studies: many candidates, each trained from scratch for a short time."""

import abc
import dataclasses
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.config.run import RunConfig
from tf_darts.config.setting import again, operations_setting, setting
from tf_darts.config.table import table_score_setting, table_setting
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import UserError
from tf_darts.runtime import files

TUNERS = ("random", "bayesian", "hyperband")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyConfig(abc.ABC):
    """What all studies have.

    The settings of their searches and trainings are texts: "units=64,epochs=5" over the data set's
    own.
    """

    purpose: ClassVar[str] = "studies"
    # What the mode was called when runs began that may go on.
    old_modes: ClassVar[tuple[str, ...]] = ()

    mode: str = again(RunConfig, "mode", "")
    dataset: str = again(RunConfig, "dataset", "")
    space: str = again(RunConfig, "space", "")
    operations: str = operations_setting()
    data_dir: str = again(RunConfig, "data_dir", "")
    run_dir: str = again(RunConfig, "run_dir", "")
    seed: int = setting(
        0,
        "Every random draw of the run follows from this seed.",
        group="run",
        minimum=0,
        maximum=2**31 - 1,
    )
    precision: str = again(RunConfig, "precision", "float32")
    deterministic: bool = again(RunConfig, "deterministic", False)
    train_settings: str = setting(
        "",
        "The training of each candidate has these settings: NAME=VALUE,NAME=VALUE,... over the"
        " data set's own.",
        group="study",
    )
    chief_patience: float = setting(
        120.0,
        "A worker of the study waits this long for its chief.",
        group="devices",
        unit="seconds",
        above=0.0,
        maximum=1e7,
        operational=True,
    )

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        """The configuration with a run directory; arguments as of `RunConfig.validated`."""
        del overrides, preset
        if not self.dataset:
            raise UserError(f"no --dataset given; --mode={self.mode} needs one.")
        if self.run_dir:
            return self
        name = re.sub(r"[/:]", "_", self.dataset)
        kind = re.sub(r"[^\w]+", "_", self.kind)[:60]
        directories = [
            f"runs/{mode}_{name}_{kind}_seed{self.seed}" for mode in (*self.old_modes, self.mode)
        ]
        begun = [directory for directory in directories[:-1] if files.is_directory(directory)]
        return dataclasses.replace(self, run_dir=(begun or directories[-1:])[0])

    @property
    @abc.abstractmethod
    def kind(self) -> str:
        """What tells studies of one mode and data set apart in the names of their directories."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LookedUpConfig(StudyConfig):
    """Studies whose cells can be looked up in a table in place of being trained."""

    # Settings that mean nothing where cells are looked up.
    of_trainings: ClassVar[tuple[str, ...]] = ()

    table: str = table_setting()
    table_score: str = table_score_setting()

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        if not self.table and self.table_score:
            raise UserError("--table_score has no meaning without --table; leave it out.")
        if self.table:
            unused = [name for name in self.of_trainings if overrides.get(name)]
            if re.sub(self.budget, "", self.train_settings.strip()):
                unused.append("train_settings")
            if unused:
                raise UserError(
                    f"--{unused[0]} has no meaning for --table, where nothing is trained; leave it"
                    " out."
                )
        return super().validated(overrides, preset)

    @property
    def budget(self) -> str:
        """A pattern of the only settings of a training that mean something for a lookup."""
        return "$"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelectConfig(LookedUpConfig):
    """Candidates of several sources, the best of which is selected (docs/method.md section 6)."""

    purpose: ClassVar[str] = "selections"

    mode: str = setting(
        "select", "The mode says what the program does.", group="run", choices=("select",)
    )
    candidates: str = setting(
        "search",
        "The cells come from these sources, several joined by commas: search, the names of methods"
        f" and of estimates ({', '.join(HYPERGRADIENTS)}), random, published cells, files.",
        group="study",
    )
    count: int = setting(
        4,
        "Each source gives cells for this many seeds, from --seed on.",
        group="study",
        unit="seeds",
        minimum=1,
        maximum=10**4,
    )
    snapshots: int = setting(
        0,
        "The study also trains this many cells that a search held on its way (Figure 3).",
        group="study",
        unit="cells",
        minimum=0,
        maximum=10**4,
    )
    search_settings: str = setting(
        "",
        "The search of each candidate has these settings: NAME=VALUE,NAME=VALUE,... over the data"
        " set's own.",
        group="study",
    )

    @property
    def kind(self) -> str:
        return self.candidates


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlackBoxConfig(LookedUpConfig):
    """Black-box search: the cell itself as hyperparameters of a keras-tuner tuner."""

    purpose: ClassVar[str] = "black-box searches"
    of_trainings: ClassVar[tuple[str, ...]] = ("data_dir", "precision", "deterministic")
    old_modes: ClassVar[tuple[str, ...]] = ("random_search",)

    mode: str = setting(
        "black_box", "The mode says what the program does.", group="run", choices=("black_box",)
    )
    tuner: str = setting(
        "random", "This tuner of keras-tuner proposes the trials.", group="study", choices=TUNERS
    )
    trials: int = setting(
        16,
        "The tuner makes this many trials; hyperband decides by itself how many.",
        group="study",
        unit="trials",
        minimum=1,
        maximum=10**5,
    )

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        check_trials(self.tuner, overrides)
        return super().validated(overrides, preset)

    @property
    def kind(self) -> str:
        return self.tuner

    @property
    def budget(self) -> str:
        return r"epochs=\d+$" if self.tuner == "hyperband" else "$"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TuneConfig(StudyConfig):
    """Hyperparameters of a training, or of a search that a short training judges."""

    purpose: ClassVar[str] = "tunings"

    mode: str = setting(
        "tune", "The mode says what the program does.", group="run", choices=("tune",)
    )
    tune: str = setting(
        "",
        "The study tunes these settings: NAME=LOW:HIGH[:log],... of a training, or search.NAME=..."
        " of a search.",
        group="study",
    )
    tuner: str = again(BlackBoxConfig, "tuner", "random")
    trials: int = again(BlackBoxConfig, "trials", 16)
    genotype: str = again(TrainingConfig, "genotype", "")
    search_settings: str = again(SelectConfig, "search_settings", "")

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        check_trials(self.tuner, overrides)
        if not self.tune:
            raise UserError(
                "no --tune given; --mode=tune needs FIELD=LOW:HIGH, for example"
                " --tune=learning_rate=1:40:log."
            )
        if self.genotype and "search_settings" in overrides:
            raise UserError("--search_settings has no meaning with --genotype; leave it out.")
        if self.genotype and self.operations:
            raise UserError("--operations has no meaning with --genotype; leave it out.")
        return super().validated(overrides, preset)

    @property
    def kind(self) -> str:
        return f"{self.tuner}_{self.tune}"


def check_trials(tuner: str, overrides: Mapping[str, Any]) -> None:
    """Raises `UserError` where the number of trials is given to a tuner that does not take it."""
    if tuner == "hyperband" and "trials" in overrides:
        raise UserError(
            "--trials has no meaning for --tuner=hyperband, whose number follows from the"
            " training's epochs; leave it out."
        )
