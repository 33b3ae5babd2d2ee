"""What a search is called where methods are compared, and how its record says its method."""

from collections.abc import Mapping
from typing import Any

from tf_darts.cells.space import find_space
from tf_darts.config.hypergradients import HYPERGRADIENTS
from tf_darts.config.methods import PAPERS, Method, find_method, methods
from tf_darts.errors import UserError


def named(settings: Mapping[str, Any]) -> str:
    """The name of the method that a search's parts are nearest to: its own, or another one.

    So `--method=darts --hypergradient=first_order` is `darts_first`, whatever rules come on top.

    Args:
      settings: of the search: `method`, and the parts, of which those that are missing are the
        paper's.
    """
    space = _space(settings)
    own = methods()[settings["method"]].of_space(space)
    chosen = {name: settings.get(name, usual) for name, usual in PAPERS.parts.items()}

    def distance(method: Method) -> tuple[int, int]:
        """How many parts are others than the method's; all where it is out of the question.

        Of equals a method's own parts that the search has not: nobody asked for them.
        """
        settled = all(settings.get(n, v) == v for n, v in method.settings.items())
        settled = settled and not method.factors and not own.factors
        if method.name == own.name:
            return len(_others(method, chosen, settings)), 0
        if not (settled and method.optimization == own.optimization):
            return len(chosen), len(chosen)
        missing = sum(v not in (chosen[n], PAPERS.parts[n]) for n, v in method.parts.items())
        return len(_others(method, chosen, settings)), missing

    others = (method.of_space(space) for method in methods().values())
    return min((own, *others), key=distance).name


def _space(settings: Mapping[str, Any]) -> str:
    """The space of a search: the usual one of its data, where that is left out; "": not known."""
    from tf_darts.config import presets  # which is made of what is here

    if settings.get("space") or "dataset" not in settings:
        return settings.get("space", "")
    return presets.usual_space(presets.kind_of(settings["dataset"])).name


def recorded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a search as its run records them: what was the only way once is left out.

    Runs of commit 517e77a knew the paper's method with its estimates and no other parts, and go on.
    """
    usual = {name: value for name, value in PAPERS.parts.items() if name != "hypergradient"}
    more = {name: value for name, value in settings.items() if usual.get(name) != value}
    method = find_method(settings["method"])
    is_papers = method.optimization == PAPERS.optimization and not method.factors
    is_papers = is_papers and not usual.keys() & more.keys()
    return more | ({"method": PAPERS.name} if is_papers else {})


def label(settings: Mapping[str, Any]) -> str:
    """What a search is called where methods are compared: its method's name.

    The parts that are not the method's own follow, each after a "+". A method of a file that is not
    loaded has no more than its name.

    Args:
      settings: of a search, as `config.json` or a provenance has them. Those of commit 517e77a say
        the kind of the baseline in place of the method.
    """
    old = settings.get("optimization", PAPERS.optimization)
    name = settings.get("method", PAPERS.name if old == PAPERS.optimization else old)
    if name not in methods():
        return str(name)
    settings = {**settings, "method": name}
    name = named(settings)
    chosen = {key: str(settings.get(key, usual)) for key, usual in PAPERS.parts.items()}
    others = _others(methods()[name].of_space(_space(settings)), chosen, settings)
    return "+".join([name, *others]).replace(",", "+")


def _others(method: Method, chosen: Mapping[str, str], settings: Mapping[str, Any]) -> list[str]:
    """The parts that are not a method's own, as a label names them.

    Where a space has an order of the two steps, that is no choice.
    """
    own = method.parts
    try:
        space_order = find_space(settings.get("space", "")).search.step_order
    except UserError:
        space_order = own["step_order"]
    return [
        value or f"no_{key}"
        for key, value in chosen.items()
        if value != own[key] and (key != "step_order" or value != space_order)
    ]


def current_name(name: str) -> str:
    """The method of what older versions called by the estimate: "first_order" is `darts_first`."""
    return label({"hypergradient": name}) if name in HYPERGRADIENTS else name


def colours() -> dict[str, str]:
    """The colours of methods in plots, of those that have one."""
    named = {name: method.colour for name, method in methods().items() if method.colour}
    estimates = {name: e.colour for name, e in HYPERGRADIENTS.items() if e.colour}
    return estimates | named
