"""Runs that differ by seed and fold alone, put together and named."""

from dataclasses import dataclass, field

from keras_amp.experiments.distinguishing_settings import telling
from keras_amp.report.reading import LeftOut

# What a configuration holds beside the settings that a result depends on.
ABOUT_THE_RUN = ("seed", "fold", "command", "class_names")
WITHOUT_EFFECT = ("data", "data_dir", "save_classifier", "save_curve", "mix", "policy")
MEASURED = ("versions", "encoding", "examples", "truncated")
MEASURED += ("steps_per_epoch", "most_epochs", "most_steps")
PLACES = ("none", "word", "sentence", "random")
POLICIES = (None, "mixup", "maxop", "amp", "program")


@dataclass(frozen=True, eq=False)
class Group:
    """The runs of a method with the same settings.

    Attributes:
        method: The method's name.
        setup: Dict of the settings by dotted names, without the method, seed and fold.
        runs: List of ``FinishedRun``s, by seed and fold.
        label: What the page calls it: the method, and what else tells it apart.
    """

    method: str
    setup: dict
    runs: list = field(repr=False)
    label: str = ""

    @property
    def mix(self):
        """Where it mixes."""
        return self.runs[0].config["mix"]

    @property
    def policy(self):
        """By what policy it mixes; None without mixing."""
        return self.runs[0].config["policy"]

    @property
    def seeds(self):
        """The runs' seeds, in order, each once."""
        return sorted({run.result.seed for run in self.runs})

    @property
    def folds(self):
        """The runs' folds, in order, each once; none without a cross-validation."""
        return sorted({run.result.fold for run in self.runs} - {None})

    def extends(self, other):
        """Whether it has all settings of another group, besides some of its own."""
        return _items(other.setup) <= _items(self.setup)


def group_runs(runs):
    """Puts runs together that differ by seed and fold alone.

    Args:
        runs: List of ``FinishedRun``s.

    Returns:
        A tuple ``(groups, left_out)``: a list of ``Group``s, without mixing first; and a
        list of ``LeftOut`` for runs that another one repeats.

    Example:
    >>> from keras_amp.report.groups import group_runs
    >>> group_runs([])
    ([], [])
    """
    found, left_out = {}, []
    for run in runs:
        setup = _setup(run.config)
        group = found.setdefault((run.result.method, _items(setup)), {})
        if run.part in group:
            other = group[run.part].folder
            reason = f"its method, settings and seed are those of {other}"
            left_out.append(LeftOut(run.folder, reason))
        else:
            group[run.part] = run
    groups = [
        Group(method, _setup(next(iter(parts.values())).config), _ordered(parts))
        for (method, _), parts in found.items()
    ]
    groups.sort(key=_rank)
    return _labelled(groups), left_out


def flat(config, prefix=""):
    """Returns the values of nested dicts, by names with dots.

    Example:
    >>> from keras_amp.report.groups import flat
    >>> flat({"data": "trec", "policy_arguments": {"alpha": 1.0}})
    {'data': 'trec', 'policy_arguments.alpha': 1.0}
    """
    values = {}
    for name, value in config.items():
        if isinstance(value, dict):
            values.update(flat(value, f"{prefix}{name}."))
        else:
            values[prefix + name] = value
    return values


def shown(value):
    """Returns a setting's value as a command line would have it.

    Example:
    >>> from keras_amp.report.groups import shown
    >>> shown([3, 4]), shown(None), shown(True), shown(2e-4)
    ('3 4', 'none', 'yes', '0.0002')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def short_name(name):
    """Returns the last part of a setting's dotted name.

    Example:
    >>> from keras_amp.report.groups import short_name
    >>> short_name("policy_arguments.step_size")
    'step_size'
    """
    return name.rsplit(".", 1)[-1]


def _setup(config):
    left = {*ABOUT_THE_RUN, *WITHOUT_EFFECT, *MEASURED}
    return flat({name: value for name, value in config.items() if name not in left})


def _items(setup):
    return frozenset((name, repr(value)) for name, value in setup.items())


def _ordered(parts):
    return [parts[part] for part in sorted(parts, key=lambda p: (p[0], p[1] or 0))]


def _rank(group):
    """Places and policies in the paper's order, unknown ones last."""

    def place(value, known):
        return known.index(value) if value in known else len(known)

    return place(group.mix, PLACES), place(group.policy, POLICIES)


def _labelled(groups):
    """The groups with labels that tell them apart by as few settings as possible."""
    labelled = []
    for group in groups:
        same = [other for other in groups if other.method == group.method]
        names = telling([group.setup for group in same])
        details = [f"{short_name(n)}={shown(group.setup.get(n))}" for n in names]
        label = ", ".join([group.method, *details])
        labelled.append(Group(group.method, group.setup, group.runs, label))
    return labelled
