"""Trained runs: saved, loaded in a fresh process, and used from the command line."""

import csv
import io
import json
import math
import re
import runpy
import shutil
import sys
import tomllib
import warnings
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from helpers import traced_nothing, warned_at

import keras_amp
from keras_amp.backbones import BertPreprocessor, text_cnn
from keras_amp.data import WordPreprocessor, fit_vectorizer
from keras_amp.runs import Run, load_run, save_run

ROOT = Path(__file__).parents[2]
TRAIN = ["Who wrote it?", "Where is the river?", "who is she ?", "where was it ?"] * 4
LABELS = np.array([0, 1, 0, 1] * 4)
NAMES = ["HUM", "LOC"]
TEXTS = ["Who is it?", "Where, then?", "", "the river who", "😀 \u2028 é", "NUL\0 who"]


@pytest.fixture(autouse=True, scope="module")
def traced():
    """Runs predict eagerly here, in a graph in a process of their own."""
    with traced_nothing():
        yield


def write_config(folder, **changes):
    config = {"class_names": NAMES, "data": "questions", "seed": 0, **changes}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


@pytest.fixture(scope="module")
def words_run(tmp_path_factory):
    """A folder, and what the classifier predicted before it was saved."""
    folder = tmp_path_factory.mktemp("words")
    vectorizer = fit_vectorizer(TRAIN, 5)
    preprocess = WordPreprocessor(vectorizer.get_vocabulary(), 5)
    size = vectorizer.vocabulary_size()
    classifier = text_cnn(size, 2, 5, embedding_dim=8, filters=4, seed=1)
    model = keras_amp.MixupAMPModel(classifier, "embedding", seed=2)
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    model.fit(preprocess(TRAIN), LABELS, epochs=2, verbose=0)
    save_run(folder, classifier, preprocess)
    write_config(folder)
    return folder, np.asarray(classifier(preprocess(TEXTS)))


@pytest.fixture(scope="module")
def tokens_run(tmp_path_factory):
    """The same of a tiny random BERT."""
    hub = pytest.importorskip("keras_hub", reason='pip install "keras-amp[hub]"')
    folder = tmp_path_factory.mktemp("tokens")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"who where is it ##s ?".split(),
    ]
    preprocess = BertPreprocessor(hub.models.BertTokenizer(words, lowercase=True), 8)
    backbone = hub.models.BertBackbone(
        vocabulary_size=len(words),
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=12,
        max_sequence_length=8,
    )
    classifier = keras_amp.backbones.bert(3, 8, preset=backbone, seed=1)
    rng = np.random.default_rng(1)
    for weight in classifier.weights:  # initial ones are small: all texts come out alike
        if not weight.path.endswith("gamma"):
            weight.assign(0.5 * rng.normal(size=weight.shape))
    classifier.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    classifier.fit(preprocess(TEXTS), np.arange(len(TEXTS)) % 3, verbose=0)
    save_run(folder, classifier, preprocess)
    write_config(folder, class_names=["x", "y", "z"])
    return folder, np.asarray(classifier(preprocess(TEXTS)))


@pytest.fixture
def copied(words_run, tmp_path):
    """A copy of the run on words, to be damaged."""
    return Path(shutil.copytree(words_run[0], tmp_path / "run"))


def by_hand(folder):
    """Writes a run whose probabilities are easily computed, and returns how.

    A word has a vector, a text is the mean of its words, padding is zeros.
    """
    vocabulary = ["", "[UNK]", "salmon", "carp", "oak", "elm"]
    table = np.float32([[0, 0], [0.5, 0.25], [2, 0], [1, -1], [-1, 2], [0, 1]])
    ids = keras.Input((4,), dtype="int32")
    x = keras.layers.Embedding(6, 2, weights=[table])(ids)
    x = keras.layers.GlobalAveragePooling1D()(x)
    save_run(
        folder,
        keras.Model(ids, keras.layers.Softmax()(x)),
        WordPreprocessor(vocabulary, 4),
    )
    write_config(folder, class_names=["fish", "tree"])

    def probabilities(text):
        words = text.lower().split()[:4]
        rows = [table[vocabulary.index(w) if w in vocabulary else 1] for w in words]
        logits = [math.fsum(float(row[i]) for row in rows) / 4 for i in range(2)]
        total = sum(map(math.exp, logits))
        return [math.exp(logit) / total for logit in logits]

    return probabilities


