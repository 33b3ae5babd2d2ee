"""One target for each package: all its files."""

load("@rules_python//python:defs.bzl", "py_library")

def library(name, deps = []):
    """The Python files of this package and of the folders below it that are no packages of Bazel."""
    py_library(
        name = name,
        srcs = native.glob(["**/*.py"]),
        data = native.glob(["**/*.tsv", "*.sh"], allow_empty = True),
        visibility = ["//visibility:public"],
        deps = deps + ["//:requirements"],
    )
