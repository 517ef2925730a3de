"""The trials of a data set of texts, as cells."""

import hashlib
from dataclasses import replace

import numpy as np

from keras_amp import data
from keras_amp.experiments.arguments import Relatives
from keras_amp.experiments.cells import Cell
from keras_amp.experiments.examples import TEST_SEED
from keras_amp.experiments.search.space import TRAINING, methods_to_try, space_of
from keras_amp.experiments.search.trials import RUNGS, RUNGS_OF_FEW
from keras_amp.experiments.settings import ON_WORDS, PROGRAM, Method
from keras_amp.experiments.worker import dataset_of
from keras_amp.policies import AdversarialMixing

FEW = 1000  # training texts, below which trials are folds of them
FOLDS, FOLDS_OF_MANY = 5, 10
# Words of a text, where nothing is said: what 99% of the texts have, if the longest one
# has a quarter more. A step takes as long as texts are.
SHARE, SHORTER, SHORTEST, LONGEST = 99, 0.8, 10, 400
# A search's seeds of training: those of its trials, and those of the confirmation.
SEEDS, CONFIRMING = 1000, 500
# What goes with a value: by the project's study of a coefficient for each dimension.
ALONG = {("step_per", "dimension"): {"normalize": True, "max_gradient": None}}


class Texts:
    """What a search tries on texts by a backbone of this package.

    A trial's cells are trained on paired seeds, with a tenth of the training texts to
    develop on, another one for each; or, where these are few, on each of five folds. The
    test split is set aside first, and read by the cells of the confirmation alone.

    Args:
        settings: ``Settings`` of all cells, but for what is tried.
        mix: Sequence of places.
        policy: Sequence of names of policies.

    Attributes:
        methods: List of ``Method``s.
        rungs: Tuple of integers, after how many cells trials are compared.
        short_rungs: The same where time is short.
        title: What is searched.
        notices: List of sentences about the data.

    Raises:
        ValueError: As ``keras_amp.data.load``.
    """

    in_this_process = False

    def __init__(self, settings, mix, policy):
        self.methods = methods_to_try(mix, policy)
        self.dataset = dataset_of(settings)
        self.title = repr(self.dataset)
        few = len(self.dataset.train) < FEW
        self.rungs, self.short_rungs = RUNGS_OF_FEW if few else RUNGS
        self.dev_folds = FOLDS if few else FOLDS_OF_MANY
        self.settings, cut = _cut(settings, self.dataset)
        self.settings = replace(
            self.settings, folds=1, save_classifier=False, save_curve=False
        )
        self.notices = [*cut, *_notices(self.dataset, self.settings, few)]

    def about(self):
        """Returns what tells one search from another, as JSON has it."""
        texts = hashlib.sha256()
        for name in ("train", "dev", "test"):
            split = getattr(self.dataset, name)
            if split is not None:
                texts.update(repr((split.texts, split.labels.tolist())).encode())
        return {
            "settings": repr(replace(self.settings, data_dir=None)),
            "methods": [method.name for method in self.methods],
            "texts": texts.hexdigest()[:16],
        }

    def space(self, method):
        """Returns the ``Space`` of a method."""
        return space_of(method.policy, TRAINING[self.settings.backbone])

    def defaults(self, method):
        """Returns the values that a method has where nothing is said."""
        known = {
            **Relatives(),
            **AdversarialMixing().get_config(),
            "learning_rate": self.settings.learning_rate,
            "dropout": self.settings.all_backbone_arguments()["dropout"],
        }
        return {name: known[name] for name in self.space(method)}

    def cell(self, method, values, place, seed):
        """Returns a cell of a trial, tested on its development set.

        Args:
            method: ``Method``.
            values: Dict from the names of the method's space to values.
            place: Integer, which one of the trial's.
            seed: Integer, the search's.
        """
        settings = replace(self.with_values(values), dev_folds=self.dev_folds)
        own_seed = SEEDS * seed + place
        return Cell(settings, method, policy_of(method, values), own_seed, place)

    def first_cells(self, seed):
        """Returns the first cell of each method, to be tried before any is trained."""
        return [self.cell(m, self.defaults(m), 0, seed) for m in self.methods]

    def confirming(self, method, values, place, seed):
        """Returns a cell of the confirmation, of a seed that no trial has."""
        own_seed = SEEDS * seed + CONFIRMING + place
        settings = self.with_values(values)
        return Cell(settings, method, policy_of(method, values), own_seed)

    def with_values(self, values):
        """Returns the settings with those of the training among values."""
        arguments = {
            **self.settings.all_backbone_arguments(),
            "dropout": values["dropout"],
        }
        return replace(
            self.settings,
            learning_rate=values["learning_rate"],
            backbone_arguments=arguments,
        )

    def method_of(self, record):
        """Returns the name of the method that a record is of."""
        return Method(record["config"]["mix"], record["config"]["policy"]).name

    def program(self, method, values, seed):
        """Returns the lines of Python that train a method with values."""
        from keras_amp.experiments.search.recommendation import program_of_texts

        policy = policy_of(method, values)
        return program_of_texts(self.with_values(values), method, policy, seed)


