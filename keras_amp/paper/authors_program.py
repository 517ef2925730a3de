"""The authors' program as a policy, losses and settings, where it differs from the paper.

The paper describes one method, and the program published with it computes another.
``docs/results/program.md`` lists all that differs, where it is set here, and what is not
reproduced.

Example:
>>> classifier = keras.Sequential([
...     keras.Input((7,)),
...     keras.layers.Embedding(100, 8, name="embedding"),
...     keras.layers.GlobalMaxPooling1D(),
...     keras.layers.Dropout(0.5),
...     keras.layers.Dense(3, activation="softmax"),
... ])
>>> policy = keras_amp.paper.AuthorsProgram()
>>> model = keras_amp.MixupAMPModel(classifier, "embedding", policy, seed=1)
>>> model.compile(
...     keras.optimizers.Adam(2e-4, global_clipnorm=10.0),
...     keras_amp.paper.SummedBinaryCrossentropy(),
...     metrics=["accuracy"],
... )
>>> x, y = np.random.randint(100, size=(32, 7)), np.arange(32) % 3
>>> history = model.fit(x, y, batch_size=8, verbose=0)
>>> 0 < history.history["mask_rate"][0] < 1
True
"""

from typing import Any, Literal

import keras
from keras import ops

from keras_amp.policies import AdversarialMixing
from keras_amp.typing import Tensor
from keras_amp.validation import check_count, check_one_of

READINGS = ("published", "earlier")
OWN = ("window", "reweigh", "reading")  # arguments that `AdversarialMixing` does not have
ROUNDING = 1e-6  # relative, of a difference of float32 losses


def gap_moments(gap: Tensor) -> Tensor:
    """Return the number, the sum and the sum of squares of a step's positive gaps.

    Args:
        gap: Float tensor ``(batch_size,)``, the losses at lambda' minus those at lambda.

    Returns:
        A float64 tensor ``(3,)``. In float32 the variance, which is a difference of such
        sums, could consist of rounding errors.

    Example:
    >>> from keras_amp.paper.authors_program import gap_moments
    >>> gap_moments(np.array([0.5, -1.0, 1.5])).numpy()
    array([2. , 2. , 2.5])
    """
    gap = ops.cast(gap, "float64")
    positive = ops.where(gap > 0, gap, ops.zeros_like(gap))
    count = ops.sum(ops.cast(gap > 0, "float64"))
    return ops.stack([count, ops.sum(positive), ops.sum(positive * positive)])


def gap_weights(gap: Tensor, moments: Tensor, sample: bool = True) -> Tensor:
    """Return the program's weights, larger for gaps above the mean gap of some steps.

        weight = 1 + (gap - mean) / std    where gap > mean,    else 1

    Args:
        gap: Float tensor ``(batch_size,)``, the losses at lambda' minus those at lambda.
        moments: Float64 tensor ``(window, 3)`` of steps' ``gap_moments``, zeros for none.
            ``mean`` and ``std`` are those of the positive gaps of all steps together.
        sample: Whether ``std`` is that of a sample (n - 1), or else of a population (n).

    Returns:
        A float32 tensor ``(batch_size,)``, at least 1; all 1 where there are fewer than
        two positive gaps or where these do not differ beyond float32's rounding.

    Example:
    >>> from keras_amp.paper.authors_program import gap_weights
    >>> moments = np.array([[2.0, 4.0, 10.0]])  # of the gaps 1 and 3: mean 2, std 2**0.5
    >>> gap_weights(np.array([-1.0, 1.5, 2 + 2**0.5]), moments).numpy()
    array([1., 1., 2.], dtype=float32)
    """
    gap = ops.cast(gap, "float64")
    count, total, squares = ops.unstack(ops.sum(moments, axis=0))
    count = ops.maximum(count, 1.0)
    mean = total / count
    variance = ops.maximum(squares / count - mean * mean, 0.0)
    if sample:
        variance = variance * count / ops.maximum(count - 1, 1.0)
    std = ops.sqrt(variance)
    differ = std > ROUNDING * mean
    excess = (gap - mean) / ops.where(differ, std, ops.ones_like(std))
    stands_out = ops.logical_and(gap > mean, differ)
    return ops.cast(ops.where(stands_out, 1 + excess, ops.ones_like(gap)), "float32")


