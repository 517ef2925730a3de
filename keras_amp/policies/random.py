"""Random draws that compile under XLA: a symmetric Beta and a uniform permutation.

``keras.random.beta`` and every gamma sampler fail to compile under XLA on TensorFlow,
and a sort (``argsort``, ``shuffle``) makes the whole compiled program several times
slower on a CPU. Neither is needed, but for the permutation of a very large batch.
"""

import math
import numbers

import keras
from keras import ops

__all__ = ["MOST_RANKED", "symmetric_beta", "uniform_permutation"]

# Up to so many positions all pairs are compared: 17 million, some 100 MB for a moment.
MOST_RANKED = 4096


def symmetric_beta(shape, alpha, seed=None):
    """Draws from Beta(alpha, alpha) exactly, without loops, rejection or gamma draws.

    With U and V uniform on (0, 1), ``r = U ** (1 / alpha)`` and ``c = cos(2 pi V)``,

        q = (1 - r) c^2 / (r + (1 - r) c^2),    lam = 1/2 + sign(c)/2 sqrt(q)

    is Beta(alpha, alpha): Bailey's polar method for Student's t with ``2 alpha``
    degrees of freedom, carried to the Beta by
    ``lam = 1/2 + t / (2 sqrt(2 alpha + t^2))``.
    The smaller of ``lam`` and ``1 - lam`` is computed without a subtraction, as
    ``(1 - q) / (2 (1 + sqrt(q)))``, so that float32 keeps its digits when alpha is small.

    Args:
        shape: Tuple of integers or scalar integer tensors.
        alpha: Float > 0, the parameter of the distribution. 1 is uniform; smaller
            values draw near 0 and 1, larger ones near 1/2.
        seed: Integer or ``keras.random.SeedGenerator``.

    Returns:
        A float32 tensor of the given shape with values in [0, 1]. For small alpha the
        bounds themselves occur: float32 rounds what lies nearer than 6e-8 to 1.

    Example:
    >>> lam = keras_amp.policies.random.symmetric_beta((4,), alpha=0.2, seed=7)
    >>> lam.shape
    TensorShape([4])

    References:
        - Bailey, *Polar generation of random variates with the t-distribution*, 1994.
        - Devroye, *Random variate generation in one line of code*, 1996.
    """
    u = keras.random.uniform(shape, dtype="float32", seed=seed)
    v = keras.random.uniform(shape, dtype="float32", seed=seed)
    # The generator may return 0, whose logarithm is not finite.
    log_r = ops.log(ops.maximum(u, 1e-37)) / alpha
    r = ops.exp(log_r)
    c = ops.cos(2.0 * math.pi * v)
    c_squared = ops.maximum(ops.square(c), 1e-37)
    tail = -ops.expm1(log_r) * c_squared  # (1 - r) c^2, exact also for r near 1
    total = r + tail
    smaller = 0.5 * (r / total) / (1.0 + ops.sqrt(tail / total))
    return ops.where(c < 0, smaller, 1.0 - smaller)


def uniform_permutation(size, seed=None):
    """Draws a uniform permutation of ``range(size)``, in little memory at any size.

    Up to ``MOST_RANKED`` positions each receives the rank of its uniform draw, counted by
    comparing all pairs, without a sort. Beyond, where all pairs would take too much
    memory (40 GB at 100,000), two sorts follow each other, each by draws of its own.

    All orders are equally likely but for ties, which are broken by position: one pair in
    2**23 up to ``MOST_RANKED``, beyond one pair in 2**46 (at 100,000 positions a draw in
    14,000 holds such a pair).

    Args:
        size: Integer or scalar integer tensor. Where a tensor's value is known when XLA
            compiles, as a batch's size is, the program holds one of the two ways only.
        seed: Integer or ``keras.random.SeedGenerator``.

    Returns:
        An int32 tensor of shape ``(size,)``.

    Example:
    >>> sorted(keras_amp.policies.random.uniform_permutation(3, seed=1).numpy().tolist())
    [0, 1, 2]
    """
    if isinstance(size, numbers.Integral):
        many = size > MOST_RANKED
        number = 2 * size if many else size
    else:
        size = ops.cast(size, "int32")
        many = size > MOST_RANKED
        number = ops.where(many, 2 * size, size)
    draws = keras.random.uniform((number,), dtype="float32", seed=seed)
    if isinstance(size, numbers.Integral):
        return _sorted_twice(draws, size) if many else _ranks(draws, size)
    # The branch not taken is traced as well, and its shapes must fit.
    return ops.cond(
        many, lambda: _sorted_twice(draws, size), lambda: _ranks(draws[:size], size)
    )


def _ranks(draws, size):
    """Each draw's rank among the others, ``(size,)``, by comparing all pairs."""
    position = ops.arange(size, dtype="int32")
    before = ops.expand_dims(draws, 0) < ops.expand_dims(draws, 1)  # (size, size)
    tied = ops.expand_dims(draws, 0) == ops.expand_dims(draws, 1)
    earlier = ops.expand_dims(position, 0) < ops.expand_dims(position, 1)
    return ops.sum(
        ops.cast(ops.logical_or(before, ops.logical_and(tied, earlier)), "int32"),
        axis=1,
    )


def _sorted_twice(draws, size):
    """The order by one half of ``(2 * size,)`` draws, put in the order by the other.

    That is the order by both: by the second half, and where two are tied by the first.
    """
    first, second = draws[:size], draws[-size:]
    return ops.cast(ops.take(ops.argsort(first), ops.argsort(second)), "int32")
