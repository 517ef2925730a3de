"""Mixing policies: how a batch is mixed, and how its coefficients are made adversarial.

The operators are free functions that read like the paper's equations; the policy
classes hold their settings. ``keras.ops`` only: no model and no backend in this file.

Reference:
    Liu et al., *Adversarial Mixing Policy for Relaxing Locally Linear Constraints in
    Mixup*, EMNLP 2021. Equation numbers in this package are that paper's.
"""

import inspect
from typing import ClassVar, Literal

import keras
from keras import ops

from keras_amp.axes import column
from keras_amp.sampling import symmetric_beta, uniform_permutation
from keras_amp.values import about_integers, check_count, check_number, check_one_of


def mix(inputs, partner, lam):
    """Convex combination of each example with its partner (Eq. 5, 6, 11, 12, 17).

        mixed_i = lam_i * inputs_i + (1 - lam_i) * partner_i

    The combination is computed in float32 (float64 inputs: float64) and cast back once:
    bfloat16 would lose a quarter of the adversarial steps on ``lam``. ``lam = 1``
    returns ``inputs`` exactly.

    Args:
        inputs: Floating-point tensor ``(batch_size, ...)``: hidden states, or losses.
        partner: Tensor of the same shape.
        lam: Float32 tensor ``(batch_size,)``, one coefficient per example; a scalar is
            shared by all, and a tensor of the shape of ``inputs`` mixes every dimension
            by its own.

    Returns:
        A tensor of the shape and dtype of ``inputs``.

    Raises:
        ValueError: If ``inputs`` are not floating-point numbers.

    Example:
    >>> keras_amp.policy.mix(np.array([2.0]), np.array([4.0]), np.array([0.75])).numpy()
    array([2.5])
    """
    inputs = ops.convert_to_tensor(inputs)
    dtype = keras.backend.standardize_dtype(inputs.dtype)
    if not keras.backend.is_float_dtype(dtype):
        raise ValueError(
            "Expected `inputs` to be floating-point hidden states. Received: inputs of "
            f"dtype {dtype} and shape {tuple(inputs.shape)}. "
            f"{about_integers(dtype, len(inputs.shape))}"
        )
    precise = keras.backend.result_type(dtype, "float32")
    lam = ops.cast(lam, precise)
    if 0 < len(lam.shape) < len(inputs.shape):
        lam = column(lam, inputs)
    mixed = lam * ops.cast(inputs, precise) + (1 - lam) * ops.cast(partner, precise)
    return ops.cast(mixed, dtype)


def rand_op(inputs, lam, permutation):
    """RandOp: mixes every example with a random one of its batch (Eq. 10-13).

    Args:
        inputs: Floating-point tensor ``(batch_size, ...)``.
        lam: Float32 tensor ``(batch_size,)``, drawn from Beta(alpha, alpha).
        permutation: Int32 tensor ``(batch_size,)``: example ``i`` is mixed with example
            ``permutation[i]``.

    Returns:
        ``mix(inputs, inputs[permutation], lam)``.

    Example:
    >>> keras_amp.policy.rand_op(np.array([2.0, 4.0]), np.array([0.5, 1.0]), [1, 0])
    <tf.Tensor: shape=(2,), dtype=float64, numpy=array([3., 4.])>
    """
    return mix(inputs, ops.take(inputs, permutation, axis=0), lam)


def normalized(lam_gradient):
    """Divides each example's gradient by its own size: only its direction is left.

        direction_i = gradient_i / rms(gradient_i),    0 where the gradient is 0

    The root mean square is taken over the example's dimensions. One coefficient per
    example becomes its sign.

    Args:
        lam_gradient: Float tensor ``(batch_size, ...)``.

    Returns:
        A tensor of its shape.

    Example:
    >>> keras_amp.policy.normalized(np.array([[3e-30, 4e-30], [0.0, 0.0]])).numpy()
    array([[0.84852814, 1.13137085],
           [0.        , 0.        ]])
    """
    axes = tuple(range(1, len(lam_gradient.shape)))
    # By the largest first, whose square would be lost where the gradients are tiny.
    largest = ops.abs(lam_gradient)
    largest = ops.max(largest, axis=axes, keepdims=True) if axes else largest
    gradient = lam_gradient / ops.where(largest > 0, largest, ops.ones_like(largest))
    square = ops.square(gradient)
    square = ops.mean(square, axis=axes, keepdims=True) if axes else square
    rms = ops.sqrt(square)
    return gradient / ops.where(rms > 0, rms, ops.ones_like(rms))