@keras.saving.register_keras_serializable(package="keras_amp")
class AuthorsProgram(AdversarialMixing):
    """The Adversarial Mixing Policy as the authors' program computes it.

    It is ``AdversarialMixing`` with other defaults and with weights of the examples. The
    gap of an example is the difference of the two losses that MinOp compares. An example
    whose gap exceeds the mean of the positive gaps of the last steps has a larger weight
    (``gap_weights``). The weights carry no gradient. The loss and the clipping of the
    gradient are set when the model is compiled: see the docstring of the module.

    The current step is one of the last ``window`` steps, and the standard deviation is
    that of a sample (n - 1). It is over the gaps of all these steps together, so that a
    step with more positive gaps counts more; a step without any still is one of the
    ``window``. Every weight is 1 if there are fewer than two positive gaps, if all of
    them are equal, or if a loss among them is not finite.

    The gaps are part of the model: a new model has none, and a loaded model continues
    with those it was saved with. In distributed training each replica keeps the gaps of
    its own part of the batch; a saved model has those of all replicas together.

    Args:
        alpha: As ``AdversarialMixing``.
        step_size: As ``AdversarialMixing``.
        max_gradient: As ``AdversarialMixing``; not bounded by default.
        min_op: As ``AdversarialMixing``.
        noise: As ``AdversarialMixing``; by default each pass draws its own dropout masks.
        gradient: As ``AdversarialMixing``; that of the batch's mean loss by default.
        lam_per: As ``AdversarialMixing``.
        probability: As ``AdversarialMixing``.
        clip_lam: As ``AdversarialMixing``.
        ascent_steps: As ``AdversarialMixing``.
        step_per: As ``AdversarialMixing``.
        normalize: As ``AdversarialMixing``.
        window: Integer >= 1, the number of steps whose gaps count.
        reweigh: Whether examples are weighted.
        reading: ``"published"``; or ``"earlier"``, a reading of the program with which
            the first studies of this package were run: the last steps do not include the
            current one, and the deviation is that of a population (n).
        probability_per: As ``Mixup``.
        partners: As ``Mixup``.
        bandwidth: As ``Mixup``.

    Raises:
        ValueError: If an argument lies outside its range.

    Example:
    >>> policy = keras_amp.paper.AuthorsProgram(reweigh=False)
    >>> policy.noise, policy.gradient, policy.max_gradient
    ('independent', 'mean', None)
    """

    def __init__(
        self,
        alpha: float = 1.0,
        step_size: float = 0.002,
        max_gradient: float | None = None,
        min_op: bool = True,
        noise: Literal["shared", "independent"] = "independent",
        gradient: Literal["example", "mean"] = "mean",
        lam_per: Literal["example", "batch"] = "example",
        probability: float = 1.0,
        clip_lam: bool = False,
        ascent_steps: int = 1,
        step_per: Literal["example", "dimension"] = "example",
        normalize: bool = False,
        window: int = 5,
        reweigh: bool = True,
        reading: Literal["published", "earlier"] = "published",
        probability_per: Literal["batch", "example"] = "batch",
        partners: Literal["any", "near"] = "any",
        bandwidth: float = 1.0,
    ) -> None:
        super().__init__(
            alpha=alpha,
            step_size=step_size,
            max_gradient=max_gradient,
            min_op=min_op,
            noise=noise,
            gradient=gradient,
            lam_per=lam_per,
            probability=probability,
            clip_lam=clip_lam,
            ascent_steps=ascent_steps,
            step_per=step_per,
            normalize=normalize,
            probability_per=probability_per,
            partners=partners,
            bandwidth=bandwidth,
        )
        self.window = check_count("window", window)
        self.reweigh = check_one_of("reweigh", reweigh, (True, False))
        self.reading = check_one_of("reading", reading, READINGS)

    def create_state(self) -> list[keras.Variable]:
        """Create the window: a row of ``gap_moments`` for each step, the latest last."""
        if not self.reweigh:
            return []
        return [
            keras.Variable(
                "zeros",
                shape=(self.window, 3),
                dtype="float64",
                trainable=False,
                autocast=False,
                synchronization="on_read",
                aggregation="mean",  # of sums: that of all replicas' gaps together
                name="gap_moments",
            )
        ]

    def example_weights(
        self, loss: Tensor, adversarial_loss: Tensor, state: list[keras.Variable]
    ) -> Tensor | None:
        """Store the gaps of this step, and return the weights of its examples.

        Args:
            loss: Float32 tensor ``(batch_size,)``.
            adversarial_loss: Float32 tensor ``(batch_size,)``.
            state: List of variables, as ``create_state()`` makes it.

        Returns:
            A float32 tensor ``(batch_size,)``; None with ``reweigh=False``.
        """
        if not self.reweigh:
            return None
        (moments,) = state
        gap = ops.stop_gradient(adversarial_loss - loss)
        latest = ops.expand_dims(gap_moments(gap), 0)
        before, now = moments[:], ops.concatenate([moments[1:], latest], axis=0)
        published = self.reading == "published"
        weights = gap_weights(gap, now if published else before, sample=published)
        moments.assign(now)
        return weights

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this policy."""
        own = {name: getattr(self, name) for name in OWN}
        return {**super().get_config(), **own}


class _LossOfProbabilities(keras.losses.Loss):
    """A loss of probabilities and class indices; NaN for a label that is no class."""

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss of each example.

        Args:
            y_true: Labels ``(batch_size,)`` or ``(batch_size, 1)``.
            y_pred: Probabilities ``(batch_size, num_classes)``.

        Returns:
            A tensor ``(batch_size,)``.
        """
        target, y_pred = _targets(y_true, y_pred)
        return _known(target, self._loss(target, y_pred))


