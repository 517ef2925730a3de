"""Random draws that compile under XLA: a symmetric Beta and a uniform permutation.

``keras.random.beta`` and every gamma sampler fail to compile under XLA on TensorFlow,
and a sort (``argsort``, ``shuffle``) makes the whole compiled program several times
slower on a CPU. Neither is needed here, except to permute a very large batch.
"""

import math
import numbers
from typing import TypeAlias

import keras
from keras import ops

from keras_amp.typing import Size, Tensor

__all__ = ["MOST_RANKED", "near_partners", "symmetric_beta", "uniform_permutation"]

# Up to this many positions all pairs are compared: 17 million, some 100 MB for a moment.
MOST_RANKED = 4096

Seed: TypeAlias = int | keras.random.SeedGenerator | None


def symmetric_beta(shape: tuple[Size, ...], alpha: Tensor, seed: Seed = None) -> Tensor:
    """Draw from Beta(alpha, alpha) exactly, without loops, rejection or gamma draws.

    With U and V uniform on (0, 1), ``r = U ** (1 / alpha)`` and ``c = cos(2 pi V)``,

        q = (1 - r) c^2 / (r + (1 - r) c^2),    lam = 1/2 + sign(c)/2 sqrt(q)

    is Beta(alpha, alpha): Bailey's polar method for Student's t with ``2 alpha``
    degrees of freedom, carried to the Beta by
    ``lam = 1/2 + t / (2 sqrt(2 alpha + t^2))``.
    The smaller of ``lam`` and ``1 - lam`` is computed without a subtraction, as
    ``(1 - q) / (2 (1 + sqrt(q)))``, so that float32 keeps its digits when alpha is small.

    Args:
        shape: Tuple of integers or scalar integer tensors.
        alpha: Float > 0 or a scalar tensor, the distribution's parameter. 1 is uniform;
            smaller values draw near 0 and 1, larger ones near 1/2.
        seed: Integer or ``keras.random.SeedGenerator``.

    Returns:
        A float32 tensor of the given shape with values in [0, 1]. For small alpha it
        holds 0 and 1 themselves: float32 rounds what is nearer than 6e-8 to 1.

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


def uniform_permutation(size: Size, seed: Seed = None) -> Tensor:
    """Draw a uniform permutation of ``range(size)``, in little memory at any size.

    Up to ``MOST_RANKED`` positions, each receives the rank of its uniform draw, counted
    by comparing all pairs, without a sort. With more positions the pairs would take too
    much memory (40 GB at 100,000); two sorts follow each other, each by its own draws.

    All orders are equally likely except for ties, which are broken by position. One pair
    in 2**23 is tied up to ``MOST_RANKED`` positions, and one pair in 2**46 with more: at
    100,000 positions one draw in 14,000 has a tied pair.

    Args:
        size: Integer or scalar integer tensor. If XLA knows a tensor's value, as it
            does for the size of a batch, it compiles only the way that is taken.
        seed: Integer or ``keras.random.SeedGenerator``.

    Returns:
        An int32 tensor of shape ``(size,)``.

    Example:
    >>> sorted(keras_amp.policies.random.uniform_permutation(3, seed=1).numpy().tolist())
    [0, 1, 2]
    """
    is_known = isinstance(size, numbers.Integral)
    if is_known:
        many = size > MOST_RANKED
        draws = _uniform(2 * size if many else size, seed)
        return _sorted_twice(draws, size) if many else _ranks(draws, size)
    size = ops.cast(size, "int32")
    many = size > MOST_RANKED
    draws = _uniform(ops.where(many, 2 * size, size), seed)
    # The branch not taken is traced as well, and its shapes must fit.
    return ops.cond(
        many, lambda: _sorted_twice(draws, size), lambda: _ranks(draws[:size], size)
    )


def near_partners(values: Tensor, bandwidth: float, seed: Seed = None) -> Tensor:
    """Draw a partner for each example, the likelier the nearer its value (C-Mixup).

        P(j is the partner of i)  ~  exp(-||values_i - values_j||^2 / (2 bandwidth^2))

    Args:
        values: Tensor ``(size, ...)`` of numbers.
        bandwidth: Float > 0, in the units of the values.
        seed: Integer or ``keras.random.SeedGenerator``.

    Returns:
        An int32 tensor ``(size,)``; an example may be its own partner.

    Example:
    >>> far_apart = np.array([0.0, 100.0, 200.0])
    >>> keras_amp.policies.random.near_partners(far_apart, 1.0, seed=1).numpy()
    array([0, 1, 2], dtype=int32)

    Reference:
        Yao et al., *C-Mixup: Improving Generalization in Regression*, NeurIPS 2022.
    """
    values = ops.cast(values, "float32")
    size = ops.shape(values)[0]
    values = ops.reshape(values, (size, -1))
    squares = ops.square(ops.expand_dims(values, 1) - ops.expand_dims(values, 0))
    log_p = -ops.sum(squares, axis=-1) / (2.0 * bandwidth**2)
    # The largest of log p plus Gumbel noise is a draw from p.
    uniform = keras.random.uniform((size, size), dtype="float32", seed=seed)
    noise = -ops.log(-ops.log(ops.clip(uniform, 1e-37, 1.0 - 6e-8)))
    return ops.cast(ops.argmax(log_p + noise, axis=1), "int32")


def _uniform(number: Size, seed: Seed) -> Tensor:
    return keras.random.uniform((number,), dtype="float32", seed=seed)


def _ranks(draws: Tensor, size: Size) -> Tensor:
    """Each draw's rank among the others, ``(size,)``, by comparing all pairs."""
    position = ops.arange(size, dtype="int32")
    before = ops.expand_dims(draws, 0) < ops.expand_dims(draws, 1)  # (size, size)
    tied = ops.expand_dims(draws, 0) == ops.expand_dims(draws, 1)
    earlier = ops.expand_dims(position, 0) < ops.expand_dims(position, 1)
    return ops.sum(
        ops.cast(ops.logical_or(before, ops.logical_and(tied, earlier)), "int32"),
        axis=1,
    )


def _sorted_twice(draws: Tensor, size: Size) -> Tensor:
    """The order by one half of ``(2 * size,)`` draws, put in the order by the other.

    That is the order by both: by the second half, and where two are tied by the first.
    """
    first, second = draws[:size], draws[-size:]
    return ops.cast(ops.take(ops.argsort(first), ops.argsort(second)), "int32")
