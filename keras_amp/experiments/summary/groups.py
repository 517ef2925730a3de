"""Groups: the trials that differ by seed and fold alone."""

import inspect
from dataclasses import dataclass, field
from functools import cached_property

from keras_amp.experiments import settings
from keras_amp.experiments.summary.distinguishing_settings import values_at
from keras_amp.experiments.summary.losses import text_losses
from keras_amp.experiments.summary.texts import setting_text
from keras_amp.experiments.summary.trials import WITHIN
from keras_amp.policies import Mixup

BY_METHOD = ("mix", "policy")  # what a method's name says
# The paper's order.
MIXES = ("none", "word", "sentence", "random")
POLICIES = (None, *settings.POLICIES)
# What mixup is told, which these policies are not, or are told otherwise.
OF_MIXUP = {*inspect.signature(Mixup).parameters}
WITHOUT_THEM = ("adversarial", "vat", "random", "regmixup", "rdrop")


@dataclass(frozen=True, eq=False)
class Group:
    """The trials of a method with the same settings.

    Attributes:
        trials: List of ``Trial``s.
        label: What a page calls the group: see ``label_groups``.
    """

    trials: list = field(repr=False)
    label: str = ""

    @cached_property
    def values(self):
        """The settings by their own names, without seed and fold."""
        values = self.trials[0].values
        return {name: value for name, value in values.items() if name not in WITHIN}

    @property
    def tuned(self):
        """The settings that its method was given of its own, a dict."""
        return self.trials[0].tuned

    @property
    def method(self):
        """The method's name."""
        return self.values["method"]

    @property
    def mix(self):
        """Where it mixes."""
        return self.values["mix"]

    @property
    def policy(self):
        """By what policy it mixes; None without mixing."""
        return self.values["policy"]

    @cached_property
    def seeds(self):
        """All its seeds, each once, run or not."""
        return list(dict.fromkeys(seed for seed, _ in (t.part for t in self.trials)))

    @cached_property
    def folds(self):
        """All its folds, sorted; none without a cross-validation."""
        return sorted({fold for _, fold in (t.part for t in self.trials)} - {None})

    @cached_property
    def finished(self):
        """Its trials that are finished."""
        return [trial for trial in self.trials if trial.status == "finished"]

    @cached_property
    def failed(self):
        """Its trials that failed."""
        return [trial for trial in self.trials if trial.status == "failed"]

    @cached_property
    def complete(self):
        """The seeds whose folds are all finished."""
        missing = {t.part[0] for t in self.trials if t.status != "finished"}
        return [seed for seed in self.seeds if seed not in missing]

    def of(self, name):
        """Return a field of the results by ``(seed, fold)``, of the complete seeds.

        What a run does not have, such as a development error, is left out.
        """
        return {
            trial.part: trial.result[name]
            for trial in self.finished
            if trial.part[0] in self.complete and trial.result.get(name) is not None
        }

    def losses(self, name):
        """Return what each test text adds to a score, by seed.

        Args:
            name: As of ``text_losses``.

        Returns:
            A dict from complete seeds to tuples of the labels and the losses, arrays
            ``(num_texts,)``; without those whose predictions are not known, and empty
            with a cross-validation, whose texts are in another order in each seed.
        """
        found = {}
        for trial in self.finished:
            seed, fold = trial.part
            if fold is None and trial.predictions is not None:
                temperature = trial.result.get("temperature")
                losses = text_losses(name, *trial.predictions, temperature)
                if losses is not None:
                    found[seed] = trial.predictions[0], losses
        return found

    def at(self, dimensions):
        """Return its values of the given settings, a tuple that can be compared."""
        return values_at(self.values, dimensions)

    def shown(self, dimensions):
        """Return its values of the given settings as a tuple of texts."""
        return tuple(setting_text(self.values, name) for name in dimensions)

    def extends(self, other):
        """Return whether it has all settings of another group; it may have more.

        Those of mixup do not count for a policy that has none, or others.
        """
        without = self.policy in WITHOUT_THEM and not self.values.get("mixup")
        left_out = OF_MIXUP if without else ()
        theirs = {setting for setting in other._settings if setting[0] not in left_out}
        return theirs <= self._settings

    @cached_property
    def _settings(self):
        left_out = ("method", *BY_METHOD)
        return {(n, repr(v)) for n, v in self.values.items() if n not in left_out}


def group_trials(trials):
    """Return the ``Group``s of trials, in the order of their first ones.

    The trials of a group are sorted by seed and fold.

    Args:
        trials: List of ``Trial``s.

    Example:
    >>> from keras_amp.experiments.summary.groups import group_trials
    >>> from keras_amp.experiments.summary.trials import Trial
    >>> method = {"method": "none", "mix": "none", "policy": None, "fold": None}
    >>> groups = group_trials([Trial({**method, "seed": seed}) for seed in range(3)])
    >>> [group.seeds for group in groups]
    [[0, 1, 2]]
    """
    groups = {}
    for trial in trials:
        groups.setdefault(_settings_of(trial), []).append(trial)
    return [Group(sorted(found, key=_place)) for found in groups.values()]


def without_repetitions(trials):
    """Return trials without those whose settings, seed and fold another one has.

    Args:
        trials: List of ``Trial``s.

    Returns:
        A tuple ``(trials, repetitions)``: the first trial of each kind; and a list of
        tuples of a trial that is left out and the one that it repeats.
    """
    kept, repetitions = {}, []
    for trial in trials:
        first = kept.setdefault((_settings_of(trial), trial.part), trial)
        if first is not trial:
            repetitions.append((trial, first))
    return list(kept.values()), repetitions


def in_the_papers_order(groups):
    """Return groups in the paper's order of methods, unknown ones last."""

    def place(value, known):
        return known.index(value) if value in known else len(known)

    return sorted(groups, key=lambda g: (place(g.mix, MIXES), place(g.policy, POLICIES)))


def _place(trial):
    seed, fold = trial.part
    return seed, fold or 0


def _settings_of(trial):
    values = trial.values.items()
    return frozenset((name, repr(v)) for name, v in values if name not in WITHIN)
