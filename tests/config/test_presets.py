import dataclasses
import json
import math

import pytest

from tf_darts.config import presets as config
from tf_darts.config.presets import configure
from tf_darts.config.setting import check
from tf_darts.errors import UserError
from tf_darts.spaces.convolutional.settings import ConvolutionalSearchConfig

# What --dataset may be, in messages.
NAMES = (
    "ptb, wikitext2, pydoc, text, cifar10, digits, planted, folder, an image classification set"
    " of TensorFlow Datasets, or add --load=FILE.py with the file that registers it."
)

MODES = "black_box, export, report, search, select, test, train, tune"

# docs/method.md section 5, "search on Penn Treebank (A.1.2)", and section 2.
PAPER = {
    "epochs": 50,
    "batch_size": 256,
    "method": "darts",
    "relaxation": "softmax",
    "alpha_terms": "",
    "rules": "",
    "derivation": "strongest_edges",
    "edge_options": "",
    "step_order": "alpha_first",
    "operations": "",
    "hypergradient": "finite_difference",
    "finite_difference_radius": 0.01,
    "weight_learning_rate": 20.0,
    "final_weight_learning_rate": 20.0,
    "momentum": 0.0,
    "nesterov": False,
    "weight_decay": 5e-7,
    "clip_norm": 0.25,
    "alpha_learning_rate": 3e-3,
    "alpha_beta_1": 0.9,
    "alpha_beta_2": 0.999,
    "alpha_weight_decay": 1e-3,
    "alpha_clip_norm": 0.0,
    "alpha_scale": 1e-3,
    "precision": "float32",
    "accelerate": "auto",
    "units": 300,
    "bptt": 35,
    "short_probability": 0.05,
    "evaluation_batch_size": 10,
    "min_count": 1,
    "embedding_dropout": 0.0,
    "input_dropout": 0.2,
    "cell_input_dropout": 0.75,
    "hidden_dropout": 0.25,
    "output_dropout": 0.75,
    "temporal_activation_penalty": 1e-3,
}
# docs/method.md section 4, "search on CIFAR-10", where it differs or has settings of its own.
TEXT_ONLY = {
    *("units", "bptt", "short_probability", "min_count", "temporal_activation_penalty"),
    *(name for name in PAPER if name.endswith("_dropout")),
}
PAPER_IMAGES = {name: value for name, value in PAPER.items() if name not in TEXT_ONLY} | {
    "batch_size": 64,
    "evaluation_batch_size": 256,
    "weight_learning_rate": 0.025,
    "final_weight_learning_rate": 0.001,
    "momentum": 0.9,
    "weight_decay": 3e-4,
    "clip_norm": 5.0,
    "alpha_learning_rate": 3e-4,
    "alpha_beta_1": 0.5,
    "channels": 16,
    "layers": 8,
    "image_size": 0,
    "train_portion": 0.5,
    "train_examples": 0,
    "crop_padding": 4,
    "flip": True,
}
# What the paper does not say, and what decides only how a run goes about its work.
OURS = {
    "data_dir": "",
    "seed": 0,
    "steps_per_epoch": 0,
    "distribution": "auto",
    "xla": "auto",
    "replica_norms": "joint",
    "global_batch": "exact",
    "micro_batches": 1,
    "rematerialize": False,
    "table": "",
    "cpu_replicas": 0,
    "worker_timeout": 600,
    "graph_cache": "",
    "check_replicas": False,
    "deterministic": False,
    "checkpoint_steps": 50,
    "max_rollbacks": 0,
    "gap_epochs": 2,
    "gap_batches": 4,
}


def _search(**overrides):
    return configure({"mode": "search", "dataset": "ptb"} | overrides)


@pytest.mark.parametrize("dataset", ["ptb", "wikitext2", "pydoc", "text"])
def test_presets_are_the_papers(dataset):
    made = dataclasses.asdict(configure({"mode": "search", "dataset": dataset}))
    assert made == PAPER | OURS | {
        "mode": "search",
        "space": "recurrent",
        "operations": "",
        "dataset": dataset,
        "run_dir": f"runs/search_{dataset}_darts_seed0",
    }


