"""The settings of exporting a finished training."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.config.setting import setting
from tf_darts.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Where the run is and where its network goes."""

    purpose: ClassVar[str] = "exports"

    mode: str = setting("export", "what to do", choices=("export",))
    run_dir: str = setting("", "where the run lives (empty: under runs/)", operational=True)
    data_dir: str = setting("", "where the data are (empty: the usual place)", operational=True)
    export_dir: str = setting("", "where all exported versions of the network are")
    format: str = setting(
        "saved_model",
        "saved_model is for servers, the others are for small devices and other runtimes",
        choices=("saved_model", "litert", "onnx"),
    )
    version: int = setting(
        0, "number of the exported version (0: the highest and 1)", minimum=0, maximum=2**63 - 1
    )

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        """The configuration, checked; arguments as of `RunConfig.validated`."""
        del overrides, preset
        for name, purpose in (("run_dir", "of a training"), ("export_dir", "for the versions")):
            if not getattr(self, name):
                raise UserError(f"no --{name} given; --mode=export needs the directory {purpose}.")
        return self