def policy_of(method, values):
    """Returns a method's policy with values, None without mixing.

    Args:
        method: ``Method``.
        values: Dict from names to values; those of no policy are left out.

    Example:
    >>> from keras_amp.experiments import Method
    >>> from keras_amp.experiments.search.texts import policy_of
    >>> policy_of(Method("word", "rdrop"), {"weight": 0.5, "dropout": 0.1})
    RDrop(weight=0.5)
    """
    if method.mix == "none":
        return None
    values = dict(values)
    for (name, value), more in ALONG.items():
        if values.get(name) == value:
            values |= more
    own = {n: v for n, v in values.items() if n in Relatives()}
    known = AdversarialMixing().get_config()
    shared = {n: v for n, v in values.items() if n in known}
    return method.policy_of(AdversarialMixing(**shared), PROGRAM, Relatives(**own))


def _cut(settings, dataset):
    """The settings with a length for long texts, and what there is to say of it."""
    if settings.sequence_length is not None or settings.backbone not in ON_WORDS:
        return settings, []
    lengths = np.array([len(words) for words in data.split_words(dataset.train.texts)])
    longest = lengths.max()
    most = max(int(np.percentile(lengths, SHARE, method="inverted_cdf")), SHORTEST)
    if most > SHORTER * longest:
        most = longest
    most = min(most, LONGEST)
    if most >= longest:
        return settings, []
    longer = int((lengths > most).sum())
    return replace(settings, sequence_length=most), [
        f"The longest training text has {longest:,} words; {longer:,} of "
        f"{len(lengths):,} are cut after {most} (`--sequence-length` sets it, and what "
        "it costs)"
    ]


def _notices(dataset, settings, few):
    """Sentences about what a reader of the results should know of the data."""
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.class_names))
    largest = int(counts.argmax())
    share = 100 * counts[largest] / counts.sum()
    rows = len(dataset.train)
    size = _size_of_test(dataset, settings)
    found = []
    if share >= 90:
        found.append(
            f"{share:.1f}% of the training texts are {dataset.class_names[largest]!r}: "
            f"to say so of every text errs in about {100 - share:.1f}%"
        )
    named = zip(dataset.class_names, counts, strict=True)
    single = [name for name, count in named if count < 3]
    if single:
        found.append(
            f"Fewer than 3 training texts are {', '.join(map(repr, single))}: nothing "
            "can be learned about them, nor tested"
        )
    if dataset.test is None:
        found.append(f"{size} of {rows} texts are set aside to test on")
    if few:
        found.append(
            f"{rows if dataset.test is not None else rows - size} texts to train on are "
            f"few: a trial is {FOLDS} folds of them"
        )
    if size < 500:
        found.append(
            f"Of {size} test texts each is {100 / size:.2f} percentage points of error"
        )
    return found


def _size_of_test(dataset, settings):
    from keras_amp import data

    if dataset.test is not None:
        return len(dataset.test)
    return len(data.hold_out(dataset.train, settings.test_fraction, TEST_SEED)[1])