@pytest.mark.parametrize("dataset", ["cifar10", "folder", "digits", "svhn_cropped", "cifar100"])
def test_presets_for_images_are_the_papers(dataset):
    made = dataclasses.asdict(configure({"mode": "search", "dataset": dataset}))
    small = {"crop_padding": 1, "flip": False} if dataset == "digits" else {}
    assert made == PAPER_IMAGES | OURS | small | {
        "division": "by_class" if dataset == "folder" else "shuffled",
        "permute_labels": False,
        "mode": "search",
        "space": "convolutional",
        "operations": "",
        "dataset": dataset,
        "run_dir": f"runs/search_{dataset}_darts_seed0",
    }


@pytest.mark.parametrize("mode", ["search", "train"])
def test_a_validation_folder_is_used(tmp_path, mode):
    for part in ("train", "val"):
        (tmp_path / part / "cat").mkdir(parents=True)
    share = {"search": "train_portion", "train": "validation_examples"}[mode]
    value = {"search": 0.25, "train": 20}[mode]
    given = {"mode": mode, "dataset": "folder", "data_dir": str(tmp_path)}
    given |= {"genotype": "darts_v2"} if mode == "train" else {}
    assert configure(given).division == "given"
    words = rf"^--{share} has no meaning where {tmp_path}/val has .*--division=by_class"
    with pytest.raises(UserError, match=words):
        configure(given | {share: value})
    other = configure(given | {share: value, "division": "by_class"})  # as the sentence says
    assert (other.division, getattr(other, share)) == ("by_class", value)
    (tmp_path / "valid" / "cat").mkdir(parents=True)
    with pytest.raises(UserError, match="two folders of validation images, val and valid; keep"):
        configure(given)


def test_given_validation_images_must_be_there(tmp_path):
    (tmp_path / "train" / "cat").mkdir(parents=True)
    given = {"mode": "search", "dataset": "folder", "data_dir": str(tmp_path)}
    with pytest.raises(UserError, match=r"--division=given needs --dataset=folder and"):
        configure(given | {"division": "given"})
    assert configure(given).division == "by_class"


def test_runs_of_before_the_division_were_shuffled():
    assert config.legacy_settings() == {
        "alpha_clip_norm": 0.0,
        "auxiliary_fading": "linear",
        "division": "shuffled",
        "nesterov": False,
        "permute_labels": False,
        "replica_norms": "joint",
        "search_cutout": 0,
        "xla": "auto",
        "zero_one_form": "square",
    }


def test_there_are_no_other_presets():
    both = ("ptb", "wikitext2", "pydoc", "text", "cifar10", "digits", "planted", "folder")
    assert set(config.PRESETS) == {
        *(("search", dataset) for dataset in both),
        *(("train", dataset) for dataset in (*both, "imagenet2012")),
    }


def test_a_configuration_of_a_data_set_is_part_of_its_name():
    made = configure({"mode": "search", "dataset": "cifar10_corrupted/fog_1:1.0.0"})
    assert made.run_dir == "runs/search_cifar10_corrupted_fog_1_1.0.0_darts_seed0"


def test_a_set_that_is_only_in_the_users_directory(tmp_path):
    (tmp_path / "my_birds").mkdir()
    made = configure({"mode": "search", "dataset": "my_birds", "data_dir": str(tmp_path)})
    assert isinstance(made, ConvolutionalSearchConfig)
    with pytest.raises(UserError, match="--dataset=my_birds: not known"):
        configure({"mode": "search", "dataset": "my_birds"})


@pytest.mark.parametrize(("mode", "dataset"), config.PRESETS)
def test_presets_obey_their_own_bounds(mode, dataset):
    preset = config.PRESETS[mode, dataset]
    assert (preset.mode, preset.dataset) == (mode, dataset)
    assert {field.name for field in dataclasses.fields(preset)} == set(config.fields(preset))
    needed = {"genotype": "darts_v2"} if mode == "train" else {}
    given = {"mode": mode, "dataset": dataset} | needed
    made = preset.composed({}) if mode == "search" else preset  # with what every search has
    assert dataclasses.replace(configure(given), run_dir="") == dataclasses.replace(made, **needed)
    for name, field in config.fields(preset).items():
        if name not in ("run_dir", "data_dir", "genotype"):
            config.check(field, getattr(preset, name))


def test_overrides():
    made = _search(seed=7, units=64, hypergradient="first_order", run_dir="here", epochs=1)
    assert (made.seed, made.units, made.hypergradient) == (7, 64, "first_order")
    assert (made.run_dir, made.epochs, made.batch_size) == ("here", 1, 256)


