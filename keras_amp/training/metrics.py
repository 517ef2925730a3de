"""What a training step reports of its search, and how it is gathered over an epoch."""

import keras
import numpy as np
from keras import ops

# Reported by every step, beside the loss and the compiled metrics.
REPORTED = ("lam", "lam_delta", "mask_rate", "loss_gap")
# Reported, too, once the model is monitored.
MONITORED = ("lam_gradient", "mixup_loss", "adversarial_loss")


def _both_signs(smallest, largest, per_decade=4):
    """Edges that are spaced evenly in the logarithm, on both sides of a bin around 0."""
    decades = np.log10(largest / smallest)
    positive = np.geomspace(smallest, largest, round(decades * per_decade) + 1)
    return np.concatenate([-positive[::-1], positive])


# A gap is about step_size times the squared gradient, so it spans more decades.
EDGES = {
    "lam": np.linspace(0, 1, 21),
    "lam_gradient": _both_signs(1e-3, 10.0),
    "loss_gap": _both_signs(1e-8, 1.0, per_decade=2),
}


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

    def __init__(self, edges, name):
        super().__init__(name=name)
        self.edges = np.asarray(edges, "float32")
        # The values at or above each edge; all values first.
        self.above = self.add_variable(
            (len(self.edges) + 1,), "zeros", dtype="float32", name="above"
        )

    def update_state(self, values, sample_weight=None):
        """Counts values ``(batch_size,)``; NaN counts in no bin but the first."""
        values = ops.expand_dims(ops.cast(values, "float32"), -1)
        above = ops.sum(ops.cast(values >= self.edges, "float32"), axis=0)
        number = ops.cast(ops.reshape(ops.size(values), (1,)), "float32")
        self.above.assign_add(ops.concatenate([number, above]))

    def result(self):
        """Returns the bins' counts, an integer array ``(num_edges + 1,)``."""
        above = ops.convert_to_numpy(ops.convert_to_tensor(self.above))
        return -np.diff(np.append(above, 0)).astype("int64")


def means():
    """One ``keras.metrics.Mean`` for each quantity, by name."""
    return {name: keras.metrics.Mean(name=name) for name in (*REPORTED, *MONITORED)}


def histograms():
    """One ``Counts`` for each quantity that has a histogram, by name."""
    return {name: Counts(edges, name) for name, edges in EDGES.items()}
