"""The policies beside the paper's, and where each of their arguments comes from.

It is read off the signatures: what they share with ``AdversarialMixing``, defaults
included, comes from there; what the name of a method says is said by that; the rest are
arguments of their own, ``keras_amp.experiments.arguments.Relatives``.
"""

import inspect
from typing import Annotated

from pydantic import Field

from keras_amp.policies import (
    AdversarialMixing,
    AdversarialTraining,
    CutMix,
    Mixup,
    RDrop,
    RegMixup,
)

CLASSES = {
    "adversarial": AdversarialTraining,
    "vat": AdversarialTraining,
    "random": AdversarialTraining,
    "regmixup": RegMixup,
    "rdrop": RDrop,
    "cutmix": CutMix,
}
# Whether there are texts without labels to use is a setting of the training.
STEP = {"direction": "gradient", "against": "labels", "unlabeled": "use"}
# The arguments that the name of a method says.
SAID = {
    "adversarial": STEP,
    "vat": {**STEP, "against": "predictions"},
    "random": {**STEP, "direction": "random", "ascent_steps": 1},
}
SHARED = inspect.signature(AdversarialMixing).parameters
OF_MIXUP = inspect.signature(Mixup).parameters


def sources(policy):
    """Returns where the arguments of a policy beside the paper's come from.

    Args:
        policy: Its name, one of ``CLASSES``.

    Returns:
        A dict from the arguments' names to tuples of ``"said"`` (by the policy's name),
        ``"shared"`` (with ``AdversarialMixing``) or ``"own"``, and the name or value
        there.

    Example:
    >>> from keras_amp.experiments.relatives import sources
    >>> sources("rdrop"), sources("regmixup")["alpha"], sources("cutmix")["alpha"]
    ({'weight': ('own', 'weight')}, ('own', 'regmixup_alpha'), ('shared', 'alpha'))
    """
    found = {}
    for name, parameter in inspect.signature(CLASSES[policy]).parameters.items():
        if name in SAID.get(policy, {}):
            found[name] = "said", SAID[policy][name]
        elif name not in SHARED:
            found[name] = "own", name
        elif SHARED[name].default == parameter.default:
            found[name] = "shared", name
        else:  # another default: another argument
            found[name] = "own", f"{policy}_{name}"
    return found


def own_arguments():
    """Returns the arguments that only policies beside the paper's have.

    Returns:
        A dict from names to tuples of the type, with its range, and the default.
    """
    found = {}
    for policy, kind in CLASSES.items():
        parameters = inspect.signature(kind).parameters
        for name, (source, own) in sources(policy).items():
            if source == "own":
                found.setdefault(own, _typed(parameters[name], kind._ranges.get(name)))
    return found


def with_own_arguments(cls):
    """Gives a class ``own_arguments`` as its attributes."""
    cls.__annotations__ = {name: kind for name, (kind, _) in own_arguments().items()}
    for name, (_, default) in own_arguments().items():
        setattr(cls, name, default)
    return cls


def relative(policy, shared, own):
    """Makes a policy beside the paper's.

    Args:
        policy: Its name, one of ``CLASSES``.
        shared: Dict, the configuration of an ``AdversarialMixing``.
        own: Mapping from the names of ``own_arguments`` to values.

    Returns:
        The policy.
    """
    given = {}
    for name, (source, of) in sources(policy).items():
        if source == "said":
            given[name] = of
        elif source == "own":
            given[name] = own[of]
        elif of in shared:  # a configuration leaves out what is as ever
            given[name] = shared[of]
    if "mixup" in given:
        given["mixup"] = mixup(shared) if given["mixup"] else None
    return CLASSES[policy](**given)


def mixup(shared):
    """Makes the ``Mixup`` that shares the settings of an ``AdversarialMixing``.

    Args:
        shared: Dict, the configuration of an ``AdversarialMixing``.
    """
    return Mixup(**{name: shared[name] for name in OF_MIXUP if name in shared})


def _typed(parameter, bounds):
    """The type of an argument, with its range, and its default."""
    if parameter.annotation == Mixup | None:  # whether there is one
        return bool, False
    if bounds is None:
        return parameter.annotation, parameter.default
    signs = {"above": (">", "gt"), "at_least": (">=", "ge"), "at_most": ("<=", "le")}
    words = " and ".join(f"{signs[name][0]} {bound}" for name, bound in bounds.items())
    limits = {signs[name][1]: bound for name, bound in bounds.items()}
    limited = Field(**limits, allow_inf_nan=False)
    kind = Annotated[float, limited, f"to be a finite number {words}"]
    return kind, parameter.default
