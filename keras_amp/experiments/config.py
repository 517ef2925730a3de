"""A grid's configuration: from a short TOML file to its cells."""

import inspect
import itertools
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from keras_amp import data
from keras_amp.data.sources import SOURCES
from keras_amp.experiments.arguments import ARGUMENTS, Program, Relatives
from keras_amp.experiments.cells import Cell
from keras_amp.experiments.recipes import RECIPES
from keras_amp.experiments.settings import POLICIES, Settings, chosen_folds, methods
from keras_amp.experiments.study import NOTHING, STUDY, Study, check_known, study_of
from keras_amp.policies import AdversarialMixing
from keras_amp.validation import check_count, did_you_mean

CONFIGS = Path(__file__).parent / "configs"
FILE = "grid.toml"
PARTS = ("title", "seeds", "first_seed", "settings", "cells", "table", STUDY)
TABLE = ("rows", "columns", "paper", "tuned")
CALLED = "called"  # of a block: what its cells' method is called
NOT_TO_BE_SET = ("backbone_arguments", "data_dir", "save_classifier")
METHODS = {"mix": ["none", "word", "sentence"], "policy": ["mixup", "amp"]}


@dataclass(frozen=True, eq=False)
class Grid:
    """What a configuration file says.

    Attributes:
        name: The file's stem, such as ``"table4"``; of a grid's own folder its name.
        title: One sentence.
        cells: List of ``Cell``s, seed by seed.
        table: Dict, how ``keras-amp table`` arranges the results: ``rows`` and
            ``columns``, names of settings; ``tuned``, names of those that each method was
            given its own of, which therefore tell no methods apart; and ``paper``, the
            paper's table beside it.
        text: The file's text.
        study: ``Study``, what it names before it is run; None for nothing.
        values: Dict from keys of cells to their settings by their own names, as the
            tables compare them: without the tuned ones, and with what a method is called.
    """

    name: str
    title: str
    cells: list = field(repr=False)
    table: dict
    text: str = field(repr=False)
    study: Study | None = field(default=None, repr=False)
    values: dict = field(default_factory=dict, repr=False)


def shipped():
    """Returns the names of the configurations that come with the package.

    Example:
    >>> from keras_amp.experiments import shipped
    >>> shipped()
    ['figure2', 'quick', 'table2', 'table3', 'table4', 'table5']
    """
    return sorted(path.stem for path in CONFIGS.glob("*.toml"))


def load_grid(name):
    """Reads a grid's configuration.

    The file says once what all cells share, and lists what differs::

        title = "Mixup and the Adversarial Mixing Policy on TREC"
        seeds = 10                          # 0 to 9

        [settings]
        backbone = "cnn"                    # begins with the settings of that recipe
        data = "trec"
        vectors = ["random", "glove.6B.100d"]
        mix = ["none", "word", "sentence"]
        policy = ["mixup", "maxop", "amp"]
        step_size = [0.002, 0.5]            # of the policies that have one

        [[cells]]
        policy = "amp"
        alpha = 0.01
        called = "WordStep"                 # in the tables, in place of WordAMP

        [table]
        rows = ["vectors", "method", "step_size"]
        tuned = ["learning_rate"]           # each method has its own; see `Grid`

        [study]                             # named before it is run; see `study`
        margin = 0.5                        # points of error: within them, equal
        seeds = 10

        [[study.primary]]                   # gets a verdict; all others are shown
        method = { method = "WordAMP", step_size = 0.5, vectors = "random" }
        against = { method = "WordMixup", vectors = "random" }

    A list is an axis: the cells are all combinations, each once. ``[[cells]]`` blocks,
    each joined with ``[settings]``, make combinations of their own. Names are those of
    ``Settings``, of the backbone's arguments, of ``AdversarialMixing``'s, of those that
    ``AuthorsProgram`` or other policies have besides (``Program`` and ``Relatives`` in
    ``keras_amp.experiments.arguments``), and ``fold``, of a cross-validation (by default
    all folds); ``"none"`` is None.

    Args:
        name: Name of a shipped configuration (see ``shipped``), path of a file, or path
            of a grid's folder.

    Returns:
        A ``Grid``.

    Raises:
        FileNotFoundError: If there is no such configuration.
        ValueError: If it is no TOML, a name is unknown, or a value outside its range.

    Example:
    >>> from keras_amp.experiments import load_grid
    >>> grid = load_grid("table4")
    >>> len(grid.cells), grid.cells[0].method, grid.table["paper"]
    (140, 'none', 'table4')
    """
    path = _find(name)
    # As it is called, or as its folder is.
    stem = path.resolve().parent.name if path.name == FILE else path.stem
    return parse_grid(path.read_text(encoding="utf-8"), stem, path)


