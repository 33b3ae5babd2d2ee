import pytest
from absl import flags

from tf_darts.cli import flags as command_line
from tf_darts.config import methods
from tf_darts.config import presets as config
from tf_darts.errors import UserError
from tf_darts.runtime.renamed_settings import RENAMED

FIXED = [
    "mode",
    "dataset",
    "data_dir",
    "run_dir",
    "seed",
    "epochs",
    "steps_per_epoch",
    "batch_size",
    "units",
    "channels",
    "layers",
    "hypergradient",
    "genotype",
    "precision",
    "distribution",
]


@pytest.fixture
def flag_values():
    values = flags.FlagValues()
    command_line.define_flags(values)
    return values


def _settings():
    """Every setting of every configuration by name."""
    return config.settings()


# What a setting needs beside it.
NEEDED = {
    "table": ["--dataset=cifar10", "--space=nasbench201"],
    "cpu_replicas": ["--distribution=mirrored"],
    "replica_norms": ["--distribution=mirrored"],
    "check_replicas": ["--distribution=mirrored"],
    "worker_timeout": ["--distribution=multi_worker"],
    "global_batch": ["--distribution=mirrored"],
    "learning_rate_decay": ["--schedule=exponential"],
    "nesterov": ["--momentum=0.5"],
    "color_jitter": ["--stream_images", "--image_size=8"],
    "hue_jitter": ["--stream_images", "--image_size=8"],
    "stream_images": ["--image_size=8"],
    "random_resized_crop": ["--stream_images", "--image_size=8"],
}


def _parse(flag_values, *arguments):
    flag_values(["main", *arguments])
    return command_line.config_from_flags(flag_values)


def test_flags_and_settings_are_one_to_one(flag_values):
    assert set(flag_values) == {*_settings(), *RENAMED, "load"}


@pytest.mark.parametrize("name", FIXED)
def test_fixed_names_exist(flag_values, name):
    assert name in flag_values


def test_no_flag_has_a_value_of_its_own(flag_values):
    assert all(flag_values[name].default is None for name in flag_values)


@pytest.mark.parametrize(
    "name",
    sorted({n for p in config.PRESETS.values() for n in config.fields(p)} - {"mode", "dataset"}),
)
def test_each_flag_sets_its_field(flag_values, name):
    field = _settings()[name]
    value = {int: 6, float: 0.25, bool: True, str: "somewhere"}[field.type]
    if field.metadata["choices"]:
        # The last one, but for what needs a folder of the user's own.
        value = [choice for choice in field.metadata["choices"] if choice != "given"][-1]
    if name in methods.SEVERAL:
        # Members that go with a search for recurrent cells, and with each other.
        members = methods.parts(name).keys() - {"expected_multiply_adds"}
        value = ",".join(sorted(members))
    fitting = {"space": "recurrent", "operations": "relu,tanh"}
    fitting |= {"edge_options": "edge_normalization", "derivation": "strongest_edges"}
    fitting |= {"method": "darts_first", "rules": "eigenvalue_stop,skip_count,skip_stop"}
    value = fitting.get(name, value)
    argument = f"--{name}" if field.type is bool else f"--{name}={value}"
    needed = NEEDED.get(name, [])
    if name in config.fields(config.ExportConfig) and name not in config.fields(config.RunConfig):
        both = {"run_dir": "here", "export_dir": "there"} | {name: value}
        made = _parse(flag_values, "--mode=export", *(f"--{k}={v}" for k, v in both.items()))
        assert getattr(made, name) == value
        return
    mode, dataset = next(key for key, p in config.PRESETS.items() if name in config.fields(p))
    if mode == "train" and name != "genotype":
        needed = [*needed, "--genotype=darts_v2"]
    made = _parse(flag_values, f"--mode={mode}", f"--dataset={dataset}", *needed, argument)
    assert getattr(made, name) == value
    assert type(getattr(made, name)) is field.type


def test_flags_of_a_report(flag_values):
    arguments = ("--run_dir=a, b,", "--report_dir=c", "--reference=exact")
    made = _parse(flag_values, "--mode=report", *arguments)
    assert (made.run_dirs, made.report_dir, made.reference) == (["a", "b"], "c", "exact")


def test_flags_not_given_leave_the_preset(flag_values):
    made = _parse(flag_values, "--mode=search", "--dataset=wikitext2")
    assert made == config.configure({"mode": "search", "dataset": "wikitext2"})


def test_no_flags_at_all(flag_values):
    with pytest.raises(UserError, match=r"no --mode given; use one of .*report, search, .*train"):
        _parse(flag_values)


def test_a_flag_of_other_modes_is_refused_with_a_reason(flag_values):
    with pytest.raises(
        UserError, match=r"--channels has no meaning .* it is for searches on images"
    ):
        _parse(flag_values, "--mode=search", "--dataset=ptb", "--channels=16")


@pytest.mark.parametrize(
    "argument", ["--epochs=many", "--units=1.5", "--temporal_activation_penalty=low"]
)
def test_a_value_of_the_wrong_type(flag_values, argument):
    with pytest.raises(flags.IllegalFlagValueError, match=argument.split("=")[0][2:]):
        _parse(flag_values, argument)


def test_an_unknown_flag(flag_values):
    with pytest.raises(flags.UnrecognizedFlagError, match="colour"):
        _parse(flag_values, "--colour=red")