def test_runs_of_other_seeds_and_hypergradients_live_elsewhere():
    made = _search(seed=3, hypergradient="first_order", run_dir="")
    assert made.run_dir == "runs/search_ptb_darts_first_seed3"


def test_a_constant_rate_stays_constant():
    assert _search(weight_learning_rate=5.0).final_weight_learning_rate == 5.0


def test_a_schedule_that_was_asked_for_stays():
    made = _search(weight_learning_rate=30.0, final_weight_learning_rate=1.0)
    assert (made.weight_learning_rate, made.final_weight_learning_rate) == (30.0, 1.0)
    assert _search(final_weight_learning_rate=0.0).weight_learning_rate == 20.0


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"mode": "fly"}, f"--mode=fly: not known; use one of {MODES}."),
        ({"mode": None}, f"no --mode given; use one of {MODES}."),
        ({"dataset": "cifar"}, "--dataset=cifar: not known (did you mean cifar10 or"),
        (
            {"dataset": None},
            f"no --dataset given; with --mode=search use one of {NAMES}",
        ),
        (
            {"hypergradient": "second"},
            "--hypergradient=second: not known; use one of first_order, finite_difference, exact,"
            " or add --load=FILE.py with the file that registers it.",
        ),
        (
            {"hypergradient": "first-order"},
            "--hypergradient=first-order: not known (did you mean first_order?); use one of",
        ),
        (
            {"step_order": "alpha"},
            "--step_order=alpha: not known (did you mean alpha_first?); use one of alpha_first,"
            " weights_first.",
        ),
        (
            {"precision": "int8"},
            "--precision=int8: not known; use one of float32, float64, mixed_bfloat16,"
            " mixed_float16.",
        ),
        (
            {"distribution": "tpu"},
            "--distribution=tpu: not known; use one of auto, one_device, mirrored, multi_worker.",
        ),
        ({"epochs": 0}, "--epochs=0: out of range; it must be at least 1."),
        ({"seed": -1}, "--seed=-1: out of range; it must be at least 0."),
        ({"bptt": 3}, "--bptt=3: out of range; it must be at least 4."),
        (
            {"momentum": 1.0},
            "--momentum=1.0: out of range; it must be at least 0 and less than 1.",
        ),
        (
            {"output_dropout": 1.0},
            "--output_dropout=1.0: out of range; it must be at least 0 and less than 1.",
        ),
        (
            {"weight_learning_rate": 0.0},
            "--weight_learning_rate=0.0: out of range; it must be more than 0.",
        ),
        (
            {"weight_learning_rate": math.nan},
            "--weight_learning_rate=nan: out of range; it must be a finite number more than 0.",
        ),
        (
            {"temporal_activation_penalty": math.inf},
            "--temporal_activation_penalty=inf: out of range; it must be a finite number at"
            " least 0.",
        ),
        (
            {"final_weight_learning_rate": 21.0},
            "--final_weight_learning_rate=21 is above --weight_learning_rate=20; a schedule falls,"
            " so give --final_weight_learning_rate=N of at most 20.",
        ),
        (
            {"finite_difference_radius": 0.02, "hypergradient": "exact"},
            "--finite_difference_radius has no meaning for --hypergradient=exact; leave it out.",
        ),
        (
            {"channels": "16"},
            "--channels has no meaning for --mode=search --dataset=ptb; it is for searches on"
            " images and trainings on images; leave it out.",
        ),
        ({"layers": "8"}, "it is for searches on images"),
        (
            {"mode": "export", "run_dir": "a"},
            "--dataset has no meaning for --mode=export; it is for black-box searches, searches,"
            " selections, trainings and tunings; leave it out.",
        ),
        (
            {"dataset": "cifar10", "bptt": 35},
            "--bptt has no meaning for --mode=search --dataset=cifar10; it is for searches on"
            " texts and trainings on texts; leave it out.",
        ),
        (
            {"dataset": "digits", "train_portion": 1.0},
            "--train_portion=1.0: out of range; it must be more than 0 and less than 1.",
        ),
        ({"dataset": "pbt"}, "--dataset=pbt: not known (did you mean ptb"),
        ({"genotype": "darts_v2"}, "it is for trainings and tunings; leave"),
        ({"colour": 1}, "--colour is no setting; --mode=search --dataset=ptb --help lists them."),
        ({"epoch": 1}, "--epoch is no setting (did you mean epochs or gap_epochs?); --mode=search"),
    ],
)
def test_what_cannot_be_is_one_sentence(overrides, sentence):
    with pytest.raises(UserError) as error:
        _search(**overrides)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_radius_is_fine_with_finite_differences():
    assert _search(finite_difference_radius=0.02).finite_difference_radius == 0.02


