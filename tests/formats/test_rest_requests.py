"""TF Serving's JSON, as https://www.tensorflow.org/tfx/serving/api_rest has it."""

import base64

import pytest
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.formats.rest_requests import answer, load, newest_version


class Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def double(self, numbers):
        return {"doubled": 2 * numbers}

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int32)]
    )
    def cut(self, text, length):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(length > 0), [length])]):
            return {"start": tf.strings.substr(text, tf.zeros_like(length), length), "n": length}


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("model"))
    model = Model()
    tf.saved_model.save(
        model, folder, signatures={"serving_default": model.double, "cut": model.cut}
    )
    return tf.saved_model.load(folder).signatures


def test_rows_of_one_input(signatures):
    expected = {"predictions": [[2.0, 4.0], [6.0, 8.0]]}
    assert answer(signatures, {"instances": [[1, 2], [3, 4]]}) == expected
    assert answer(signatures, {"instances": [{"numbers": [1, 2]}, {"numbers": [3, 4]}]}) == expected


def test_columns_of_one_input(signatures):
    expected = {"outputs": [[2.0, 4.0]]}
    assert answer(signatures, {"inputs": [[1, 2]]}) == expected
    assert answer(signatures, {"inputs": {"numbers": [[1, 2]]}}) == expected


def test_several_inputs(signatures):
    encoded = {"b64": base64.b64encode("größe".encode()).decode()}
    rows = [{"text": encoded, "length": 2}, {"text": "abc", "length": 1}]
    found = answer(signatures, {"signature_name": "cut", "instances": rows})
    assert found == {"predictions": [{"start": "gr", "n": 2}, {"start": "a", "n": 1}]}
    columns = {"text": [encoded, "abc"], "length": [2, 1]}
    found = answer(signatures, {"signature_name": "cut", "inputs": columns})
    assert found == {"outputs": {"start": ["gr", "a"], "n": [2, 1]}}


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.int8, tf.uint8])
def test_a_type_has_all_its_numbers_and_no_others(tmp_path, dtype):
    class Numbers(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], dtype)])
        def same(self, numbers):
            return {"same": numbers}

    model = Numbers()
    tf.saved_model.save(model, str(tmp_path), signatures=model.same)
    signatures = tf.saved_model.load(str(tmp_path)).signatures
    least, most = dtype.min, dtype.max
    assert answer(signatures, {"instances": [least, most]}) == {"predictions": [least, most]}
    for number in (least - 1, most + 1):
        with pytest.raises(UserError, match=r"^The values of numbers "):
            answer(signatures, {"instances": [0, number]})


@pytest.mark.parametrize("length", [2**31, -(2**31) - 1, 10**30])
def test_numbers_that_a_type_does_not_have_are_refused(signatures, length):
    rows = [{"text": "abc", "length": 1}, {"text": "abc", "length": length}]
    with pytest.raises(UserError, match=r"^The values of length "):
        answer(signatures, {"signature_name": "cut", "instances": rows})


@pytest.mark.parametrize("pixel", [300, -1])
def test_pixels_out_of_range_are_refused(tmp_path, pixel):
    class Pixels(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.uint8)])
        def same(self, images):
            return {"same": images}

    model = Pixels()
    tf.saved_model.save(model, str(tmp_path), signatures=model.same)
    signatures = tf.saved_model.load(str(tmp_path)).signatures
    assert answer(signatures, {"instances": [0, 255]}) == {"predictions": [0, 255]}
    with pytest.raises(UserError, match="images must be whole numbers from 0 to 255, as uint8"):
        answer(signatures, {"instances": [0, pixel]})


def deep(levels):
    found = 1
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "JSON object"),
        ({}, "either"),
        ({"inputs": [[1, 2]], "instances": [[1, 2]]}, "either"),
        ({"signature_name": "none", "inputs": 1}, "no signature.*serving_default"),
        ({"instances": []}, "is a list"),
        ({"signature_name": ["cut"], "inputs": 1}, "no signature"),
        ({"signature_name": {}, "inputs": 1}, "no signature"),
        ({"instances": [[1, 2], [3]]}, "values of numbers cannot be read as float32"),
        ({"instances": ["x"]}, "values of numbers cannot be read as float32"),
        ({"instances": [None]}, "values of numbers cannot be read as float32"),
        ({"inputs": None}, "values of numbers cannot be read as float32"),
        ({"inputs": deep(254)}, r"have the shape \[1(, 1)*\] in place of \[\?, 2\]"),
        ({"inputs": deep(255)}, "values of numbers cannot be read"),
        ({"inputs": deep(900)}, "values of numbers cannot be read"),
        ({"inputs": deep(100_000)}, "values of numbers"),
        ({"instances": [[1, 2, 3]]}, r"have the shape \[1, 3\] in place of \[\?, 2\]"),
        ({"inputs": 7}, r"have the shape \[\] in place of \[\?, 2\]"),
        ({"signature_name": "cut", "inputs": {"text": ["a"], "length": [2**70]}}, "of length"),
        ({"signature_name": "cut", "inputs": {"text": ["a"], "length": [1.5]}}, "of length"),
        ({"signature_name": "cut", "inputs": {"text": [1], "length": [1]}}, "of text"),
        ({"signature_name": "cut", "instances": [{"text": "a"}]}, "length, text in it"),
        ({"signature_name": "cut", "instances": ["a"]}, "takes length, text"),
        ({"signature_name": "cut", "inputs": {"text": ["a"]}}, "takes length, text"),
        (
            {"signature_name": "cut", "instances": [{"text": "a", "length": 0}]},
            r"refuses the request: 0",
        ),
        (
            {"signature_name": "cut", "instances": [{"text": {"b64": "?"}, "length": 1}]},
            "not base64",
        ),
    ],
)
def test_what_is_no_request(signatures, document, words):
    with pytest.raises(UserError, match=words) as caught:
        answer(signatures, document)
    assert "\n" not in str(caught.value)


def test_what_tensorflow_says_is_told_without_the_place_in_the_graph(signatures):
    """Its last line is a node's name; the reason stands above."""
    message = (
        "Graph execution error:\n\nInvalid PNG data.\n\t [[{{node map/Png}}]] [Op:__inference_7]"
    )

    class Refusing:
        structured_input_signature = signatures["serving_default"].structured_input_signature

        def __call__(self, **inputs):
            raise tf.errors.InvalidArgumentError(None, None, message)

    with pytest.raises(UserError, match=r"refuses the request: Invalid PNG data\.$"):
        answer({"serving_default": Refusing()}, {"inputs": [[1.0, 2.0]]})


def test_the_newest_version(tmp_path):
    with pytest.raises(UserError, match="no exported SavedModel"):
        newest_version(tmp_path)
    for name in ("2", "10", "x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    assert newest_version(tmp_path) == tmp_path / "10"
    assert newest_version(tmp_path / "2") == tmp_path / "2"


@pytest.mark.parametrize("content", [b"", b"text", bytes(100)])
def test_models_that_are_broken(tmp_path, content):
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "saved_model.pb").write_bytes(content)
    with pytest.raises(UserError, match=r"3: cannot be loaded .*; export the run again\.$"):
        load(tmp_path)


def test_directories_that_hold_no_model(tmp_path):
    (tmp_path / "a b" / "1" / "saved_model.pb").mkdir(parents=True)
    with pytest.raises(UserError, match=r"--export_dir='.*a b'"):
        newest_version(tmp_path / "a b")
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "none"):
        with pytest.raises(UserError, match="no exported SavedModel"):
            newest_version(path)
