"""Files of state dicts: what is clear is read, everything else is refused by one sentence."""

import collections
import io
import pickle

import numpy as np
import pytest

from tf_darts.errors import UserError
from tf_darts.formats.official_file import counters, read_state

torch = pytest.importorskip("torch", reason="the optional extra torch is not installed")

VALUES = np.array([[1, -2, 3.5], [0.25, 7, 1e-3]], np.float32)


def state():
    return {
        "encoder.weight": torch.tensor(VALUES),
        "stem.1.num_batches_tracked": torch.tensor(7),
        "decoder.bias": torch.zeros(2),
    }


def saved(tmp_path, document, legacy=False):
    path = tmp_path / "model.pt"
    torch.save(document, path, _use_new_zipfile_serialization=not legacy)
    return path


def refused(path):
    """The sentence."""
    with pytest.raises(UserError) as caught:
        read_state(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ") and sentence.endswith(".") and "\n" not in sentence
    return sentence


WRAPPED = {
    "as it is": lambda s: s,
    "ordered": collections.OrderedDict,
    "under state_dict": lambda s: {"epoch": 3, "state_dict": s},
    "twice under": lambda s: {"model": {"state_dict": s}},
    "under model_state_dict": lambda s: {"optimizer": {}, "model_state_dict": s},
    "of several GPUs": lambda s: {f"module.{name}": value for name, value in s.items()},
    "Parameters": lambda s: {
        name: torch.nn.Parameter(v) if v.is_floating_point() else v for name, v in s.items()
    },
    "with gradients": lambda s: {
        name: v.requires_grad_() if v.is_floating_point() else v for name, v in s.items()
    },
    "turned": lambda s: s | {"encoder.weight": torch.tensor(VALUES.T.copy()).T},
    "negated": lambda s: s | {"encoder.weight": -torch.tensor(-VALUES)},
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("how", WRAPPED)
def test_what_is_clear_is_read(tmp_path, how, legacy):
    found = read_state(saved(tmp_path, WRAPPED[how](state()), legacy))
    assert found.keys() == state().keys()
    np.testing.assert_array_equal(found["encoder.weight"], VALUES)
    assert all(found[n].dtype == np.float32 for n in ("encoder.weight", "decoder.bias"))
    assert counters(found) == {"stem.1.num_batches_tracked"}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "float8_e4m3fn"])
def test_other_precisions_become_float32(tmp_path, dtype):
    value = torch.tensor([1, -2, 3.5, 0]).to(getattr(torch, dtype))
    (found,) = read_state(saved(tmp_path, {"a": value})).values()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [1, -2, 3.5, 0])


WEIGHT = torch.tensor(VALUES)
REFUSED = {
    "is sparse; save its to_dense()": WEIGHT.to_sparse(),
    "is quantised; save its dequantize()": lambda: torch.quantize_per_tensor(
        WEIGHT, 0.1, 0, torch.qint8
    ),
    "has no values (it is on the meta device); load the weights first": WEIGHT.to("meta"),
    "is far too large, torch.Size([1000000000])": torch.zeros(1).expand(10**9),
    "holds int64, and weights are floats; save its float()": torch.ones(2, dtype=torch.int64),
    "holds uint8, and": torch.ones(2, dtype=torch.uint8),
    "holds bool, and": torch.ones(2, dtype=torch.bool),
    "holds complex64, and": torch.ones(2, dtype=torch.complex64),
    "holds numbers that are not finite": torch.tensor([1, torch.nan]),
    "holds numbers that are not finite (NaN or infinite as float32)": torch.tensor(
        [1e300], dtype=torch.float64
    ),
    "is NoneType, no tensor": None,
    "is int, no tensor": 7,
    "is str, no tensor": "seven",
    "is list, no tensor": [WEIGHT],
    "is dict, no tensor": {"b": WEIGHT},
}