def test_computed_settings_leave_out_what_does_not_matter():
    made = _search(run_dir="anywhere", deterministic=True, checkpoint_steps=3, data_dir="/data")
    assert config.computed_settings(made) == config.computed_settings(_search())
    names = set(config.computed_settings(made))
    # Where they are what every search had.
    usual = {"relaxation", "alpha_terms", "rules", "derivation", "edge_options", "step_order"}
    usual |= {"operations"}
    assert names == set(config.fields(made)) - usual - {
        "data_dir",
        "run_dir",
        "rematerialize",
        "cpu_replicas",
        "global_batch",
        "worker_timeout",
        "graph_cache",
        "check_replicas",
        "deterministic",
        "checkpoint_steps",
        "max_rollbacks",
        "gap_epochs",
        "gap_batches",
        "accelerate",
        "alpha_clip_norm",
        "nesterov",
        "replica_norms",
        "xla",
        "space",
        "operations",
        "table",
    }
    # Runs from before there was the setting have none in their config.json, and go on.
    off = config.computed_settings(_search(accelerate="off"))
    assert off == config.computed_settings(_search()) | {"accelerate": "off"}
    fast = config.computed_settings(_search(nesterov=True, momentum=0.9))
    assert fast == config.computed_settings(_search(momentum=0.9)) | {"nesterov": True}
    assert config.legacy_settings()["nesterov"] is False


def test_computed_settings_survive_json():
    settings = config.computed_settings(_search())
    assert json.loads(json.dumps(settings)) == settings


# docs/method.md sections 4 and 5, "evaluation".
TRAIN_PTB = {
    "epochs": 8000,
    "batch_size": 64,
    "evaluation_batch_size": 10,
    "test_batch_size": 1,
    "units": 850,
    "bptt": 35,
    "short_probability": 0.05,
    "learning_rate": 20.0,
    "momentum": 0.0,
    "weight_decay": 8e-7,
    "clip_norm": 0.25,
    "embedding_dropout": 0.1,
    "input_dropout": 0.2,
    "hidden_dropout": 0.25,
    "cell_input_dropout": 0.75,
    "output_dropout": 0.75,
    "temporal_activation_penalty": 1e-3,
    "activation_penalty": 0.0,
    "averaging_patience": 5,
}
TRAIN_CIFAR10 = {
    "epochs": 600,
    "batch_size": 96,
    "channels": 36,
    "layers": 20,
    "auxiliary_weight": 0.4,
    "learning_rate": 0.025,
    "schedule": "cosine",
    "momentum": 0.9,
    "weight_decay": 3e-4,
    "clip_norm": 5.0,
    "cutout": 16,
    "drop_path": 0.2,
    "label_smoothing": 0.0,
    "crop_padding": 4,
    "flip": True,
    "network": "cifar",
}
TRAIN_IMAGENET = {
    "epochs": 250,
    "batch_size": 128,
    "channels": 48,
    "layers": 14,
    "auxiliary_weight": 0.4,
    "learning_rate": 0.1,
    "schedule": "exponential",
    "learning_rate_decay": 0.97,
    "momentum": 0.9,
    "weight_decay": 3e-5,
    "clip_norm": 5.0,
    "label_smoothing": 0.1,
    "image_size": 224,
    "random_resized_crop": True,
    "stream_images": True,
    "color_jitter": 0.4,
    "hue_jitter": 0.2,
    "flip": True,
    "drop_path": 0.0,
    "cutout": 0,
    "network": "imagenet",
}


def _train(**overrides):
    return configure({"mode": "train", "dataset": "ptb", "genotype": "darts_v2"} | overrides)