# === Saved and loaded ===

PROGRAM = """
import json, sys
root, texts, out, *folders = sys.argv[1:]
sys.path.insert(0, root)
import keras_amp
texts = json.loads(texts)
runs = []
for folder in folders:
    runs.append(keras_amp.load_run(folder))
    if len(runs) == 1:
        wanted = {"keras_hub", "keras_amp.experiments", "cyclopts"}
        assert not wanted & set(sys.modules), wanted & set(sys.modules)
import numpy as np
results = {str(i): run.predict(texts) for i, run in enumerate(runs)}
names = [run.classify(texts) for run in runs]
np.savez(out, names=json.dumps(names), **results)
"""


def test_a_fresh_process_predicts_the_same(words_run, request, tmp_path, fresh):
    """With nothing imported but the package: no recipe, and KerasHub where it is used."""
    runs = [words_run]
    try:
        import keras_hub  # noqa: F401
    except ImportError:
        pass
    else:
        runs.append(request.getfixturevalue("tokens_run"))
    folders = [folder for folder, _ in runs]
    fresh.run(PROGRAM, ROOT, json.dumps(TEXTS), "out.npz", *folders, folder=tmp_path)
    with np.load(tmp_path / "out.npz") as results:
        classified = json.loads(str(results["names"]))
        for i, (folder, expected) in enumerate(runs):
            np.testing.assert_allclose(results[str(i)], expected, rtol=1e-5, atol=1e-7)
            assert np.ptp(expected, axis=0).max() > 0.01  # texts are told apart
            names = json.loads((folder / "config.json").read_text())["class_names"]
            assert classified[i] == [names[k] for k in expected.argmax(axis=1)]


@pytest.mark.parametrize("kind", ["words_run", "tokens_run"])
def test_a_run_is_what_was_saved(kind, request):
    folder, expected = request.getfixturevalue(kind)
    run = load_run(str(folder))
    np.testing.assert_allclose(run.predict(TEXTS), expected, rtol=1e-5, atol=1e-7)
    assert run.config == json.loads((folder / "config.json").read_text())
    assert run.class_names == tuple(run.config["class_names"])
    reader = WordPreprocessor if kind == "words_run" else BertPreprocessor
    assert type(run.preprocess) is reader


@pytest.mark.parametrize("kind", ["words_run", "tokens_run"])
def test_the_file_holds_the_weights_and_no_optimizer(kind, request, tmp_path):
    folder, _ = request.getfixturevalue(kind)
    classifier = load_run(folder).classifier
    assert getattr(classifier, "optimizer", None) is None
    assert not any("mix" in layer.name.lower() for layer in classifier.layers)
    with zipfile.ZipFile(folder / "classifier.keras") as archive:
        config = json.loads(archive.read("config.json"))
        weights = archive.read("model.weights.h5")
    assert not config.get("compile_config")
    shapes, names = [], []

    def visit(name, item):
        names.append(name)
        if isinstance(item, h5py.Dataset):
            shapes.append(item.shape)

    with h5py.File(io.BytesIO(weights)) as file:
        file.visititems(visit)
    assert not [name for name in names if "optimizer" in name or "velocity" in name]
    assert sorted(shapes) == sorted(tuple(w.shape) for w in classifier.weights)


def test_predictions_do_not_depend_on_the_batch(words_run):
    folder, expected = words_run
    run = load_run(folder)
    for size in (1, 4, 100):
        probabilities = run.predict(TEXTS, batch_size=size)
        np.testing.assert_allclose(probabilities, expected, rtol=1e-5, atol=1e-7)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    for given in (tuple(TEXTS), iter(TEXTS), np.array(TEXTS, object)):
        np.testing.assert_allclose(run.predict(given), expected, rtol=1e-5, atol=1e-7)