@pytest.mark.filterwarnings("ignore")  # PyTorch's, of what is going to change there
@pytest.mark.parametrize("sentence", REFUSED)
def test_tensors_that_are_no_weights(tmp_path, sentence):
    value = REFUSED[sentence]
    path = saved(tmp_path, state() | {"a": value() if callable(value) else value})
    assert f"'a' {sentence}" in refused(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (lambda: WEIGHT.to_sparse(), lambda value: value.to_dense()),
        (
            lambda: torch.quantize_per_tensor(WEIGHT, 0.1, 0, torch.qint8),
            lambda value: value.dequantize(),
        ),
        (lambda: torch.ones(2, dtype=torch.int64), lambda value: value.float()),
    ],
)
def test_the_advice_is_taken(tmp_path, value, advice):
    refused(saved(tmp_path, {"a": value()}))
    (found,) = read_state(saved(tmp_path, {"a": advice(value())})).values()
    np.testing.assert_array_equal(found, advice(value()).numpy())


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "holds an empty dict"),
        ({"state_dict": {}}, "holds an empty dict"),
        ([], "holds list"),
        ([WEIGHT], "holds list"),
        (WEIGHT, "holds Tensor"),
        (7, "holds int"),
        (None, "holds NoneType"),
        ("text", "holds str"),
        ({0: WEIGHT}, "a tensor has 0 for a name"),
        ({("a", 1): WEIGHT}, "for a name"),
        ({"a": WEIGHT, "module.a": WEIGHT}, "has both 'a' and 'module.a'"),
    ],
)
def test_documents_that_are_no_state_dict(tmp_path, document, words):
    assert words in refused(saved(tmp_path, document))


class Evil:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"\x80",
        b"\x80\x02",
        b"text\n",
        bytes(5000),
        pickle.dumps(Evil()),
        pickle.dumps(7),
    ],
)
def test_files_of_other_kinds(tmp_path, content, capsys):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    refused(path)
    torch.save(Evil(), path)
    assert "nothing else is unpickled" in refused(path)
    assert "executed" not in capsys.readouterr().out


def test_paths_that_are_no_files(tmp_path):
    assert "cannot be read" in refused(tmp_path)
    assert "cannot be read" in refused(tmp_path / "none.pt")
    with pytest.raises(UserError, match="cannot be read"):
        read_state("a\0b")


def mutated(content, random):
    """A file with something wrong in it: cut, bytes changed, a part moved or doubled."""
    data, size = bytearray(content), len(content)
    kind = random.integers(5)
    if kind == 0:
        return bytes(data[: random.integers(size)])
    if kind == 1:
        for place in random.integers(size, size=random.integers(1, 20)):
            data[place] ^= 1 << random.integers(8)
    if kind == 2:
        place = random.integers(size)
        data[place : place + 8] = random.bytes(8)
    if kind == 3:
        start, end = sorted(random.integers(size, size=2))
        data[start:end] = b""
    if kind == 4:
        start, end = sorted(random.integers(size, size=2))
        data[end:end] = data[start:end]
    return bytes(data)


@pytest.mark.parametrize("legacy", [False, True])
def test_mutated_files(tmp_path, legacy):
    """Each is read, or refused by a sentence."""
    buffer = io.BytesIO()
    torch.save(state(), buffer, _use_new_zipfile_serialization=not legacy)
    random = np.random.default_rng(0)
    path = tmp_path / "model.pt"
    outcomes = collections.Counter()
    for _ in range(1000):
        path.write_bytes(mutated(buffer.getvalue(), random))
        try:
            found = read_state(path)
        except UserError as error:
            sentence = str(error)
            assert sentence.startswith(f"{path}: ") and "\n" not in sentence
            outcomes["refused"] += 1
        else:
            assert all(np.isfinite(value).all() for value in found.values())
            outcomes["read"] += 1
    assert outcomes["refused"] > 500 and outcomes["read"] > 0
