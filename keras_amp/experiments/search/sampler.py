"""What Optuna proposes to try, as a function of a seed and of results."""

import hashlib
import warnings

import optuna
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from keras_amp.experiments.search.space import Range, within

STARTUP = 4  # trials of a method before its results are asked for advice


def proposed(space, seed, method, number, tried):
    """Returns the values of a trial.

    They are a function of the arguments: Optuna's study is made anew of what has been
    tried. The first ``STARTUP`` trials are drawn at random, where they share an argument
    alike for all methods; later ones come from the Tree-structured Parzen Estimator.

    Args:
        space: ``Space``.
        seed: Integer, the search's.
        method: The method's name.
        number: Integer, the trial's number.
        tried: Sequence of ``Outcome``s, the method's trials of which all is known.

    Returns:
        A dict from the names of ``space`` to values.

    Example:
    >>> from keras_amp.experiments.search.sampler import proposed
    >>> from keras_amp.experiments.search.space import Range
    >>> space = {"dropout": Range(0.1, 0.7)}
    >>> proposed(space, 0, "none", 1, []) == proposed(space, 0, "WordAMP", 1, [])
    True

    Reference:
        Bergstra et al., *Algorithms for Hyper-Parameter Optimization*, NeurIPS 2011;
        Akiba et al., *Optuna*, KDD 2019.
    """
    distributions = {name: _distribution(bounds) for name, bounds in space.items()}
    told = [_told(outcome, distributions) for outcome in tried if outcome.losses]
    drawn_alike = len(told) < STARTUP
    own_seed = _seed(seed, "" if drawn_alike else method, number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=own_seed, n_startup_trials=STARTUP, multivariate=True
        )
    study = optuna.study.create_study(storage=_quiet(), sampler=sampler)
    study.add_trials(told)
    return within(space, study.ask(distributions).params)


def _told(outcome, distributions):
    """A trial as Optuna has it; one that was pruned with what it came to before."""
    how = {"value": outcome.loss}
    if outcome.state != "complete":
        steps = dict(enumerate(outcome.means))
        how = {"state": TrialState.PRUNED, "intermediate_values": steps}
    values = outcome.trial.values
    return create_trial(params=values, distributions=distributions, **how)


def _distribution(bounds):
    if not isinstance(bounds, Range):
        return CategoricalDistribution(bounds)
    low, high, log = bounds
    whole = isinstance(low, int) and isinstance(high, int)
    return (IntDistribution if whole else FloatDistribution)(low, high, log=log)


def _seed(*parts):
    """A number that all of the parts decide, the same on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


def _quiet():
    """A storage in memory: the cells are what is kept, and the study says nothing."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.storages.InMemoryStorage()
