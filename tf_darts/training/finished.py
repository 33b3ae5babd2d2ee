"""The test score of a finished training, taken once."""

import dataclasses
import shlex
from collections.abc import Iterable
from typing import Any, NamedTuple

from tf_darts.cells.genotype import Genotype, genotype_class
from tf_darts.config.presets import legacy_settings
from tf_darts.config.recorded import kind_of, space_of
from tf_darts.config.training import TrainingConfig
from tf_darts.data.fingerprint import Fingerprint
from tf_darts.errors import UserError
from tf_darts.optimization.averaging import WeightAverage
from tf_darts.runtime import checkpoint_files, files
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.training.engine import TrainingData
from tf_darts.training.evaluator import Evaluator, weights_of
from tf_darts.training.recorded_names import read_description

_RESULT_ADVICE = "restore it from a copy, or train again in another --run_dir"
_TEST_ADVICE = (
    "the test is taken once, so restore this file from a copy, or move it away to take the test"
    " another time"
)


class TrainingTest(NamedTuple):
    """A test.

    Attributes:
      objective: what is tested; its weights are still random.
      batches: the test part, once.
      batch_size: of the network's state.
      baseline: name and test score of something trivial to compare with, or None.
      data: what was learnt from, read again.
      tested: what the test part is.
    """

    objective: TrainingObjective
    batches: Iterable[Any]
    batch_size: int
    baseline: tuple[str, float] | None
    data: TrainingData
    tested: Fingerprint


@dataclasses.dataclass(frozen=True)
class FinishedTraining:
    """A training whose weights are chosen.

    Attributes:
      run: its directory.
      settings: what was computed, the cell among it.
      result: the record of the epoch whose weights count.
    """

    run: RunDirectory
    settings: dict[str, Any]
    result: dict[str, Any]

    @classmethod
    def open(cls, path: str, *, for_reading: bool = False) -> "FinishedTraining":
        """Opens a run directory.

        Args:
          path: of the directory.
          for_reading: whether others may read it at the same time; it may be on a disk that cannot
            be written.

        Raises:
          UserError: there is no run, or it is a search, or it has not finished.
        """
        run, settings = RunDirectory.read(path) if for_reading else RunDirectory.open(path)
        try:
            return cls(run, settings, cls._result(path, run, settings))
        except UserError:
            run.close()
            raise

    @staticmethod
    def _result(path: str, run: RunDirectory, settings: dict[str, Any]) -> dict[str, Any]:
        """What `result.json` holds; raises as `open`."""
        if kind_of(run) != "training":
            raise UserError(
                f"--run_dir={path}: holds a {settings.get('mode')}, and only trainings are tested"
                f" and exported; train its cell first: --mode=train"
                f" --dataset={settings.get('dataset')} --genotype="
                f"{shlex.quote(str(run.path / 'genotype.json'))}, with the same --data_dir,"
                " if there was one."
            )
        file = run.path / "result.json"
        if not files.exists(file):
            done, epochs = len(run.read_history()), settings.get("epochs")
            raise UserError(
                f"--run_dir={path}: this training has finished {done} of {epochs} epochs; go on"
                " with the same --mode=train command first."
            )
        result = files.read_json(file, _RESULT_ADVICE)
        if not isinstance(result.get("checkpoint"), str):
            raise UserError(f"{file}: cannot be read (it names no checkpoint); {_RESULT_ADVICE}.")
        for name, expected_type in (("dataset", str), ("cell", dict)):
            if not isinstance(settings.get(name), expected_type):
                raise UserError(
                    f"{run.path / 'config.json'}: cannot be read (it names no {name});"
                    f" {_RESULT_ADVICE}."
                )
        return result

    @property
    def cell(self) -> Genotype:
        """The cell of its network; raises `UserError` where it is none."""
        return genotype_class(space_of(self.run)).from_dict(self.settings["cell"])

    def config(self, config_class: type[TrainingConfig], **operational: Any) -> TrainingConfig:
        """The configuration that the training had."""
        names = {field.name for field in dataclasses.fields(config_class)}
        recorded = legacy_settings() | self.settings
        settings = {name: value for name, value in recorded.items() if name in names}
        settings["space"] = space_of(self.run)
        return config_class(**settings, **operational)

    def restore(self, objective: TrainingObjective) -> Evaluator:
        """Gives the network the weights that count; raises `UserError` where they are not its."""
        folder = self.run.path / self.result["checkpoint"]
        for path in checkpoint_files.saved(folder)[:1]:
            variables: dict[str, Any] = weights_of(objective)
            average = None
            if any("average/" in name for name in checkpoint_files.names(path)):
                average = WeightAverage(objective.weights)
                variables["average"] = average.variables
            checkpoint_files.read(path, variables)
            return Evaluator(objective, average)
        raise UserError(
            f"{folder}: the checkpoint is missing; restore it from a copy, or train again in"
            " another --run_dir."
        )

    @property
    def data(self) -> dict[str, Any]:
        """What the training measured of its data; raises `UserError` where that is broken."""
        return read_description(self.run.path)

    @property
    def tested(self) -> dict[str, Any] | None:
        """What the test found, if it was taken.

        Raises:
          UserError: it was taken, but what was kept of it cannot be read: it is not taken again.
        """
        file = self.run.path / "test.json"
        if not files.exists(file):
            return None
        document = files.read_json(file, _TEST_ADVICE)
        scores = [document.get("scores")] + [
            document[name] for name in ("unaveraged",) if name in document
        ]
        baseline = ("baseline" in document, "baseline_value" in document)
        is_valid = all(isinstance(values, dict) and values for values in scores) and all(
            _is_number(value) for values in scores for value in values.values()
        )
        if not is_valid or (any(baseline) and not _is_number(document.get("baseline_value"))):
            raise UserError(
                f"{file}: cannot be read (it has no scores in numbers); {_TEST_ADVICE}."
            )
        return document

    def test(self, task: TrainingTest) -> None:
        """Takes the test and writes `test.json`."""
        evaluator = self.restore(task.objective)
        batches = list(task.batches) if evaluator.averaged else task.batches
        scores = evaluator.scores(batches, task.batch_size, averaged=evaluator.averaged)
        document = {"epoch": self.result.get("epoch"), "scores": scores, "data": task.tested}
        if evaluator.averaged:
            document["unaveraged"] = evaluator.scores(batches, task.batch_size, averaged=False)
        if task.baseline:
            document["baseline"], document["baseline_value"] = task.baseline
        self.run.write_json("test.json", document)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
