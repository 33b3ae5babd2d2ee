"""What files and settings alone can tell is refused before TensorFlow is loaded, for seconds."""

import dataclasses

from tf_darts.benchmarks.table_file import read_table
from tf_darts.config.export import ExportConfig
from tf_darts.config.given_cell import find_cell
from tf_darts.config.presets import Config
from tf_darts.config.run import RunConfig
from tf_darts.config.study import SelectConfig, StudyConfig, TuneConfig
from tf_darts.config.testing import TrainingTestConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.data.directory import data_directory
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.study.candidates import select_candidates
from tf_darts.study.settings import training_config
from tf_darts.study.tuning import check_tuned, configs_of, parse_tuned


def check_files(config: Config) -> None:
    """Raises `UserError` where data, table, cell or run is not there, or `--tune` cannot be.

    What is read later says the same: this is only sooner.
    """
    if getattr(config, "table", ""):
        read_table(config.table)
    if isinstance(config, RunConfig | StudyConfig):
        data_directory(config.data_dir, config.dataset)
    match config:
        case TrainingConfig():
            find_cell(config)
        case SelectConfig():
            select_candidates(config, training_config(config))
        case TuneConfig():
            if config.genotype:
                find_cell(dataclasses.replace(training_config(config), genotype=config.genotype))
            check_tuned(config, parse_tuned(config.tune, configs_of(config, {})))
        case TrainingTestConfig() | ExportConfig():
            RunDirectory.check_begun(config.run_dir)
