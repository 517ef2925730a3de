"""What a training step reports of its search, and how it is gathered over an epoch."""

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_amp.policies.passes import Searched
from keras_amp.policies.policy import Policy
from keras_amp.typing import Tensor

# Every step reports these, besides the loss and the compiled metrics.
REPORTED = ("lam", "lam_delta", "mask_rate", "loss_gap")
# A monitored model reports these as well.
MONITORED = ("lam_gradient", "mixup_loss", "adversarial_loss")


def _both_signs(smallest: float, largest: float, per_decade: int = 4) -> np.ndarray:
    """Edges that are spaced evenly in the logarithm, on both sides of a bin around 0."""
    decades = np.log10(largest / smallest)
    positive = np.geomspace(smallest, largest, round(decades * per_decade) + 1)
    return np.concatenate([-positive[::-1], positive])


def _not_negative(smallest: float, largest: float, per_decade: int = 4) -> np.ndarray:
    """0, then edges that are spaced evenly in the logarithm: 0 has a bin of its own.

    Powers of ten lie in the middle of their bins, whatever the last digit of a value.
    """
    decades = np.log10(largest / smallest)
    positive = np.geomspace(smallest, largest, round(decades * per_decade) + 1)
    return np.concatenate([[0.0], positive / 10 ** (0.5 / per_decade)])


# A gap is about step_size times the squared gradient, so it spans more decades.
EDGES = {
    "lam": np.linspace(0, 1, 21),
    "lam_gradient": _both_signs(1e-3, 10.0),
    "loss_gap": _both_signs(1e-8, 1.0, per_decade=2),
}
# What a policy measures besides. A divergence is about the square of what causes it.
MEASURED_EDGES = {
    "delta_norm": _not_negative(1e-4, 1e4, per_decade=8),
    "divergence": _not_negative(1e-8, 1e3),
}
OTHER_EDGES = _both_signs(1e-8, 1e4, per_decade=2)  # of a measure of the user's own


def silent(policy: Policy) -> set[str]:
    """Returns names of what every step reports though it says nothing of this policy.

    Args:
        policy: The policy.

    Example:
    >>> from keras_amp.training.metrics import silent
    >>> sorted(silent(keras_amp.AdversarialTraining()))
    ['lam', 'lam_delta', 'lam_gradient']
    >>> silent(keras_amp.Mixup())
    set()
    """
    if policy.needs.mixes:
        return set()
    of_lam = {"lam", "lam_delta", "lam_gradient"}
    return of_lam if policy.needs.moves != "nothing" else {*of_lam, "mask_rate"}


class Counts(keras.metrics.Metric):
    """Counts values by bins, in a training step that may be compiled or distributed.

    Args:
        edges: Increasing floats ``(num_edges,)``. The first bin holds what lies below
            the first edge, the last one what lies at or above the last.
        name: Name of the metric.

    Example:
    >>> from keras_amp.training.metrics import Counts
    >>> counts = Counts([0.0, 1.0], name="example")
    >>> counts.update_state(np.array([-1.0, 0.0, 0.5, 3.0]))
    >>> counts.result().tolist()
    [1, 2, 1]
    """

    def __init__(self, edges: ArrayLike, name: str) -> None:
        super().__init__(name=name)
        self.edges = np.asarray(edges, "float32")
        # The values at or above each edge; all values first.
        self.above = self.add_variable(
            (len(self.edges) + 1,), "zeros", dtype="float32", name="above"
        )

    def update_state(self, values: Tensor, sample_weight: None = None) -> None:
        """Counts values ``(batch_size,)``; NaN counts in no bin but the first."""
        values = ops.expand_dims(ops.cast(values, "float32"), -1)
        above = ops.sum(ops.cast(values >= self.edges, "float32"), axis=0)
        number = ops.cast(ops.reshape(ops.size(values), (1,)), "float32")
        self.above.assign_add(ops.concatenate([number, above]))

    def result(self) -> np.ndarray:
        """Returns the bins' counts, an integer array ``(num_edges + 1,)``."""
        above = ops.convert_to_numpy(ops.convert_to_tensor(self.above))
        return -np.diff(np.append(above, 0)).astype("int64")


class Reports:
    """What a model reports of its search, gathered over an epoch.

    It is not a Keras object: the model tracks ``means`` itself, and the histograms are
    neither saved nor listed among its metrics.

    Args:
        policy: The model's policy, which may measure more, and of which some of what is
            reported says nothing (``silent``): that has no histogram.

    Attributes:
        means: Dict from names to ``keras.metrics.Mean``s.
        histograms: Dict from names to ``Counts``.
        monitored: Whether all of it is gathered, or only ``REPORTED``.
    """

    def __init__(self, policy: Policy) -> None:
        names = (*REPORTED, *policy.measures, *MONITORED)
        self.means = {name: keras.metrics.Mean(name=name) for name in names}
        edges = {name: EDGES[name] for name in EDGES if name not in silent(policy)}
        for name in policy.measures:
            edges[name] = MEASURED_EDGES.get(name, OTHER_EDGES)
        self.histograms = {name: Counts(each, name) for name, each in edges.items()}
        self.monitored = False

    def hidden(self) -> list[keras.metrics.Metric]:
        """Returns the metrics that are not reported now."""
        return [] if self.monitored else [self.means[name] for name in MONITORED]

    def update_state(self, report: dict[str, Tensor]) -> None:
        """Adds what a step reports; see ``report_of``."""
        for name, value in report.items():
            if self.monitored or name not in MONITORED:
                # The mean is that of the step's and of the gradient's size.
                sized = name in ("lam_delta", "lam_gradient")
                self.means[name].update_state(ops.abs(value) if sized else value)
            if self.monitored and name in self.histograms:
                self.histograms[name].update_state(value)


def report_of(searched: Searched) -> dict[str, Tensor]:
    """Returns what a step did with each example.

    Args:
        searched: What the search found.

    Returns:
        A dict of float32 tensors ``(batch_size,)``. Where each dimension has its own
        coefficient, they are means over an example's dimensions, for steps and gradients
        those of their sizes.
    """

    def of_example(value: Tensor, sized: bool = False) -> Tensor:
        axes = tuple(range(1, len(value.shape)))
        if not axes:
            return value
        return ops.mean(ops.abs(value) if sized else value, axis=axes)

    lam_delta = searched.adversarial_lam - searched.lam
    return {
        "lam": of_example(searched.lam),
        "lam_delta": of_example(lam_delta, sized=True),
        "lam_gradient": of_example(searched.lam_gradient, sized=True),
        "mask_rate": searched.mask,
        "mixup_loss": searched.loss,
        "adversarial_loss": searched.adversarial_loss,
        "loss_gap": searched.adversarial_loss - searched.loss,
        **searched.measured,
    }