@pytest.mark.parametrize(
    ("dataset", "paper"),
    [
        ("ptb", TRAIN_PTB),
        ("wikitext2", TRAIN_PTB | {"units": 700, "hidden_dropout": 0.15, "weight_decay": 5e-7}),
        ("cifar10", TRAIN_CIFAR10),
        ("cifar100", TRAIN_CIFAR10),
        ("imagenet2012", TRAIN_IMAGENET),
    ],
)
def test_trainings_have_the_papers_settings(dataset, paper):
    made = dataclasses.asdict(_train(dataset=dataset))
    assert {name: made[name] for name in paper} == paper
    assert made["run_dir"] == f"runs/train_{dataset}_darts_v2_seed0"


def test_a_training_is_named_after_its_search():
    made = _train(genotype="runs/search_ptb_first_order_seed3/genotype.json")
    assert made.run_dir == "runs/train_ptb_search_ptb_first_order_seed3_seed0"


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            {"genotype": ""},
            "no --genotype given; --mode=train needs a cell: --genotype=RUN/genotype.json of a"
            " search, or a published one, for --dataset=ptb one of darts_v1, darts_v2, enas.",
        ),
        ({"cutout": 8}, "it is for trainings on images; leave it out."),
        ({"hypergradient": "exact"}, "--hypergradient has no meaning for --mode=train"),
        (
            {"dataset": "cifar10", "learning_rate_decay": 0.9},
            "--learning_rate_decay has no meaning for --schedule=cosine; leave it out.",
        ),
        (
            {"dataset": "cifar10", "train_on_all": True, "validation_examples": 10},
            "--validation_examples has no meaning with --train_on_all; leave it out.",
        ),
        (
            {"dataset": "imagenet2012", "cutout": 16},
            "--cutout has no meaning with --stream_images; leave it out.",
        ),
        (
            {"dataset": "cifar10", "hue_jitter": 0.1},
            "--hue_jitter has no meaning without --stream_images; leave it out.",
        ),
        (
            {"dataset": "folder", "stream_images": True},
            "--stream_images needs --image_size=N, the pixels of a side of what is made of a"
            " photograph.",
        ),
        ({"dataset": "cifar10", "drop_path": 1.0}, "--drop_path=1.0: out of range"),
        ({"nesterov": True}, "--nesterov has no meaning for --momentum=0; add --momentum=N"),
    ],
)
def test_trainings_that_cannot_be(overrides, sentence):
    with pytest.raises(UserError) as error:
        _train(**overrides)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_test_needs_a_run_and_takes_nothing_else():
    assert configure({"mode": "test", "run_dir": "here"}).run_dir == "here"
    with pytest.raises(UserError, match="no --run_dir given; --mode=test needs the directory"):
        configure({"mode": "test"})
    with pytest.raises(UserError, match="--dataset has no meaning for --mode=test; it is for"):
        configure({"mode": "test", "run_dir": "here", "dataset": "ptb"})


def test_an_export_needs_a_run_and_a_place():
    made = configure(
        {"mode": "export", "run_dir": "here", "export_dir": "there", "export_version": 3}
    )
    assert (made.run_dir, made.export_dir, made.export_version) == ("here", "there", 3)
    with pytest.raises(UserError, match="no --run_dir given; --mode=export needs the directory"):
        configure({"mode": "export", "export_dir": "there"})
    with pytest.raises(UserError, match="no --export_dir given; --mode=export needs"):
        configure({"mode": "export", "run_dir": "here"})
    with pytest.raises(UserError, match="--export_version=-1: out of range"):
        configure({"mode": "export", "run_dir": "a", "export_dir": "b", "export_version": -1})
    with pytest.raises(UserError, match="--epochs has no meaning for --mode=export"):
        configure({"mode": "export", "run_dir": "a", "export_dir": "b", "epochs": 1})


