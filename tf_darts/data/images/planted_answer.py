"""What is planted in the data set `planted`, for those who make it and those who search it.

TensorFlow is not imported: the space of this name is read with the flags.
"""

# Of the two pixels of a pair, in rows and in columns. A 3×3 convolution with taps e apart sees two
# pixels at once where they lie ±e or ±2e apart; on a field of 16×16 without borders, each of these
# distances is seen by the taps of its own only.
DISTANCES = (1, 3, 4, 5)
SIDE = 16  # pixels of a field
# For each field the distance of the pair that tells its part of the class. None is right for more
# than two fields, so whoever takes the same operation everywhere has two of six.
ANSWER = (3, 1, 5, 4, 1, 5)
