"""Mixup: a random coefficient, a random partner, no adversarial step."""

from typing import Any, ClassVar, Literal

import keras
from keras import ops

from keras_amp.policies.needs import Needs
from keras_amp.policies.policy import Policy
from keras_amp.policies.random import near_partners, symmetric_beta, uniform_permutation
from keras_amp.typing import Size, Tensor
from keras_amp.validation import check_number, check_one_of


@keras.saving.register_keras_serializable(package="keras_amp")
class Mixup(Policy):
    """Plain mixup: a random coefficient, a random partner, no adversarial step.

        lambda * L(g, y) + (1 - lambda) * L(g, y'),    lambda ~ Beta(alpha, alpha)

    where g is ``lambda * h + (1 - lambda) * h'``, the mixture of an example's hidden
    state and its partner's, and y and y' are their labels.

    **When to use it.** As the first of the methods that mix, and as the control of all
    others. For regression with near partners (C-Mixup): the mean of far labels need not
    be the label of a mixture.

    **What it costs.** One pass, as a plain step. Near partners compare all pairs of a
    batch.

    **Traps.** Where labels are few it raises the calibration error: the network is
    trained on mixtures alone, whose labels are never certain (``RegMixup`` trains on the
    examples, too). Of examples without labels near partners go by what stands in the
    labels' place. A ``bandwidth`` far below the labels' distances leaves each example
    alone.

    A variant is a small subclass: override ``draw`` for other coefficients or partners;
    for an adversarial step subclass ``AdversarialMixing`` and override ``perturb``,
    ``select`` or ``example_weights``.

    Args:
        alpha: Float > 0. The coefficients follow Beta(alpha, alpha); the paper uses 1.
        lam_per: ``"example"`` draws one coefficient per example, ``"batch"`` one for
            all examples of a batch (of a replica's batch, when training is distributed).
        probability: Float in [0, 1], the share of batches that are mixed at all. The
            others are trained on unchanged: lambda is 1 and every example is its own
            partner.
        probability_per: ``"batch"``, or ``"example"``: each example is mixed, or not, by
            itself.
        partners: ``"any"`` example of the batch, or a ``"near"`` one (C-Mixup, for
            regression): example ``j`` is the partner of ``i``, which may be itself, with
            a probability in proportion to ``exp(-(y_i - y_j)^2 / (2 * bandwidth^2))``.
            Of labels of several numbers it is the squared distance.
        bandwidth: Float > 0, in the units of the labels.

    Raises:
        ValueError: If an argument lies outside its range.

    Example:
    >>> policy = keras_amp.Mixup(alpha=0.4)
    >>> lam, permutation = policy.draw(8, keras.random.SeedGenerator(1))
    >>> lam.shape, permutation.dtype.name
    (TensorShape([8]), 'int32')

    Reference:
        Zhang et al., *mixup: Beyond Empirical Risk Minimization*, ICLR 2018. Near
        partners: Yao et al., *C-Mixup: Improving Generalization in Regression*,
        NeurIPS 2022.
    """

    _ranges: ClassVar[dict[str, dict[str, float]]] = {
        "alpha": {"above": 0},
        "probability": {"at_least": 0, "at_most": 1},
    }

    def __init__(
        self,
        alpha: float = 1.0,
        lam_per: Literal["example", "batch"] = "example",
        probability: float = 1.0,
        probability_per: Literal["batch", "example"] = "batch",
        partners: Literal["any", "near"] = "any",
        bandwidth: float = 1.0,
    ):
        self.alpha = alpha
        self.lam_per = check_one_of("lam_per", lam_per, ("example", "batch"))
        self.probability = probability
        self.probability_per = check_one_of(
            "probability_per", probability_per, ("batch", "example")
        )
        self.partners = check_one_of("partners", partners, ("any", "near"))
        self.bandwidth = check_number("bandwidth", bandwidth, above=0)

    @property
    def needs(self) -> Needs:
        """What a training step prepares for the policy, ``Needs``."""
        return Needs()

    def draw(
        self, batch_size: Size, seed_generator: keras.random.SeedGenerator
    ) -> tuple[Tensor, Tensor]:
        """Draw the coefficients and the partners of one batch (Eq. 10).

        Args:
            batch_size: Integer or scalar integer tensor.
            seed_generator: ``keras.random.SeedGenerator``.

        Returns:
            A tuple ``(lam, permutation)``: float32 and int32, both ``(batch_size,)``.
        """
        draws = batch_size if self.lam_per == "example" else 1
        lam = symmetric_beta((draws,), self.alpha, seed_generator)
        lam = ops.broadcast_to(lam, (batch_size,))
        permutation = uniform_permutation(batch_size, seed_generator)
        if not (isinstance(self.probability, float) and self.probability == 1.0):
            each = () if self.probability_per == "batch" else (batch_size,)
            mixed = keras.random.uniform(each, seed=seed_generator) < self.probability
            lam = ops.where(mixed, lam, ops.ones_like(lam))
            # Then every example is its own partner, so that lambda has no gradient.
            itself = ops.arange(batch_size, dtype="int32")
            permutation = ops.where(mixed, permutation, itself)
        return lam, permutation

    def draw_partners(
        self,
        y: Tensor,
        lam: Tensor,
        permutation: Tensor,
        seed_generator: keras.random.SeedGenerator,
    ) -> Tensor:
        """Draw near partners (C-Mixup) if the policy has them; see ``Policy``."""
        if self.partners == "any":
            return permutation
        near = near_partners(y, self.bandwidth, seed_generator)
        return ops.where(lam == 1.0, permutation, near)  # what is not mixed stays alone

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this policy."""
        return {
            "alpha": self.alpha,
            "lam_per": self.lam_per,
            "probability": self.probability,
            **self._pairing(),
            **{n: v for n, v in self.scheduled().items() if n in Mixup._ranges},
        }

    def _pairing(self) -> dict[str, Any]:
        """The settings of who is mixed with whom, if they are not the defaults.

        So the configurations, and the keys of cells, of earlier versions stay the same.
        """
        found: dict[str, Any] = {}
        if self.probability_per != "batch":
            found["probability_per"] = self.probability_per
        if self.partners != "any":
            found.update(partners=self.partners, bandwidth=self.bandwidth)
        return found
