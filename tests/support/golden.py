"""What the tests against golden numbers have in common."""

import numpy as np


def error(ours, theirs):
    """Relative to the norm of what is right."""
    return np.linalg.norm(np.asarray(ours) - theirs) / np.linalg.norm(theirs)


def state_of(golden):
    """The weights and buffers among golden numbers, by the names that PyTorch gives them."""
    return {
        name.split("/", 1)[1]: value
        for name, value in golden.items()
        if name.startswith(("param/", "buffer/"))
    }
