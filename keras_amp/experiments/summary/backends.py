"""What a reader must know of results that come from both of Keras' backends."""

import warnings
from collections import Counter

NAMES = {"tensorflow": "TensorFlow", "jax": "JAX"}


def backend_of(record):
    """Return the backend that a record's run was trained on; before JAX there was one."""
    return record.get("backend", "tensorflow")


def backends_note(groups):
    """Return how many runs each backend has trained; "" where it is one for all.

    Args:
        groups: List of ``Group``s.

    Example:
    >>> from keras_amp.experiments.summary.backends import backends_note
    >>> from keras_amp.experiments.summary.groups import Group
    >>> from keras_amp.experiments.summary.trials import Trial
    >>> done = {"status": "finished"}
    >>> one, other = Trial({}, {**done, "backend": "jax"}), Trial({}, done)
    >>> backends_note([Group([one, one, other])])[:47]
    ' Trained on JAX: 2, on TensorFlow: 1 of 3 runs.'
    >>> backends_note([Group([one, one])])
    ''
    """
    finished = (trial for group in groups for trial in group.finished)
    counts = Counter(NAMES[backend_of(trial.record)] for trial in finished)
    if len(counts) < 2:
        return ""
    each = ", on ".join(f"{name}: {number}" for name, number in sorted(counts.items()))
    return (
        f" Trained on {each} of {counts.total()} runs. From a seed the two draw other "
        "numbers: runs of one seed are paired on the same backend alone."
    )


def warn_of_backends(note):
    """Warn of what ``backends_note`` has returned, if anything."""
    if note:
        warnings.warn(note.strip(), stacklevel=3)
