"""What a comparison is made of: settings of the training, and methods of mixing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from keras_amp import backbones
from keras_amp.experiments.arguments import ARGUMENTS, Program, Rate, Relatives
from keras_amp.experiments.checked import Count, Positive, Whole, checked
from keras_amp.experiments.relatives import CLASSES, mixup, relative
from keras_amp.paper import AuthorsProgram
from keras_amp.policies import AdversarialMixing

BACKBONES = {
    "cnn": backbones.text_cnn,
    "bilstm": backbones.bilstm_attention,
    "bert": backbones.bert,
}
PROGRAM = Program()  # as published
RELATIVES = Relatives()
ON_WORDS = ("cnn", "bilstm")  # the others have a tokenizer and vectors of their own
DevFraction = Annotated[
    float,
    Field(ge=0, lt=1),
    "to be 0, for no development set, or to lie between 0 and 1",
]
DevFolds = Annotated[int, Field(ge=2), "to be an integer >= 2"]
TestFraction = Annotated[float, Field(gt=0, lt=1), "to lie between 0 and 1"]
TrainFraction = Annotated[float, Field(gt=0, le=1), "to lie above 0 and at most at 1"]


@checked
class Settings:
    """How a classifier is trained, whatever the method of mixing.

    Attributes:
        data: Name of a data set, or path of a CSV or TSV file or of a folder of them.
        data_dir: Folder with public data sets; see ``keras_amp.data.load``.
        phrases: Whether to train on labelled phrases of the training texts, too.
        train_fraction: Share of each class to train with, the development set included;
            each seed draws its own. None for all.
        train_per_class: Number of training examples of each class, drawn in the same way.
        unlabeled: Whether methods that can (vat) also learn from the training texts that
            ``train_fraction`` or ``train_per_class`` leaves out, without their labels:
            one in each batch for each text with a label. Their vocabulary and length
            come from these texts, too.
        dev_fraction: Share of the training data set aside to choose the epoch by, where
            the data has no development split; 0 sets nothing aside: then the last
            epoch's weights are the result.
        test_fraction: Share of the data set aside to test on, where the data has no test
            split and is not cross-validated; the same for all seeds.
        folds: Parts of a cross-validation, for data without a test split, drawn by the
            seed; 1 for none. "auto" is 10 for subj and mr, as in the paper, else 1.
        dev_folds: Parts into which the training data are divided to develop on, the same
            for all seeds. A run's fold is its development set (where the data have none
            of their own), which it is also tested on: the test split is not read. None
            tests on that.
        sequence_length: Words or tokens per text; longer ones are cut. None for the
            longest training text, or what the encoder allows.
        vectors: Name or path of pretrained word vectors to begin with; see
            ``keras_amp.data.load_vectors``. Their width takes precedence over
            ``embedding_dim``, and words of the texts to be predicted that have a vector
            join the vocabulary. None for random ones.
        backbone: Name of the classifier's architecture: "cnn", "bilstm" or "bert".
        backbone_arguments: Arguments of the backbone.
        epochs: Passes over the training data, each followed by an evaluation.
        steps: Steps of training, in place of ``epochs``.
        patience: Epochs without a better development result after which training stops.
            None never stops early. The best epoch's weights are kept either way.
        batch_size: Examples a step.
        loss: "cross-entropy"; "binary", the binary cross-entropies of all classes'
            probabilities, summed; "double-softmax", the cross-entropy of a softmax of the
            probabilities; or "program", as the authors' program has it: "binary" where
            something is mixed, "double-softmax" where nothing is.
        label_smoothing: Share of each label that is spread over all classes, of the loss
            "cross-entropy"; 0 for none.
        learning_rate: Learning rate of Adam.
        clip_norm: Norm to which all gradients together are clipped; None does not clip.
        warmup_steps: Steps over which the learning rate rises to its value.
        step_schedule: What becomes of an adversarial policy's ``step_size`` over the
            steps of training: "constant"; "rising" in a straight line from 0 to its
            value; "falling" from its value to 0. It has no effect on other methods.
        test_every: Number of steps after which the test error is measured, in addition to
            every epoch, for ``best_test_error`` and ``test_curve.csv``; None measures it
            after epochs alone.
        jit_compile: Whether the step is compiled by XLA; "auto" compiles where that has
            been measured to pay. On JAX it always is.
        save_classifier: Whether a run keeps its trained classifier, for
            ``keras_amp.load_run``.
        save_curve: Whether a run evaluates the test loss along lambda, at the words and
            at the sentence, without training on it.
        test_perturbed: Whether a cell is also tested on its test texts with typos, and
            with words left out; see ``keras_amp.data.typos``.
    """

    data: str = "questions"
    data_dir: Annotated[Path | None, Field(strict=False)] = None
    phrases: bool = False
    train_fraction: TrainFraction | None = None
    train_per_class: Count | None = None
    unlabeled: bool = False
    dev_fraction: DevFraction = 0.1
    test_fraction: TestFraction = 0.2
    folds: Count | Literal["auto"] = "auto"
    dev_folds: DevFolds | None = None
    sequence_length: Count | None = None
    vectors: str | None = None
    backbone: Literal["cnn", "bilstm", "bert"] = "cnn"
    backbone_arguments: Mapping[str, Any] = field(default_factory=dict)
    epochs: Count = 20
    steps: Count | None = None
    patience: Count | None = None
    batch_size: Count = 50
    loss: Literal["cross-entropy", "binary", "double-softmax", "program"] = (
        "cross-entropy"
    )
    label_smoothing: Rate = 0.0
    learning_rate: Positive = 2e-4
    clip_norm: Positive | None = None
    warmup_steps: Whole = 0
    step_schedule: Literal["constant", "rising", "falling"] = "constant"
    test_every: Count | None = None
    jit_compile: bool | Literal["auto"] = "auto"
    save_classifier: bool = True
    save_curve: bool = True
    test_perturbed: bool = False

    def __post_init__(self):
        """Checks values that depend on each other."""
        if not self.dev_fraction and self.patience is not None:
            raise ValueError(
                "Expected no `patience` without a development set. Received: "
                f"dev_fraction={self.dev_fraction!r}, patience={self.patience!r}"
            )
        if None not in (self.train_fraction, self.train_per_class):
            raise ValueError(
                "Expected one of `train_fraction` and `train_per_class`. Received: "
                f"train_fraction={self.train_fraction!r}, "
                f"train_per_class={self.train_per_class!r}"
            )
        if self.unlabeled and not self.is_subset:
            raise ValueError(
                "Expected `train_fraction` or `train_per_class` with `unlabeled`: the "
                "texts without labels are those that it leaves out. Received: neither."
            )
        if self.label_smoothing and self.loss != "cross-entropy":
            raise ValueError(
                "Expected no `label_smoothing` with another loss than 'cross-entropy'. "
                f"Received: label_smoothing={self.label_smoothing!r}, "
                f"loss={self.loss!r}"
            )
        if self.vectors is not None and self.backbone not in ON_WORDS:
            raise ValueError(
                f"Expected `vectors` with {' or '.join(map(repr, ON_WORDS))} alone; an "
                f"encoder brings its own. Received: backbone={self.backbone!r}, "
                f"vectors={self.vectors!r}"
            )
        self.all_backbone_arguments()  # raises where one is wrong

    def __repr__(self):
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        given["backbone_arguments"] = dict(self.backbone_arguments)
        defaults = {f.name: f.default for f in fields(self)} | {"backbone_arguments": {}}
        # What is as it is by default says nothing.
        shown = (f"{n}={v!r}" for n, v in given.items() if v != defaults[n])
        return f"Settings({', '.join(shown)})"

    @property
    def is_subset(self):
        """Whether a part of the training data is drawn."""
        return self.train_per_class is not None or self.train_fraction not in (None, 1)

    def loss_of(self, method):
        """The loss that a ``Method`` is trained by, where "program" stands for two.

        Example:
        >>> from keras_amp.experiments import Method, Settings
        >>> settings = Settings(loss="program")
        >>> settings.loss_of(Method("none")), settings.loss_of(Method("word", "mixup"))
        ('double-softmax', 'binary')
        """
        if self.loss != "program":
            return self.loss
        return "double-softmax" if method.mix == "none" else "binary"

    def learns_unlabeled(self, method, policy):
        """Whether a method, with its policy, learns from texts without labels."""
        able = method.mix != "none" and policy.needs.learns_unlabeled
        return self.unlabeled and able

    def number_of_folds(self, dataset):
        """How many sets each seed is tested on, of a ``keras_amp.data.Dataset``."""
        return self.folds_of(dataset.test is not None, dataset.folds)

    def folds_of(self, has_test, folds):
        """As ``number_of_folds``, of data of which no more is known.

        Args:
            has_test: Whether they have a test split of their own.
            folds: Integer, how many folds they are usually divided into, or None.
        """
        if self.dev_folds is not None:
            return self.dev_folds
        if has_test:
            return 1
        return (folds or 1) if self.folds == "auto" else self.folds

    def length(self, num_examples):
        """The steps of an epoch, the epochs and the steps in all, of a training set."""
        per_epoch = math.ceil(num_examples / self.batch_size)
        if self.steps is None:
            return per_epoch, self.epochs, per_epoch * self.epochs
        return per_epoch, math.ceil(self.steps / per_epoch), self.steps

    def all_backbone_arguments(self):
        """The backbone's arguments with its own defaults filled in."""
        known, given = ARGUMENTS[self.backbone], dict(self.backbone_arguments)
        names = [f.name for f in fields(known)]
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise ValueError(
                f"Expected `backbone_arguments` among {', '.join(names)}. Received: "
                f"{', '.join(unknown)}"
            )
        return dict(known(**given))


