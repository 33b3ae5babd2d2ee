"""Our supernets pass the check that others are held to."""

import numpy as np
import pytest

from tf_darts.spaces.convolutional.relaxed.classifier import RelaxedImageClassifier
from tf_darts.spaces.convolutional.relaxed.supernet import ConvolutionalSupernet
from tf_darts.spaces.recurrent.relaxed.language_model import RelaxedLanguageModel
from tf_darts.spaces.recurrent.relaxed.supernet import RecurrentSupernet
from tf_darts.testing import check_supernet


def images():
    model = RelaxedImageClassifier(3, channels=2, layers=3, nodes=1, seed=0)
    return ConvolutionalSupernet(model, (8, 8, 3))


def words(**rates):
    model = RelaxedLanguageModel(11, 5, nodes=2, **rates)
    return RecurrentSupernet(model, temporal_activation_penalty=0.1)


def text():
    found = np.random.default_rng(0).integers(0, 11, (4, 3))
    return found, np.roll(found, 1, axis=0)


@pytest.mark.slow
def test_ours_of_images_passes(float64):
    pixels = np.random.default_rng(0).standard_normal((3, 8, 8, 3))
    check_supernet(images(), (pixels, np.arange(3)), random_masks=False)


@pytest.mark.slow
def test_ours_of_texts_passes(float64):
    rates = ("embedding", "input", "cell_input", "hidden", "output")
    rates = {f"{rate}_dropout": 0.2 for rate in rates}
    check_supernet(words(**rates), text(), random_masks=True)


def test_masks_that_are_not_there(float64):
    with pytest.raises(AssertionError, match=r"at two seeds .* masks are said to be there"):
        check_supernet(words(), text(), random_masks=True)
