"""The settings of a search, whatever it searches and on what data."""

import dataclasses
import functools
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tf_darts.cells.space import find_space, spaces
from tf_darts.cells.topology import CellTopology
from tf_darts.config import composition, method_names, methods
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.config.run import RunConfig
from tf_darts.config.setting import Members, fields, operations_setting, setting
from tf_darts.config.table import check_has_tables, table_setting
from tf_darts.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchConfig(RunConfig):
    """What every search has, whatever its space. Defaults are docs/method.md section 5's."""

    purpose: ClassVar[str] = "searches"

    mode: str = setting(
        "search", "The mode says what the program does.", group="run", choices=("search",)
    )
    method: str = setting(
        "darts",
        "The method is a composition of the parts below, each of which can also be chosen alone.",
        group="method",
        choices=Members(methods.methods),
    )
    hypergradient: str = setting(
        "finite_difference",
        "The architecture's gradient is estimated in this way.",
        group="method",
        choices=Members(lambda: HYPERGRADIENTS),
    )
    relaxation: str = setting(
        "softmax",
        "The relaxation makes mixing weights of alpha.",
        group="method",
        choices=Members(functools.partial(methods.parts, "relaxation")),
    )
    alpha_terms: str = setting(
        "",
        "These terms pull on alpha beside the validation loss; several are joined by commas, and"
        " an empty text means none.",
        group="method",
    )
    rules: str = setting(
        "",
        "These rules act on the record of the epochs; several are joined by commas, and an"
        " empty text means none.",
        group="method",
    )
    derivation: str = setting(
        "strongest_edges",
        "The derivation reads the discrete cell off the search.",
        group="method",
        choices=Members(functools.partial(methods.parts, "derivation")),
    )
    edge_options: str = setting(
        "",
        "These options change what an edge is besides its mixture; several are joined by commas,"
        " the innermost first, and an empty text means none.",
        group="method",
    )
    step_order: str = setting(
        "alpha_first",
        "A step moves alpha first, as in the paper, or the weights first.",
        group="method",
        choices=methods.ORDERS,
    )
    finite_difference_radius: float = setting(
        0.01,
        "The paper's finite difference has this radius: epsilon is the radius over the norm of the"
        " vector (eq. 8).",
        group="method",
        above=0.0,
        maximum=1e3,
    )
    weight_learning_rate: float = setting(
        20.0,
        "The learning rate of the weights begins at this value.",
        group="search",
        above=0.0,
        maximum=1e4,
    )
    final_weight_learning_rate: float = setting(
        20.0,
        "The learning rate of the weights falls to this value along a cosine; where both are"
        " equal, it is constant.",
        group="search",
        minimum=0.0,
        maximum=1e4,
    )
    alpha_learning_rate: float = setting(
        3e-3,
        "The architecture's Adam has this learning rate.",
        group="search",
        above=0.0,
        maximum=1e4,
    )
    alpha_beta_1: float = setting(
        0.9,
        "The architecture's Adam averages its gradients with this decay, beta 1.",
        group="search",
        minimum=0.0,
        below=1.0,
    )
    alpha_beta_2: float = setting(
        0.999,
        "The architecture's Adam averages its squared gradients with this decay, beta 2.",
        group="search",
        minimum=0.0,
        below=1.0,
    )
    alpha_weight_decay: float = setting(
        1e-3,
        "The architecture alpha, times this factor, is added to its gradient.",
        group="search",
        minimum=0.0,
        maximum=1e3,
    )
    alpha_clip_norm: float = setting(
        0.0,
        "The architecture's gradient is scaled down to this global norm where it is larger, before"
        " terms are added; 0 leaves it as it is.",
        group="search",
        minimum=0.0,
        maximum=1e30,
        legacy=0.0,
    )
    alpha_scale: float = setting(
        1e-3,
        "The first alpha is drawn with this standard deviation.",
        group="search",
        minimum=0.0,
        maximum=1e3,
    )

    operations: str = operations_setting()
    table: str = table_setting()

    @property
    def optimization(self) -> str:
        """What a step optimises on which data: "bilevel", or the name of a joint baseline."""
        return methods.find_method(self.method).optimization

    @property
    def label(self) -> str:
        """What the search is compared by: the method, and the parts that are not its own."""
        return method_names.label(self._settings)

    @property
    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in fields(self)}

    @property
    def cells(self) -> Mapping[str, CellTopology]:
        """The topology of each kind of cell that is searched."""
        return find_space(self.space).narrowed(self.operations)

    @property
    def staging(self) -> Any:
        """The rule by which several searches follow one another; None where there is none."""
        return next((rule for rule in self.make_parts("rules") if rule.stages() > 1), None)

    def all_epochs(self, cells: Mapping[str, CellTopology]) -> int:
        """The search's own epochs, and those that its derivation adds for these cells."""
        return self.epochs + self.make_parts("derivation")[0].more_epochs(cells)

    def make_parts(self, kind: str) -> tuple[methods.Part, ...]:
        """The parts of a kind (`methods.KINDS`), with their settings."""
        return tuple(
            part(**{name: getattr(self, name) for name in fields(part)})
            for part in methods.find_parts(kind, getattr(self, kind))
        )

    def make_monitors(self) -> tuple[methods.Part, ...]:
        """The rules that every search has, with their settings, but for those that are named."""
        named = methods.find_parts("rules", self.rules)
        return tuple(
            # A preset that was not `composed` has none of their settings.
            part(**{name: getattr(self, name) for name in fields(part) if hasattr(self, name)})
            for part in methods.monitors()
            if part not in named
        )

    def composed(self, overrides: Mapping[str, Any]) -> "SearchConfig":
        """This preset as a method's: with its parts, their settings as fields, and its values.

        Where the method does not say which moves first, α or w, the space does (`step_order`),
        unless the order means nothing for the method.

        Args:
          overrides: the settings that the user gave; those that name parts count.

        Raises:
          UserError: there is no such method or part.
        """
        # What is no text is refused where settings are checked.
        texts = {name: value for name, value in overrides.items() if isinstance(value, str)}
        method = methods.find_method(texts.get("method", self.method)).of_space(self.space)
        composition.check_settings(method, fields(self))
        usual = dict(method.parts)
        if method.step_order is None and "step_order" not in method.unused:
            usual["step_order"] = self.step_order
        chosen = {name: texts.get(name, value) for name, value in usual.items()}
        parts = [part for kind in methods.KINDS for part in methods.find_parts(kind, chosen[kind])]
        parts += [part for part in methods.monitors() if part not in parts]
        values = {name: getattr(self, name) for name in fields(self)} | chosen
        values |= {"method": method.name} | dict(method.settings)
        # Rounded as people would write it: 27 times 3e-4 is 0.0081.
        values |= {n: float(f"{f * values[n]:.12g}") for n, f in method.factors.items()}
        made = composition.with_settings_of(type(self), tuple(parts))
        # A method's setting of a part that another takes the place of means nothing.
        return made(**{name: value for name, value in values.items() if name in fields(made)})

    def recorded(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings as a run's `config.json` has them, see `method_names.recorded`."""
        return method_names.recorded(settings)

    @property
    def unused(self) -> dict[str, str]:
        """Settings that mean nothing here, each with the flag that is why."""
        method = methods.find_method(self.method)
        why = f"--method={self.method}"
        unused = dict.fromkeys(method.unused, why)
        kinds = HYPERGRADIENTS.values()
        estimate_settings = {name for kind in kinds for name in kind.settings.values()}
        if method.optimization != "bilevel":
            unused |= dict.fromkeys(("hypergradient", *sorted(estimate_settings)), why)
            unused["train_portion"] = why  # all is learnt from
        else:
            own_settings = set(HYPERGRADIENTS[self.hypergradient].settings.values())
            kind = f"--hypergradient={self.hypergradient}"
            unused |= dict.fromkeys(sorted(estimate_settings - own_settings), kind)
        for part in (part for kind in methods.KINDS for part in self.make_parts(kind)):
            unused |= dict.fromkeys(part.unused, f"--{part.kind}={part.name}")
            if "hypergradient" in part.unused:
                unused |= dict.fromkeys(sorted(estimate_settings), f"--{part.kind}={part.name}")
        if self.staging is not None:
            own = self.staging.settings_of_stage(0)
            unused |= dict.fromkeys(own, f"--rules={self.staging.name}, each stage having its own")
        return unused

    def validated(self, overrides: Mapping[str, Any], preset: Self) -> Self:
        first_stage = {} if self.staging is None else self.staging.settings_of_stage(0)
        for name, why in self.unused.items():
            if name in overrides:
                if name not in first_stage:
                    raise UserError(f"--{name} has no meaning for {why}; leave it out.")
                if overrides[name] != first_stage[name]:  # a flagfile may have that of the first
                    raise UserError(
                        f"--{name}={overrides[name]}: {why}, the first {first_stage[name]}"
                        " (--stage_settings); leave it out."
                    )
        usual = {name: getattr(preset, name) for name in first_stage if name in overrides}
        if any(getattr(self, name) != value for name, value in usual.items()):
            return dataclasses.replace(self, **usual).validated(overrides, preset)
        self.check_devices()
        self.check_momentum(overrides)
        if self.operations:
            find_space(self.space).narrowed(self.operations)
        if self.table:
            check_has_tables(self.space)
        config, first, last = self, "weight_learning_rate", "final_weight_learning_rate"
        constant = getattr(preset, first) == getattr(preset, last)
        if constant and last not in overrides:
            # A constant rate stays one when only the rate is given.
            config = dataclasses.replace(config, final_weight_learning_rate=getattr(self, first))
        config.check_falling(first, last)
        config = dataclasses.replace(config, method=method_names.named(config._settings))
        config._check_edge_options()
        for kind in methods.KINDS:
            for part in config.make_parts(kind):
                part.check(config)
        # Searches of the paper's method were called by their estimate once.
        old = config.hypergradient if config.recorded(config._settings)["method"] == "darts" else ""
        return config.with_run_dir(re.sub(r"\W+", "_", config.label), old)

    def _check_edge_options(self) -> None:
        """Raises `UserError` where an option changes edges that take no such option."""
        if find_space(self.space).wraps_edges:
            return
        fitting = ", ".join(name for name, space in spaces().items() if space.wraps_edges)
        for part in self.make_parts("edge_options"):
            if part.wraps():
                raise UserError(
                    f"--edge_options={part.name}: it changes what an edge computes, which the edges"
                    f" of the space {self.space} do not offer; search in one of {fitting}, or give"
                    " --edge_options= without it."
                )