def chosen_folds(number, chosen=None):
    """Returns the folds to run.

    Args:
        number: Integer, how many there are; 1 where there is no cross-validation.
        chosen: List of integers, or None for all.

    Returns:
        A list of integers, each once; ``[None]`` where there is no cross-validation.

    Raises:
        ValueError: If a chosen one is none of the folds.
    """
    if number == 1 and not chosen:
        return [None]
    wrong = [
        fold
        for fold in chosen or ()
        if number == 1 or type(fold) is not int or not 0 <= fold < number
    ]
    if wrong:
        why = "no cross-validation; set `folds`" if number == 1 else f"{number} folds"
        raise ValueError(
            "Expected `fold` to be an integer from 0 to the number of folds less 1. "
            f"Received: fold={wrong[0]!r} with {why}."
        )
    return list(dict.fromkeys(chosen)) if chosen else list(range(number))


PolicyName = Literal[
    "mixup", "maxop", "amp", "program", "adversarial", "vat", "random", "regmixup",
    "rdrop", "cutmix",
]  # fmt: skip
POLICIES = {
    "mixup": "Mixup",
    "maxop": "MaxOp",
    "amp": "AMP",
    "program": "Program",
    "adversarial": "Adversarial",
    "vat": "VAT",
    "random": "RandomStep",
    "regmixup": "RegMixup",
    "rdrop": "RDrop",
    "cutmix": "CutMix",
}
# What the authors' program takes of ``AdversarialMixing``'s arguments.
OF_PROGRAM = ("alpha", "lam_per", "probability", "step_size")


