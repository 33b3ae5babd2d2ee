"""tools/import_table.py: of an API object and, where that is installed, of a real file's form."""

import sys
import types

import pytest

from tests.support import in_process, toy_table
from tf_darts.benchmarks import NasBench201, nats_file
from tf_darts.errors import UserError
from tf_darts.spaces.nasbench201 import strings

TOOL = "tools/import_table.py"
CELLS = [strings.from_short(text) for text in ("3/33/s33", "s/ss/sss", "-/--/---")]
SEEDS = {"200": (777, 888), "12": (777,)}
DATASETS = ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120")


def accuracy(index, dataset, epochs, kind, seed=None):
    """Made up: another for each seed; without one the mean over the seeds."""
    if seed is None:
        seeds = SEEDS[epochs]
        return sum(accuracy(index, dataset, epochs, kind, seed) for seed in seeds) / len(seeds)
    place = DATASETS.index(dataset) + 10 * (kind == "valid") + 20 * (epochs == "12")
    return 10.0 + index + place + seed / 1000


def wanted(index):
    tests = [accuracy(index, d, "200", "test") for d in ("cifar10", "cifar100", "ImageNet16-120")]
    parts = ("cifar10-valid", "cifar100", "ImageNet16-120")
    return [*tests, *(accuracy(index, d, "12", "valid") for d in parts)]


class Api:
    """What `nats_bench.create` gives, as far as the tool asks it."""

    def __init__(self, cells=CELLS):
        self.cells = cells

    def __len__(self):
        return len(self.cells)

    def arch(self, index):
        return strings.written(self.cells[index])

    def get_more_info(self, index, dataset, iepoch=None, hp="12", is_random=True):
        assert iepoch is None and is_random is False, "the mean over seeds, after the last epoch"
        info = {"train-accuracy": 99.0, "comment": "of the API"}
        if dataset != "cifar10":
            info["valid-accuracy"] = accuracy(index, dataset, hp, "valid")
        return info | {"test-accuracy": accuracy(index, dataset, hp, "test")}


@pytest.fixture
def api(monkeypatch):
    """Stands for the authors' package; its `made` is what the tool is given."""
    module = types.ModuleType("nats_bench")
    module.made, module.asked = Api(), []

    def create(path, space, fast_mode=False, verbose=True):
        module.asked.append((path, space, fast_mode, verbose))
        if isinstance(module.made, Exception):
            raise module.made
        return module.made

    module.create = create
    monkeypatch.setitem(sys.modules, "nats_bench", module)
    return module


def run(file, table):
    return in_process.run(TOOL, f"--nats_bench={file}", f"--table={table}")


@pytest.mark.parametrize("folder", [True, False])
def test_a_table_is_made(tmp_path, api, folder):
    file = tmp_path / "nats"
    file.mkdir() if folder else file.touch()
    status, out, err = run(file, tmp_path / "table.csv")
    assert status == 0, err
    assert "table.csv: 3 cells of the 15,625 there are, cifar10, cifar100" in out
    assert api.asked == [(str(file), "tss", folder, False)]
    table = NasBench201(tmp_path / "table.csv")
    assert table.columns == (
        *("cifar10", "cifar100", "imagenet16_120"),
        *(f"{name}_valid_12_epochs" for name in ("cifar10", "cifar100", "imagenet16_120")),
    )
    assert table.short_column("imagenet16_120") == table.columns[-1]
    for index, cell in enumerate(CELLS):
        assert [*table.query(strings.written(cell)).values()] == pytest.approx(wanted(index))
    status, _, err = run(file, tmp_path / "table.csv")
    assert status == 2 and "is there already" in in_process.sentence(err, "import_table")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (EOFError("Compressed file ended"), "cannot be read as NATS-Bench (EOFError: Compressed"),
        (Api([]), "it has no cells"),
        (Api([("none",) * 5]), "has 6 edges, and not 5"),
        (ValueError("a\nb"), "ValueError: a b"),
    ],
)
def test_other_files_are_one_sentence(tmp_path, api, made, words):
    api.made, file = made, tmp_path / "nats.pickle.pbz2"
    file.touch()
    if isinstance(made, Api) and made.cells:
        made.arch = lambda index: "|none~0|+|none~0|none~1|+|none~0|none~1|"
        words = "node 3 of the cell reads"
    status, out, err = run(file, tmp_path / "table.csv")
    assert status == 2 and out == "" and words in in_process.sentence(err, "import_table")
    assert not (tmp_path / "table.csv").exists()