def test_the_cells_file_may_move_between_two_sittings():
    made = _train(genotype="elsewhere/genotype.json", run_dir="r")
    assert config.computed_settings(made) == config.computed_settings(_train(run_dir="r"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "select"}, "no --dataset given; --mode=select needs one"),
        ({"mode": "select", "dataset": "pydoc", "count": 0}, "--count=0: out of range"),
        ({"mode": "select", "dataset": "pydoc", "tuner": "random"}, "it is for black-box searches"),
        ({"mode": "black_box", "dataset": "pydoc", "tuner": "grid"}, "--tuner=grid: not known"),
        (
            {"mode": "black_box", "dataset": "pydoc", "tuner": "hyperband", "trials": 3},
            "--trials has no meaning for --tuner=hyperband",
        ),
        ({"mode": "black_box", "dataset": "pydoc", "trials": 0}, "--trials=0: out of range"),
        ({"mode": "tune", "dataset": "pydoc"}, "no --tune given"),
        (
            {
                "mode": "tune",
                "dataset": "pydoc",
                "tune": "units=1:2",
                "genotype": "enas",
                "search_settings": "units=2",
            },
            "--search_settings has no meaning with --genotype",
        ),
    ],
)
def test_studies_that_cannot_be(settings, words):
    with pytest.raises(UserError, match=words):
        configure(settings)


def test_directories_of_studies_tell_them_apart():
    select = {"mode": "select", "dataset": "pydoc", "candidates": "search,random"}
    assert configure(select).run_dir == "runs/select_pydoc_search_random_seed0"
    tune = {"mode": "tune", "dataset": "svhn_cropped:3.1.0", "tune": "learning_rate=1:2:log"}
    assert configure(tune | {"seed": 4}).run_dir == (
        "runs/tune_svhn_cropped_3.1.0_random_learning_rate_1_2_log_seed4"
    )
    assert configure(select | {"run_dir": "here"}).run_dir == "here"


@pytest.mark.parametrize(
    ("method", "unused"),
    [
        ("darts", {}),
        ("joint_alternating", {"hypergradient", "finite_difference_radius", "train_portion"}),
        (
            "joint_simultaneous",
            {"hypergradient", "train_portion", "alpha_learning_rate", "alpha_weight_decay"},
        ),
    ],
)
def test_joint_baselines_refuse_what_is_not_theirs(method, unused):
    base = {"mode": "search", "dataset": "digits", "method": method}
    config = configure(base)
    assert config.hypergradient == ("finite_difference" if method == "darts" else "first_order")
    assert config.run_dir == f"runs/search_digits_{method}_seed0"
    assert set(unused) <= set(config.unused)
    for name in unused:
        value = {"hypergradient": "exact"}.get(name, 0.25)
        with pytest.raises(UserError, match=f"--{name} has no meaning for --method"):
            configure(base | {name: value})


def test_a_report_takes_runs_and_no_data_set():
    made = configure({"mode": "report", "run_dir": "a, b,"})
    assert made.run_dirs == ["a", "b"]
    assert (made.report_dir, made.reference) == ("runs/report", "random")
    for given in ("", " , "):
        with pytest.raises(UserError, match="no --run_dir given; --mode=report needs"):
            configure({"mode": "report", "run_dir": given})
    with pytest.raises(UserError, match="--report_dir is empty"):
        configure({"mode": "report", "run_dir": "a", "report_dir": ""})
    with pytest.raises(UserError, match="--dataset has no meaning for --mode=report"):
        configure({"mode": "report", "run_dir": "a", "dataset": "ptb"})


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"epochs": 10**20}, "out of range; it must be at least 1 and at most 1000000."),
        ({"epochs": 10**5000}, "--epochs=a number of thousands of digits: out of range"),
        ({"crop_padding": 100_000}, "it must be at least 0 and at most 4096."),
        ({"seed": 2**64}, "it must be at least 0 and at most 9223372036854775807."),
        ({"weight_decay": 1e30}, "it must be at least 0 and at most 1000."),
        ({"weight_learning_rate": 10**400}, "it must be more than 0 and at most 10000."),
        ({"dataset": ["digits"]}, "--dataset=['digits']: it must be a text."),
        ({"cpu_replicas": 2}, "for --distribution=auto; add --distribution=mirrored, or leave it"),
        ({"xla": "step", "distribution": "mirrored"}, "use --xla=off or --distribution=one_device"),
        (
            {"replica_norms": "own"},
            "where there is one replica; add --distribution=mirrored, or l",
        ),
        (
            {"worker_timeout": 5, "distribution": "mirrored"},
            "which has one worker; add --distribution=multi_worker, or leave it out",
        ),
        (
            {"global_batch": "round"},
            "where a batch is not cut; add --distribution=mirrored, or leave it out",
        ),
        (
            {"check_replicas": True, "distribution": "one_device"},
            "--check_replicas has no meaning for --distribution=one_device",
        ),
        ({"check_replicas": True}, "--check_replicas has no meaning for --distribution=auto"),
    ],
)
def test_what_is_out_of_all_bounds(overrides, sentence):
    with pytest.raises(UserError) as error:
        configure({"mode": "search", "dataset": "digits"} | overrides)
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_bounds_can_be_typed():
    """The advice is taken: the largest value of each setting that has one is allowed."""
    presets = {**config.PRESETS, **{(mode, ""): preset for mode, preset in config.COMMON.items()}}
    bounded = 0
    for preset in presets.values():
        for name, field in config.fields(preset).items():
            if field.type in (int, float):
                assert field.metadata["maximum"] or field.metadata["below"], name
            if field.metadata["maximum"] is not None:
                check(field, field.metadata["maximum"])
                check(field, field.type(getattr(preset, name)))
                bounded += 1
                with pytest.raises(UserError, match="and at most"):
                    check(field, field.type(field.metadata["maximum"] * 1.5))
    assert bounded > 100


