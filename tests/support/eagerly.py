"""Runs a Python file as a program without compiling functions: `python eagerly.py FILE ARGUMENTS`.

Compiling takes longer than a few toy steps of what is compiled.
"""

import pathlib
import runpy
import sys
import warnings

if __name__ == "__main__":
    import tensorflow as tf

    sys.argv = sys.argv[1:]
    sys.path[0] = str(pathlib.Path(__file__).parents[2])
    warnings.simplefilter("ignore", UserWarning)  # input pipelines are compiled all the same
    tf.config.run_functions_eagerly(True)
    from tf_darts.runs import search, training

    # Memory is not counted: that traces a network's gradient, which has tests of its own.
    search.search_memory = training.training_memory = lambda *arguments: None
    runpy.run_path(sys.argv[0], run_name="__main__")
