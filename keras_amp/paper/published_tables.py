"""The results that the paper reports, its Tables 2 to 5, for comparison.

Liu, Mao, Huang, Gao and Li: Adversarial Mixing Policy for Relaxing Locally Linear
Constraints in Mixup. EMNLP 2021, pages 2998-3008. The pages of the tables were worked out
from the page breaks of the text.

The figures are as printed, also where they disagree with each other. In Table 2 the RP of
CNN-rand on SST-1 is 0.5 and 1.0 where the means give 0.3 and 0.9, and that of Sent(our)
with BERT on SST-2 is 9.5 where they give 6.3; in Table 3 that of 40% is 6.7 where they
give 6.9. Tables 2, 4 and 5 have different deviations, and once different means, for the
same method with BERT on TREC.
"""

import csv
import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "published"
TABLES = ("table2", "table3", "table4", "table5")
SEEDS = 10  # of every mean and deviation
STEP_SIZE = 0.002  # of all experiments
# A method of this package, and the paper's method whose figures it is compared with.
AS_PRINTED = {"Program": "AMP"}


@dataclass(frozen=True)
class Reported:
    """A cell of one of the paper's tables.

    Attributes:
        table: Number of the table.
        page: Page of the proceedings.
        model: The paper's name of the classifier, such as ``"CNN_glove"``.
        row: What the paper calls the row, such as ``"Sent(our)"``.
        data: Name of the data set here, such as ``"sst1"``.
        backbone: ``"cnn"``, ``"bilstm"`` or ``"bert"``.
        vectors: ``"rand"`` or ``"glove"``; empty for BERT.
        method: Name of the method here, such as ``"SentAMP"``.
        alpha: Of Beta(alpha, alpha); None without mixing.
        train_fraction: Share of the training data.
        labels: Training examples, where the paper says so; else None.
        mean: Mean test error over ten seeds, in percent.
        sd: Its standard deviation.
        rp: The printed relative improvement over mixup, in percent, below zero where the
            arrow points down; None where there is none.
        mark: The printed mark.
        cited: What the paper cites the figures from; empty for its own.

    Example:
    >>> from keras_amp.paper import paper_table
    >>> first = paper_table("table4")[0]
    >>> first.row, first.data, first.method, first.mean
    ('Word Baseline', 'trec', 'none', 7.9)
    """

    table: int
    page: int
    model: str
    row: str
    data: str
    backbone: str
    vectors: str
    method: str
    alpha: float | None
    train_fraction: float
    labels: int | None
    mean: float
    sd: float
    rp: float | None
    mark: str
    cited: str


@functools.cache
def paper_table(name: str) -> tuple[Reported, ...]:
    """Return the cells of one of the paper's tables of results.

    Args:
        name: ``"table2"`` (main results), ``"table3"`` (low resources), ``"table4"``
            (MaxOp and MinOp) or ``"table5"`` (values of alpha).

    Returns:
        A tuple of ``Reported``s, row by row.

    Raises:
        ValueError: If there is no such table.

    Example:
    >>> from keras_amp.paper import paper_table
    >>> max(cell.rp for cell in paper_table("table2") if cell.rp is not None)
    31.3
    """
    if name not in TABLES:
        raise ValueError(
            f"Expected one of the paper's tables {', '.join(TABLES)}. Received: {name!r}"
        )
    with open(FOLDER / f"{name}.csv", encoding="utf-8", newline="") as file:
        return tuple(_reported(row) for row in csv.DictReader(file))


def reported(values: Mapping[str, Any], table: str) -> Reported | None:
    """Find what the paper reports for a cell.

    The classifier, the kind of word vectors (none or any pretrained ones), the data set
    with its share, the method, alpha and the step size must be the paper's; other
    settings, such as the number of steps, may differ. The figures of the authors' method
    come from their program: both WordAMP and WordProgram are compared with them.

    Args:
        values: Dict, the ``values`` of a cell.
        table: Name of the table, as of ``paper_table``.

    Returns:
        A ``Reported``, or None where the table has no such cell.

    Raises:
        ValueError: If there is no such table.

    Example:
    >>> from keras_amp.paper import reported
    >>> cell = {"backbone": "cnn", "vectors": "glove.840B.300d", "data": "trec",
    ...         "method": "SentAMP", "alpha": 1.0, "step_size": 0.002}
    >>> found = reported(cell, "table2")
    >>> found.mean, found.sd, found.rp, found.page
    (4.6, 0.33, 31.3, 3003)
    """
    cells = paper_table(table)
    if values.get("train_per_class") is not None:
        return None
    if not math.isclose(values.get("step_size", STEP_SIZE), STEP_SIZE):
        return None
    return next((cell for cell in cells if _is_of(cell, values)), None)


def _is_of(cell: Reported, values: Mapping[str, Any]) -> bool:
    vectors = "rand" if values.get("vectors") is None else "glove"
    method = values["method"]
    for here, printed in AS_PRINTED.items():
        method = method.replace(here, printed)
    fraction = values.get("train_fraction")
    return (
        cell.backbone == values["backbone"]
        and cell.vectors == ("" if cell.backbone == "bert" else vectors)
        and cell.data == values["data"]
        and cell.method == method
        and math.isclose(cell.train_fraction, 1 if fraction is None else fraction)
        and (cell.alpha is None or math.isclose(cell.alpha, values.get("alpha", 1)))
    )


def _reported(row: dict[str, Any]) -> Reported:
    def number(name: str, kind: Callable[[str], Any] = float) -> Any:
        return kind(row[name]) if row[name] else None

    words = ("model", "row", "data", "backbone", "vectors", "method", "mark", "cited")
    return Reported(
        **{name: row[name] for name in words},
        **{name: number(name, int) for name in ("table", "page", "labels")},
        **{n: number(n) for n in ("alpha", "train_fraction", "mean", "sd", "rp")},
    )
