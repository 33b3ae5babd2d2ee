"""The console script `tf-darts`: the same as `python -m tf_darts.main`."""

import runpy


def main() -> None:
    """Runs the command line as the main module, as Python does with -m."""
    runpy.run_module("tf_darts.main", run_name="__main__", alter_sys=True)
