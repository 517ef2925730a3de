"""A model whose random states and classifier's weights survive in its weights files."""

import os
from typing import Any

import keras

from keras_amp.saving import weights_files


class SavesRandomStates(keras.Model):
    """A base of Keras models around a ``classifier`` that go on where they were.

    Keras saves no states of random generators; without them a run that is resumed would
    draw its first coefficients and dropout masks again.
    """

    def _random_states(self) -> list[keras.Variable]:
        known = {id(v) for v in self.weights + self.metrics_variables}
        optimizer = getattr(self, "optimizer", None)  # set by `compile`
        known.update(id(v) for v in (optimizer.variables if optimizer else []))
        return [v for v in self.variables if id(v) not in known]

    def save_own_variables(self, store: Any) -> None:
        """Saves the states of all random generators with the model."""
        super().save_own_variables(store)
        for i, state in enumerate(self._random_states()):
            store[f"random_state_{i}"] = state

    def save_weights(
        self, filepath: str | os.PathLike[str], *args: Any, **kwargs: Any
    ) -> None:
        """Saves all weights as ``keras.Model.save_weights`` does.

        A ``.weights.h5`` file can be loaded into the classifier by itself, too:
        ``classifier.load_weights(filepath)``.
        """
        super().save_weights(filepath, *args, **kwargs)
        weights_files.share_with_classifier(filepath)

    def load_weights(
        self, filepath: str | os.PathLike[str], *args: Any, **kwargs: Any
    ) -> None:
        """Loads what ``save_weights`` has saved.

        Raises:
            ValueError: If the file holds a classifier's weights alone, for which there is
                ``model.classifier.load_weights``.
        """
        weights_files.check_no_classifiers(filepath)
        super().load_weights(filepath, *args, **kwargs)

    def load_own_variables(self, store: Any) -> None:
        """Restores what ``save_own_variables`` saved."""
        store = weights_files.own_variables(store)
        states = {f"random_state_{i}": v for i, v in enumerate(self._random_states())}
        missing = set(states) - set(store.keys())
        if missing:
            raise ValueError(
                f"Expected the states of {len(states)} random generators, as a "
                "MixupAMPModel made by the same arguments saves them. Received: weights "
                f"without {', '.join(sorted(missing))}."
            )
        for name, state in states.items():
            state.assign(store[name])
        others = set(store.keys()) - set(states)
        super().load_own_variables({name: store[name] for name in others})
