"""The networks of derived cells that people build themselves, as ordinary Keras models."""

from tf_darts.spaces.convolutional.counts import multiply_adds, weight_count
from tf_darts.spaces.convolutional.network import CifarNetwork, ImageNetNetwork
from tf_darts.spaces.recurrent.network import LanguageModel

__all__ = ["CifarNetwork", "ImageNetNetwork", "LanguageModel", "multiply_adds", "weight_count"]
