"""Compares methods by a recipe that flags can change, and writes the report."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from keras_amp.cli.errors import say_error, user_errors
from keras_amp.cli.flags import flattened
from keras_amp.experiments import ComparisonRun, methods
from keras_amp.experiments.arguments import Program, Relatives
from keras_amp.experiments.environment import use_threads
from keras_amp.experiments.pages import verdicts_text, write_records
from keras_amp.experiments.recipes import shown_default
from keras_amp.experiments.relatives import CLASSES, OF_MIXUP, sources
from keras_amp.experiments.settings import OF_PROGRAM, PROGRAM, RELATIVES, PolicyName
from keras_amp.experiments.times import IMPORTS, REPORT, Times
from keras_amp.policies import AdversarialMixing
from keras_amp.runtime import process

PAPER = AdversarialMixing()


def comparing(recipe, command):
    """Returns the function behind a recipe's command line, for Cyclopts to read.

    Its flags are the fields of ``Settings``, the backbone's arguments among them, and the
    arguments of ``AdversarialMixing`` and of the authors' program. What the user got
    wrong is said in one paragraph, with exit status 2; a report that cannot be written,
    with exit status 1, once the results are kept.

    Args:
        recipe: ``Recipe``.
        command: The command line, for the runs' configuration.
    """
    kind = type(recipe.settings)
    usual = recipe.chosen_on(None)

    def chosen(name):
        return shown_default(name, usual[name], recipe.look)

    def run(
        *,
        mix: Annotated[
            tuple[Literal["none", "word", "sentence", "random"], ...], chosen("mix")
        ] = (),
        policy: Annotated[tuple[PolicyName, ...], chosen("policy")] = (),
        seeds: Annotated[int | None, chosen("seeds")] = None,
        first_seed: int = 0,
        fold: Annotated[tuple[int, ...], Parameter(show_default=False)] = (),
        threads: int | None = None,
        devices: int | None = None,
        out: Path | None = None,
        report: bool = True,
        settings: Annotated[kind, flattened("Training")] = recipe.settings,
        adversarial: Annotated[
            AdversarialMixing, flattened("Mixing", _sharing())
        ] = PAPER,
        program: Annotated[Program, flattened("The authors' program")] = PROGRAM,
        relatives: Annotated[Relatives, flattened("Other methods")] = RELATIVES,
    ):
        """Compares mixing methods.

        Args:
            mix: Where to mix; random is either place, another one for each batch.
            policy: What policies to mix by; amp is the Adversarial Mixing Policy, maxop
                the same without MinOp, program what the authors' program makes of it;
                adversarial, vat and random step on the hidden state; regmixup, rdrop and
                cutmix are other methods.
            seeds: Number of seeds, each a run of every method.
            first_seed: The first of the seeds; the others follow.
            fold: Parts of a cross-validation to test on, from 0; by default all.
            threads: Threads to compute with; by default as many as there are cores. To
                repeat a run to the last digit takes as many as it had.
            devices: Devices that share each batch, the first ones: GPUs, or CPUs where
                there are none; by default the backend's choice.
            out: Folder for the results; by default one below runs/.
            report: Whether to write an HTML page about the results, in report/ below
                them.
            settings: The settings of the training.
            adversarial: The Adversarial Mixing Policy; mixup shares its arguments.
            program: What the authors' program has besides.
            relatives: The arguments of the methods beside the paper's.
        """
        usual = recipe.chosen_on(settings.data)
        mix = mix or usual["mix"]
        policy = policy or usual["policy"]
        seeds = usual["seeds"] if seeds is None else seeds
        # Only making the comparison is guarded: errors of the training itself are not the
        # user's and keep their traceback.
        times = Times(process.STARTED, IMPORTS)
        with user_errors():
            if threads is not None:
                use_threads(threads)
            comparison = ComparisonRun(
                recipe.look_on(settings),
                methods(mix, policy),
                adversarial,
                seeds,
                first_seed,
                fold,
                out,
                command=command,
                program=program,
                relatives=relatives,
                times=times,
                devices=devices,
            )
        records = comparison.run()
        for line in verdicts_text(records.values()):
            comparison.display.say(line)
        if report:
            with times.part(REPORT):
                page = _report(comparison, records)
            comparison.display.say(f"Report: {page}")
        comparison.display.say(f"Time: {times.line()}")

    return run


def _sharing():
    """What policies take which arguments of ``AdversarialMixing``, as a help page has it.

    Example:
    >>> from keras_amp.cli.compare import _sharing
    >>> _sharing().split("; ")[-2]
    'adversarial and vat take --ascent-steps'
    """
    takers = {}
    shared = {"mixup": OF_MIXUP, "program": OF_PROGRAM}
    for name in CLASSES:
        shared[name] = [of for kind, of in sources(name).values() if kind == "shared"]
    for policy, names in shared.items():
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        takers.setdefault(flags, []).append(policy)
    parts = [
        f"{' and '.join(policies)} {'take' if len(policies) > 1 else 'takes'} {flags}"
        for flags, policies in takers.items()
        if flags
    ]
    return f"What amp takes, and maxop but for --min-op; {'; '.join(parts)}."


def _report(comparison, records):
    """Writes the report about a comparison into its folder, and returns its path."""
    try:
        with comparison.display.busy("Writing the report"):
            return write_records(records.values(), comparison.out / "report")
    except Exception as error:  # whatever it is, the results are there
        again = shlex.join(["keras-amp", "report", str(comparison.out)])
        say_error(
            f"The report could not be written ({type(error).__name__}: {error}). The "
            f"results are complete; `{again}` tries again."
        )
        sys.exit(1)
