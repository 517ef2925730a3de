"""From the drawn lambda to the losses that are trained on: MaxOp, then MinOp.

Which passes a step makes depends on what the policy needs
(``keras_amp.policies.needs``). Nothing here knows how a gradient is taken or how a loss
is evaluated: the passes are handed over by name.
"""

from typing import NamedTuple, Protocol

from keras import ops, tree

from keras_amp.graph import keras_compat
from keras_amp.policies import Mixup, expand_like
from keras_amp.typing import Size, Structure, Tensor


class Pass(NamedTuple):
    """What a pass yields.

    Attributes:
        y_pred: The mixtures' predictions, in the structure of the classifier's output.
        loss: Their losses, float32 ``(batch_size,)``.
    """

    y_pred: Structure
    loss: Tensor


class Passes(Protocol):
    """The passes that a step can make at coefficients ``lam`` of the inputs.

    What a pass changes (batch statistics, counters, penalties) counts once a step: only
    ``train`` keeps it.
    """

    def probe(self, lam: Tensor) -> Pass:
        """Makes a pass that is not trained on."""

    def probe_with_gradient(self, lam: Tensor) -> tuple[Pass, Tensor]:
        """Makes the same, and returns the losses' gradients for ``lam`` as well."""

    def train_with_gradient(self, lam: Tensor) -> tuple[Pass, Tensor]:
        """Makes a pass that is trained on, but is not the last one of the step."""

    def train(self, lam: Tensor) -> Pass:
        """Makes the last pass of a step, which is trained on."""


class Searched(NamedTuple):
    """What a step is trained on, and how it was found.

    All but ``trained`` are constants, of which no gradient is taken.

    Attributes:
        trained: ``Pass``, each example's predictions and its loss to be minimised.
        lam: The drawn coefficients, float32 ``(batch_size,)`` or of each dimension.
        adversarial_lam: lambda', of the shape of ``lam``.
        lam_gradient: The gradient at ``lam``, before it is clipped, of its shape.
        mask: Float32 ``(batch_size,)``, 1 where the example is trained at lambda'.
        loss: The losses at ``lam``, float32 ``(batch_size,)``.
        adversarial_loss: The losses at lambda', likewise.
    """

    trained: Pass
    lam: Tensor
    adversarial_lam: Tensor
    lam_gradient: Tensor
    mask: Tensor
    loss: Tensor
    adversarial_loss: Tensor


def search(policy: Mixup, passes: Passes, lam: Tensor, batch_size: Size) -> Searched:
    """Finds what a step is trained on (Eq. 14-16, 18-21).

    Args:
        policy: The policy.
        passes: The passes that the step can make.
        lam: Float32 ``(batch_size,)``, the drawn coefficients, or these for each
            dimension of the hidden states, ``(batch_size, ...)``.
        batch_size: Number of examples whose losses the batch's mean averages (of all
            replicas, when training is distributed).

    Returns:
        What is trained on, and how it was found.
    """
    needs = policy.needs
    if needs.trains_on == "drawn":
        trained = passes.train(lam)
        unmoved = ops.zeros_like(lam)
        return _searched(trained, lam, lam, unmoved, ops.zeros_like(trained.loss))

    compared = needs.trains_on == "compared"
    evaluate = passes.train_with_gradient if compared else passes.probe_with_gradient
    first, lam_gradient = evaluate(lam)
    lam_gradient = _per_loss(lam_gradient, needs.gradient_of, batch_size)
    adversarial_lam = policy.perturb(lam, lam_gradient)
    for _ in range(needs.ascent_steps - 1):
        _, gradient = passes.probe_with_gradient(adversarial_lam)
        gradient = _per_loss(gradient, needs.gradient_of, batch_size)
        adversarial_lam = policy.perturb(adversarial_lam, gradient)
    adversarial_lam = ops.stop_gradient(adversarial_lam)
    found = lam, adversarial_lam, lam_gradient

    if needs.trains_on == "moved":
        trained = passes.train(adversarial_lam)
        return _searched(trained, *found, ops.ones_like(trained.loss), first.loss)
    second = (passes.train if compared else passes.probe)(adversarial_lam)
    mask = ops.cast(policy.select(first.loss, second.loss), "bool")
    if compared:
        trained = tree.map_structure(lambda *two: _where(mask, *two), second, first)
    else:
        chosen = ops.where(expand_like(mask, lam), adversarial_lam, lam)
        trained = passes.train(ops.stop_gradient(chosen))
    mask = ops.cast(mask, "float32")
    return _searched(trained, *found, mask, first.loss, second.loss)


def _per_loss(gradient: Tensor, gradient_of: str, batch_size: Size) -> Tensor:
    """The gradient of each example's loss, or of the batch's mean loss."""
    if gradient_of == "mean":
        return gradient / ops.cast(batch_size, gradient.dtype)
    return gradient


def _where(mask: Tensor, second: Tensor, first: Tensor) -> Tensor:
    """Picks examples by a mask ``(batch_size,)``; Keras' own mask is the second's."""
    picked = ops.where(expand_like(mask, second), second, first)
    if keras_compat.mask_of(second) is not None:
        keras_compat.put_mask(picked, keras_compat.mask_of(second))
    return picked


def _searched(
    trained: Pass,
    lam: Tensor,
    adversarial_lam: Tensor,
    lam_gradient: Tensor,
    mask: Tensor,
    loss: Tensor | None = None,
    adversarial_loss: Tensor | None = None,
) -> Searched:
    """Makes constants of what was found; a loss that no pass told is the trained one."""
    loss = trained.loss if loss is None else loss
    adversarial_loss = trained.loss if adversarial_loss is None else adversarial_loss
    found = lam, adversarial_lam, lam_gradient, mask, loss, adversarial_loss
    return Searched(trained, *map(ops.stop_gradient, found))