@dataclass(frozen=True)
class Method:
    """A cell of the paper's comparison: where examples are mixed, and by what policy.

    Attributes:
        mix: ``"none"``, ``"word"``, ``"sentence"``, or ``"random"`` for either of the two
            at random in every batch.
        policy: ``"mixup"`` (the paper's +RandOp), ``"maxop"`` (+MaxOp: every example is
            trained at lambda'), ``"amp"`` (the Adversarial Mixing Policy),
            ``"program"`` (what the authors' program makes of it); a step on the hidden
            state: ``"adversarial"``, ``"vat"`` (against the predictions) or ``"random"``
            (in a random direction); ``"regmixup"``, ``"rdrop"`` or ``"cutmix"``. None
            without mixing.
    """

    mix: Literal["none", "word", "sentence", "random"]
    policy: PolicyName | None = None

    @property
    def name(self):
        """The paper's name of the method, such as ``"WordAMP"``."""
        if self.mix == "none":
            return "none"
        place = {"word": "Word", "sentence": "Sent", "random": "Random"}[self.mix]
        return place + POLICIES[self.policy]

    def policy_of(self, adversarial, program=PROGRAM, relatives=RELATIVES):
        """Returns the policy, with the arguments that it shares with a given one.

        Args:
            adversarial: ``AdversarialMixing``.
            program: Mapping or ``Program``, the arguments that ``AuthorsProgram`` alone
                takes.
            relatives: Mapping or ``Relatives``, the arguments that only policies beside
                the paper's have.
        """
        if self.policy == "amp":
            return adversarial
        config = adversarial.get_config()
        if self.policy == "maxop":
            return AdversarialMixing(**{**config, "min_op": False})
        if self.policy == "program":
            return AuthorsProgram(**{n: config[n] for n in OF_PROGRAM}, **program)
        if self.policy in CLASSES:
            return relative(self.policy, config, Relatives(**relatives))
        return mixup(config)

    def mix_at(self, classifier):
        """Returns the layers of a backbone behind which the method mixes."""
        levels = {"none": (), "random": ("word", "sentence")}.get(self.mix, (self.mix,))
        return [backbones.mix_point(classifier, level) for level in levels]


def methods(mix=("none", "word", "sentence"), policy=("mixup", "amp")):
    """Returns the methods of a comparison: none, and every place with every policy.

    Example:
    >>> from keras_amp.experiments import methods
    >>> [method.name for method in methods()]
    ['none', 'WordMixup', 'WordAMP', 'SentMixup', 'SentAMP']
    """
    return [
        Method(place, kind)
        for place in mix
        for kind in ((None,) if place == "none" else policy)
    ]
