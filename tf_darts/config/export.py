"""The settings of exporting a finished training."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.config.run import RunConfig
from tf_darts.config.setting import again, setting
from tf_darts.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Where the run is and where its network goes."""

    purpose: ClassVar[str] = "exports"

    mode: str = setting(
        "export", "The mode says what the program does.", group="run", choices=("export",)
    )
    run_dir: str = setting(
        "",
        "The finished training whose network is exported lives in this directory.",
        group="run",
        operational=True,
    )
    data_dir: str = again(RunConfig, "data_dir", "")
    export_dir: str = setting(
        "",
        "The exported versions of the network stand in this directory, each in a folder with its"
        " number.",
        group="export",
    )
    format: str = setting(
        "saved_model",
        "The network is written in this format: saved_model is for servers, the others are for"
        " small devices and other runtimes.",
        group="export",
        choices=("saved_model", "litert", "onnx"),
    )
    export_version: int = setting(
        0,
        "The exported version has this number; 0 takes the highest that is there, and 1 more.",
        group="export",
        minimum=0,
        maximum=2**63 - 1,
    )

    license: str = setting(
        "unknown",
        "The exported weights are under this licence, which the model card names as the Hugging"
        " Face Hub does (apache-2.0, mit, other, …).",
        group="export",
    )

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        """The configuration, checked; arguments as of `RunConfig.validated`."""
        del overrides, preset
        for name, purpose in (("run_dir", "of a training"), ("export_dir", "for the versions")):
            if not getattr(self, name):
                raise UserError(f"no --{name} given; --mode=export needs the directory {purpose}.")
        if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", self.license) is None:
            raise UserError(
                f"--license={self.license}: licences are named in lower case, without spaces, such"
                " as apache-2.0; give one of these names, or unknown."
            )
        return self
