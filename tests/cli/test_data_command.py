"""``keras-amp data``: figures of data sets, compared with those of the paper."""

import io
import re

import pytest
from real_data import REAL, needs_real, raw

import keras_amp
from keras_amp.data import downloads
from keras_amp.paper.counts import TABLE_1, TABLE_3

pytest.importorskip("cyclopts")
pytest.importorskip("rich")

from rich.console import Console

from keras_amp import cli
from keras_amp.cli.data import show
from keras_amp.cli.errors import user_errors

real_data = needs_real(*TABLE_1)

# What is said of the figures that differ from the paper's.
EXPLAINED = {
    "trec": [
        "10.05 by Kim's, which rounds to the paper's 10.",
        "8,777 by keras_amp's words, of which 8,477 occur in train",
        "9,592 by Kim's, exactly the paper's figure.",
        "train 5,452 + test 500 = 5,952, the paper's figure, though",
        "repeat an earlier one: 71 of 5,452.",
        "also stand in train: 10 of 500; --overlap lists them.",
    ],
    "sst1": ["train 8,544 + dev 1,101 + test 2,210 = 11,855, the paper's figure"],
    "sst2": [
        "train 6,920 + dev 872 + test 1,821 = 9,613, the paper's figure",
        "16,188 by Kim's, 3 more than the paper's 16,185, for a reason not known.",
    ],
    "subj": [
        "21,322 by Kim's, 1 fewer than the paper's 21,323",
        "None: 10-fold cross-validation",
    ],
    "mr": ["18,765 by Kim's, exactly the paper's figure.", "figure: all texts."],
}


