"""Results, methods and settings of compared runs as data frames."""

from dataclasses import fields

import pandas as pd

from keras_amp.experiments.results import Result
from keras_amp.experiments.summary.means import QUANTITIES, row_of
from keras_amp.experiments.summary.trials import WITHIN


def as_frame(results):
    """Return results as a data frame: a row a run, the fields of ``Result`` as columns.

    Args:
        results: Iterable of ``Result``s.

    Returns:
        A ``pandas.DataFrame`` of ``len(results)`` rows; ``fold`` is ``<NA>`` without a
        cross-validation.

    Example:
    >>> from keras_amp.experiments import Result, as_frame
    >>> runs = [Result("none", seed, None, 9.0, test, 8.0, 90.0, 0.3, 2.0, 5, 5, 50, 1.0)
    ...         for seed, test in enumerate([10.0, 12.0])]
    >>> as_frame(runs).groupby("method")["test_error"].mean().to_dict()
    {'none': 11.0}
    """
    columns = [field.name for field in fields(Result)]
    frame = pd.DataFrame([result.as_dict() for result in results], columns=columns)
    return frame.astype({"fold": "Int64"})


def methods_frame(groups, compared):
    """Return means and deviations over all runs, a data frame of a row a group.

    Args:
        groups: List of ``Group``s whose trials are finished.
        compared: Their ``Difference``s.
    """
    lines = []
    for group in groups:
        row = row_of(group.label, [trial.result for trial in group.trials])
        line = {"method": group.label, "runs": row.runs, "seeds": len(group.seeds)}
        for name, *_ in QUANTITIES:
            line[f"{name}_mean"], line[f"{name}_std"] = row.spreads[name]
        for family, found in against_baselines(group, compared).items():
            line[f"against_{family}"] = found and found.other.label
            line[f"improvement_over_{family}"] = found and found.improvement
            bounds = (found and found.compared.interval) or (None, None)
            line[f"difference_{family}"] = found and found.difference
            line[f"low_{family}"], line[f"high_{family}"] = bounds
            judged = found and found.verdict
            line[f"p_{family}"] = judged and judged.p
            line[f"verdict_{family}"] = judged and str(judged)
        lines.append(line)
    return pd.DataFrame(lines)


def against_baselines(group, compared):
    """Return the differences of a group from mixup and from no mixing, None for none.

    Args:
        group: ``Group``.
        compared: List of ``Difference``s.
    """
    found = {d.family: d for d in compared if d.group is group}
    return {family: found.get(family) for family in ("mixup", "none")}


def settings_frame(groups):
    """Return all settings, a data frame of a row a run.

    Args:
        groups: List of ``Group``s.
    """
    lines = [
        {
            "group": group.label,
            "method": group.method,
            **dict(zip(WITHIN, trial.part, strict=True)),
            "folder": trial.folder,
            **{n: v for n, v in flat(trial.config).items() if n not in WITHIN},
        }
        for group in groups
        for trial in group.trials
    ]
    return pd.DataFrame(lines).astype({"fold": "Int64"})


def flat(config, prefix=""):
    """Return the values of nested dicts, by names with dots.

    Example:
    >>> from keras_amp.experiments.summary.frames import flat
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
