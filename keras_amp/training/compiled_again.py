"""A model that is compiled again, as it was saved, where it is loaded."""

from typing import Any

import keras


class CompiledAgain(keras.Model):
    """A base of models whose arguments of ``compile`` are saved with them.

    Keras saves them for models that do not override ``compile``.
    """

    _training_step: Any  # `keras_amp.training.step.TrainingStep`

    def get_compile_config(self) -> dict[str, Any] | None:
        """Returns the arguments of ``compile`` for a saved model."""
        config = super().get_compile_config()
        if config and self._training_step.compilation.auto:
            # Where the model is loaded, it may mean another thing.
            config["jit_compile"] = "auto"
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a loaded model as the saved one was."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)