def test_probabilities_are_those_computed_by_hand(tmp_path):
    probabilities = by_hand(tmp_path)
    run = load_run(tmp_path)
    texts = ["salmon", "oak elm", "Carp CARP oak", "nothing known", "", "elm salmon " * 2]
    expected = [probabilities(text) for text in texts]
    np.testing.assert_allclose(run.predict(texts), expected, rtol=1e-5)
    assert run.classify(texts) == [["fish", "tree"][p[1] > p[0]] for p in expected]
    assert set(run.classify(texts)) == {"fish", "tree"}


@pytest.mark.parametrize("kind", ["words_run", "tokens_run"])
def test_no_texts_have_no_classes(kind, request):
    run = load_run(request.getfixturevalue(kind)[0])
    assert run.predict([]).shape == (0, len(run.class_names))
    assert run.predict(iter(())).dtype == np.float32
    assert run.classify([]) == []


def test_longer_texts_are_cut_and_said_at_the_callers_line(words_run):
    run = load_run(words_run[0])
    long = "who is the river it was"
    with pytest.warns(UserWarning, match="1 of 2 texts have .*=5 words") as caught:
        cut = run.predict([long, "who"])
    with pytest.warns(UserWarning, match="1 of 1 texts have .*=5 words") as again:
        run.classify([long])
    assert warned_at([*caught, *again], "=5 words") == [__file__] * 2
    assert run.preprocess.truncated == 2
    np.testing.assert_allclose(cut[:1], run.predict(["who is the river it"]), rtol=1e-5)


@pytest.mark.parametrize("kind", ["words_run", "tokens_run"])
def test_one_text_is_no_list_of_texts(kind, request):
    run = load_run(request.getfixturevalue(kind)[0])
    for use in (run.predict, run.classify):
        with pytest.raises(ValueError, match="one text, 'Who is it.'. Put it into a l"):
            use("Who is it?")
        with pytest.raises(ValueError, match="Received: nan, of type float, at position"):
            use([float("nan")])


def test_a_run_can_be_put_together():
    """Of a model that comes from elsewhere."""
    preprocess = WordPreprocessor(["", "[UNK]", "who"], 3)
    run = Run(text_cnn(3, 2, 3, 4, 2, (2,)), preprocess, NAMES, {})
    assert run.predict(["who"]).shape == (1, 2)
    assert run.class_names == ("HUM", "LOC")


def test_a_run_shows_what_it_was_trained_on():
    classifier = text_cnn(4, 2, 5, embedding_dim=4, filters=2)
    preprocess = WordPreprocessor(["", "[UNK]", "who", "?"], 5)
    config = {"data": "trec", "mix": "word", "policy": "amp", "seed": 3, "fold": None}
    run = Run(classifier, preprocess, ["HUM", "LOC"], config)
    name = classifier.name
    assert repr(run) == (
        f"Run({name!r}, data='trec', mix='word', policy='amp', seed=3, "
        "classes=['HUM', 'LOC'])"
    )
    bare = Run(classifier, preprocess, ["HUM", "LOC"], {})
    assert repr(bare) == f"Run({name!r}, classes=['HUM', 'LOC'])"


# === What is no run ===


def test_a_folder_that_is_none(tmp_path):
    message = "`folder` to be a run's folder. Received: .*nowhere, which is no folder"
    with pytest.raises(FileNotFoundError, match=message):
        load_run(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileNotFoundError, match="file, which is no folder"):
        load_run(tmp_path / "file")
    message = r"lacks config\.json, classifier\.keras, words\.json or tokens\.json\.$"
    with pytest.raises(FileNotFoundError, match=message):
        load_run(tmp_path)


