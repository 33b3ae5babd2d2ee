"""Where the cells of a selection come from."""

import dataclasses
import pathlib
import re

from tf_darts.cells.foreign import is_text
from tf_darts.cells.genotype import Genotype, genotype_class
from tf_darts.cells.genotype_files import split_name
from tf_darts.cells.published import PUBLISHED, published_cells
from tf_darts.cells.random_cells import random_cells
from tf_darts.cells.space import find_space
from tf_darts.config.given_cell import find_cell
from tf_darts.config.search import SearchConfig
from tf_darts.config.study import SelectConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import UserError, did_you_mean
from tf_darts.study.settings import search_configs, search_sources, sources_of


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A cell, or how it is found; and how it is trained.

    Attributes:
      name: tells it apart in its study; a folder's name.
      source: what is compared: a key of `search_sources()`, "random", "given", or a tuner's name.
      seed: that it was made with, or None.
      cell: the cell, or None where `search` finds it.
      search: the search, or None.
      training: of its network.
      settings: what is special about it, for the ranking: tuned settings by name.
      refused: why it cannot be, where a tuner chose what does not go together: it has failed.
    """

    name: str
    source: str
    seed: int | None
    cell: Genotype | None
    search: SearchConfig | None
    training: TrainingConfig
    settings: dict[str, float] = dataclasses.field(default_factory=dict)
    refused: str = ""

    def in_directory(self, directory: pathlib.Path) -> "Candidate":
        """The candidate with its runs in folders of a directory."""
        search = self.search and dataclasses.replace(self.search, run_dir=str(directory / "search"))
        training = dataclasses.replace(self.training, run_dir=str(directory / "train"))
        return dataclasses.replace(self, search=search, training=training)

    def with_provenance(self, cell: Genotype) -> Genotype:
        """A cell of this candidate, which says what found it unless it says so itself."""
        provenance = {"method": self.source, "seed": self.seed}
        return cell.with_provenance(provenance | dict(cell.provenance))


def select_candidates(config: SelectConfig, training: TrainingConfig) -> list[Candidate]:
    """All candidates of a selection, in the order in which they are given.

    Args:
      config: the selection's.
      training: of every candidate.

    Raises:
      UserError: a source that is none, a file that holds no cell of this space, or settings of
        searches where nothing is searched.
    """
    if is_text(config.candidates):
        raise UserError(
            "--candidates takes no text of a cell, which has commas in it; put the text into a file"
            " and name that."
        )
    sources = sources_of(config)
    if not sources:
        raise UserError("--candidates is empty; name at least one source.")
    searches = search_configs(config)
    space = find_space(training.space)
    seeds = range(config.seed, config.seed + config.count)
    candidates = []
    for source in sources:
        if source in searches:
            for seed in seeds:
                seeded = dataclasses.replace(searches[source], seed=seed)
                name = f"{source}_seed{seed}"
                candidates.append(Candidate(name, source, seed, None, seeded, training))
        elif source == "random":
            for seed in seeds:
                cells = random_cells(space.narrowed(config.operations), seed)
                cell = genotype_class(space.name).from_cells(cells)
                name = f"random_seed{seed}"
                candidates.append(Candidate(name, source, seed, cell, None, training))
        else:
            candidates.append(_cell_candidate(source, training))
    # Not before: a source that is mistyped is no source that searches nothing.
    if config.search_settings and not searches:
        raise UserError(
            f"--search_settings has no meaning for --candidates={config.candidates}, which searches"
            " nothing; leave it out, or add --search_settings= where a flagfile has it."
        )
    if config.snapshots and not searches:
        raise UserError(
            f"--snapshots has no meaning for --candidates={config.candidates}, which searches"
            " nothing; leave it out."
        )
    if config.count != SelectConfig().count and not searches and "random" not in sources:
        raise UserError(
            f"--count has no meaning for --candidates={config.candidates}, which are given cells;"
            " leave it out."
        )
    if config.operations and not searches and "random" not in sources:
        raise UserError(
            f"--operations has no meaning for --candidates={config.candidates}, which are given"
            " cells; leave it out."
        )
    names = [candidate.name for candidate in candidates]
    for name in {name for name in names if names.count(name) > 1}:
        raise UserError(
            f"--candidates={config.candidates}: {name} is there twice; name each source once, and"
            " rename the folder of a file that is called as another's."
        )
    return candidates


def _cell_candidate(source: str, training: TrainingConfig) -> Candidate:
    """A published cell, or one in a file."""
    try:
        cell = find_cell(dataclasses.replace(training, genotype=source))
    except UserError as error:
        sources = (*search_sources(), "random")
        near = did_you_mean(source, (*sources, *published_cells(training.space)))
        if near and not any(source in cells for cells in PUBLISHED.values()):
            raise UserError(
                f"--candidates: {source} is not known{near}; docs/studies.md says what can be"
                " compared."
            ) from error
        raise UserError(
            f"--candidates: {source} is none of {', '.join(sources)}, and no cell: {error}"
        ) from error
    file, chosen = split_name(source)
    path = pathlib.Path(file)
    name = "_".join([*path.parts[-2:-1], path.stem]) if path.suffix else source
    name = f"{name}_{chosen}" if chosen else name
    name = re.sub(r"[^\w.-]+", "_", name)
    return Candidate(name, "given", None, cell, None, training)
