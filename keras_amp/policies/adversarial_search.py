"""From the drawn lambda to the losses that are trained on: MaxOp, then MinOp.

Which passes a step makes depends on what the policy needs
(``keras_amp.policies.needs``).
"""

from collections.abc import Mapping
from typing import Any

from keras import ops

from keras_amp.policies.operators import expand_like
from keras_amp.policies.passes import Pass, Passes, Point, Searched
from keras_amp.typing import Size, Tensor


def search(policy: Any, passes: Passes, start: Point) -> Searched:
    """Find what a step is trained on (Eq. 14-16, 18-21).

    Args:
        policy: The policy: its ``needs``, ``perturb`` and ``select`` are used.
        passes: The passes that the step can make.
        start: The drawn ``Point``.

    Returns:
        What is trained on, and how it was found.
    """
    needs, lam = policy.needs, start.lam
    if needs.trains_on == "drawn":
        return found(passes.train(start), start)

    compared = needs.trains_on == "compared"
    evaluate = passes.train_with_gradient if compared else passes.probe_with_gradient
    first, lam_gradient = evaluate(start)
    lam_gradient = _per_loss(lam_gradient, needs.gradient_of, passes.batch_size)
    adversarial_lam = policy.perturb(lam, lam_gradient)
    for _ in range(needs.ascent_steps - 1):
        _, gradient = passes.probe_with_gradient(start._replace(lam=adversarial_lam))
        gradient = _per_loss(gradient, needs.gradient_of, passes.batch_size)
        adversarial_lam = policy.perturb(adversarial_lam, gradient)
    adversarial_lam = ops.stop_gradient(adversarial_lam)
    there = start._replace(lam=adversarial_lam)
    moved = {"adversarial_lam": adversarial_lam, "lam_gradient": lam_gradient}

    if needs.trains_on == "moved":
        trained = passes.train(there)
        mask = ops.ones_like(trained.loss)
        return found(trained, start, first.loss, trained.loss, mask, **moved)
    second = (passes.train if compared else passes.probe)(there)
    mask = ops.cast(policy.select(first.loss, second.loss), "bool")
    if compared:
        trained = passes.choose(mask, second, first)
    else:
        chosen = ops.where(expand_like(mask, lam), adversarial_lam, lam)
        trained = passes.train(start._replace(lam=ops.stop_gradient(chosen)))
    mask = ops.cast(mask, "float32")
    return found(trained, start, first.loss, second.loss, mask, **moved)


def found(
    trained: Pass,
    at: Point,
    loss: Tensor | None = None,
    adversarial_loss: Tensor | None = None,
    mask: Tensor | None = None,
    lam: Tensor | None = None,
    adversarial_lam: Tensor | None = None,
    lam_gradient: Tensor | None = None,
    measured: Mapping[str, Tensor] | None = None,
) -> Searched:
    """Make a ``Searched``, whose parts but the first are constants.

    Args:
        trained: As ``Searched``.
        at: As ``Searched``.
        loss: As ``Searched``; None for the trained losses.
        adversarial_loss: As ``Searched``; None for the trained losses.
        mask: As ``Searched``; None for zeros.
        lam: As ``Searched``; None for that of the point, 1 where nothing is mixed.
        adversarial_lam: As ``Searched``; None for ``lam``.
        lam_gradient: As ``Searched``; None for zeros.
        measured: As ``Searched``; None for nothing.

    Returns:
        A ``Searched``.
    """
    if lam is None:
        lam = ops.ones_like(trained.loss) if at.lam is None else at.lam

    def constant(value: Tensor | None, default: Tensor) -> Tensor:
        return ops.stop_gradient(default if value is None else value)

    return Searched(
        trained,
        at,
        lam=ops.stop_gradient(lam),
        adversarial_lam=constant(adversarial_lam, lam),
        lam_gradient=constant(lam_gradient, ops.zeros_like(lam)),
        mask=constant(mask, ops.zeros_like(trained.loss)),
        loss=constant(loss, trained.loss),
        adversarial_loss=constant(adversarial_loss, trained.loss),
        measured={k: ops.stop_gradient(v) for k, v in (measured or {}).items()},
    )


def _per_loss(gradient: Tensor, gradient_of: str, batch_size: Size) -> Tensor:
    """The gradient of each example's loss, or of the batch's mean loss."""
    if gradient_of == "mean":
        return gradient / ops.cast(batch_size, gradient.dtype)
    return gradient