def test_a_comparisons_folder_lists_the_runs_in_it(copied, tmp_path):
    out = tmp_path / "out"
    inside = ["SentAMP/seed-0", "SentAMP/seed-1", "WordAMP/seed-0-fold-3", "none/seed-0"]
    for name in inside:
        (out / name).mkdir(parents=True)
        shutil.copy(copied / "classifier.keras", out / name)
    (out / "settings.json").write_text("{}")
    message = rf"out, which holds runs in folders of their own: {', '.join(inside)}\.$"
    with pytest.raises(FileNotFoundError, match=message):
        load_run(out)
    with pytest.raises(FileNotFoundError, match=r"their own: seed-0, seed-1\.$"):
        load_run(out / "SentAMP")
    for i in range(30):
        (out / f"many/seed-{i}").mkdir(parents=True)
        (out / f"many/seed-{i}/classifier.keras").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"many/seed-\d+ and 14 more\.$"):
        load_run(out)


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        (["classifier.keras"], r"lacks classifier\.keras: a run that has not ended\.$"),
        (["config.json"], r"lacks config\.json\.$"),
        (["words.json"], r"lacks words\.json or tokens\.json\.$"),
        (["config.json", "words.json"], r"lacks config\.json, words\.json or tokens\."),
    ],
)
def test_missing_files_are_named(absent, message, copied):
    for name in absent:
        (copied / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"run, which {message}"):
        load_run(copied)


