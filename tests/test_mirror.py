"""Every module of the package has a test of its name at its place, or a home that is named here.

A home is the test that would fail first; it uses the module by way of others where that is how the
module is used.
"""

import ast
import functools

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "tf_darts"
# By the test file, below tests/, the modules whose tests are in there.
HOMES = {
    "accelerate/convolutional/test_derived_stack.py": ["accelerate/convolutional/folded_norm"],
    "accelerate/recurrent/test_derived_recurrence.py": [
        "accelerate/recurrent/derived_nodes",
        "accelerate/recurrent/time_arrays",
    ],
    "accelerate/recurrent/test_relaxed_recurrence.py": [
        "accelerate/recurrent/relaxed_nodes",
        "accelerate/recurrent/relaxed_records",
        "accelerate/recurrent/relaxed_second",
        "accelerate/recurrent/relaxed_tangents",
    ],
    "accelerate/test_contract.py": [
        "accelerate/convolutional/batch_norm",
        "accelerate/recurrent/tied_softmax",
        "spaces/fast_forms",
        "spaces/recurrent/derived/cell",
        "spaces/recurrent/relaxed/cell",
        "spaces/recurrent/word_model",
        "testing/derivatives",
    ],
    "benchmarks/test_cell_table.py": ["cells/table_form"],
    "bilevel/test_compiled_loss.py": ["bilevel/supernet_loss"],
    "bilevel/test_golden_convolutional.py": ["formats/official_weights"],
    "bilevel/test_hypergradient.py": ["bilevel/loss"],
    "bilevel/test_mixed_precision.py": ["bilevel/scaled_loss"],
    "bilevel/test_search_parts.py": [
        "bilevel/strongest_edges",
        "optimization/schedule",
        "optimization/weight_optimizer",
    ],
    "cells/test_foreign.py": ["cells/references"],
    "cells/test_genotype.py": ["cells/discrete_cell", "cells/genotype_files"],
    "cells/test_random_cells.py": ["cells/topologies"],
    "cells/test_space.py": [
        "cells/published",
        "spaces/convolutional/published",
        "spaces/convolutional/space",
        "spaces/recurrent/published",
        "spaces/recurrent/space",
    ],
    "cli/test_help_page.py": ["cli/flag_table", "cli/questions"],
    "config/test_datasets.py": ["data/images/own", "data/own_sets"],
    "config/test_hypergradients.py": ["report/ranking_plot", "runs/memory_estimates"],
    "config/test_methods.py": ["config/method_names"],
    "config/test_operations_setting.py": ["spaces/convolutional/operation_lists"],
    "config/test_presets.py": [
        "config/data_searches",
        "config/data_settings",
        "config/devices",
        "config/division",
        "config/export",
        "config/layers",
        "config/report",
        "config/run",
        "config/search",
        "config/setting",
        "config/study",
        "config/table",
        "config/testing",
        "config/training",
    ],
    "config/test_recorded.py": [
        "spaces/convolutional/settings",
        "spaces/recurrent/settings",
    ],
    "data/images/test_division.py": ["data/images/image_set"],
    "data/images/test_pictures.py": ["formats/picture_decoding", "formats/picture_files"],
    "data/images/test_registry.py": ["data/directory", "data/images/digits"],
    "data/images/test_search_batches.py": ["data/images/augmentation", "data/images/passes"],
    "data/images/test_sources.py": ["data/images/tfds"],
    "data/images/test_streamed.py": ["data/images/streamed_sources"],
    "data/images/test_folder.py": ["data/images/folder_parts"],
    "data/texts/test_search_batches.py": ["data/texts/text_data"],
    "data/texts/test_tfds_text.py": ["data/texts/ptb", "data/texts/wikitext2"],
    "formats/test_language_serving.py": ["formats/language_functions"],
    "formats/test_saved_model.py": ["formats/saved_model_check", "formats/serving_model"],
    "formats/test_serving_api.py": ["formats/warmup"],
    "methods/test_beta_decay.py": ["bilevel/alpha_terms"],
    "methods/test_eigenvalue.py": ["bilevel/curvature"],
    "methods/test_auxiliary_skip.py": ["spaces/convolutional/relaxed/auxiliary_skip"],
    "methods/test_dropped_edges.py": ["spaces/convolutional/relaxed/dropped_edge"],
    "methods/test_members.py": ["methods/darts", "methods/joint"],
    "methods/test_partial_channels.py": ["spaces/convolutional/relaxed/partial_edge"],
    "methods/test_skip_limit.py": ["bilevel/derivation"],
    "report/drawing/test_cell_drawing.py": [
        "report/drawing/cell_graph",
        "report/drawing/cell_layout",
        "report/drawing/cell_slots",
    ],
    "report/test_entries.py": ["report/report_tables"],
    "report/page/test_run_page.py": [
        "report/page/cell_slider",
        "report/page/curves",
        "report/page/document",
    ],
    "report/test_read_runs.py": [
        "report/candidate_rows",
        "report/opened_runs",
        "report/run_files",
    ],
    "report/test_search_report.py": ["report/search_pictures"],
    "report/test_summary_report.py": [
        "report/hparams",
        "report/report_directory",
        "report/report_plots",
        "report/section",
    ],
    "report/test_training_report.py": ["report/run_report"],
    "runs/test_export_tasks.py": [
        "runs/exporter",
        "runs/image_exporter",
        "runs/language_exporter",
    ],
    "runs/test_runs_and_data.py": [
        "data/facts",
        "runs/data_parts",
        "runs/image_data",
        "runs/text_data",
    ],
    "runs/test_training_tasks.py": [
        "spaces/convolutional/make",
        "spaces/recurrent/make",
    ],
    "runtime/test_checkpoints.py": ["runtime/checkpoint_files"],
    "runtime/test_reductions.py": ["runtime/collectives", "runtime/replicated"],
    "runtime/test_replicas.py": ["runtime/batch_parts"],
    "runtime/test_run_directory.py": ["runtime/run_records"],
    "spaces/convolutional/derived/test_golden_networks.py": [
        "spaces/convolutional/derived/auxiliary_head",
        "spaces/convolutional/derived/network",
        "spaces/convolutional/derived/stems",
    ],
    "spaces/convolutional/operations/test_added_operations.py": [
        "runs/search",
        "spaces/convolutional/operations/base",
    ],
    "spaces/convolutional/operations/test_registry.py": [
        "spaces/convolutional/operations/convolutions",
    ],
    "spaces/convolutional/relaxed/test_classifier.py": [
        "spaces/convolutional/layout",
        "spaces/convolutional/relaxed/supernet",
    ],
    "data/images/test_planted.py": ["data/images/planted_answer"],
    "spaces/convolutional/operations/test_noise.py": ["spaces/draws"],
    "spaces/planted/test_space.py": [
        "spaces/planted/make",
        "spaces/planted/published",
        "spaces/planted/settings",
    ],
    "spaces/s4_mini/test_space.py": ["spaces/s4_mini/make", "spaces/s4_mini/settings"],
    "spaces/nasbench201/test_network.py": [
        "spaces/nasbench201/cells",
        "spaces/nasbench201/operations",
    ],
    "spaces/nasbench201/test_space.py": [
        "spaces/nasbench201/make",
        "spaces/nasbench201/published",
        "spaces/nasbench201/settings",
    ],
    "spaces/recurrent/derived/test_objective.py": ["spaces/recurrent/derived/counts"],
    "spaces/recurrent/test_layers.py": [
        "spaces/recurrent/relaxed/language_model",
        "spaces/recurrent/relaxed/supernet",
    ],
    "spaces/test_sampled.py": ["accelerate/sampled_operation"],
    "spaces/test_traced_memory.py": [
        "spaces/convolutional/traced_memory",
        "spaces/recurrent/traced_memory",
    ],
    "study/test_advice.py": ["study/plan", "study/sealed"],
    "study/test_tuner.py": ["study/oracles"],
    "support/toy_search.py": [
        "data/batches",
        "runtime/callback",
        "spaces/supernet",
        "testing/toy_search",
    ],
    "support/toy_study.py": ["study/run_study"],
    "support/toy_training.py": ["spaces/objective"],
    "test_packaging.py": ["command"],
    "testing/test_supernet.py": ["testing/doors"],
    "tools/test_import_table.py": ["benchmarks/nats_file"],
    "training/test_engine.py": [
        "runtime/run_loop",
        "runtime/run_state",
        "spaces/evaluation",
        "training/evaluator",
        "training/step",
    ],
    "training/test_extension.py": ["runs/testing", "runtime/extension"],
    "training/test_finished.py": ["training/recorded_names"],
}
MODULES = sorted(
    file.relative_to(PACKAGE).with_suffix("").as_posix()
    for file in PACKAGE.rglob("*.py")
    if file.name != "__init__.py"
)
TESTS = ROOT / "tests"


@functools.cache
def imported(file):
    """The modules and packages of the package that a file imports, by their paths."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    paths = {name.removeprefix("tf_darts.").replace(".", "/") for name in found}
    return {path for path in paths if source(path).exists()}


def source(path):
    """The file of a module or package."""
    file = PACKAGE / f"{path}.py"
    return file if file.exists() else PACKAGE / path / "__init__.py"


def mirrored(module):
    folder, _, name = module.rpartition("/")
    return TESTS / folder / f"test_{name}.py"


def test_every_module_has_a_test_or_a_home():
    homes = [module for modules in HOMES.values() for module in modules]
    assert len(homes) == len(set(homes))
    assert not {*homes} - {*MODULES}, "modules that are gone"
    without = [module for module in MODULES if not mirrored(module).exists()]
    assert [*sorted(homes)] == without


@pytest.mark.slow
@pytest.mark.parametrize("home", HOMES)
def test_a_home_uses_its_modules(home):
    """It imports each, or a module that does, or one that imports such a one."""
    near = imported(TESTS / home)
    for _ in range(2):
        near = near.union(*(imported(source(path)) for path in near))
    assert not {*HOMES[home]} - near
