"""Cells of a grid: one training run each, named by all that its result depends on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

from keras_amp.experiments.settings import Method, Settings
from keras_amp.policies import AdversarialMixing, Mixup

# Settings that no error depends on: where data lies, and what else a run writes.
WITHOUT_EFFECT = ("data_dir", "save_classifier", "save_curve", "test_perturbed")
# Settings that were added later, with the values that stand for the former behaviour:
# with these, a cell keeps the key that it had before the settings were added.
LATER = {
    "test_every": None,
    "convolution_gain": None,
    "reading": "earlier",
    "unlabeled": False,
    "dev_folds": None,
    "label_smoothing": 0.0,
}
NESTED = {"backbone_arguments", "policy_arguments"}
# Settings that only the training depends on; the others decide what the examples are.
OF_THE_TRAINING = (
    "mix",
    "policy",
    "policy_arguments",
    "epochs",
    "steps",
    "patience",
    "batch_size",
    "loss",
    "label_smoothing",
    "learning_rate",
    "clip_norm",
    "warmup_steps",
    "step_schedule",
    "test_every",
    "jit_compile",
)


@dataclass(frozen=True, eq=False)
class Cell:
    """One run: settings, a method with its policy, and a seed.

    Attributes:
        settings: ``Settings``.
        how: ``Method``, where it mixes and by what kind of policy.
        policy: The policy; None without mixing.
        seed: Integer >= 0. Cells of one seed share the examples, the development set,
            the initial weights and the order of batches, so that they are paired.
        fold: Integer, the part of a cross-validation to test on; None without one.

    Example:
    >>> from keras_amp.experiments import Method, Settings
    >>> from keras_amp.experiments import Cell
    >>> cell = Cell(Settings(data="trec"), Method("word", "mixup"), keras_amp.Mixup(), 0)
    >>> cell.method, cell.values["alpha"], len(cell.key)
    ('WordMixup', 1.0, 16)
    """

    settings: Settings
    how: Method
    policy: Mixup | AdversarialMixing | None
    seed: int
    fold: int | None = None

    def __post_init__(self):
        """Leaves texts without labels out where the method cannot learn from them.

        It is then trained the same with them, and by the same vocabulary.
        """
        if self.settings.unlabeled and not self.settings.learns_unlabeled(
            self.how, self.policy
        ):
            object.__setattr__(self, "settings", replace(self.settings, unlabeled=False))

    @property
    def method(self):
        """The method's name, such as ``"WordAMP"``."""
        return self.how.name

    @property
    def part(self):
        """What tells it from other cells of its method: ``"seed-0"``, with the fold."""
        return f"seed-{self.seed}" + ("" if self.fold is None else f"-fold-{self.fold}")

    @property
    def config(self):
        """All that the result depends on, as JSON has it."""
        return json.loads(self._config)

    @cached_property
    def _config(self):
        """The same as text, made once: a grid asks for it again and again."""
        settings = {
            f.name: getattr(self.settings, f.name)
            for f in fields(Settings)
            if f.name not in WITHOUT_EFFECT
        }
        config = {
            **settings,
            "backbone_arguments": self.settings.all_backbone_arguments(),
            "mix": self.how.mix,
            "policy": self.how.policy,
            "policy_arguments": policy_arguments(self.policy),
            "seed": self.seed,
            "fold": self.fold,
        }
        if not hasattr(self.policy, "step_size"):
            del config["step_schedule"]  # there is no step
        plain = json.loads(json.dumps(config, default=_plain))
        return json.dumps(_without_later(plain, LATER))

    @cached_property
    def key(self):
        """16 hexadecimal digits that name the cell; another setting, another key."""
        return key_of(self.config)

    @cached_property
    def examples_key(self):
        """The same for cells that train on the same examples."""
        config = self.config.items()
        return key_of({n: value for n, value in config if n not in OF_THE_TRAINING})

    @property
    def values(self):
        """The settings of all kinds by their own names, without nesting."""
        return flat_values(self.config)

    def settings_with(self, data_dir):
        """Returns the settings of a machine that has its data in a folder, or None."""
        return replace(self.settings, data_dir=data_dir)


def key_of(config):
    """Returns the 16 hexadecimal digits that name a configuration.

    Example:
    >>> from keras_amp.experiments.cells import key_of
    >>> key_of({"seed": 0, "data": "trec"}) == key_of({"data": "trec", "seed": 0})
    True
    """
    text = json.dumps(config, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def with_defaults(config):
    """Returns a stored configuration with the settings that are newer than it.

    Their defaults are what the package did before it had them.

    Example:
    >>> from keras_amp.experiments.cells import with_defaults
    >>> with_defaults({"mix": "none", "policy": None, "policy_arguments": {}})["loss"]
    'cross-entropy'
    """
    method = Method(config["mix"], config["policy"])
    policy = None if method.mix == "none" else method.policy_of(AdversarialMixing())
    settings = Settings(backbone=config.get("backbone", "cnn"))
    default = Cell(settings, method, policy, seed=0).config
    default = _without_later(default)  # whatever their defaults are today
    merged = {**default, **config}
    for nested in NESTED:
        merged[nested] = {**default[nested], **config.get(nested, {})}
    return merged


def flat_values(config):
    """Returns a configuration's settings by their own names, with the method's name.

    Example:
    >>> from keras_amp.experiments.cells import flat_values
    >>> config = {"mix": "word", "policy": "amp", "policy_arguments": {"alpha": 0.2}}
    >>> flat_values(config)["method"], flat_values(config)["alpha"]
    ('WordAMP', 0.2)
    """
    values = {"method": Method(config["mix"], config["policy"]).name}
    own = {name for name, value in config.items() if not isinstance(value, dict)}
    for name, value in config.items():
        if name in own:
            values[name] = value
        else:  # a setting of the training goes before an argument of the same name
            values.update({n: v for n, v in value.items() if n not in own})
    if values.get("unlabeled") is not True:  # no such texts, or the policy's argument:
        values.pop("unlabeled", None)  # a method that has them is compared with others
    inside = values.get("mixup")
    if isinstance(inside, dict):  # a step away from mixtures, with their settings
        values.update(inside)
    if "mixup" in values:
        values["mixup"] = inside is not None
    return values


def policy_arguments(policy):
    """Returns the arguments of a policy, and of one inside of it, as a configuration.

    Args:
        policy: The policy; None without mixing.

    Example:
    >>> from keras_amp.experiments.cells import policy_arguments
    >>> inside = keras_amp.AdversarialTraining(mixup=keras_amp.Mixup(0.2))
    >>> policy_arguments(inside)["mixup"]
    {'alpha': 0.2, 'lam_per': 'example', 'probability': 1.0}
    """
    config = policy.get_config() if policy else {}
    inside = getattr(policy, "mixup", None)
    return {**config, "mixup": inside.get_config()} if inside else config


def _without_later(config, values=None):
    """A configuration without ``LATER``'s settings, or those that have given values."""
    kept = {
        name: value
        for name, value in config.items()
        if name not in LATER or (values is not None and value != values[name])
    }
    for nested in NESTED & kept.keys():
        kept[nested] = _without_later(kept[nested], values)
    return kept


def _plain(value):
    """Converts what JSON cannot express."""
    return dict(value) if isinstance(value, Mapping) else str(value)
