"""Tables of NAS-Bench-201's form, made up: no numbers are anybody's."""

import csv

from tf_darts.spaces.nasbench201 import strings

COLUMNS = ("cifar10", "cifar100", "cifar10_valid_12_epochs")
_WORTH = {"none": 0.0, "skip_connect": 4.0, "nor_conv_1x1": 5.0, "nor_conv_3x3": 9.0}


def scores(architecture):
    """Scores by column: convolutions are good, among them a skip from input to output is better."""
    if not strings.is_connected(architecture):
        return dict(zip(COLUMNS, (10.0, 1.0, 10.0), strict=True))
    worth = sum((1 + 0.1 * i) * _WORTH.get(name, 1.0) for i, name in enumerate(architecture))
    among = architecture.count("nor_conv_3x3") > 3
    skip = 12.0 if among and architecture[3] == "skip_connect" else 0.0
    full = round(20 + worth + skip + 0.01 * hash_of(architecture), 3)
    short = full - 10 + 0.02 * hash_of(architecture[::-1])
    return dict(zip(COLUMNS, (full, round(full / 2, 3), round(short, 3)), strict=True))


def hash_of(architecture):
    """A number in 0…99 that looks random."""
    places = (strings.OPERATIONS.index(name) for name in architecture)
    return sum(place * 37**i for i, place in enumerate(places)) % 101 % 100


def write(path, architectures=None, columns=COLUMNS, change=lambda rows: rows):
    """Writes a table of these architectures, or all; `change` edits its rows before."""
    architectures = strings.all_architectures() if architectures is None else architectures
    rows = [["index", "architecture", *columns]]
    for index, architecture in enumerate(architectures):
        found = scores(architecture)
        rows.append([index, strings.written(architecture), *(found[name] for name in columns)])
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(change(rows))
    return path
