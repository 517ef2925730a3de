"""`keras-amp` as a user calls it: commands, help, exit codes, what is printed last."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')

from keras_amp import cli
from keras_amp.experiments import RECIPES

ROOT = Path(__file__).parents[2]
COMMANDS = ["train", "grid", "table", "report", "curve", "predict", "data"]
SMALL = "--embedding-dim 4 --filters 3 --kernel-sizes 2 --epochs 1".split()
TINY = [*SMALL, "--seeds", "1"]
FEW = "--train-per-class 6 --batch-size 36".split()  # a step
COMPARE = sys.modules["keras_amp.cli.compare"]


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Runs `keras-amp` in this process; returns status, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments, call=cli.main):
        status = 0
        try:
            call([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def reports(monkeypatch):
    """Stands in for the report; returns the list of what was asked for."""
    asked = []

    def write_records(records, out):
        asked.append(([record["folder"] for record in records], out))
        Path(out).mkdir()
        page = Path(out) / "index.html"
        page.write_text("<p>")
        return page

    monkeypatch.setattr(COMPARE, "write_records", write_records)
    return asked


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_an_interruption_keeps_what_it_has(tmp_path):
    """test_packaging.py has the program train from text to a report."""
    command = ["train", "cnn", *SMALL, "--seeds", "500", "--mix", "none", *FEW]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "keras_amp", *command, "--out", "a"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        cwd=tmp_path,
        # What a shell runs in the background ignores the signal, its children too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        for line in process.stdout:
            if line.startswith("none, seed 0: "):
                break
        process.send_signal(signal.SIGINT)
        interrupted, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    check_interrupted(interrupted, tmp_path)


def check_interrupted(shown, folder):
    """Checks that the runs that are said to be finished are there, and no other."""
    last = shown.splitlines()[-1]
    found = re.fullmatch(
        r"Interrupted: (\d+) of 500 runs are finished \(none (\d+) of 500\)\. "
        "Their results: a",
        last,
    )
    assert found, shown
    runs = list((folder / "a" / "none").iterdir())
    assert len(runs) == int(found[1]) == int(found[2])
    assert all((run / "result.json").is_file() for run in runs)


@pytest.mark.usefixtures("untrained")
def test_a_recipe_and_its_command_do_the_same(command, reports, monkeypatch, tmp_path):
    flags = [*TINY, "--mix", "sentence", "--policy", "mixup", "--alpha", "0.4"]
    flags += ["--learning-rate", "0.01", "--train-per-class", "6"]
    assert command("train", "cnn", *flags, "--out", "out")[0] == 0
    (tmp_path / "out").rename(tmp_path / "by command")
    script = str(ROOT / "recipes" / "cnn.py")

    def recipe(arguments):
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        runpy.run_path(script, run_name="__main__")

    assert command(*flags, "--out", "out", call=recipe)[0] == 0
    for name in ("settings.json", "SentMixup/seed-0/config.json"):
        by_command, by_recipe = (
            json.loads((tmp_path / folder / name).read_text())
            for folder in ("by command", "out")
        )
        assert by_command == by_recipe
    assert by_recipe["policy_arguments"]["alpha"] == 0.4
    assert by_recipe["command"].startswith("keras-amp train cnn --embedding-dim 4 ")


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_has_its_script_and_its_command(command, name):
    script = (ROOT / "recipes" / f"{name}.py").read_text()
    assert f'cli.train("{name}", __doc__)' in script
    status, shown, _ = command("train", name, "--help")
    assert status == 0
    assert f"Usage: keras-amp train {name}" in shown
    words = " ".join(re.sub(r"[│╭╮╰╯─]", " ", shown).split())
    assert RECIPES[name].title in words
    settings = RECIPES[name].settings
    for flag in ("--data", "--mix", "--seeds", "--out", "--no-report", "--step-size"):
        assert flag in words
    for setting in ("learning_rate", "epochs"):
        assert f"[default: {getattr(settings, setting)}" in words
    on_questions = ("0.0002; 0.003", "none; 180", "none; 0.2", "3; 7", "50; 12")
    on_questions += ("none word sentence; none word", "mixup amp; mixup adversarial")
    for both in on_questions:
        assert (f"[default: {both} with questions]" in words) == (name == "cnn")
    for flag in settings.backbone_arguments:
        assert f"--{flag.replace('_', '-')}" in words


def test_the_recipes_are_the_scripts():
    scripts = {path.stem for path in (ROOT / "recipes").glob("*.py")}
    assert scripts == {*RECIPES, "grid"}


def test_the_help_names_the_commands_in_the_order_of_their_use(command):
    status, shown, _ = command("--help")
    assert status == 0
    assert "Usage: keras-amp COMMAND" in shown
    found = re.findall(r"(?m)^│? *([a-z]+)  +\S", shown)
    assert [name for name in found if name in COMMANDS] == COMMANDS
    status, shown, _ = command("train", "--help")
    assert status == 0
    found = re.findall(r"(?m)^│? *([a-z]+)  +\S", shown)
    assert [name for name in found if name in RECIPES] == list(RECIPES)
    assert "keras-amp train cnn --data trec --seeds 5" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_page(command, name):
    status, shown, errors = command(name, "--help")
    assert (status, errors) == (0, "")
    assert f"Usage: keras-amp {name}" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "train"),
        (["train", "cn"], "cnn"),
        (["train", "cnn", "--epoch", "3"], "--epochs"),
        (["train", "cnn", "--seeds", "many"], "many"),
        (["train", "cnn", "--noise", "loud"], "independent"),
        (["train", "cnn", "--data", "trek"], "Did you mean 'trec'"),
        (["train", "cnn", "--alpha", "-1"], "`alpha`"),
        (["train", "cnn", "--seeds", "0"], "`seeds`"),
        (["train", "cnn", "--data", "nowhere/mine.csv"], "no such file"),
        (["data", "--overlapp"], "--overlap"),
    ],
)
def test_mistakes_are_one_paragraph(command, tmp_path, arguments, message):
    status, shown, errors = command(*arguments)
    assert (status, shown) == (2, "")
    assert errors.startswith("Error: ")
    assert message in " ".join(errors.split())
    assert "\n\n" not in errors.strip()
    assert not re.search("Traceback|[╭│╰]", errors)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("untrained")
def test_the_report_is_named_last_before_the_times(command, reports):
    few = ["--mix", "none", "--train-per-class", "6"]
    status, shown, _ = command("train", "cnn", *TINY, *few, "--out", "a")
    assert status == 0
    *_, report, times = shown.splitlines()
    assert report == "Report: a/report/index.html"
    assert times.startswith("Time: ")
    assert reports == [([Path("a/none/seed-0")], Path("a/report"))]
    status, shown, _ = command("train", "cnn", *TINY, *few, "--no-report", "--out", "b")
    assert status == 0
    *_, results, times = shown.splitlines()
    assert results == "All results: b"
    assert times.startswith("Time: ")
    assert len(reports) == 1


@pytest.mark.usefixtures("untrained")
def test_an_error_in_the_report_loses_no_results(command, monkeypatch, tmp_path):
    def broken(records, out):
        raise RuntimeError("no [ink]")

    monkeypatch.setattr(COMPARE, "write_records", broken)
    few = ["--mix", "none", "--train-per-class", "6"]
    status, shown, errors = command("train", "cnn", *TINY, *few, "--out", "a")
    assert status == 1
    assert "All results: a" in shown
    assert errors == (
        "Error: The report could not be written (RuntimeError: no [ink]). The results "
        "are complete; `keras-amp report a` tries again.\n"
    )
    assert (tmp_path / "a" / "results.csv").is_file()
    assert (tmp_path / "a" / "none" / "seed-0" / "classifier.keras").is_file()


def test_errors_of_the_training_keep_their_traceback(command, monkeypatch):
    def broken(*args, **kwargs):
        raise ValueError("not the user's")

    monkeypatch.setattr("keras_amp.experiments.worker.fit_and_test", broken)
    with pytest.raises(ValueError, match="not the user's"):
        command("train", "cnn", *TINY, "--out", "a")
