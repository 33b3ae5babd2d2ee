import tensorflow as tf

from tf_darts.runtime.seeds import seeds_of_step, step_seed, sub_seed


def test_derived_seeds_stay_what_they_are():
    # A change here would make every published run irreproducible.
    assert sub_seed(0, "weights") == 31069315
    assert sub_seed(7, "alpha", "cell", 3) == 290868026


def test_derived_seeds_fit_31_bits_and_differ():
    seeds = {sub_seed(s, what, i) for s in range(10) for what in "abc" for i in range(10)}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_purposes_do_not_run_into_one_another():
    assert sub_seed(1, "a", "b") != sub_seed(1, "b", "a")
    assert sub_seed(1, 2) != sub_seed(12)


def _seed(seed, step, attempt):
    return tuple(step_seed(seed, tf.constant(step, tf.int64), tf.constant(attempt)).numpy())


def test_step_seeds_repeat_and_differ_by_each_argument():
    assert _seed(0, 5, 0) == _seed(0, 5, 0)
    several = {_seed(s, n, a) for s in range(3) for n in range(20) for a in range(3)}
    assert len(several) == 180
    assert step_seed(0, tf.constant(1), tf.constant(0)).dtype == tf.int32


def test_step_seeds_are_the_same_in_a_graph():
    compiled = tf.function(lambda step, attempt: step_seed(3, step, attempt))
    inside = compiled(tf.constant(9, tf.int64), tf.constant(1, tf.int64))
    assert tuple(inside.numpy()) == _seed(3, 9, 1)


def test_four_seeds_of_a_step_stay_what_they_are():
    # As before they were compiled as one: published runs are drawn by them.
    step, attempt = tf.constant(5, tf.int64), tf.constant(1, tf.int64)
    split = tf.random.experimental.stateless_split(step_seed(3, step, attempt), 4)
    for seeds in (seeds_of_step(3, step, attempt), tf.function(seeds_of_step)(3, step, attempt)):
        assert [seed.numpy().tolist() for seed in seeds] == split.numpy().tolist()