def test_a_run_without_its_classifier_was_told_so(copied):
    (copied / "classifier.keras").unlink()
    (copied / "words.json").unlink()
    (copied / "result.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"keras, .*told not to keep its classif"):
        load_run(copied)


DAMAGE = {
    "half a config": ("config.json", b'{"class_names": ["HU', "JSONDecodeError"),
    "an empty config": ("config.json", b"", "JSONDecodeError"),
    "another config": ("config.json", b"[1, 2]", "no list of class_names"),
    "a config without classes": ("config.json", b"{}", "no list of class_names"),
    "a class in place of all": (
        "config.json",
        b'{"class_names": "ab"}',
        "no list of class_names",
    ),
    "classes that are none": (
        "config.json",
        b'{"class_names": [0, 1]}',
        "no list of class_names",
    ),
    "another encoding": (
        "config.json",
        '{"class_names": ["é", "x"]}'.encode("latin-1"),
        "UnicodeDecodeError",
    ),
    "half the words": ("words.json", b'{"sequence_length": 5, "voc', "JSONDecodeError"),
    "no words": ("words.json", b"{}", "KeyError: 'vocabulary'"),
    "other words": (
        "words.json",
        b'{"sequence_length": 5, "vocabulary": ["", "[UNK]", "a", "a"]}',
        "holds 'a' twice",
    ),
    "half a classifier": ("classifier.keras", 0.5, ""),
    "an empty classifier": ("classifier.keras", b"", ""),
    "another file": ("classifier.keras", b"no zip" * 100, ""),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_files_are_named(case, copied):
    name, content, reason = DAMAGE[case]
    path = copied / name
    if isinstance(content, float):
        content = path.read_bytes()[: int(content * path.stat().st_size)]
    path.write_bytes(content)
    message = f"Expected .*run/{name} to be as a run .*: a damaged file .*{reason}"
    with pytest.raises(ValueError, match=message) as caught:
        load_run(copied)
    assert caught.value.__cause__ is not None


def test_damaged_files_of_a_tokenizer_are_named(tokens_run, tmp_path):
    for name, content in [("tokens.json", "{}"), ("tokens.json", '{"se')]:
        run = Path(shutil.copytree(tokens_run[0], tmp_path / "run", dirs_exist_ok=True))
        (run / name).write_text(content)
        with pytest.raises(ValueError, match=f"run/{name} to be as a run .*a damaged f"):
            load_run(run)
    run = Path(shutil.copytree(tokens_run[0], tmp_path / "run", dirs_exist_ok=True))
    (run / "tokenizer" / "vocabulary.txt").unlink()
    with pytest.raises(ValueError, match=r"tokens\.json .*run/tokenizer/vocabulary\.txt"):
        load_run(run)


def test_classes_and_classifier_must_agree(copied):
    write_config(copied, class_names=["a", "b", "c"])
    message = r"tell apart the 3 classes .*config\.json names\. Received: .*\(None, 2\)"
    with pytest.raises(ValueError, match=message):
        load_run(copied)


def test_without_kerashub_an_encoders_run_says_what_to_install(
    tokens_run, words_run, monkeypatch
):
    monkeypatch.setitem(sys.modules, "keras_hub", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r'keras_hub .*pip install "keras-amp\[hub\]"'):
        load_run(tokens_run[0])
    assert load_run(words_run[0]).predict(["who"]).shape == (1, 2)


# === The command ===


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """Runs `keras-amp predict` with arguments; returns status, output and errors."""
    pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')
    from keras_amp import cli

    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        status = 0
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # what is to be said is printed
            try:
                cli.main(["predict", *map(str, arguments)])
            except SystemExit as stop:
                status = stop.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return status, captured.out, captured.err

    return run


@pytest.fixture
def run(tmp_path):
    """The folder of a run on fish and trees, and its probabilities by hand."""
    folder = tmp_path / "run"
    folder.mkdir()
    return folder, by_hand(folder)


def rows_of(out):
    return list(csv.DictReader(io.StringIO(out)))


def check(rows, texts, probabilities):
    """Checks the rows of an output against probabilities computed by hand."""
    assert [row["text"] for row in rows] == texts
    for row, text in zip(rows, texts, strict=True):
        fish, tree = probabilities(text)
        assert float(row["p(fish)"]) == pytest.approx(fish, rel=1e-5)
        assert float(row["p(tree)"]) == pytest.approx(tree, rel=1e-5)
        assert row["prediction"] == ("fish" if fish > tree else "tree")


def test_texts_of_the_command_line(run, command):
    folder, probabilities = run
    texts = ["salmon", "oak , [red] elm", 'a "carp"', "Oak  oak\u00a0é"]
    status, out, err = command(folder, "--text", *texts)
    assert (status, err) == (
        0,
        "1 of 4 texts are longer than sequence_length=4 and were cut.\n",
    )
    rows = rows_of(out)
    assert list(rows[0]) == ["text", "prediction", "p(fish)", "p(tree)"]
    texts[3] = "Oak oak é"
    assert [row["text"] for row in rows] == texts
    check([rows[0], rows[3]], [texts[0], texts[3]], probabilities)
    assert rows[1]["prediction"] == "tree"
    assert command(folder, "--text=-salmon-")[0] == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'id,text\n1,salmon\n2,"oak, elm"\n3,carp\n'),
        ("a.tsv", "text\nsalmon\noak, elm\ncarp\n"),
        ("a.txt", "salmon\noak, elm\ncarp\n"),
    ],
)
def test_a_file_without_labels(name, content, run, command):
    folder, probabilities = run
    Path(name).write_text(content)
    status, out, err = command(folder, name)
    assert (status, err) == (0, "")
    rows = rows_of(out)
    assert list(rows[0]) == ["text", "prediction", "p(fish)", "p(tree)"]
    assert [row["text"] for row in rows] == ["salmon", "oak, elm", "carp"]
    check(rows[::2], ["salmon", "carp"], probabilities)