def max_op(lam, lam_gradient, step_size=0.002, max_gradient=1.0, clip_lam=False):
    """MaxOp: moves lambda a small step up the gradient of the loss (Eq. 14-16).

        lam' = lam + step_size * clip(dL/dlam, -max_gradient, max_gradient)

    Only the inputs are mixed with lambda'; the labels keep lambda.

    Args:
        lam: Float32 tensor ``(batch_size, ...)``.
        lam_gradient: Float32 tensor of its shape, dL/dlambda.
        step_size: Float >= 0, the paper's epsilon. 0 is plain mixup.
        max_gradient: Float > 0, the largest absolute gradient; None does not clip.
        clip_lam: Whether lambda' is pushed back into [0, 1]. The paper does not.

    Returns:
        A float32 tensor of the shape of ``lam``, the adversarial lambda.

    Example:
    >>> keras_amp.policy.max_op(np.array([0.5]), np.array([3.0]), step_size=0.1).numpy()
    array([0.6])
    """
    if max_gradient is not None:
        lam_gradient = ops.clip(lam_gradient, -max_gradient, max_gradient)
    adversarial_lam = lam + step_size * lam_gradient
    return ops.clip(adversarial_lam, 0.0, 1.0) if clip_lam else adversarial_lam


def harder(loss, adversarial_loss):
    """MinOp's mask: whether the step on lambda raised the loss (Eq. 21).

    Args:
        loss: Tensor ``(batch_size,)``, the losses at lambda.
        adversarial_loss: Tensor ``(batch_size,)``, the losses at lambda'.

    Returns:
        A boolean tensor ``(batch_size,)``; False where the two are equal.

    Example:
    >>> keras_amp.policy.harder(np.array([1.0, 2.0]), np.array([1.5, 2.0])).numpy()
    array([ True, False])
    """
    return ops.greater(adversarial_loss, loss)


def min_op(loss, adversarial_loss):
    """MinOp: of each example's two losses, the larger is minimised (Eq. 18-21).

        L_final = L * (1 - mask) + L' * mask,    mask = L' > L

    Args:
        loss: Tensor ``(batch_size,)``, the losses at lambda.
        adversarial_loss: Tensor ``(batch_size,)``, the losses at lambda'.

    Returns:
        A tensor ``(batch_size,)``.

    Example:
    >>> keras_amp.policy.min_op(np.array([1.0, 2.0]), np.array([1.5, 0.5])).numpy()
    array([1.5, 2. ])
    """
    return ops.where(harder(loss, adversarial_loss), adversarial_loss, loss)


