"""AdversarialMixing: the paper's policy, RandOp, then MaxOp, then MinOp."""

from typing import Any, ClassVar, Literal

import keras
from keras import ops

from keras_amp.policies.mixup import Mixup
from keras_amp.policies.needs import Needs
from keras_amp.policies.operators import adversarial_mask, max_op, normalized
from keras_amp.typing import Tensor
from keras_amp.validation import check_count, check_number, check_one_of


@keras.saving.register_keras_serializable(package="keras_amp")
class AdversarialMixing(Mixup):
    """The Adversarial Mixing Policy: RandOp, then MaxOp, then MinOp.

    Of each example the larger one of two mixup losses is minimised: at the drawn lambda,
    and at

        lambda' = lambda + step_size * clip(dL/dlambda, -max_gradient, max_gradient)

    by which the hidden states are mixed, while the labels keep lambda.

    **When to use it.** To repeat or vary the paper. In the package's own studies its
    defaults gained nothing over mixup; a lambda for each dimension
    (``step_per="dimension"``, ``normalize=True``) gained where labels are few.

    **What it costs.** Three passes above the mix point instead of one, of which one is
    trained on, and a gradient; two with ``noise="independent"``, or without MinOp.
    Each further ascent step is another.

    **Traps.** Those of mixup. With ``noise="independent"`` MinOp mostly chooses between
    two dropout masks.

    Args:
        alpha: Float > 0. The coefficients follow Beta(alpha, alpha); the paper uses 1.
        step_size: Float >= 0, the paper's epsilon; 0 is plain mixup.
        max_gradient: Float > 0, the bound on the absolute gradient of lambda (the paper
            clips to 1), or None for no bound.
        min_op: Whether each example's larger loss is minimised (Eq. 18-21). False always
            minimises the loss at lambda': the paper's ablation "+MaxOp".
        noise: ``"shared"``: all evaluations of a step use the same dropout masks, so
            that only lambda differs between them. ``"independent"``: the evaluations at
            lambda and at lambda' draw their own dropout masks above the mix point, and
            the step minimises the losses that MinOp has compared, as in the authors'
            program. MinOp then mostly chooses between two dropout masks. Batch
            statistics and penalties are those at lambda'. What lies below the mix point
            is computed once a step in either case. Noise means that of ``keras.random``,
            its global generator included, and of a ``tf.random.Generator``. Other
            operations of ``tf.random``, and NumPy, draw again in every evaluation; a
            model warns of them.
        gradient: ``"example"``: the gradient of each example's own loss (the paper).
            ``"mean"``: the gradient of the batch's mean loss (the authors' program),
            which is ``1 / batch_size`` of it. With ``lam_per="batch"`` the two are equal.
        lam_per: ``"example"`` draws one coefficient per example, ``"batch"`` one for
            all examples of a batch; then they also take the same step, up the mean of
            the examples' gradients, clipped.
        probability: Float in [0, 1], the share of batches that are mixed at all.
        clip_lam: Whether lambda' is pushed back into [0, 1].
        ascent_steps: Integer >= 1, how many steps lambda takes up the gradient, which is
            computed again for each (the paper: one). Each further step costs a forward
            and a backward pass above the mix point.
        step_per: ``"example"``: one lambda' for the whole hidden state of an example
            (the paper). ``"dimension"``: each dimension of the hidden state has its own
            lambda', which begins at the example's lambda and has its own gradient. The
            mixture may then leave the line between the two examples; in each dimension
            it moves in proportion to their difference. This is adversarial training of
            the hidden state (Miyato et al., ICLR 2017), scaled by the partner. The
            gradient of a single dimension is small; ``normalize`` makes up for it.
        normalize: Whether an example's gradient is divided by its root mean square over
            the dimensions before it is clipped. One lambda per example then moves by
            ``step_size`` exactly, however flat the loss is. With
            ``step_per="dimension"`` the root mean square of the steps is ``step_size``,
            unless ``max_gradient`` bounds them.
        probability_per: ``"batch"``, or ``"example"``: each example is mixed, or not, by
            itself.
        partners: ``"any"`` example of the batch, or a ``"near"`` one, whose label is
            similar (C-Mixup, for regression); see ``Mixup``.
        bandwidth: Float > 0, how near partners are, in the units of the labels.

    If a layer above the mix point connects the examples of a batch, as batch
    normalization does in training, an example's gradient includes its effect on the
    other examples' losses.

    Raises:
        ValueError: If an argument lies outside its range.

    Example:
    >>> policy = keras_amp.AdversarialMixing(step_size=0.1)
    >>> policy.perturb(np.array([0.5, 0.5]), np.array([-4.0, 0.2])).numpy()
    array([0.4 , 0.52])

    Reference:
        Liu et al., *Adversarial Mixing Policy for Relaxing Locally Linear Constraints in
        Mixup*, EMNLP 2021, Section 3.
    """

    adversarial: ClassVar[bool] = True
    _ranges: ClassVar[dict[str, dict[str, float]]] = {
        **Mixup._ranges,
        "step_size": {"at_least": 0},
    }

    def __init__(
        self,
        alpha: float = 1.0,
        step_size: float = 0.002,
        max_gradient: float | None = 1.0,
        min_op: bool = True,
        noise: Literal["shared", "independent"] = "shared",
        gradient: Literal["example", "mean"] = "example",
        lam_per: Literal["example", "batch"] = "example",
        probability: float = 1.0,
        clip_lam: bool = False,
        ascent_steps: int = 1,
        step_per: Literal["example", "dimension"] = "example",
        normalize: bool = False,
        probability_per: Literal["batch", "example"] = "batch",
        partners: Literal["any", "near"] = "any",
        bandwidth: float = 1.0,
    ):
        super().__init__(
            alpha, lam_per, probability, probability_per, partners, bandwidth
        )
        self.step_size = step_size
        self.max_gradient = (
            None
            if max_gradient is None
            else check_number("max_gradient", max_gradient, above=0)
        )
        self.min_op = check_one_of("min_op", min_op, (True, False))
        self.noise = check_one_of("noise", noise, ("shared", "independent"))
        self.gradient = check_one_of("gradient", gradient, ("example", "mean"))
        self.clip_lam = check_one_of("clip_lam", clip_lam, (True, False))
        self.ascent_steps = check_count("ascent_steps", ascent_steps)
        self.step_per = check_one_of("step_per", step_per, ("example", "dimension"))
        self.normalize = check_one_of("normalize", normalize, (True, False))

    @property
    def needs(self) -> Needs:
        """What a training step prepares for the policy, ``Needs``."""
        trains_on: Literal["moved", "chosen", "compared"]
        if not self.min_op:
            trains_on = "moved"
        else:
            trains_on = "chosen" if self.noise == "shared" else "compared"
        # A coefficient of the whole batch moves by the mean of the examples' gradients.
        of_mean = self.gradient == "mean" and self.lam_per == "example"
        return Needs(
            moves="lam" if self.step_per == "example" else "lam_per_dimension",
            ascent_steps=self.ascent_steps,
            gradient_of="mean" if of_mean else "example",
            noise=self.noise,
            trains_on=trains_on,
        )

    def perturb(self, lam: Tensor, lam_gradient: Tensor) -> Tensor:
        """MaxOp (Eq. 15): one step from lambda up the gradient of the loss.

        A training step calls it ``ascent_steps`` times, each time with the last result.

        Args:
            lam: Float32 tensor ``(batch_size,)``; with ``step_per="dimension"`` of the
                shape of the hidden states, ``(batch_size, ...)``.
            lam_gradient: Float32 tensor of its shape, dL/dlambda.

        Returns:
            A float32 tensor of the shape of ``lam``.
        """
        if self.lam_per == "batch":
            lam_gradient = ops.broadcast_to(
                ops.mean(lam_gradient, axis=0, keepdims=True), ops.shape(lam_gradient)
            )
        if self.normalize:
            lam_gradient = normalized(lam_gradient)
        return max_op(lam, lam_gradient, self.step_size, self.max_gradient, self.clip_lam)

    def select(self, loss: Tensor, adversarial_loss: Tensor) -> Tensor:
        """MinOp's mask (Eq. 21): where the step on lambda raised the loss.

        A training step calls it only with ``min_op=True``; otherwise it takes lambda'.

        Args:
            loss: Float32 tensor ``(batch_size,)``.
            adversarial_loss: Float32 tensor ``(batch_size,)``.

        Returns:
            A tensor ``(batch_size,)``, true or 1 where the adversarial loss is taken.
        """
        return adversarial_mask(loss, adversarial_loss)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this policy."""
        return {
            **super().get_config(),
            "step_size": self.scheduled().get("step_size", self.step_size),
            "max_gradient": self.max_gradient,
            "min_op": self.min_op,
            "noise": self.noise,
            "gradient": self.gradient,
            "clip_lam": self.clip_lam,
            "ascent_steps": self.ascent_steps,
            "step_per": self.step_per,
            "normalize": self.normalize,
        }