@keras.saving.register_keras_serializable(package="keras_amp")
class DoubleSoftmaxCrossentropy(_LossOfProbabilities):
    """The cross-entropy of a softmax of probabilities: the softmax is applied twice.

        loss = -log softmax(p)_y,    p = softmax(logits)

    The program trains its baseline without mixing on it: PyTorch's ``CrossEntropyLoss``,
    which expects logits, is given the classifier's probabilities. A certain prediction
    still has the loss ``log(1 + (num_classes - 1) / e)``. Keras' own loss with
    ``from_logits=True`` does not compute it: after a softmax layer it takes the layer's
    logits, and applies the softmax once.

    Args:
        reduction: As every Keras loss, over the examples.
        name: Name of the loss.
        dtype: As every Keras loss; float32 by default.

    The labels are integers ``(batch_size,)`` or ``(batch_size, 1)``; the predictions are
    probabilities ``(batch_size, num_classes)``, the output of a softmax. A label
    that is no class makes the loss NaN.

    Raises:
        ValueError: While it is computed, as ``SummedBinaryCrossentropy``.

    Example:
    >>> loss = keras_amp.paper.DoubleSoftmaxCrossentropy()
    >>> value = loss(np.array([0]), np.array([[1.0, 0.0]]))
    >>> round(float(value), 4)  # -log(e / (e + 1))
    0.3133
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "double_softmax_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def _loss(self, target: Tensor, y_pred: Tensor) -> Tensor:
        given = ops.sum(ops.where(target, y_pred, ops.zeros_like(y_pred)), axis=-1)
        return ops.logsumexp(y_pred, axis=-1) - given


@keras.saving.register_keras_serializable(package="keras_amp")
class SummedBinaryCrossentropy(_LossOfProbabilities):
    """The binary cross-entropies of all classes' probabilities, summed.

        loss = -sum_c (t_c log p_c + (1 - t_c) log(1 - p_c)),    t_c = 1 where c = y

    It is linear in the target ``t``, so the mixture of two labels' losses by lambda,
    which ``MixupAMPModel`` trains on (Eq. 17), is the loss against their mixed target. As
    in ``keras.losses.BinaryCrossentropy`` the probabilities are first clipped to
    [1e-7, 1 - 1e-7] (``keras.config.epsilon()``), beyond which there is no gradient. That
    loss itself cannot be used: after a softmax layer it takes the layer's logits and
    applies a sigmoid to them.

    Args:
        reduction: As every Keras loss, over the examples.
        name: Name of the loss.
        dtype: As every Keras loss; float32 by default.

    The labels are integers ``(batch_size,)`` or ``(batch_size, 1)``; the predictions are
    probabilities ``(batch_size, num_classes)``, the output of a softmax. A label
    that is no class makes the loss NaN.

    Raises:
        ValueError: While it is computed, if there is only one class, or the labels have
            another shape.

    Example:
    >>> loss = keras_amp.paper.SummedBinaryCrossentropy()
    >>> value = loss(np.array([1]), np.array([[0.2, 0.5, 0.3]]))
    >>> round(float(value), 4)  # -log(0.8 * 0.5 * 0.7)
    1.273
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "summed_binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def _loss(self, target: Tensor, y_pred: Tensor) -> Tensor:
        # `ops.binary_crossentropy` would apply a sigmoid to a softmax layer's logits.
        epsilon = keras.config.epsilon()
        p = ops.clip(y_pred, epsilon, 1 - epsilon)
        return -ops.sum(ops.log(ops.where(target, p, 1 - p)), axis=-1)


def _targets(y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """One-hot labels, booleans of the probabilities' shape, and the probabilities."""
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    num_classes = y_pred.shape[-1]
    if num_classes == 1:
        raise ValueError(
            "Expected probabilities of at least two classes. Received: predictions "
            f"of shape {tuple(y_pred.shape)}. End the classifier in a softmax, or "
            "use `keras.losses.BinaryCrossentropy`."
        )
    if len(y_true.shape) < len(y_pred.shape):
        y_true = ops.expand_dims(y_true, -1)
    if len(y_true.shape) != len(y_pred.shape) or y_true.shape[-1] != 1:
        raise ValueError(
            "Expected labels to be class indices, one for each example. Received: "
            f"labels of shape {tuple(y_true.shape)} for predictions of shape "
            f"{tuple(y_pred.shape)}. Pass the index of a one-hot label's class, "
            "`y.argmax(axis=-1)`."
        )
    classes = ops.cast(ops.arange(num_classes), y_true.dtype)
    return ops.equal(y_true, classes), y_pred


def _known(target: Tensor, loss: Tensor) -> Tensor:
    """The losses, NaN for a label that is no class."""
    known = ops.any(target, axis=-1)
    return ops.where(known, loss, ops.full_like(loss, float("nan")))
