"""AdversarialTraining: train on the hidden state, and on one a step away from it."""

from typing import Any, ClassVar, Literal

import keras
from keras import ops

from keras_amp.policies.adversarial_search import found
from keras_amp.policies.mixup import Mixup
from keras_amp.policies.needs import Needs
from keras_amp.policies.operators import unit, within
from keras_amp.policies.passes import Pass, Passes, Point, Searched
from keras_amp.policies.policy import Policy
from keras_amp.typing import Size, Tensor
from keras_amp.validation import check_count, check_one_of

START = 0.1  # the length of the random start, from which the divergence has a slope


@keras.saving.register_keras_serializable(package="keras_amp")
class AdversarialTraining(Policy):
    """Adversarial training of the hidden state, and virtual adversarial training (VAT).

    With h the hidden state at the mix point, g the gradient of an example's loss L for
    h, and ``|| . ||`` over all of an example's dimensions, padding left out, a step
    minimises

        L(h) + weight * L(h + delta),    delta = radius * g / ||g||

    and with ``against="predictions"`` (VAT), where p(h) is a constant,

        L(h) + weight * KL(p(h) || p(h + delta)),    g the gradient of that KL.

    That KL is flat at h itself: its gradient is taken a small random step away. The
    compiled loss tells what it is of: of classes; of labels that are each there or not,
    then it is their mean; of numbers, then it is their mean squared distance.

    **When to use it.** Where labels are few: a step on the words' vectors is what has
    helped most in the package's own studies. VAT also learns from examples without
    labels, those of sample weight 0 (``keras_amp.data.with_unlabeled``); at the very
    fewest labels it can hurt, as it makes the network certain of its predictions, wrong
    ones too. Compare with ``direction="random"``: a gain that it shares is not due to the
    gradient.

    **What it costs.** What lies below the mix point is computed once a step. Above it:
    two passes trained on instead of one; another forward and backward pass for each
    further ascent step, and for each ascent step of VAT.

    **Traps.** ``radius`` is in the units of the hidden state: begin with a tenth of its
    norm. If it is too large the example is lost, and the loss does not fall. A layer
    above that connects the examples of a batch (batch normalization) makes an example's
    gradient include the others' losses; batch statistics are those of the last pass, at
    ``h + delta``. Mixed precision rounds VAT's small random step, and its direction with
    it, the more the larger the hidden state is.

    Args:
        radius: Float >= 0, the norm of delta; 0 is plain training on a loss that counts
            ``1 + weight`` times.
        norm: ``"l2"``, or ``"linf"``: then delta is ``radius`` times the gradient's sign.
        ascent_steps: Integer >= 1. Several take steps of ``2.5 * radius /
            ascent_steps``, each pulled back to the radius (Madry et al.).
        direction: ``"gradient"``, or ``"random"``: a random direction of the same norm,
            the control that costs no gradient.
        against: ``"labels"``, or ``"predictions"``: the consistency of VAT.
        weight: Float >= 0, of the loss at ``h + delta``; 0 is plain training.
        mixup: A ``Mixup`` that mixes h first, or None.
        unlabeled: With ``against="predictions"``: whether examples of sample weight 0
            take part in the consistency: ``"use"`` or ``"ignore"``.

    Raises:
        ValueError: If an argument lies outside its range; in training, with
            ``against="predictions"``, if the compiled loss does not tell what the
            predictions are (classes, labels or numbers).

    Example:
    >>> policy = keras_amp.AdversarialTraining(radius=0.5, against="predictions")
    >>> policy.needs.probes
    1

    References:
        - Miyato et al., *Adversarial Training Methods for Semi-Supervised Text
          Classification*, ICLR 2017.
        - Miyato et al., *Virtual Adversarial Training*, TPAMI 2018.
        - Madry et al., *Towards Deep Learning Models Resistant to Adversarial Attacks*,
          ICLR 2018 (several steps).
        - Aghajanyan et al., *Better Fine-Tuning by Reducing Representational Collapse*,
          ICLR 2021 (random directions).
    """

    adversarial: ClassVar[bool] = True
    _ranges: ClassVar[dict[str, dict[str, float]]] = {
        "radius": {"at_least": 0},
        "weight": {"at_least": 0},
    }

    def __init__(
        self,
        radius: float = 1.0,
        norm: Literal["l2", "linf"] = "l2",
        ascent_steps: int = 1,
        direction: Literal["gradient", "random"] = "gradient",
        against: Literal["labels", "predictions"] = "labels",
        weight: float = 1.0,
        mixup: Mixup | None = None,
        unlabeled: Literal["use", "ignore"] = "use",
    ):
        self.radius = radius
        self.norm = check_one_of("norm", norm, ("l2", "linf"))
        self.ascent_steps = check_count("ascent_steps", ascent_steps)
        self.direction = check_one_of("direction", direction, ("gradient", "random"))
        self.against = check_one_of("against", against, ("labels", "predictions"))
        self.weight = weight
        self.mixup = _checked(mixup)
        self.unlabeled = check_one_of("unlabeled", unlabeled, ("use", "ignore"))

    @property
    def measures(self) -> tuple[str, ...]:
        """The size of delta, and with ``against="predictions"`` the divergence."""
        return ("delta_norm",) + ("divergence",) * (self.against == "predictions")

    @property
    def needs(self) -> Needs:
        """What a training step prepares for the policy, ``Needs``."""
        return Needs(
            moves="hidden",
            ascent_steps=self.ascent_steps if self.direction == "gradient" else 0,
            trains_on="added",
            first_gradient="trained" if self.against == "labels" else "probe",
            mixes=self.mixup is not None,
            learns_unlabeled=self.against == "predictions" and self.unlabeled == "use",
        )

    def draw(
        self, batch_size: Size, seed_generator: keras.random.SeedGenerator
    ) -> tuple[Tensor, Tensor]:
        """Draw as ``mixup`` does, if there is one."""
        if self.mixup is None:
            return super().draw(batch_size, seed_generator)
        return self.mixup.draw(batch_size, seed_generator)

    def draw_partners(
        self,
        y: Tensor,
        lam: Tensor,
        permutation: Tensor,
        seed_generator: keras.random.SeedGenerator,
    ) -> Tensor:
        """Draw as ``mixup`` does, if there is one."""
        if self.mixup is None:
            return permutation
        return self.mixup.draw_partners(y, lam, permutation, seed_generator)

    def search(self, passes: Passes, start: Point) -> Searched:
        """Train at the hidden state and at ``h + delta``; see the class."""
        if self.against == "labels":
            return self._against_labels(passes, start)
        return self._against_predictions(passes, start)

    def _against_labels(self, passes: Passes, start: Point) -> Searched:
        if self.direction == "random":
            first, delta = passes.train_too(start), self._random(passes, start)
        else:
            begin = start._replace(delta=passes.zeros(start))
            first, gradient = passes.train_with_gradient(begin, "delta")
            delta = self._step(begin.delta, gradient)
            for _ in range(self.ascent_steps - 1):
                _, gradient = passes.probe_with_gradient(
                    start._replace(delta=delta), "delta"
                )
                delta = self._step(delta, gradient)
        second = passes.train(start._replace(delta=ops.stop_gradient(delta)))
        loss = first.loss + self.weight * second.loss
        return found(
            Pass(first.y_pred, loss),
            start,
            first.loss,
            second.loss,
            ops.cast(second.loss > first.loss, "float32"),
            measured={"delta_norm": _norm(delta)},
        )

    def _against_predictions(self, passes: Passes, start: Point) -> Searched:
        first = passes.train_too(start)
        clean = keras.tree.map_structure(ops.stop_gradient, first.y_pred)

        def divergence(other: Pass) -> Tensor:
            return passes.divergence(clean, other.y_pred)

        delta = self._random(passes, start)
        if self.direction == "gradient":
            at, delta = START * unit(passes.noise(start)), passes.zeros(start)
            for _ in range(self.ascent_steps):
                _, gradient = passes.probe_with_gradient(
                    start._replace(delta=at), "delta", divergence
                )
                at = delta = self._step(delta, gradient)
        second = passes.train(start._replace(delta=ops.stop_gradient(delta)))
        apart = divergence(second)
        if self.unlabeled == "ignore":
            apart = apart * passes.labeled(start)
        return found(
            Pass(first.y_pred, first.loss + self.weight * apart),
            start,
            first.loss,
            second.loss,
            ops.cast(second.loss > first.loss, "float32"),
            measured={"delta_norm": _norm(delta), "divergence": apart},
        )

    def _hint_of(self, name: str) -> str:
        if self.mixup is None or name not in self.mixup._ranges:
            return ""
        return ", a setting of its `mixup`, whose settings stay as they are."

    def _step(self, delta: Tensor, gradient: Tensor) -> Tensor:
        """One step of at most the radius, pulled back to the radius."""
        step = self.radius
        if self.ascent_steps > 1:
            step = 2.5 * step / self.ascent_steps
        moved = delta + step * unit(ops.stop_gradient(gradient), self.norm)
        return moved if self.ascent_steps == 1 else within(moved, self.radius, self.norm)

    def _random(self, passes: Passes, start: Point) -> Tensor:
        return self.radius * unit(passes.noise(start), self.norm)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this policy."""
        return {
            "radius": self.radius,
            "norm": self.norm,
            "ascent_steps": self.ascent_steps,
            "direction": self.direction,
            "against": self.against,
            "weight": self.weight,
            "mixup": self.mixup and keras.saving.serialize_keras_object(self.mixup),
            "unlabeled": self.unlabeled,
            **self.scheduled(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AdversarialTraining":
        """Build a policy from what ``get_config()`` returns."""
        mixup = config.get("mixup")
        if isinstance(mixup, dict):
            config = {**config, "mixup": keras.saving.deserialize_keras_object(mixup)}
        return cls(**config)


def _norm(delta: Tensor) -> Tensor:
    """The l2 norm of each example's delta, ``(batch_size,)``."""
    axes = tuple(range(1, len(delta.shape)))
    return ops.sqrt(ops.sum(ops.square(delta), axis=axes))


def _checked(mixup: Any) -> Mixup | None:
    """A policy that mixes and does nothing else, or None; raises if it is neither."""
    if mixup is None or (isinstance(mixup, Mixup) and mixup.needs == Needs()):
        return mixup
    raise ValueError(
        "Expected `mixup` to be None or a policy that mixes and takes no other pass, "
        f"such as `keras_amp.Mixup()`. Received: mixup={mixup!r}"
    )
