"""The settings of testing a finished training."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.config.run import RunConfig
from tf_darts.config.setting import again, setting
from tf_darts.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingTestConfig:
    """Where the run is; all else stands in its directory."""

    purpose: ClassVar[str] = "tests"

    mode: str = setting(
        "test", "The mode says what the program does.", group="run", choices=("test",)
    )
    run_dir: str = setting(
        "",
        "The finished training that is tested lives in this directory.",
        group="run",
        operational=True,
    )
    data_dir: str = again(RunConfig, "data_dir", "")

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        """The configuration, checked; arguments as of `RunConfig.validated`."""
        del overrides, preset
        if not self.run_dir:
            raise UserError("no --run_dir given; --mode=test needs the directory of a training.")
        return self
