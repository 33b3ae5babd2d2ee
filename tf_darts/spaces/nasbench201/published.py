"""Cells of NAS-Bench-201 that have a name, as `Genotype.to_dict` has them.

Each is one of the 15,625 that the benchmark's table has (docs/nasbench201.md); `best_…` are the
first there by test accuracy after 200 epochs.
"""

from tf_darts.spaces.nasbench201 import strings

SHORT = {
    "best_cifar10": "3/33/s31",
    # What DrNAS, β-DARTS and others find on every seed.
    "best_cifar100": "3/33/s33",
    "best_imagenet16": "1/13/s33",
    "resnet": "3/-3/s-s",
    "all_3x3": "3/33/333",
    "all_1x1": "1/11/111",
    "all_avg_pool": "a/aa/aaa",
    # All skip connections: what DARTS falls into.
    "collapsed": "s/ss/sss",
    "all_none": "-/--/---",
}
CELLS = {
    name: strings.fields(strings.written(strings.from_short(text))) for name, text in SHORT.items()
}
