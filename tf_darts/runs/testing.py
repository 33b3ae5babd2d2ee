"""The test of a finished training."""

from typing import Any

from tf_darts.config.recorded import training_class
from tf_darts.config.testing import TrainingTestConfig
from tf_darts.runs.data_record import ANOTHER_TRAINING, check_data, data_flag
from tf_darts.runs.opening import set_arithmetic
from tf_darts.runs.training_tasks import training_test
from tf_darts.runtime.console import say
from tf_darts.training.finished import FinishedTraining


def run_training_test(config: TrainingTestConfig) -> dict[str, Any]:
    """What the test of a finished training found, as in `test.json`; it is taken once.

    Raises:
      UserError: there is no finished training, or its data are not to be had, or are others.
    """
    training = FinishedTraining.open(config.run_dir)
    try:
        if training.tested is None:
            trained = training.config(training_class(training.run), data_dir=config.data_dir)
            set_arithmetic(trained)
            task = training_test(trained, training.cell)
            path, assets = training.run.path, task.data.assets()
            check_data(path, task.data, data_flag(trained), assets, ANOTHER_TRAINING)
            training.test(task)
        else:  # or whoever gives other data takes these scores for theirs
            file = training.run.path / "test.json"
            say(f"The test was taken before, and is taken once; no data are read: {file} has it.")
        return training.tested
    finally:
        training.run.close()