def parse_grid(text, name, where="the configuration"):
    r"""Returns the ``Grid`` of a configuration's text; see ``load_grid``.

    Args:
        text: String, TOML.
        name: The grid's name.
        where: What errors call it.

    Raises:
        ValueError: As ``load_grid``.

    Example:
    >>> from keras_amp.experiments import parse_grid
    >>> parse_grid("[settings]\nstepsize = 1", "mine")
    Traceback (most recent call last):
    ValueError: In the configuration: expected the name of a setting. Received: stepsize.
    Did you mean step_size?
    """
    try:
        config = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"Expected TOML in {where}. Received: {error}") from error
    try:
        return _grid(config, name, text)
    except ValueError as error:
        raise ValueError(f"In {where}: {_begun_small(str(error))}") from error


def _find(name):
    path = Path(name)
    if str(name) in shipped():
        return CONFIGS / f"{name}.toml"
    if (path / FILE).is_file():
        return path / FILE
    if path.is_file():
        return path
    hint = did_you_mean(name, shipped(), most=1, shown=str)
    raise FileNotFoundError(
        f"Expected one of the configurations {', '.join(shipped())}, a file, or the "
        f"folder of a grid. Received: {name}, which is none of them.{hint}"
    )


def _grid(config, name, text):
    check_known(config, PARTS, "part")
    if not isinstance(config.get("settings", {}), dict):
        raise ValueError("Expected settings to be a table. Received: a value.")
    seeds, first = config.get("seeds", 1), config.get("first_seed", 0)
    check_count("seeds", seeds)
    check_count("first_seed", first, least=0)
    blocks = config.get("cells", [{}])
    if not isinstance(blocks, list) or not all(isinstance(b, dict) for b in blocks):
        raise ValueError("Expected `cells` as blocks, [[cells]]. Received: a value.")
    setups = [
        (*setup, block.get(CALLED))
        for block in blocks
        for setup in _expanded({**config.get("settings", {}), **block})
    ]
    cells, called = {}, {}
    for seed in range(first, first + seeds):
        for settings, method, policy, folds, own_name in setups:
            for fold in folds:
                cell = Cell(settings, method, policy, seed, fold)
                cells.setdefault(cell.key, cell)
                called.setdefault(cell.key, set()).add(own_name or cell.method)
    table = config.get("table", {})
    check_known(table, TABLE, "part of `table`")
    values = {key: cell.values for key, cell in cells.items()}
    dimensions = {name for own in values.values() for name in own}
    for axis in ("rows", "columns", "tuned"):
        names = table.get(axis, [])
        if not isinstance(names, list):
            raise ValueError(
                f"Expected `{axis}` to be a list of settings. Received: {names!r}"
            )
        check_known(names, sorted(dimensions), f"setting in `{axis}`")
    values = _compared(values, called, table.get("tuned", []))
    cells = list(cells.values())
    study = study_of(config[STUDY], values.values()) if STUDY in config else None
    return Grid(name, config.get("title", name), cells, table, text, study, values)


def _compared(values, called, tuned):
    """The settings of cells as the tables compare them, by key."""
    found, owners = {}, {}
    for key, own in values.items():
        if len(called[key]) > 1:
            raise ValueError(
                f"Expected one name, `{CALLED}`, for each cell. Received: "
                f"{' and '.join(sorted(called[key]))} for the same one."
            )
        (name,) = called[key]
        kept = {n: v for n, v in own.items() if n not in tuned} | {"method": name}
        first = values[owners.setdefault(repr(sorted(kept.items())), key)]
        for n in tuned:
            if first.get(n) != own.get(n):
                raise ValueError(
                    "Expected one value of each setting in `tuned` for a method. "
                    f"Received: {n} {first.get(n)} and {own.get(n)} of {name}."
                )
        found[key] = kept
    return found


