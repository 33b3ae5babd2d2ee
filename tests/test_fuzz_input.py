"""Hundreds of broken genotypes and settings: each is read, or refused in one short line.

What breaks them is drawn with fixed seeds.
"""

import collections
import json
import random

import pytest
from absl import flags

from tf_darts.cells import genotype_files, references
from tf_darts.cells.published import PUBLISHED
from tf_darts.cli import flags as command_line
from tf_darts.cli import program
from tf_darts.config import presets as config
from tf_darts.errors import UserError

LONGEST = 600  # characters of a sentence
V2, RNN = PUBLISHED["convolutional"]["darts_v2"], PUBLISHED["recurrent"]["darts_v2"]
FLAT, RECURRENT = (
    f"Genotype({', '.join(f'{name}={value}' for name, value in cell.to_dict().items())})"
    for cell in (V2, RNN)
)
NESTED = repr(V2)
MODULE = f"import os\nSMALL = {NESTED}\nDARTS_V2: Genotype = {FLAT}\nDARTS = DARTS_V2\n"
NNI = {
    f"{cell}_n{node}_{end}": value
    for cell in ("normal", "reduce")
    for node in (2, 3)
    for end, value in {
        "p0": "sepconv3x3",
        "p1": "maxpool",
        "p2": [],
        "switch": [f"{cell}_n{node}_p{i}" for i in (0, 1)],
    }.items()
}
NUMBERED = {
    f"{cell}/{kind}_2_{i}": "skip_connect" if kind == "op" else i
    for cell in ("normal", "reduce")
    for kind in ("op", "input")
    for i in (0, 1)
}
# What is put in the place of something right.
VALUES = (
    *(None, True, False, 0, -1, 1.5, 10**30, float("nan"), float("inf"), "", "none", "\0", "\n"),
    *("é" * 5, "x" * 5000, [], {}, [[]], {"a": {"b": []}}, [[[["tanh", 0]]]], "'", '"', "range(9)"),
)
SNIPPETS = (
    *("(", ")", "[", "]", "'", ",", "{", "}", "#", "\\", "\n", "\0", "=", "*", "lambda: 0", "None"),
    *("range(10**9)", "__import__('os')", "-1", "1e999", "9" * 5000, "{**{}}", "…", "((((" * 60),
)


def documents():
    found = []
    for space, name in (("convolutional", "darts_v2"), ("recurrent", "enas")):
        cell = PUBLISHED[space][name].to_dict()
        found.append({"schema_version": 1, "space": space, "cell": cell, "provenance": {}})
        found.append(cell)
    return [*found, NNI, NUMBERED]


def test_what_is_broken_is_right_before():
    for text in (*map(json.dumps, documents()), FLAT, NESTED, RECURRENT):
        assert genotype_files.parse(text)
    assert genotype_files.parse(MODULE, "DARTS") == V2


def places(document, path=()):
    """The paths of all parts of a JSON document."""
    items = []
    if isinstance(document, dict):
        items = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document))
    for key, part in items:
        yield (*path, key)
        yield from places(part, (*path, key))


def broken_document(draw):
    """A document with one or two of its parts replaced, removed, renamed or doubled."""
    document = json.loads(json.dumps(draw.choice(documents())))
    for _ in range(draw.choice((1, 1, 2))):
        *path, last = draw.choice(list(places(document)) or [(0,)])
        parent = document
        for key in path:
            parent = parent[key]
        how = draw.randrange(4)
        try:
            if how == 0:
                parent[last] = draw.choice(VALUES)
            elif how == 1:
                del parent[last]
            elif how == 2 and isinstance(parent, dict):
                parent[f"{last}{draw.choice(SNIPPETS)}"] = parent.pop(last)
            elif isinstance(parent, list):
                parent.insert(last, parent[last])
        except (KeyError, IndexError, TypeError):
            continue
    text = json.dumps(document)
    return text.replace('"concat"', '"concat": 1, "concat"') if draw.random() < 0.05 else text


def broken_text(draw, text):
    """A text with a few of its characters cut out, doubled or replaced."""
    for _ in range(draw.choice((1, 1, 2, 5))):
        start = draw.randrange(len(text) + 1)
        end = min(len(text), start + draw.choice((0, 1, 3, 40, 10**6)))
        text = text[:start] + draw.choice(("", text[start:end] * 2, *SNIPPETS)) + text[end:]
    return text


def held(ask):
    """Whether the answer is a value; a refusal must be one short line, all else is raised."""
    try:
        ask()
    except UserError as error:
        message = str(error)
        assert message and "\n" not in message and len(message) < LONGEST, message
        return False
    return True


def test_broken_documents(tmp_path):
    file = tmp_path / "genotype.json"
    draw, found = random.Random(17), collections.Counter()
    for _ in range(300):
        text = broken_document(draw)
        file.write_text(text, encoding="utf-8")
        found[held(lambda: genotype_files.load(file))] += 1
        found[held(lambda text=text: references.read(text))] += 1
    assert found[False] > 400 and found[True] > 10, found


def test_broken_texts(tmp_path):
    file = tmp_path / "cell.py"
    draw, found = random.Random(18), collections.Counter()
    for _ in range(300):
        text = broken_text(draw, draw.choice((FLAT, NESTED, RECURRENT, MODULE, json.dumps(NNI))))
        file.write_text(text, encoding="utf-8")
        name = draw.choice(("", "", ":SMALL", ":DARTS"))
        found[held(lambda name=name: genotype_files.load(f"{file}{name}"))] += 1
        settings = {"mode": "train", "dataset": "digits", "genotype": text}
        found[held(lambda settings=settings: config.configure(settings))] += 1
    assert found[False] > 300 and found[True] > 50, found


