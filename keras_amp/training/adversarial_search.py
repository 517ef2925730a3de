"""From lambda to the chosen lambda: MaxOp and MinOp over a per-example loss.

Handed the gradient operator, so that a backend brings only its own: nothing here knows
how a gradient is taken or a loss evaluated.
"""

from typing import Any, NamedTuple

from keras import ops

from keras_amp.policies.operators import expand_like


class Choice(NamedTuple):
    """What the search found; every entry is a float32 tensor ``(batch_size,)``.

    With a lambda for every dimension, ``lam``, ``adversarial_lam`` and ``lam_gradient``
    have the shape of the hidden states, ``(batch_size, ...)``.

    Attributes:
        lam: The chosen coefficient of the inputs: lambda or lambda'.
        adversarial_lam: lambda'.
        mask: 1 where lambda' was chosen, else 0.
        loss: The losses at lambda; None if lambda was taken unseen.
        adversarial_loss: The losses at lambda'; None if they were not needed for the
            choice (``min_op=False``), in which case the final pass yields them.
        lam_gradient: The gradient that MaxOp was given first, before the clip.
    """

    lam: Any
    adversarial_lam: Any
    mask: Any
    loss: Any
    adversarial_loss: Any
    lam_gradient: Any


def search(loss_at, lam, policy, value_and_gradient, batch_size):
    """Searches the coefficient to train on: MaxOp, then MinOp (Eq. 14-16, 18-21).

    Args:
        loss_at: Callable from coefficients of the inputs, of the shape of ``lam``, to the
            examples' mixup losses ``(batch_size,)``; the labels' lambda is its own. It
            is called at lambda first, then on the way to lambda' where there are several
            steps, and with ``min_op=True`` at lambda' last.
        lam: Float32 tensor ``(batch_size,)``, the drawn coefficients, or these for each
            dimension of the hidden states, ``(batch_size, ...)``.
        policy: An ``AdversarialMixing``.
        value_and_gradient: Callable ``(f, lam) -> (f(lam), d sum(f(lam)) / d lam)``.
        batch_size: Number of examples whose losses the batch mean averages (of all
            replicas, when training is distributed).

    Returns:
        A ``Choice``.
    """

    def climb(at):
        loss, gradient = value_and_gradient(loss_at, at)
        if policy.gradient == "mean" and policy.lam_per == "example":
            gradient = gradient / ops.cast(batch_size, gradient.dtype)
        return loss, gradient, policy.perturb(at, gradient)

    loss, lam_gradient, adversarial_lam = climb(lam)
    for _ in range(policy.ascent_steps - 1):
        *_, adversarial_lam = climb(adversarial_lam)
    if not policy.min_op:
        ones = ops.ones_like(lam)
        return Choice(adversarial_lam, adversarial_lam, ones, loss, None, lam_gradient)
    adversarial_loss = loss_at(adversarial_lam)
    mask = ops.cast(policy.select(loss, adversarial_loss), "bool")
    return Choice(
        lam=ops.where(expand_like(mask, lam), adversarial_lam, lam),
        adversarial_lam=adversarial_lam,
        mask=ops.cast(mask, "float32"),
        loss=loss,
        adversarial_loss=adversarial_loss,
        lam_gradient=lam_gradient,
    )