def test_where_nothing_can_be_written_is_told_before_anything_is_read(tmp_path, api):
    status, _, err = run(tmp_path, tmp_path / "none" / "table.csv")
    assert status == 2 and "there is no folder" in in_process.sentence(err, "import_table")
    assert api.asked == []


def test_flags_that_are_missing_are_one_sentence():
    status, _, err = in_process.run(TOOL)
    assert status == 2
    assert "no --nats_bench and no --table given; write --nats_bench=VALUE --table=VALUE" in err
    assert "--table" not in in_process.run(TOOL, "--table=x")[2]


def test_what_is_missing_is_one_sentence(tmp_path, api, monkeypatch):
    status, _, err = run(tmp_path / "nowhere", tmp_path / "table.csv")
    assert status == 2 and "nowhere: is not there; give NATS-tss" in err
    monkeypatch.setattr(api.made, "get_more_info", lambda *a, **k: {"train-accuracy": 1.0})
    with pytest.raises(UserError, match="cell 0 has no test-accuracy on cifar10 after 200 epochs"):
        nats_file.table_text(api.made, "nats")
    monkeypatch.setitem(sys.modules, "nats_bench", None)
    with pytest.raises(UserError, match=r"pip install 'tf_darts\[nats-bench\]'"):
        nats_file.open_nats(tmp_path)


def results(nats_bench, index, epochs):
    """The state of a cell's `ArchResults`, as NATS-Bench pickles it."""
    found = nats_bench.ArchResults(index, strings.written(CELLS[index]))
    parts = {
        "cifar10-valid": ("x-valid", "ori-test"),
        "cifar10": ("ori-test",),
        "cifar100": ("x-valid", "x-test", "ori-test"),
        "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
    }
    kinds = {"x-valid": "valid", "x-test": "test"}
    last = int(epochs) - 1
    for dataset, names in parts.items():
        for seed in SEEDS[epochs]:
            own = dict.fromkeys(range(last + 1), 1.0)
            result = nats_bench.ResultsCount(
                dataset, None, own, own, 1.0, 1.0, {"arch_str": ""}, seed, last + 1, None
            )
            for name in names:
                kind = kinds.get(name, "test" if dataset == "cifar10" else "other")
                value = accuracy(index, dataset, epochs, kind, seed) if kind != "other" else 0.0
                result.update_OLD_eval(name, {last: value}, {last: 1.0})
            found.update(dataset, seed, result)
    return found.state_dict()


@pytest.mark.parametrize("folder", [True, False])
def test_a_file_of_the_authors_form(tmp_path, folder):
    nats_bench = pytest.importorskip("nats_bench", reason="the extra nats_bench is not installed")
    infos = {
        i: {epochs: results(nats_bench, i, epochs) for epochs in SEEDS} for i in range(len(CELLS))
    }
    meta = {"meta_archs": [strings.written(cell) for cell in CELLS]}
    if folder:
        file = tmp_path / "NATS-simple"
        file.mkdir()
        nats_bench.pickle_save(meta, file / "meta.pickle")
        for index, info in infos.items():
            nats_bench.pickle_save(info, file / f"{index:06d}.pickle")
    else:
        meta |= {"arch2infos": infos, "evaluated_indexes": [*infos]}
        nats_bench.pickle_save(meta, tmp_path / "NATS.pickle")
        file = tmp_path / "NATS.pickle.pbz2"
    status, _, err = run(file, tmp_path / "table.csv")
    assert status == 0, err
    table = NasBench201(tmp_path / "table.csv")
    for index, cell in enumerate(CELLS):
        assert [*table.query(strings.written(cell)).values()] == pytest.approx(wanted(index))


def test_the_columns_are_those_that_studies_look_for():
    names = [source.column for source in nats_file.SOURCES]
    assert {*toy_table.COLUMNS} < {*names}