GIVEN = (
    *(0, 1, -1, 7, 2**31, 2**70, 10**400, 10**5000, 0.0, 0.5, -0.5, 1e300, float("nan")),
    *(float("inf"), True, False, None, "", "x", "\0", "a\nb", "x" * 5000, "~nobody/x", "darts_v2"),
    *("cifar10", "tfds:bad/name", [], [1], {}, b"bytes", object(), 3 + 4j),
)


def test_broken_settings():
    draw, found = random.Random(19), collections.Counter()
    names = sorted(config.settings())
    modes = [*config.PRESETS, *((mode, None) for mode in config.COMMON)]
    for _ in range(800):
        mode, dataset = draw.choice(modes)
        settings = {"mode": mode, "run_dir": "r"} | ({"dataset": dataset} if dataset else {})
        preset = config.PRESETS.get((mode, dataset)) or config.COMMON[mode]
        if mode == "train":
            settings["genotype"] = "darts_v2"
        pool = sorted(config.fields(preset)) if draw.random() < 0.8 else names
        for name in draw.sample(pool, draw.choice((1, 1, 2))):
            settings[name] = draw.choice(GIVEN)
        if settings.get("dataset") in ("x", "\0", "a\nb") and draw.random() < 0.7:
            continue  # asking for names near a wrong one takes long
        found[held(lambda settings=settings: config.configure(settings))] += 1
    assert found[False] > 300 and found[True] > 20, found


def test_broken_command_lines():
    draw, found = random.Random(20), collections.Counter()
    values = flags.FlagValues()
    command_line.define_flags(values)
    names = sorted(config.settings())
    texts = ("", "0", "1", "-1", "abc", "1.5", "nan", "9" * 30, "9" * 5000, "\0", "a\nb", "é", "=")
    for _ in range(400):
        words = ["main", "--mode=search", "--dataset=digits", "--run_dir=r"]
        for _ in range(draw.choice((1, 2))):
            name = draw.choice(names)
            wrong = f"{draw.choice(('--', '-', '--no', '', '--x'))}{name}"
            form = draw.choice(
                (f"--{name}", wrong, f"{name[:3]}", f"--{name}{draw.choice('=xé ')}")
            )
            words.append(f"{form}={draw.choice(texts)}" if draw.random() < 0.7 else form)

        def ask(words=words):
            values.unparse_flags()
            for name in names:
                values[name].unparse()
            program.parse_flags(words, values)
            return command_line.config_from_flags(values)

        found[held(ask)] += 1
    assert found[False] > 250 and found[True] > 10, found


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--nodeterministic=1"], "it takes no value; write --nodeterministic or --deterministic="),
        (["--unit=3"], "--unit is no flag; did you mean --units? --help lists them."),
        (["--zzzz=red"], "--zzzz is no flag; --help lists them."),
        (["--epochs=abc"], "--epochs=abc: it must be a whole number."),
        (["--epochs=1.5"], "--epochs=1.5: it must be a whole number."),
        (
            ["--temporal_activation_penalty=low"],
            "--temporal_activation_penalty=low: it must be a number.",
        ),
        (["--flip=maybe"], "--flip=maybe: it must be true or false."),
        (["--epochs"], "--epochs: a value is missing; write --epochs=VALUE."),
    ],
)
def test_wrong_flags_are_one_sentence(arguments, sentence):
    values = flags.FlagValues()
    command_line.define_flags(values)
    with pytest.raises(UserError) as error:
        program.parse_flags(["main", *arguments], values)
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_the_advice_about_flags_works():
    values = flags.FlagValues()
    command_line.define_flags(values)
    advised = ["--nodeterministic", "--deterministic=false", "--units=3", "--epochs=2"]
    assert program.parse_flags(["main", *advised], values) == ["main"]
    assert (values.deterministic, values.units, values.epochs) == (False, 3, 2)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"--epochs=abc\n", b"--unit=3\n"])
def test_wrong_flagfiles_are_one_sentence(tmp_path, content):
    file = tmp_path / "a.flags"
    if content:
        file.write_bytes(content)
    values = flags.FlagValues()
    command_line.define_flags(values)
    flags.DEFINE_string("flagfile", None, "as absl has it", flag_values=values)
    assert not held(lambda: program.parse_flags(["main", f"--flagfile={file}"], values))
    assert not held(lambda: program.parse_flags(["main", f"--flagfile={tmp_path}"], values))


def test_a_flagfile_that_is_not_utf8_is_named(tmp_path):
    bad, names_it = tmp_path / "bad.flags", tmp_path / "good.flags"
    bad.write_bytes("# café\n--epochs=2\n".encode("latin-1"))
    names_it.write_text(f"--flagfile={bad}\n")
    values = flags.FlagValues()
    command_line.define_flags(values)
    flags.DEFINE_string("flagfile", None, "as absl has it", flag_values=values)
    for file in (bad, names_it):
        with pytest.raises(UserError, match=f"^--flagfile={bad} is not UTF-8 at byte 5; write it"):
            program.parse_flags(["main", f"--flagfile={file}"], values)