@keras.saving.register_keras_serializable(package="keras_amp")
class Mixup:
    """Plain mixup: a random coefficient, a random partner, no adversarial step.

    A variant is a small subclass: override ``draw`` for other coefficients or partners;
    for an adversarial step subclass ``AdversarialMixing`` and override ``perturb``,
    ``select`` or ``weigh``.

    Args:
        alpha: Float > 0. The coefficients follow Beta(alpha, alpha); the paper uses 1.
        lam_per: ``"example"`` draws one coefficient per example, ``"batch"`` one for
            all examples of a batch (of a replica's batch, when training is distributed).
        probability: Float in [0, 1], the share of batches that are mixed at all. The
            others are trained on unchanged: lambda is 1 and every example is its own
            partner.

    Raises:
        ValueError: If an argument lies outside its range.

    Example:
    >>> policy = keras_amp.Mixup(alpha=0.4)
    >>> lam, permutation = policy.draw(8, keras.random.SeedGenerator(1))
    >>> lam.shape, permutation.dtype.name
    (TensorShape([8]), 'int32')

    Reference:
        Zhang et al., *mixup: Beyond Empirical Risk Minimization*, ICLR 2018.
    """

    adversarial = False  # whether a step looks for lambda' at all
    # The settings that may become variables, and their ranges.
    _ranges: ClassVar = {
        "alpha": {"above": 0},
        "probability": {"at_least": 0, "at_most": 1},
    }

    def __init__(
        self,
        alpha: float = 1.0,
        lam_per: Literal["example", "batch"] = "example",
        probability: float = 1.0,
    ):
        self.alpha = alpha
        self.lam_per = check_one_of("lam_per", lam_per, ("example", "batch"))
        self.probability = probability

    def __setattr__(self, name, value):
        if name in self._ranges and not isinstance(value, keras.Variable):
            value = check_number(name, value, **self._ranges[name])
            if name in self.scheduled():
                return getattr(self, name).assign(value)
        # A subclass may keep what it likes; here an unknown name is a slip of the pen.
        if type(self).__module__ == __name__ and not hasattr(self, name):
            settings = list(inspect.signature(type(self)).parameters)
            if name not in settings:
                raise AttributeError(
                    f"{type(self).__name__} has no setting {name!r}; it has "
                    f"{', '.join(settings)}."
                )
        return super().__setattr__(name, value)

    def schedule(self, *names):
        """Turns settings into variables, which a traced step reads anew each time.

        Setting one then assigns to its variable; ``get_config`` returns its value.

        Args:
            *names: Of ``"alpha"``, ``"probability"`` and, where the policy has one,
                ``"step_size"``.

        Returns:
            Whether one of them was none before, so that a step must be traced anew.

        Raises:
            ValueError: If the policy has no such setting, or it cannot be a variable.

        Example:
        >>> policy = keras_amp.Mixup()
        >>> policy.schedule("alpha")
        True
        >>> policy.alpha = 0.5
        >>> policy.scheduled()
        {'alpha': 0.5}
        """
        for name in names:
            if name not in self._ranges:
                raise ValueError(
                    f"Expected a setting of {type(self).__name__} that can be scheduled: "
                    f"{', '.join(self._ranges)}. Received: {name!r}"
                )
        new = [name for name in names if name not in self.scheduled()]
        for name in new:
            value = keras.Variable(
                getattr(self, name), dtype="float32", trainable=False, name=name
            )
            setattr(self, name, value)
        return bool(new)

    def scheduled(self):
        """Returns a dict of the settings that are variables, with their values."""
        return {
            name: float(ops.convert_to_numpy(ops.convert_to_tensor(value)))
            for name, value in vars(self).items()
            if isinstance(value, keras.Variable)
        }

    def draw(self, batch_size, seed_generator):
        """Draws the coefficients and the partners of one batch (Eq. 10).

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
            mixed = keras.random.uniform((), seed=seed_generator) < self.probability
            lam = ops.where(mixed, lam, ops.ones_like(lam))
            # With every example its own partner, lambda has no gradient either.
            itself = ops.arange(batch_size, dtype="int32")
            permutation = ops.where(mixed, permutation, itself)
        return lam, permutation

    def perturb(self, lam, lam_gradient):
        """Returns ``lam``: plain mixup takes no adversarial step."""
        return lam

    def select(self, loss, adversarial_loss):
        """Returns a mask that never selects the adversarial loss."""
        return ops.zeros_like(loss, dtype="bool")

    def memory(self):
        """Makes the variables in which ``weigh`` remembers earlier steps.

        Each model that trains with the policy asks for its own, saves and restores them.
        To be assigned to in a distributed step they need ``synchronization="on_read"``
        and an ``aggregation``.

        Returns:
            A list of ``keras.Variable``; here none.
        """
        return []

    def weigh(self, loss, adversarial_loss, memory):
        """Weighs the losses that are trained on; called once a step.

        Args:
            loss: Float32 tensor ``(batch_size,)``, the losses at lambda; constants.
            adversarial_loss: Float32 tensor ``(batch_size,)``, those at lambda'.
            memory: The model's list of variables; see ``memory()``.

        Returns:
            A floating-point tensor ``(batch_size,)`` by which the chosen losses are
            multiplied, as constants, before their reduction; None, as here, leaves them.
        """
        return

    def get_config(self):
        """Returns the arguments that rebuild this policy."""
        return {
            "alpha": self.alpha,
            "lam_per": self.lam_per,
            "probability": self.probability,
            **{n: v for n, v in self.scheduled().items() if n in Mixup._ranges},
        }

    @classmethod
    def from_config(cls, config):
        """Builds a policy from ``get_config()``'s result."""
        return cls(**config)

    def __repr__(self):
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