@pytest.mark.parametrize(
    ("name", "mark", "header"),
    [("a.csv", ",", "text,label\n"), ("a.tsv", "\t", "text\tlabel\n")],
)
def test_a_file_with_labels_is_scored(name, mark, header, run, command):
    folder, probabilities = run
    examples = [
        *[("salmon", "fish"), ("carp", "fish"), ("oak", "tree"), ("elm", "fish")],
        *[("elm oak", "tree"), ("salmon oak", "tree"), ("carp salmon", "tree")],
    ]
    Path(name).write_text(header + "".join(f"{t}{mark}{y}\n" for t, y in examples))
    status, out, err = command(folder, name)
    assert status == 0
    rows = rows_of(out)
    assert list(rows[0]) == ["text", "label", "prediction", "p(fish)", "p(tree)"]
    assert [row["label"] for row in rows] == [label for _, label in examples]
    check(rows, [text for text, _ in examples], probabilities)
    # The scores by their definitions.
    names = ["fish", "tree"]
    pairs = [
        (label, names[p[1] > p[0]], p)
        for (text, label) in examples
        for p in [probabilities(text)]
    ]
    wrong = sum(label != predicted for label, predicted, _ in pairs)
    f1 = []
    for name in names:
        both = sum(label == predicted == name for label, predicted, _ in pairs)
        either = sum(
            (label == name) + (predicted == name) for label, predicted, _ in pairs
        )
        f1.append(2 * both / either)
    nll = -sum(math.log(p[names.index(label)]) for label, _, p in pairs) / len(pairs)
    assert 0 < wrong < len(pairs)
    assert re.fullmatch(
        rf"7 labelled texts: error {100 * wrong / 7:.2f}%, "
        rf"macro-F1 {50 * sum(f1):.2f}%, NLL {nll:.3f}, ECE \d+\.\d\d%\n",
        err,
    )


def test_labels_of_other_classes_are_not_compared(run, command):
    folder, probabilities = run
    Path("a.csv").write_text("text,label\nsalmon,fish\noak,shrub\nelm,[bush]\n")
    status, out, err = command(folder, "a.csv")
    assert status == 0
    check(rows_of(out), ["salmon", "oak", "elm"], probabilities)
    assert [row["label"] for row in rows_of(out)] == ["fish", "shrub", "[bush]"]
    assert err == (
        "The labels are not compared: [bush], shrub is none of the run's classes, which "
        "are fish, tree.\n"
    )


def test_a_public_sets_own_file_is_compared(tmp_path, command):
    """Its labels are numbers where its classes have names."""
    by_hand(tmp_path)
    write_config(tmp_path, class_names=["negative", "positive"], data="sst2")
    Path("test.tsv").write_text("0\tsalmon\n1\toak\n1\tcarp\n")
    status, out, err = command(tmp_path, "test.tsv")
    assert status == 0
    rows = rows_of(out)
    assert [row["label"] for row in rows] == ["negative", "positive", "positive"]
    assert [row["prediction"] for row in rows] == ["negative", "positive", "negative"]
    assert err.startswith("3 labelled texts: error 33.33%, ")


def test_predictions_go_into_a_new_file(run, command):
    folder, probabilities = run
    Path("a.csv").write_text("text,label\nsalmon,fish\nö 😀,tree\n", encoding="utf-8")
    status, out, err = command(folder, "a.csv", "--out", "new.csv")
    assert (status, out) == (0, "")
    assert err.startswith("2 labelled texts: ")
    written = Path("new.csv").read_text(encoding="utf-8")
    check(rows_of(written), ["salmon", "ö 😀"], probabilities)
    # What was printed without --out is what the file holds.
    assert command(folder, "a.csv")[1].splitlines() == written.splitlines()
    # It is not overwritten, and no half of another is left.
    Path("b.csv").write_text("text\nelm\n")
    status, out, err = command(folder, "b.csv", "--out", "new.csv")
    assert (status, out) == (2, "")
    assert "Expected a new file for the predictions. Received: new.csv, which exi" in err
    assert Path("new.csv").read_text(encoding="utf-8") == written
    assert not [path for path in Path().iterdir() if "partial" in path.name]


def test_a_run_of_an_encoder_predicts_too(tokens_run, command):
    folder, expected = tokens_run
    status, out, _ = command(folder, "--text", TEXTS[0], TEXTS[1])
    assert status == 0
    for row, probabilities in zip(rows_of(out), expected, strict=False):
        for name, p in zip("xyz", probabilities, strict=True):
            assert float(row[f"p({name})"]) == pytest.approx(p, rel=1e-4)


