"""The one training path: every recipe and every cell of a comparison runs through it."""

import time

import keras

from keras_amp import backbones, data
from keras_amp.experiments.results import Result, write_json
from keras_amp.experiments.settings import BACKBONES
from keras_amp.models import MixupAMPModel


def build_classifier(settings, examples, seed):
    """Builds the settings' backbone for the given examples."""
    return BACKBONES[settings.backbone](
        vocabulary_size=examples.vectorizer.vocabulary_size(),
        num_classes=len(examples.class_names),
        sequence_length=examples.train[0].shape[1],
        seed=seed,
        **settings.backbone_arguments,
    )


def train(settings, method, policy, seed, examples, folder, on_epoch=None):
    """Trains one classifier, chooses its epoch on the development set and tests it.

    For one seed all methods share the development set, the initial weights, the order of
    the batches and the dropout layers' seeds. Without mixing the classifier is trained by
    its own ``fit``.

    Args:
        settings: ``Settings``.
        method: ``Method``.
        policy: The method's policy (ignored without mixing).
        seed: Integer >= 0.
        examples: ``Examples`` of that seed.
        folder: Existing folder for ``epochs.csv`` (losses and accuracies of every epoch),
            ``tensorboard/`` and ``result.json``.
        on_epoch: Callable ``(epoch, logs)`` after every epoch, or None.

    Returns:
        A ``Result``.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    classifier = build_classifier(settings, examples, seed)
    model = classifier
    if method.mix != "none":
        mix_at = backbones.mix_point(classifier, method.mix)
        model = MixupAMPModel(classifier, mix_at, policy, seed=seed)
    model.compile(
        keras.optimizers.Adam(settings.learning_rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=settings.jit_compile,
    )
    train_batches = data.batches(*examples.train, settings.batch_size, seed=seed)
    dev, test = (data.batches(*split, 250) for split in (examples.dev, examples.test))
    chosen = keras.callbacks.EarlyStopping(
        "val_accuracy",
        mode="max",
        patience=settings.epochs,  # never stops early; it keeps the best epoch's weights
        restore_best_weights=True,
    )
    test_curve = _TestCurve(test)
    start = time.perf_counter()
    model.fit(
        train_batches,
        validation_data=dev,
        epochs=settings.epochs,
        verbose=0,
        shuffle=False,  # the batches are shuffled already
        callbacks=[
            test_curve,
            chosen,
            keras.callbacks.CSVLogger(folder / "epochs.csv"),
            keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False),
            keras.callbacks.LambdaCallback(on_epoch_end=on_epoch),
        ],
    )
    seconds = time.perf_counter() - start
    result = Result(
        method=method.name,
        seed=seed,
        dev_error=_error(model, dev),
        test_error=_error(model, test),
        best_test_error=min(test_curve.errors),
        epoch=chosen.best_epoch + 1,
        seconds=seconds,
    )
    write_json(folder / "result.json", result.as_dict())
    return result


class _TestCurve(keras.callbacks.Callback):
    """Logs the test accuracy of every epoch. Nothing is chosen by it."""

    def __init__(self, batches):
        super().__init__()
        self.batches, self.errors = batches, []

    def on_epoch_end(self, epoch, logs):
        """Evaluates the test set."""
        self.errors.append(_error(self.model, self.batches))
        logs["test_accuracy"] = 1 - self.errors[-1] / 100


def _error(model, batches):
    """The share of wrong predictions, in percent."""
    return 100 * (1 - model.evaluate(batches, verbose=0, return_dict=True)["accuracy"])
