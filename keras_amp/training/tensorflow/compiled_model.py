"""A model whose training is compiled by XLA on a CPU, as far as that pays."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_amp.training import input_check
from keras_amp.training.compiled_again import CompiledAgain
from keras_amp.training.tensorflow.compilation import Compilation, TrainFunction


class BackendModel(CompiledAgain):
    """A base of ``MixupAMPModel``: how TensorFlow runs and compiles its steps.

    Its ``_training_step`` holds the ``Compilation``, which says what is compiled.
    """

    classifier: keras.Model
    train_function: Callable[[Any], Any] | None
    jit_compile: bool

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Configures training as ``keras.Model.compile`` does.

        Where there is no accelerator, ``jit_compile="auto"`` compiles the training step
        of a classifier with attention or an LSTM whose inputs have known shapes, and the
        weights' update of any other, as far as XLA can
        (``keras_amp.training.tensorflow.compilation``); Keras itself would compile
        nothing. ``jit_compile`` says whether the step is compiled. Evaluation and
        prediction are left as Keras has them.
        """
        given = inspect.signature(super().compile).bind(*args, **kwargs).arguments
        self._training_step.compilation = Compilation(self, given)
        if self._training_step.compilation.step:
            given["jit_compile"] = True
        super().compile(**given)

    def run_step(self, data: Any) -> dict[str, Any]:
        """Takes one training step."""
        return self._training_step(data)

    def logs_of(self, logs: dict[str, Any], wanted: Callable[[str], bool]) -> Any:
        """Returns what a step of an evaluation returned, with some of its reports."""
        return {name: value for name, value in logs.items() if wanted(name)}

    @property
    def compiles_by_default(self) -> bool:
        """Whether it is ``jit_compile="auto"`` that had the step compiled on a CPU."""
        return self._training_step.compilation.step

    def make_train_function(self, force: bool = False) -> Callable[[Any], Any]:
        """Makes the function that trains, as ``keras.Model`` does."""
        compilation = self._training_step.compilation
        usual = compilation.usual if compilation.step else None
        if usual is None or self.run_eagerly or tf.distribute.has_strategy():
            with self._without_our_compilation():
                return super().make_train_function(force)
        if self.train_function is None or force:
            ids_fit = input_check.ids_check(self.classifier)
            self.train_function = TrainFunction(
                self.train_step,
                self.steps_per_execution,
                usual,
                self._compile_no_more,
                lambda data: ids_fit(keras.utils.unpack_x_y_sample_weight(data)[0]),
            )
        return self.train_function

    def make_test_function(self, force: bool = False) -> Callable[[Any], Any]:
        """Makes the function that evaluates, as ``keras.Model`` does."""
        with self._without_our_compilation():
            return super().make_test_function(force)

    def make_predict_function(self, force: bool = False) -> Callable[[Any], Any]:
        """Makes the function that predicts, as ``keras.Model`` does."""
        with self._without_our_compilation():
            return super().make_predict_function(force)

    @contextlib.contextmanager
    def _without_our_compilation(self) -> Iterator[None]:
        """Has Keras compile only what it was told to."""
        compiles = self.jit_compile
        try:
            self.jit_compile = compiles and not self.compiles_by_default
            yield
        finally:
            self.jit_compile = compiles

    def _compile_no_more(self) -> None:
        self._training_step.compilation.step = self.jit_compile = False

    def _check_distributed(self) -> None:
        """Raises what would fail in the middle of the first step."""
        if isinstance(
            self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy
        ):
            raise ValueError(
                "Expected training to be distributed over the devices of one machine, by "
                "tf.distribute.MirroredStrategy: Keras 3 does not train with several "
                "workers on TensorFlow (github.com/keras-team/keras/issues/20585). "
                "Received: MultiWorkerMirroredStrategy. Train on JAX, by "
                "KERAS_BACKEND=jax and keras.distribution (docs/guides/devices.md)."
            )
        replicas = self.distribute_strategy.num_replicas_in_sync
        told = self.jit_compile and not self.compiles_by_default
        if self.compiled and told and replicas > 1:
            raise ValueError(
                "Expected `jit_compile` to be False or 'auto' where training is "
                "distributed: TensorFlow does not compile a step whose variables lie on "
                "several devices (github.com/keras-team/keras/issues/17187); JAX does. "
                f"Received: jit_compile=True with {replicas} replicas."
            )