MISTAKES = {
    "neither": (["run"], "Expected a file, or texts after --text. Received: neither."),
    "both": (["run", "a.csv", "--text", "x"], "Received: both."),
    "no texts": (["run", "--text"], "Received: neither."),
    "an empty text": (["run", "--text", "x", " "], "after --text. Received: an empty o"),
    "half a letter": (["run", "--text", "a\udcff"], "Expected texts of whole characters"),
    "no run": (["nowhere", "a.csv"], "Received: nowhere, which is no folder."),
    "another folder": (["other", "a.csv"], "other, which lacks config.json, classifier"),
    "runs inside": ([".", "a.csv"], "runs in folders of their own: damaged, run."),
    "a damaged run": (
        ["damaged", "a.csv"],
        "Expected damaged/config.json to be as a run",
    ),
    "no file": (
        ["run", "no.csv"],
        "Expected a file of texts. Received: no.csv, which do",
    ),
    "a folder": (["run", "other"], "ends in .tsv, .csv or .txt. Received: other"),
    "another kind of file": (
        ["run", "a.json"],
        "ends in .tsv, .csv or .txt. Received: a",
    ),
    "another encoding": (["run", "latin.csv"], "Received: latin.csv, whose line 2 holds"),
    "a header only": (["run", "header.csv"], "header.csv, which holds a header only."),
    "no header": (["run", "plain.csv"], "plain.csv, whose first row is ['salmon']."),
    "an old file": (["run", "a.csv", "--out", "a.csv"], "new file for the predictions"),
    "a folder to write": (
        ["run", "a.csv", "--out", "other"],
        "Received: other, which ex",
    ),
    "no folder to write into": (
        ["run", "a.csv", "--out", "no/where.csv"],
        "Received: no/where.csv; there is no folder no.",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_said_in_a_paragraph(case, run, command):
    arguments, message = MISTAKES[case]
    Path("a.csv").write_text("text,label\nsalmon,fish\n")
    Path("a.json").write_text("[]")
    Path("latin.csv").write_bytes("text\ncafé\n".encode("latin-1"))
    Path("header.csv").write_text("text\n")
    Path("plain.csv").write_text("salmon\noak\n")
    Path("other").mkdir()
    shutil.copytree("run", "damaged")
    Path("damaged/config.json").write_text('{"class_na')
    before = sorted(Path().rglob("*"))
    status, out, err = command(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("Error: Expected ")
    assert len(err.splitlines()) == 1
    assert message in err
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "--run requires an argument"), (["run", "a.csv", "--ouf", "x"], "Unknown opt")],
)
def test_wrong_flags_are_said_without_a_traceback(arguments, message, command):
    status, out, err = command(*arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_without_kerashub_the_command_says_what_to_install(
    tokens_run, command, monkeypatch
):
    monkeypatch.setitem(sys.modules, "keras_hub", None)  # as if it were not installed
    status, out, err = command(tokens_run[0], "--text", "who")
    assert (status, out) == (2, "")
    assert err.startswith("Error: Expected keras_hub to be installed.")
    assert 'pip install "keras-amp[hub]"' in err


# === The program ===


def test_the_package_is_a_program(capsys, monkeypatch):
    """As `python -m` runs it; test_cli.py does so in a process of its own."""
    pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')
    monkeypatch.setattr(sys, "argv", ["keras_amp", "--version"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("keras_amp", run_name="__main__", alter_sys=True)
    assert not stop.value.code
    assert capsys.readouterr().out.strip() == keras_amp.__version__


def test_the_program_is_installed_under_its_name():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"keras-amp": "keras_amp.cli:main"}
    pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')
    from keras_amp import cli

    assert callable(cli.main)
    text = (ROOT / "keras_amp" / "__main__.py").read_text()
    assert "from keras_amp.cli import main" in text


def test_the_program_lists_its_commands(capsys):
    pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')
    from keras_amp import cli

    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert not stop.value.code
    out = capsys.readouterr().out
    assert re.search(r"data .*Shows what data sets hold", out)
    assert re.search(r"predict .*Predicts the classes of new texts", out)
