"""The paired sign-flip permutation test: is a mean difference more than chance?

If two methods have equal errors, each pair's difference could as well have had the other
sign. The test counts in how many of all such cases the mean lies as far out as the one
that was found. It assumes nothing but that differences are symmetric around their mean.
Needs NumPy alone.

Reference:
    Fisher, *The Design of Experiments*, 1935, section 21.
    Phipson and Smyth, *Permutation P-values Should Never Be Zero*, 2010.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

Alternative: TypeAlias = Literal["two-sided", "less", "greater"]

EXACT = 20  # seeds up to which all changes of sign are gone through, 2**20 at most
DRAWS = 100_000  # random changes of sign for more seeds
BLOCK = 10_000  # of them at a time
DIGITS = 9  # decimals of errors in percent; a smaller difference is a rounding error
ALTERNATIVES = ("two-sided", "less", "greater")


def sign_flip_test(
    differences: ArrayLike, alternative: Alternative = "two-sided"
) -> float | None:
    """Return the p-value of the sign-flip permutation test of the mean difference.

    It is exact up to 20 differences. For more, 100,000 random changes of sign are drawn
    from a fixed seed, and the p-value is ``(count + 1) / (draws + 1)``.

    Args:
        differences: Float array ``(num_seeds,)``, a method's errors less those of the
            other, paired by seed. What differs by less than 1e-9 is equal.
        alternative: ``"two-sided"``; ``"less"``, whether the mean lies below zero; or
            ``"greater"``.

    Returns:
        A float in (0, 1], at least ``2 ** -num_seeds``, and twice that if two-sided; None
        for fewer than two differences.

    Raises:
        ValueError: If a difference is not finite, or the alternative unknown.

    Example:
    >>> from keras_amp.analysis.permutation import sign_flip_test
    >>> sign_flip_test([-1.1, -0.8, -1.3, -0.7, -0.6])
    0.0625
    >>> sign_flip_test([-1.1, -0.8, -1.3, -0.7, -0.6], "less")
    0.03125
    """
    if alternative not in ALTERNATIVES:
        raise ValueError(
            f"Expected `alternative` to be one of {', '.join(ALTERNATIVES)}. Received: "
            f"{alternative!r}"
        )
    apart = checked_differences(differences)
    if len(apart) < 2:
        return None
    if alternative == "greater":
        apart = -apart
    found = apart.sum()
    # Sums that differ by rounding alone are ties. Those of rounded differences that
    # differ at all do so by more.
    slack = max(0.5 * 10.0**-DIGITS, 1e-12 * float(np.abs(apart).sum()))
    two_sided = alternative == "two-sided"
    limit = abs(found) - slack if two_sided else found + slack

    def as_far_out(sums: np.ndarray) -> int:
        return int(
            np.count_nonzero(np.abs(sums) >= limit if two_sided else sums <= limit)
        )

    if len(apart) <= EXACT:
        return as_far_out(_all_sums(apart)) / 2 ** len(apart)
    rng = np.random.default_rng(0)
    count = 0
    for _ in range(DRAWS // BLOCK):
        signs = rng.integers(0, 2, (BLOCK, len(apart)), dtype="int8")
        count += as_far_out(2.0 * (signs @ apart) - found)
    return (count + 1) / (DRAWS + 1)


def equivalence_test(differences: ArrayLike, margin: float) -> float | None:
    """Return the p-value of the test that the mean difference lies within a margin.

    Two one-sided sign-flip tests must both reject: that the mean is at most ``-margin``,
    and that it is at least ``margin``. The larger p-value of the two is the test's.

    Args:
        differences: As of ``sign_flip_test``.
        margin: Float > 0: differences of the mean below it count as none.

    Returns:
        A float in (0, 1]; None for fewer than two differences.

    Raises:
        ValueError: If a difference is not finite, or the margin not above 0.

    Example:
    >>> from keras_amp.analysis.permutation import equivalence_test
    >>> equivalence_test([0.1, -0.2, 0.0, 0.2, -0.1], margin=0.5)
    0.03125

    Reference:
        Schuirmann, *A Comparison of the Two One-Sided Tests Procedure and the Power
        Approach*, 1987.
    """
    margin = checked_margin(margin)
    apart = checked_differences(differences)
    below = sign_flip_test(apart - margin, "less")
    above = sign_flip_test(apart + margin, "greater")
    return None if below is None or above is None else max(below, above)


def least_p(num_seeds: int, alternative: Alternative = "two-sided") -> float:
    """Return the least p-value that ``sign_flip_test`` can have, whatever the errors.

    Example:
    >>> from keras_amp.analysis.permutation import least_p
    >>> least_p(5), least_p(6), least_p(5, "less")
    (0.0625, 0.03125, 0.03125)
    """
    sides = 2 if alternative == "two-sided" else 1
    return min(1.0, sides * 2.0**-num_seeds)


def checked_differences(differences: ArrayLike) -> np.ndarray:
    """Return differences as a float64 array without rounding errors, which break ties.

    Raises:
        ValueError: If they are no vector, or one of them is not finite.
    """
    apart = np.asarray(differences, "float64")
    if apart.ndim != 1 or not np.isfinite(apart).all():
        raise ValueError(
            "Expected `differences` to be a vector of finite numbers, one for each seed. "
            f"Received: an array of shape {apart.shape} with "
            f"{np.count_nonzero(~np.isfinite(apart))} that are not finite."
        )
    return np.round(apart, DIGITS)


def checked_margin(margin: float) -> float:
    """Return a margin; raise ValueError unless it is above 0 and finite."""
    if not 0 < margin < np.inf:
        raise ValueError(
            "Expected `margin` to be a number above 0, within which errors count as "
            f"equal. Received: {margin!r}"
        )
    return float(margin)


def _all_sums(apart: np.ndarray) -> np.ndarray:
    """The sums under all changes of sign, a float64 array ``(2 ** num_seeds,)``."""
    sums = np.zeros(1)
    for each in apart:
        sums = np.concatenate([sums + each, sums - each])
    return sums
