"""P-DARTS (Chen et al., ICCV 2019): a search in stages, in deeper and deeper networks."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_darts.bilevel.epoch_rules import EpochRule, Record
from tf_darts.cells.topology import CellTopology
from tf_darts.config import setting as settings
from tf_darts.config.methods import KINDS, register, register_method
from tf_darts.config.setting import setting
from tf_darts.errors import UserError
from tf_darts.runtime.files import shown

# What all stages share, or the run would be no search of one thing.
_SHARED = ("seed", "train_portion", "train_examples")


@register("progressive_shrinking")
class ProgressiveShrinking(EpochRule):
    """Searches in stages: each has fewer operations, and w and alpha from the start.

    After each stage but the last every edge loses the operations with the smallest mixing weights,
    of equals the first; `none` goes like any other. Only the lists of operations are handed on. A
    stage goes through all epochs, with its own cosine and warm-up; a rule that stops ends its
    stage. (In the official code `none` goes first after the last stage: here that is the
    derivation's, `skip_limit`.)
    """

    stage_operations: str = setting(
        "3/2",
        "An edge keeps this many operations after the first stage, after the second, and so on.",
    )
    stage_settings: str = setting(
        "",
        "These settings change from stage to stage, as layers:5/11/17,skip_dropout:0.1/0.4/0.7.",
    )

    def stages(self) -> int:
        return 1 + len(self._kept)

    def settings_of_stage(self, stage: int) -> Mapping[str, Any]:
        return {name: values[stage] for name, values in self._changing.items()}

    def cells_of_stage(
        self, stage: int, record: Record, cells: Mapping[str, CellTopology]
    ) -> dict[str, CellTopology]:
        return {
            kind: shrunk(topology, np.array(record["mixing"][kind]), self._kept[stage - 1])
            for kind, topology in cells.items()
        }

    @property
    def _kept(self) -> list[int]:
        """How many operations an edge keeps after each stage but the last."""
        try:
            return [int(text) for text in self.stage_operations.split("/")]
        except ValueError:
            raise UserError(
                f"--stage_operations={shown(self.stage_operations)}: give whole numbers with /"
                " between them, like 5/3."
            ) from None

    @property
    def _changing(self) -> dict[str, list[int | float]]:
        """The values of each setting that changes, one for each stage."""
        changing: dict[str, list[int | float]] = {}
        for part in filter(None, self.stage_settings.split(",")):
            name, _, texts = part.strip().partition(":")
            try:
                values = [_number(text) for text in texts.split("/")]
            except ValueError:
                values = []
            if len(values) != self.stages() or name in changing:
                raise UserError(
                    f"--stage_settings={shown(self.stage_settings)}: {shown(repr(part))} is no"
                    f" NAME: with {self.stages()} numbers, one for each stage, or its NAME is there"
                    f" twice; write it like layers:{'/'.join(['8'] * self.stages())}."
                )
            changing[name] = values
        return changing

    def check(self, config: Any) -> None:
        for rule in config.make_parts("rules"):
            if rule.stages() > 1 and rule.name != self.name:
                raise UserError(
                    f"--rules={config.rules}: both {self.name} and {rule.name} search in stages;"
                    " leave one of the two out."
                )
        if config.make_parts("derivation")[0].more_epochs(config.cells):
            raise UserError(
                f"--rules={self.name}: --derivation={config.derivation} would train on after each"
                " stage, though the next begins anew; leave one of the two out."
            )
        self._check_settings(config)
        self._check_operations(config)

    def _check_operations(self, config: Any) -> None:
        columns = min(topology.columns for topology in config.cells.values())
        counts = [columns, *self._kept]
        falling = all(later < earlier for earlier, later in itertools.pairwise(counts))
        if falling and counts[-1] >= 2:
            return
        if columns < 3:
            raise UserError(
                f"--rules={self.name}: an edge has {columns} operations to begin with, and keeps at"
                " least 2; leave the rule out, or give more --operations."
            )
        stages = min(len(self._kept), columns - 2)
        example = "/".join(str(int(n)) for n in np.linspace(columns, 2, stages + 1)[1:])
        raise UserError(
            f"--stage_operations={self.stage_operations}: an edge has {columns} operations in the"
            " first stage, in each later one fewer than before, and in the last at least 2; give"
            f" numbers that fall from below {columns}, like {example}."
        )

    def _check_settings(self, config: Any) -> None:
        known = settings.fields(config)
        for name, values in self._changing.items():
            field = known.get(name)
            if field is None or field.type not in (int, float) or name in _SHARED:
                what = "is no setting of this search" if field is None else "cannot change"
                parts = self.stage_settings.split(",")
                others = (part for part in parts if part.partition(":")[0].strip() != name)
                raise UserError(
                    f"--stage_settings={self.stage_settings}: {shown(name)} {what} (the space is"
                    f" {config.space}); give --stage_settings={','.join(others)} without it."
                )
            if field.metadata["operational"]:
                raise UserError(
                    f"--stage_settings={self.stage_settings}: {name} does not change what is"
                    f" computed; give it as --{name}."
                )
            for value in values:
                settings.check(field, value)
        for stage in range(self.stages()):
            of_stage = dataclasses.replace(config, **self.settings_of_stage(stage))
            for kind in KINDS:
                for part in of_stage.make_parts(kind):
                    if part.name != self.name:
                        part.check(of_stage)


def shrunk(topology: CellTopology, mixing: np.ndarray, count: int) -> CellTopology:
    """The topology in which each edge has its strongest operations alone, in their order.

    Args:
      topology: of a kind of cell.
      mixing: [edges, operations], by which operations are judged.
      count: how many operations each edge keeps.
    """
    lists = []
    for edge in range(topology.edges):
        weakest = np.argsort(mixing[edge], kind="stable")[: topology.columns - count]
        names = topology.operations_of(edge)
        lists.append(tuple(name for k, name in enumerate(names) if k not in weakest))
    return dataclasses.replace(topology, operations=tuple(lists))


def _number(text: str) -> int | float:
    return int(text) if text.strip().isdecimal() else float(text)


register_method(
    "p_darts",
    "first order in three stages, in deeper networks with fewer operations (Chen et al. 2019)",
    rules=("warm_up", "progressive_shrinking"),
    derivation="skip_limit",
    hypergradient="first_order",
    edge_options=("skip_dropout",),
    # Those of CIFAR-10; w and alpha are clipped at the same norm.
    settings={
        "epochs": 25,
        "batch_size": 96,
        "final_weight_learning_rate": 0.0,
        "alpha_learning_rate": 6e-4,
        "alpha_clip_norm": 5.0,
        "warm_up_epochs": 10,
        "stage_operations": "5/3",
        "stage_settings": "layers:5/11/17,skip_dropout:0.1/0.4/0.7",
    },
    # The authors searched in no other space than theirs. In NAS-Bench-201's the network grows to
    # its full size, and an edge has 5, 3 and 2 operations; a recurrent network does not grow, and
    # its edges take no dropout: there the rest runs with --edge_options=.
    by_space={
        "nasbench201": {
            "settings": {
                "stage_operations": "3/2",
                "stage_settings": "cells_per_stage:1/3/5,skip_dropout:0.1/0.4/0.7",
            }
        },
        "recurrent": {"settings": {"stage_operations": "3/2", "stage_settings": ""}},
    },
    colour="#8a6d3b",
)