@keras.saving.register_keras_serializable(package="keras_amp")
class AdversarialMixing(Mixup):
    """The Adversarial Mixing Policy: RandOp, then MaxOp, then MinOp.

    Args:
        alpha: Float > 0. The coefficients follow Beta(alpha, alpha); the paper uses 1.
        step_size: Float >= 0, the paper's epsilon; 0 is plain mixup.
        max_gradient: Float > 0, the bound on the absolute gradient of lambda (the paper
            clips to 1), or None for no bound.
        min_op: Whether each example's larger loss is minimised (Eq. 18-21). With False
            the loss at lambda' always is: the paper's ablation "+MaxOp".
        noise: ``"shared"``: all evaluations of a step see the same dropout masks, so
            that they differ by lambda alone. ``"independent"``: those at lambda and at
            lambda' draw their own above the mix point, and the chosen of their two
            losses is itself what is minimised, masks included, as in the authors'
            program: MinOp is then mostly a choice of the harder masks. Batch statistics
            and penalties are those at lambda'. What lies below the mix point is computed
            once a step in either case. Noise is Keras' (``keras.random``, its global
            generator included) or that of a ``tf.random.Generator``; the other operations
            of ``tf.random``, and NumPy, draw anew in every pass, of which a model warns.
        gradient: ``"example"``: the gradient of each example's own loss (the paper).
            ``"mean"``: the gradient of the batch's mean loss (the authors' program),
            smaller by the batch size. With ``lam_per="batch"`` the two coincide.
        lam_per: ``"example"`` draws one coefficient per example, ``"batch"`` one for
            all examples of a batch; then the step is shared too, the mean of the
            examples' gradients, clipped.
        probability: Float in [0, 1], the share of batches that are mixed at all.
        clip_lam: Whether lambda' is pushed back into [0, 1].
        ascent_steps: Integer >= 1, how many steps lambda takes up the gradient, which is
            taken anew at each (the paper: one). Each further one costs a forward and a
            backward pass above the mix point.
        step_per: ``"example"``: one lambda' for all of an example's hidden state (the
            paper). ``"dimension"``: each of its dimensions has a lambda' of its own,
            though all begin at the example's lambda, and the gradient is theirs. The
            mixture may then leave the line between the two examples and moves as far as
            they differ there: adversarial training of the hidden state (Miyato et al.,
            ICLR 2017), scaled by the partner. Their gradients are small, as each
            dimension decides little; ``normalize`` makes up for it.
        normalize: Whether an example's gradient is divided by its root mean square over
            the dimensions before it is clipped. One lambda per example then moves by
            ``step_size`` exactly, however flat the loss; dimensions by that on average,
            if ``max_gradient`` does not bound them.

    A layer that couples the examples of a batch above the mix point (batch
    normalization in training) adds the effect on the other examples' losses to each
    example's gradient.

    Raises:
        ValueError: If an argument lies outside its range.

    Example:
    >>> policy = keras_amp.AdversarialMixing(step_size=0.1)
    >>> policy.perturb(np.array([0.5, 0.5]), np.array([-4.0, 0.2])).numpy()
    array([0.4 , 0.52])

    Reference:
        Liu et al., EMNLP 2021, Section 3 (see the module's docstring).
    """

    adversarial = True
    _ranges: ClassVar = {**Mixup._ranges, "step_size": {"at_least": 0}}

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
    ):
        super().__init__(alpha=alpha, lam_per=lam_per, probability=probability)
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

    def perturb(self, lam, lam_gradient):
        """MaxOp (Eq. 15): one step from lambda up the gradient of the loss.

        Called ``ascent_steps`` times, each time with the lambda of the last.

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

    def select(self, loss, adversarial_loss):
        """MinOp's mask (Eq. 21): where the step on lambda raised the loss.

        Called only with ``min_op=True``; otherwise lambda' is always taken.

        Args:
            loss: Float32 tensor ``(batch_size,)``.
            adversarial_loss: Float32 tensor ``(batch_size,)``.

        Returns:
            A tensor ``(batch_size,)``, true or 1 where the adversarial loss is taken.
        """
        return harder(loss, adversarial_loss)

    def get_config(self):
        """Returns the arguments that rebuild this policy."""
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
