"""Compares methods by a recipe that flags can change, and writes the report."""

import inspect
import shlex
import sys
from dataclasses import asdict, field, fields, make_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from cyclopts import Parameter

from keras_amp.cli.errors import say_error, user_errors
from keras_amp.cli.flags import flattened
from keras_amp.experiments import Comparison, Settings, methods
from keras_amp.experiments.environment import use_threads
from keras_amp.experiments.settings import (
    BACKBONES,
    PolicyName,
    backbone_parameters,
    program_parameters,
)
from keras_amp.experiments.times import IMPORTS, REPORT, Times
from keras_amp.paper import AuthorsProgram
from keras_amp.policies import AdversarialMixing
from keras_amp.report import write_report
from keras_amp.runtime import process


def comparing(recipe, command):
    """Returns the function behind a recipe's command line, for Cyclopts to read.

    Its flags are those of ``Settings``, of the backbone and of ``AdversarialMixing``,
    read off their signatures. What the user got wrong is said in one paragraph, with exit
    status 2; a report that cannot be written, with exit status 1, once the results are
    kept.

    Args:
        recipe: ``Recipe``.
        command: The command line, for the runs' configuration.
    """
    defaults = recipe.settings
    settings_class, backbone_class = _settings_class(recipe), _backbone_class(defaults)
    mixing_class = _parameters_class(
        AdversarialMixing, inspect.signature(AdversarialMixing).parameters
    )
    program_class = _parameters_class(AuthorsProgram, program_parameters())
    shared, architecture, paper = settings_class(), backbone_class(), mixing_class()
    published = program_class()
    listed = Parameter(show_default=" ".join)  # as one types them

    def run(
        *,
        mix: Annotated[
            tuple[Literal["none", "word", "sentence", "random"], ...], listed
        ] = ("none", "word", "sentence"),
        policy: Annotated[tuple[PolicyName, ...], listed] = ("mixup", "amp"),
        seeds: Annotated[
            int | None, _shown(recipe.seeds, recipe.short.get("seeds"))
        ] = None,
        first_seed: int = 0,
        fold: Annotated[tuple[int, ...], Parameter(show_default=False)] = (),
        threads: int | None = None,
        out: Path | None = None,
        report: bool = True,
        settings: Annotated[settings_class, flattened("Training")] = shared,
        backbone: Annotated[backbone_class, flattened("Backbone")] = architecture,
        adversarial: Annotated[mixing_class, flattened("Mixing")] = paper,
        program: Annotated[program_class, flattened("The authors' program")] = published,
    ):
        """Compares mixing methods.

        Args:
            mix: Where to mix; random is either place, another one for each batch.
            policy: What policies to mix by; amp is the Adversarial Mixing Policy, maxop
                the same without MinOp, program what the authors' program makes of it.
            seeds: Number of seeds, each a run of every method.
            first_seed: The first of the seeds; the others follow.
            fold: Parts of a cross-validation to test on, from 0; by default all.
            threads: Threads to compute with; by default as many as there are cores. To
                repeat a run to the last digit takes as many as it had.
            out: Folder for the results; by default one below runs/.
            report: Whether to write an HTML page about the results, in report/ below
                them.
            settings: The settings of the training.
            backbone: The arguments of the backbone.
            adversarial: The Adversarial Mixing Policy; mixup shares its arguments.
            program: What the authors' program has besides.
        """
        seeds = recipe.seeds_on(settings.data) if seeds is None else seeds
        # Only making the comparison is guarded: errors of the training itself are not the
        # user's and keep their traceback.
        times = Times(process.STARTED, IMPORTS)
        with user_errors():
            if threads is not None:
                use_threads(threads)
            chosen = Settings(
                **recipe.values(asdict(settings)),
                backbone=defaults.backbone,
                backbone_arguments=asdict(backbone),
            )
            comparison = Comparison(
                chosen,
                methods(mix, policy),
                AdversarialMixing(**asdict(adversarial)),
                seeds,
                first_seed,
                fold,
                out,
                command=command,
                program=asdict(program),
                times=times,
            )
        comparison.run()
        if report:
            with times.part(REPORT):
                page = _report(comparison)
            comparison.display.say(f"Report: {page}")
        comparison.display.say(f"Time: {times.line()}")

    return run


def _report(comparison):
    """Writes the report into the comparison's folder; returns its path."""
    try:
        with comparison.display.busy("Writing the report"):
            return write_report([comparison.out], comparison.out / "report")
    except Exception as error:  # whatever it is, the results are there
        again = shlex.join(["keras-amp", "report", str(comparison.out)])
        say_error(
            f"The report could not be written ({type(error).__name__}: {error}). The "
            f"results are complete; `{again}` tries again."
        )
        sys.exit(1)


def _settings_class(recipe):
    """The settings as a class whose defaults are the recipe's.

    None stands for a default that depends on the data.
    """
    defaults, short = recipe.settings, recipe.short
    members = {
        f.name: (f.type, getattr(defaults, f.name))
        for f in fields(defaults)
        if f.name not in ("backbone", "backbone_arguments")
    }
    for name in short.keys() & members.keys():
        kind, value = members[name]
        members[name] = Annotated[kind | None, _shown(value, short[name])], None
    return _flags("Settings", members, Settings.__doc__)


def _shown(value, short=None):
    """Shows a default on the help page, and the one for the set that comes along."""
    shown = f"{value}" if short is None else f"{value}; {short} with questions"
    return Parameter(show_default=lambda _: shown)


def _backbone_class(defaults):
    """The backbone's parameters as a class whose defaults are the recipe's."""
    return _parameters_class(
        BACKBONES[defaults.backbone],
        backbone_parameters(defaults.backbone),
        defaults.backbone_arguments,
    )


def _parameters_class(function, parameters, given=MappingProxyType({})):
    """Parameters of a function as a class, with defaults of their own or given ones."""
    return _flags(
        function.__name__,
        {
            name: (_kind(parameter), given.get(name, parameter.default))
            for name, parameter in parameters.items()
        },
        function.__doc__,
    )


def _kind(parameter):
    """The type of a parameter; that of its default where it is not annotated."""
    if parameter.annotation is parameter.empty:
        return type(parameter.default)
    return parameter.annotation


def _flags(name, members, documentation):
    """A class of fields that Cyclopts turns into flags."""
    return make_dataclass(
        name,
        [(key, kind, field(default=value)) for key, (kind, value) in members.items()],
        namespace={"__doc__": documentation, "__module__": __name__},
        frozen=True,
        kw_only=True,
    )