def _expanded(block):
    """All combinations of a block: settings, method, policy and folds."""
    name = block.get(CALLED, "")
    if not isinstance(name, str):
        raise ValueError(f"Expected `{CALLED}` to be a name. Received: {name!r}")
    block = {name: _axis(name, v) for name, v in block.items() if name != CALLED}
    found = []
    for values in itertools.product(*(v for n, v in block.items() if n not in METHODS)):
        names = [n for n in block if n not in METHODS]
        found += _setups(dict(zip(names, values, strict=True)), block)
    return found


def _setups(given, block):
    """The methods of one combination, with their settings and policies."""
    given = dict(given)
    backbone = given.pop("backbone", "cnn")
    if backbone not in RECIPES:
        raise ValueError(
            f"Expected `backbone` to be one of {', '.join(RECIPES)}. Received: "
            f"{backbone!r}"
        )
    recipe = RECIPES[backbone].settings
    of_settings = [f.name for f in fields(Settings) if f.name not in NOT_TO_BE_SET]
    of_backbone = [f.name for f in fields(ARGUMENTS[backbone])]
    of_policy = list(inspect.signature(AdversarialMixing).parameters)
    of_program = [f.name for f in fields(Program)]
    of_relatives = [f.name for f in fields(Relatives)]
    known = ["backbone", *METHODS, "fold", *of_settings, *of_backbone, *of_policy]
    known += of_program + of_relatives
    elsewhere = {f.name: b for b, known in ARGUMENTS.items() for f in fields(known)}
    for name in given:
        if name not in known and name in elsewhere:
            raise ValueError(
                f"Expected an argument of the backbone {backbone!r}: "
                f"{', '.join(of_backbone)}. Received: {name}, which {elsewhere[name]!r} "
                "has. Blocks of their own, [[cells]], keep backbones apart."
            )
    check_known(given, known, "setting")
    part = {
        kind: {name: given[name] for name in names if name in given}
        for kind, names in (
            ("settings", of_settings),
            ("backbone", of_backbone),
            ("policy", of_policy),
            ("program", of_program),
            ("relatives", of_relatives),
        )
    }
    settings = replace(
        recipe,
        **{"save_classifier": False, "save_curve": False, **part["settings"]},
        backbone_arguments=ARGUMENTS[backbone](**part["backbone"]),
    )
    adversarial = AdversarialMixing(**part["policy"])
    program, relatives = Program(**part["program"]), Relatives(**part["relatives"])
    chosen = {name: block.get(name, default) for name, default in METHODS.items()}
    _check_methods(chosen)
    fold = given.get("fold")
    folds = chosen_folds(_number_of_folds(settings), None if fold is None else [fold])
    return [
        (
            settings,
            method,
            None
            if method.mix == "none"
            else method.policy_of(adversarial, program, relatives),
            folds,
        )
        for method in methods(**chosen)
    ]


def _check_methods(chosen):
    options = {
        "mix": ("none", "word", "sentence", "random"),
        "policy": tuple(POLICIES),
    }
    for name, values in chosen.items():
        for value in values:
            if value not in options[name]:
                raise ValueError(
                    f"Expected `{name}` among {', '.join(options[name])}. Received: "
                    f"{value!r}"
                )


def _number_of_folds(settings):
    """How many test sets each seed has; the data are read only where that takes them."""
    if settings.data in SOURCES:
        source = SOURCES[settings.data]
        return settings.folds_of("test" in source.splits, source.folds)
    if settings.folds in ("auto", 1):
        return 1
    return settings.number_of_folds(data.load(settings.data))


def _axis(name, value):
    """The values of a setting: those of a list, or the one that stands alone."""
    if isinstance(value, dict):
        raise ValueError(f"Expected `{name}` to be a value or a list. Received: a table.")
    if name == "kernel_sizes" and isinstance(value, list):
        # A list is one value here; a list of lists is an axis.
        if not any(isinstance(v, list) for v in value):
            return [tuple(value)]
        return [tuple(v) for v in value]
    values = value if isinstance(value, list) else [value]
    if not values:
        raise ValueError(f"Expected at least one value of `{name}`. Received: none.")
    if name == "mix":
        return values
    nothing = NOTHING.get(name, "none")
    return [None if v == nothing else v for v in values]


def _begun_small(text):
    return text[:1].lower() + text[1:]