def test_advice_about_settings_works():
    search = {"mode": "search", "dataset": "cifar10"}
    with pytest.raises(UserError, match=r"give --final_weight_learning_rate=N of at most 0\.0001"):
        configure(search | {"weight_learning_rate": 1e-4})
    configure(search | {"weight_learning_rate": 1e-4, "final_weight_learning_rate": 1e-4})
    assert configure(search | {"cpu_replicas": 2, "distribution": "mirrored"}).cpu_replicas == 2


@pytest.mark.parametrize("name", ["data_dir", "run_dir", "export_dir", "report_dir"])
def test_paths_that_cannot_be_directories(tmp_path, name):
    settings = {
        "export_dir": {"mode": "export", "run_dir": "here"},
        "report_dir": {"mode": "report", "run_dir": "here"},
    }.get(name, {"mode": "search", "dataset": "digits"})
    (tmp_path / "file").touch()
    for path, reason in (
        ("n" * 3000, "File name too long"),
        ("a\0b", "embedded null byte"),
        ("~nobody_of_that_name/runs", "there is no such home directory"),
        (str(tmp_path / "file"), "a file is there, and a directory is wanted; give another path"),
    ):
        with pytest.raises(UserError, match=reason) as error:
            configure(settings | {name: path})
        assert str(error.value).startswith(f"--{name}") and len(str(error.value)) < 600
    configure(settings | {name: str(tmp_path)})
    configure(settings | {name: str(tmp_path / "new")})
    with pytest.raises(UserError, match=r"--run_dir: n+….*File name too long"):
        configure({"mode": "report", "run_dir": f"here,{'n' * 3000}"})


def test_what_every_search_has_is_for_searches():
    asked = {"mode": "train", "dataset": "digits", "genotype": "darts_v2", "gap_epochs": 2}
    with pytest.raises(UserError, match=r"--dataset=digits; it is for searches; leave it out\.$"):
        configure(asked)


@pytest.mark.parametrize("version", ["", ":5.1.0", ":5.*.*"])
def test_a_version_of_a_data_set_has_its_settings(version):
    made = configure({"mode": "train", "dataset": f"imagenet2012{version}", "genotype": "darts_v2"})
    usual = configure({"mode": "train", "dataset": "imagenet2012", "genotype": "darts_v2"})
    assert (made.network, made.layers, made.stream_images) == ("imagenet", 14, True)
    assert dataclasses.replace(made, dataset="", run_dir="") == (
        dataclasses.replace(usual, dataset="", run_dir="")
    )


def test_a_crop_that_is_turned_off_leaves_the_stream_as_it_is():
    asked = {"mode": "train", "dataset": "imagenet2012", "genotype": "darts_v2"}
    made = configure(asked | {"random_resized_crop": False})
    assert made.stream_images and not made.random_resized_crop


def test_a_home_that_is_nobody_s_is_one_sentence():
    with pytest.raises(UserError, match="nobody_at_all"):
        configure({"mode": "search", "dataset": "folder", "data_dir": "~nobody_at_all/x"})


def test_one_sequence_is_nothing_to_normalise_over():
    asked = {"mode": "search", "dataset": "ptb", "batch_size": 4, "micro_batches": 4}
    with pytest.raises(UserError, match="give two sequences or more for each"):
        configure(asked)
    assert configure(asked | {"batch_size": 8}).batch_size == 8
