"""The command line of the recipes: flags from the signatures of what they set."""

import sys
from dataclasses import field, fields, make_dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App

from keras_amp.cli.errors import user_errors
from keras_amp.cli.flags import SEVERAL, flattened
from keras_amp.experiments import Comparison, Settings, methods
from keras_amp.experiments.settings import BACKBONES, backbone_parameters
from keras_amp.policy import AdversarialMixing


def compare(defaults, description, arguments=None):
    """Runs a recipe: compares mixing methods by settings that flags can change.

    The flags are those of ``Settings``, of the backbone and of ``AdversarialMixing``,
    read off their signatures. What the user got wrong is said in one paragraph, with exit
    status 2.

    Args:
        defaults: ``Settings``, the recipe's.
        description: What the recipe reproduces, for ``--help``.
        arguments: List of command-line arguments; None for the program's own.
    """
    app = App(help=description, version_flags=(), default_parameter=SEVERAL)
    settings_class, backbone_class = _settings_class(defaults), _backbone_class(defaults)
    shared, architecture, paper = settings_class(), backbone_class(), AdversarialMixing()

    @app.default
    def run(
        *,
        mix: tuple[Literal["none", "word", "sentence", "random"], ...] = (
            "none",
            "word",
            "sentence",
        ),
        policy: tuple[Literal["mixup", "amp"], ...] = ("mixup", "amp"),
        seeds: int = 3,
        first_seed: int = 0,
        fold: tuple[int, ...] = (),
        out: Path | None = None,
        settings: Annotated[settings_class, flattened("Training")] = shared,
        backbone: Annotated[backbone_class, flattened("Backbone")] = architecture,
        adversarial: Annotated[AdversarialMixing, flattened("Mixing")] = paper,
    ):
        """Compares mixing methods.

        Args:
            mix: Where to mix; random is either place, another one for each batch.
            policy: What policies to mix by; amp is the Adversarial Mixing Policy.
            seeds: Number of seeds, each a run of every method.
            first_seed: The first of the seeds; the others follow.
            fold: Parts of a cross-validation to test on, from 0; by default all.
            out: Folder for the results; by default one below runs/.
            settings: The settings of the training.
            backbone: The arguments of the backbone.
            adversarial: The Adversarial Mixing Policy; mixup shares its arguments.
        """
        chosen = Settings(
            **{f.name: getattr(settings, f.name) for f in fields(settings)},
            backbone=defaults.backbone,
            backbone_arguments={
                f.name: getattr(backbone, f.name) for f in fields(backbone)
            },
        )
        return Comparison(
            chosen, methods(mix, policy), adversarial, seeds, first_seed, fold, out
        )

    arguments = sys.argv[1:] if arguments is None else arguments
    # Only making the comparison is guarded: errors of the training itself are not the
    # user's and keep their traceback.
    with user_errors():
        comparison = app(arguments, result_action="return_value")
    if isinstance(comparison, Comparison):  # not --help
        comparison.run()


def _settings_class(defaults):
    """The settings as a class whose defaults are the recipe's."""
    return _flags(
        "Settings",
        {
            f.name: (f.type, getattr(defaults, f.name))
            for f in fields(defaults)
            if f.name not in ("backbone", "backbone_arguments")
        },
        Settings.__doc__,
    )


def _backbone_class(defaults):
    """The backbone's parameters as a class whose defaults are the recipe's."""
    return _flags(
        "Backbone",
        {
            name: (
                _kind(parameter),
                defaults.backbone_arguments.get(name, parameter.default),
            )
            for name, parameter in backbone_parameters(defaults.backbone).items()
        },
        BACKBONES[defaults.backbone].__doc__,
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