@pytest.fixture(autouse=True)
def nothing_of_the_users(monkeypatch, tmp_path):
    """No folder, no cache and no network, unless a test says so; 80 columns."""
    monkeypatch.delenv("KERAS_AMP_DATA", raising=False)
    monkeypatch.delenv("KERAS_AMP_CACHE", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_AMP_MIRROR", "http://127.0.0.1:9/")  # nobody listens
    monkeypatch.setattr(downloads, "RETRIES", 0)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def command(capsys):
    """Runs `keras-amp data` with arguments; returns exit status, output and errors."""

    def run(*arguments):
        status = 0
        try:
            cli.main(["data", *map(str, arguments)])
        except SystemExit as stop:
            status = stop.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{label}\t{text}\n" for label, text in rows))


def shown(name, list_overlap=False, **folder):
    """What is printed on a data set, its lines joined and its spaces made one."""
    console = Console(file=io.StringIO(), width=80)
    show({str(name): keras_amp.data.load(name, **folder)}, console, list_overlap)
    return " ".join(console.file.getvalue().split())


@real_data
def test_the_command_prints_both_tables_and_explains_every_difference(command):
    status, out, _ = command("--data-dir", REAL)
    assert status == 0
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    rows = [line.split() for line in out.splitlines()]
    for name, paper in TABLE_1.items():
        at = next(i for i, row in enumerate(rows) if row[:2] == [name, "keras_amp"])
        length, vocabulary = f"{paper.mean_length}", f"{paper.vocabulary_size:,}"
        test = "CV" if paper.num_test is None else f"{paper.num_test:,}"
        figures = [str(paper.num_classes), length, vocabulary, f"{paper.size:,}", test]
        assert rows[at + 1][0] == "Kim"
        assert rows[at + 2] == ["paper", *figures]
    sizes = [f"{size:,}" for size in TABLE_3.values()]
    assert ["%", "3", "4", "5", "10", "15", "20", "40", "80", "100"] in rows
    assert ["keras_amp", *sizes] in rows
    assert ["paper", *sizes] in rows
    _, *parts = re.split(f"(?m)^({'|'.join(TABLE_1)})$", out)
    notes = dict(zip(parts[::2], parts[1::2], strict=True))
    assert notes.keys() == EXPLAINED.keys()
    for name, sentences in EXPLAINED.items():
        text = " ".join(notes[name].split())
        assert [s for s in sentences if s not in text] == []
        assert "other files" not in text


@real_data
def test_overlapping_questions_are_listed_on_request():
    text = shown("trec", list_overlap=True, data_dir=REAL)
    train = {text for _, text in raw("trec")["train"]}
    both = [(label, text) for label, text in raw("trec")["test"] if text in train]
    assert len(both) == 10
    assert " ".join(f"{label} {question}" for label, question in both) in text
    assert "--overlap" not in text


def test_questions_have_no_figures_of_the_paper(command):
    status, out, _ = command("questions")
    assert status == 0
    assert "train 1,200 + test 300 = 1,500." in out
    assert not re.search("Kim|paper", out)


def test_the_users_own_file_may_hold_anything(command, tmp_path):
    path = tmp_path / "mine.tsv"
    write(path, ("x", "see [red]this[/x]"), ("y", "and [bold] that"))
    write(tmp_path / "both" / "train.tsv", ("[x", "[/a] b"), ("y", "c"))
    write(tmp_path / "both" / "test.tsv", ("[x", "[/a] b"))
    status, out, _ = command(path, tmp_path / "both", "--overlap")
    assert status == 0
    # see [ red ] this [ / x ] | and [ bold ] that, and nothing of a test split.
    assert re.search(r"mine\.tsv +keras_amp +2 +7\.0 +10 +2 +-\s", out)
    assert re.search(r"Texts that also stand in train: 1 of 1\.\s+\[x +\[/a\] b\s", out)


def test_other_files_under_a_public_name_are_noticed(tmp_path):
    write(tmp_path / "trec" / "train.tsv", ("HUM", "Who ?"), ("LOC", "Where ?"))
    write(tmp_path / "trec" / "test.tsv", ("HUM", "Who else ?"))
    text = shown("trec", data_dir=tmp_path)
    assert "train 2 + test 1 = 3, 5,949 fewer than the paper's 5,952: these are" in text
    assert "Not the paper's test texts" in text
    assert "does not round to the paper's 10." in text
    assert "a reason not known" not in text


def test_of_the_papers_sets_those_that_are_there_are_shown(command, tmp_path):
    write(tmp_path / "subj" / "all.tsv", ("objective", "a"), ("subjective", "b c"))
    status, out, err = command("--data-dir", tmp_path)
    assert status == 0
    for name in ("trec", "sst1", "sst2", "mr"):
        assert re.search(f"{name} +unavailable", out)
        assert f"Expected to download '{name}'" in out
    assert re.search(r"subj +keras_amp +2 +1\.5 +3 +2 +CV", out)
    # What downloads say goes where it does not mix with the tables.
    assert "Downloading data" in err
    assert "Downloading data" not in out


def test_without_any_set_the_status_tells(command):
    status, out, _ = command()
    assert status == 1
    assert out.count("Expected to download") == len(TABLE_1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trec"], "Expected to download 'trec'"),
        (["questions", "trek"], "Did you mean 'trec'?"),
        (["nowhere/mine.csv"], "no such file"),
        (["--data-dir", "nowhere"], "Expected `data_dir` to be a folder"),
    ],
)
def test_mistakes_are_said_in_a_paragraph(command, arguments, message):
    status, out, err = command(*arguments)
    assert status == 2
    assert out == ""
    error = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert len(error) == 1
    assert message in error[0]
    assert "Traceback" not in err


def test_a_set_without_a_split_is_named(command, tmp_path):
    write(tmp_path / "trec" / "train.tsv", ("HUM", "a"), ("LOC", "b"))
    status, _, err = command("trec", "--data-dir", tmp_path)
    assert status == 2
    assert f"Expected test.tsv in {tmp_path / 'trec'}" in err


def test_the_guard_prints_brackets_and_lets_other_errors_pass(capsys):
    with pytest.raises(SystemExit) as stop, user_errors():
        raise ValueError("Expected [red] or [/blue]. Received: keras-amp[hub]")
    assert stop.value.code == 2
    message = "Error: Expected [red] or [/blue]. Received: keras-amp[hub]\n"
    assert capsys.readouterr().err == message
    with pytest.raises(TypeError, match="a bug"), user_errors():
        raise TypeError("a bug")
