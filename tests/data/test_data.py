"""Loading: real files, generated files, a real download, and every way to be wrong."""

import functools
import hashlib
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from real_data import REAL, needs_real

import keras_amp
from keras_amp.data import downloads, sources

real_data = needs_real(*sources.SOURCES, "originals")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """Neither the user's folder nor the user's cache is used, unless a test says so."""
    monkeypatch.delenv("KERAS_AMP_DATA", raising=False)
    monkeypatch.delenv("KERAS_AMP_MIRROR", raising=False)
    monkeypatch.delenv("KERAS_AMP_CACHE", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(downloads, "RETRIES", 0)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
    return path


# === The shipped set ===


def test_questions_come_with_the_package():
    data = keras_amp.data.load("questions")
    assert len(data.class_names) == data.num_classes == 6
    assert data.dev is None
    assert 1000 < len(data.train) < 1500
    assert 200 < len(data.test) < 400
    for split in (data.train, data.test):
        assert split.labels.dtype == np.int32
        assert split.labels.shape == (len(split.texts),)
        assert set(split.labels) == set(range(6))
    assert not set(data.train.texts) & set(data.test.texts)


# === TREC ===


@real_data
def test_trec_from_a_folder():
    data = keras_amp.data.load("trec", REAL)
    assert data.class_names == ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
    assert (len(data.train), data.dev, len(data.test)) == (5452, None, 500)
    # Class sizes as published by Li and Roth.
    assert np.bincount(data.train.labels).tolist() == [86, 1162, 1250, 1223, 835, 896]
    assert np.bincount(data.test.labels).tolist() == [9, 138, 94, 65, 81, 113]
    assert data.test.texts[0] == "How far is it from Denver to Aspen ?"
    assert data.class_names[data.test.labels[0]] == "NUM"
    assert "Li and Roth" in data.citation


@real_data
def test_trec_by_the_environment_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_AMP_DATA", REAL)
    assert len(keras_amp.data.load("trec").train) == 5452
    # A folder that is passed but does not hold the set is passed over.
    assert len(keras_amp.data.load("trec", tmp_path).train) == 5452


def files_of(folder, damage=b""):
    """Answers with the files of a folder, flat, with something appended."""

    def answer(name):
        path = Path(folder) / name
        return path.read_bytes() + damage if path.exists() else None

    return answer


@real_data
@pytest.mark.parametrize("name", list(sources.SOURCES))
def test_downloads_equal_the_folder_and_are_fetched_once(name, serve, capsys):
    server = serve(files_of(Path(REAL) / "originals"))
    downloaded = keras_amp.data.load(name)
    assert "Downloading data from" in capsys.readouterr().out
    files = [f for split in sources.SOURCES[name].splits.values() for f in split]
    assert server.requested == [f"/mirror/{file.path}" for file in files]
    local = keras_amp.data.load(name, REAL)
    assert downloaded.class_names == local.class_names
    for split in ("train", "dev", "test"):
        ours, theirs = getattr(downloaded, split), getattr(local, split)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert ours.texts == theirs.texts
            np.testing.assert_array_equal(ours.labels, theirs.labels)
    keras_amp.data.load(name)
    assert len(server.requested) == len(files)


SIZES = {  # as published, by class
    "sst1": ([1092, 2218, 1624, 2322, 1288], 1101, 2210),
    "sst2": ([3310, 3610], 872, 1821),
    "subj": ([5000, 5000], None, None),
    "mr": ([5331, 5331], None, None),
}


@real_data
@pytest.mark.parametrize("name", list(SIZES))
def test_the_other_public_sets_have_their_published_sizes(name):
    data = keras_amp.data.load(name, REAL)
    classes, dev, test = SIZES[name]
    assert np.bincount(data.train.labels).tolist() == classes
    assert (data.dev and len(data.dev), data.test and len(data.test)) == (dev, test)
    assert len(data.class_names) == len(classes)


def test_an_undivided_folder_is_one_split(tmp_path):
    write(tmp_path / "all.tsv", "x\ta\ny\tb\n")
    data = keras_amp.data.load(tmp_path)
    assert (len(data.train), data.dev, data.test) == (2, None, None)
    write(tmp_path / "test.tsv", "x\ta\ny\tb\n")
    with pytest.raises(ValueError, match="either a file for each split.*test, all"):
        keras_amp.data.load(tmp_path)


@pytest.fixture
def small_source(monkeypatch, tmp_path):
    """A public set of two latin-1 lines, so that no real data are needed."""
    content = "ABBR:exp What is café ?\nHUM:ind  Who   is it ?\n".encode("latin-1")
    (tmp_path / "served").mkdir()
    for name in ("TREC.train", "TREC.test"):
        (tmp_path / "served" / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    files = {
        split: (sources.File(f"data/raw/TREC.{split}", digest),)
        for split in ("train", "test")
    }
    trec = sources.SOURCES["trec"]
    monkeypatch.setitem(
        sources.SOURCES,
        "trec",
        sources.Source(files, trec.encoding, trec.labels, trec.class_names, "cited"),
    )
    return tmp_path / "served"


def test_downloads_are_decoded_and_cleaned(serve, small_source):
    serve(files_of(small_source))
    data = keras_amp.data.load("trec")
    assert data.train.texts == ("What is café ?", "Who is it ?")
    assert data.train.labels.tolist() == [0, 3]


def test_a_failed_download_is_tried_again(serve, small_source, monkeypatch):
    monkeypatch.setattr(downloads, "RETRIES", 1)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    answer, asked = files_of(small_source), []

    def second_time(name):
        asked.append(name)
        return answer(name) if asked.count(name) == 2 else None

    serve(second_time)
    assert len(keras_amp.data.load("trec").train) == 2
    assert asked == ["TREC.train"] * 2 + ["TREC.test"] * 2


def test_the_cache_may_be_another_folder(serve, small_source, tmp_path, monkeypatch):
    server = serve(files_of(small_source))
    monkeypatch.setenv("KERAS_AMP_CACHE", str(tmp_path / "elsewhere"))
    for _ in range(2):
        assert len(keras_amp.data.load("trec").train) == 2
    assert len(server.requested) == 2
    cached = sorted((tmp_path / "elsewhere" / "trec").iterdir())
    assert [path.name for path in cached] == ["TREC.test", "TREC.train"]
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in cached)
    assert not (tmp_path / "home").exists()


def test_the_progress_of_a_download_ends_with_its_size(serve, small_source, capfd):
    serve(files_of(small_source))
    keras_amp.data.load("trec")
    out, err = capfd.readouterr()
    size = (small_source / "TREC.train").stat().st_size
    assert out.count("Downloading data from http://127.0.0.1") == 2
    assert out.count(f"{size}/{size}") == 2
    assert err == ""  # nothing of pooch's own


def test_a_damaged_download_is_refused_and_removed(serve, small_source, tmp_path):
    serve(files_of(small_source, damage=b"damaged"))
    with pytest.raises(ValueError, match=r"SHA-256 checksum [0-9a-f]{64}.*removed"):
        keras_amp.data.load("trec")
    assert not [p for p in (tmp_path / "home").rglob("*") if p.is_file()]
    serve(files_of(small_source))  # and the next try may succeed
    assert len(keras_amp.data.load("trec").train) == 2


def test_a_damaged_file_in_the_cache_is_fetched_again(serve, small_source, tmp_path):
    server = serve(files_of(small_source))
    keras_amp.data.load("trec")
    cached = next((tmp_path / "home").rglob("TREC.train"))
    cached.write_text("HUM:ind half a fi")
    assert len(keras_amp.data.load("trec").train) == 2
    assert len(server.requested) == 3


def test_a_missing_file_on_the_server_says_what_to_do(serve, tmp_path):
    serve(files_of(tmp_path))
    with pytest.raises(ConnectionError, match=r"TREC.train.*404.*data_dir.*KERAS_AMP"):
        keras_amp.data.load("trec")


def test_no_network_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_AMP_MIRROR", "http://127.0.0.1:9/")  # nobody listens
    with pytest.raises(ConnectionError, match=r"download 'trec'.*refused.*data_dir"):
        keras_amp.data.load("trec")
    assert not [p for p in (tmp_path / "home").rglob("*") if p.is_file()]


# === The user's own files ===


def test_a_csv_file_with_quotes_and_more_columns(tmp_path):
    path = write(
        tmp_path / "mine.csv",
        'id,Label,Text\n1,spam,"Buy, ""now"""\n2,ham,see  you\n\n3,spam,"two\nlines"\n',
    )
    data = keras_amp.data.load(path)
    assert data.class_names == ("ham", "spam")
    assert data.train.texts == ('Buy, "now"', "see you", "two lines")
    assert data.train.labels.tolist() == [1, 0, 1]
    assert data.dev is data.test is None


def test_a_tsv_file_without_a_header(tmp_path):
    path = write(tmp_path / "mine.tsv", '10\ta "quoted" word\r\n9\tb\r\n10\tc\r\n')
    data = keras_amp.data.load(str(path))
    assert data.class_names == ("9", "10")  # numbers in numerical order
    assert data.train.texts == ('a "quoted" word', "b", "c")
    assert data.train.labels.tolist() == [1, 0, 1]


def test_a_tsv_file_with_a_header_and_a_byte_order_mark(tmp_path):
    path = write(tmp_path / "mine.tsv", "\ufeffsentence\tlabel\nÄrger\tx\nb\ty\n")
    data = keras_amp.data.load(path)
    assert data.train.texts == ("Ärger", "b")
    assert data.class_names == ("x", "y")


def test_a_folder_of_splits(tmp_path):
    write(tmp_path / "train.tsv", "x\ta\ny\tb\n")
    write(tmp_path / "dev.csv", "text,label\nc,y\n")
    write(tmp_path / "test.tsv", "x\td\n")
    data = keras_amp.data.load(tmp_path)
    assert (len(data.train), len(data.dev), len(data.test)) == (2, 1, 1)
    assert data.dev.labels.tolist() == [1]
    assert repr(data).endswith("train=2, dev=1, test=1, classes=['x', 'y'])")


# What is wrong with a file whether labels are needed or not: see `test_tables.py`.
WRONG_FILES = {
    "csv without header": ("a.csv", "x,some text\n", "a header that names.*some text"),
    "no label column": ("a.csv", "text,colour\nx,y\n", "first row is.*colour"),
    "missing column": ("a.tsv", "x\ta\ny\n", r"a.tsv, line 2, with 1: \['y'\]"),
    "single class": ("a.tsv", "x\ta\nx\tb\n", "at least two classes.*'x'"),
}


@pytest.mark.parametrize("case", list(WRONG_FILES))
def test_wrong_files_are_explained(case, tmp_path):
    name, content, message = WRONG_FILES[case]
    with pytest.raises(ValueError, match=f"Expected .*Received: .*{message}|{message}"):
        keras_amp.data.load(write(tmp_path / name, content))


def test_unknown_names_list_the_known_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="'questions', 'trec', .*Did you mean 'trec'"):
        keras_amp.data.load("trek")
    with pytest.raises(FileNotFoundError, match="no such file"):
        keras_amp.data.load("missing/mine.csv")
    with pytest.raises(ValueError, match=r"ends in \.tsv or \.csv"):
        keras_amp.data.load(write(tmp_path / "a.txt", "x"))
    with pytest.raises(FileNotFoundError, match="`data_dir` to be a folder"):
        keras_amp.data.load("trec", tmp_path / "nowhere")


def test_folders_must_be_complete(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train\.tsv in .*holds nothing"):
        keras_amp.data.load(tmp_path)
    write(tmp_path / "trec" / "train.tsv", "HUM\ta\nLOC\tb\n")
    with pytest.raises(FileNotFoundError, match=r"test\.tsv in .*holds train\.tsv"):
        keras_amp.data.load("trec", tmp_path)
    write(tmp_path / "trec" / "test.tsv", "HUM\ta\nOTHER\tb\n")
    with pytest.raises(
        ValueError, match="labels ABBR, DESC.*of 'trec'.*test.tsv, with OTHER"
    ):
        keras_amp.data.load("trec", tmp_path)
    write(tmp_path / "trec" / "train.csv", "text,label\na,HUM\n")
    with pytest.raises(ValueError, match=r"one file for the split 'train'"):
        keras_amp.data.load("trec", tmp_path)


# === Splits, words, batches ===


def examples(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return keras_amp.data.Split(tuple(map(str, range(len(labels)))), labels)


def test_holding_out_is_stratified_seeded_and_complete():
    split = examples([100, 41, 2, 1])
    rest, dev = keras_amp.data.hold_out(split, 0.1, seed=3)
    assert np.bincount(dev.labels, minlength=4).tolist() == [10, 4, 1, 0]
    assert sorted(rest.texts + dev.texts, key=int) == list(split.texts)
    again = keras_amp.data.hold_out(split, 0.1, seed=3)[1]
    other = keras_amp.data.hold_out(split, 0.1, seed=4)[1]
    assert again.texts == dev.texts != other.texts
    with pytest.raises(ValueError, match="`fraction`.*between 0 and 1.*1.5"):
        keras_amp.data.hold_out(split, 1.5, seed=0)


def test_subsets_have_the_papers_sizes(tmp_path):
    """Table 3: shares of TREC's training questions, by their published class sizes."""
    trec = examples([86, 1162, 1250, 1223, 835, 896])
    for fraction, size in [
        (0.03, 160), (0.04, 215), (0.05, 270), (0.1, 543), (0.15, 815), (0.2, 1089),
        (0.4, 2179), (0.8, 4359), (1.0, 5452),
    ]:  # fmt: skip
        part = keras_amp.data.subset(trec, seed=1, fraction=fraction)
        assert len(part) == size
        assert set(part.texts) <= set(trec.texts)
        assert len(set(part.texts)) == size


def test_subsets_are_stratified_and_seeded():
    split = examples([100, 41, 2])
    part = keras_amp.data.subset(split, seed=1, fraction=0.01)
    assert np.bincount(part.labels).tolist() == [1, 1, 1]  # at least one
    part = keras_amp.data.subset(split, seed=1, per_class=5)
    assert np.bincount(part.labels).tolist() == [5, 5, 2]
    again = keras_amp.data.subset(split, seed=1, per_class=5)
    other = keras_amp.data.subset(split, seed=2, per_class=5)
    assert part.texts == again.texts != other.texts
    for wrong in ({}, {"fraction": 0.1, "per_class": 1}):
        with pytest.raises(ValueError, match="one of `fraction` and `per_class`"):
            keras_amp.data.subset(split, seed=1, **wrong)
    with pytest.raises(ValueError, match="`fraction` to lie above 0.*fraction=0"):
        keras_amp.data.subset(split, seed=1, fraction=0)
    with pytest.raises(ValueError, match="`per_class`.*>= 1.*per_class=0"):
        keras_amp.data.subset(split, seed=1, per_class=0)


def test_folds_part_the_examples_evenly():
    split = examples([33, 27, 5])
    folds = [keras_amp.data.fold(split, i, folds=10, seed=4) for i in range(10)]
    tested = [text for _, test in folds for text in test.texts]
    assert sorted(tested, key=int) == list(split.texts)
    for train, test in folds:
        assert not set(train.texts) & set(test.texts)
        assert len(train) + len(test) == 65
        assert len(test) in (6, 7)
        counts = np.bincount(test.labels, minlength=3)
        assert counts[0] in (3, 4)
        assert counts[1] in (2, 3)
        assert counts[2] in (0, 1)
    assert keras_amp.data.fold(split, 0, seed=4)[1].texts == folds[0][1].texts
    assert keras_amp.data.fold(split, 0, seed=5)[1].texts != folds[0][1].texts
    with pytest.raises(ValueError, match="`index` to lie below it.*index=10"):
        keras_amp.data.fold(split, 10)


def test_every_example_is_held_out_as_often():
    split = examples([20])
    counts = np.zeros(20)
    for seed in range(400):
        dev = keras_amp.data.hold_out(split, 0.25, seed)[1]
        counts[[int(text) for text in dev.texts]] += 1
    # 400 draws with probability 1/4: within five standard deviations of 100.
    assert np.abs(counts - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)


def test_words_are_those_of_the_training_texts():
    vectorizer = keras_amp.data.fit_vectorizer(["What's that?", "that ÜBER-thing (2)"])
    words = vectorizer.get_vocabulary()
    assert words[:3] == ["", "[UNK]", "that"]
    assert set(words[3:]) == {"what's", "?", "über", "-", "thing", "(", "2", ")"}
    ids = keras_amp.data.word_ids(vectorizer, ["that new", ""])
    assert ids.dtype == np.int32
    assert ids.shape == (2, 7)  # the longest: that über - thing ( 2 )
    assert ids.tolist() == [[2, 1, 0, 0, 0, 0, 0], [0] * 7]


def test_lengths_are_fixed_and_may_be_set():
    fit = functools.partial(keras_amp.data.fit_vectorizer, ["a b c"])
    for arguments, length in (
        ({}, 3),
        ({"min_length": 5}, 5),
        ({"sequence_length": 2}, 2),
    ):
        assert keras_amp.data.word_ids(fit(**arguments), ["a b c d"]).shape == (1, length)


def test_batches_are_shuffled_anew_and_alike():
    x, y = np.arange(10)[:, None] * 2, np.arange(10)

    def epochs(seed):
        dataset = keras_amp.data.batches(x, y, 4, seed=seed)
        return [
            [(ids.numpy()[:, 0].tolist(), labels.numpy().tolist()) for ids, labels in d]
            for d in [dataset, dataset]
        ]

    plain = epochs(None)
    assert [labels for _, labels in plain[0]] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    keras.utils.set_random_seed(1)
    first, second = epochs(7)
    assert first != second
    keras.utils.set_random_seed(1)
    assert epochs(7) == [first, second]
    for epoch in (first, second):
        assert sorted(label for _, labels in epoch for label in labels) == list(range(10))
        assert all(ids == [2 * label for label in labels] for ids, labels in epoch)


# === Labelled phrases, and cross-validation ===


def rows_of(path):
    """The rows of a file, read the simple way: lists of labels and of texts."""
    lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    labels, texts = zip(*(line.split("\t") for line in lines), strict=True)
    return list(labels), list(texts)


@real_data
@pytest.mark.parametrize("name", ["sst1", "sst2"])
def test_the_treebanks_phrases_come_on_request(name):
    folder = Path(REAL) / name
    plain = keras_amp.data.load(name, REAL)
    assert plain.phrases is None
    assert "phrases" not in repr(plain)
    data = keras_amp.data.load(name, REAL, phrases=True)
    labels, texts = rows_of(folder / "train_phrases.tsv")
    assert len(texts) > 70_000
    # The labels of both sets are numbers, which are their indices, too.
    assert data.phrases.labels.tolist() == list(map(int, labels))
    assert data.phrases.labels.dtype == np.int32
    assert data.phrases.texts == tuple(" ".join(text.split()) for text in texts)
    assert f"phrases={len(texts)}" in repr(data)
    for split in ("train", "dev", "test"):
        ours, theirs = getattr(data, split), getattr(plain, split)
        assert ours.texts == theirs.texts
        np.testing.assert_array_equal(ours.labels, theirs.labels)


def test_phrases_of_a_folder_of_the_users(tmp_path):
    write(tmp_path / "train.tsv", "x\ta b c\ny\td e\n")
    write(tmp_path / "test.tsv", "y\tf\n")
    write(tmp_path / "train_phrases.csv", "text,label\na b,x\n d ,y\n")
    data = keras_amp.data.load(tmp_path, phrases=True)
    assert data.phrases.texts == ("a b", "d")
    assert data.phrases.labels.tolist() == [0, 1]
    assert (len(data.train), data.dev, len(data.test)) == (2, None, 1)
    assert keras_amp.data.load(tmp_path).phrases is None
    write(tmp_path / "train_phrases.csv", "text,label\na b,z\n")
    assert keras_amp.data.load(tmp_path).phrases is None  # not even read
    message = r"labels x, y, .*in .*train\.tsv\. Received: .*phrases\.csv, with z"
    with pytest.raises(ValueError, match=message):
        keras_amp.data.load(tmp_path, phrases=True)


def test_phrases_of_undivided_data(tmp_path):
    write(tmp_path / "all.tsv", "x\ta b\ny\tc\n")
    write(tmp_path / "train_phrases.tsv", "y\ta\n")
    data = keras_amp.data.load(tmp_path, phrases=True)
    assert (data.phrases.texts, data.phrases.labels.tolist()) == (("a",), [1])


def test_phrases_of_a_public_set_in_the_users_folder(tmp_path):
    for split in ("train", "dev", "test"):
        write(tmp_path / "sst1" / f"{split}.tsv", "0\tbad\n4\tgood\n")
    write(tmp_path / "sst1" / "train_phrases.tsv", "3\tgood enough\n")
    data = keras_amp.data.load("sst1", tmp_path, phrases=True)
    assert data.class_names[data.phrases.labels[0]] == "positive"


def test_missing_phrases_are_explained_and_nothing_is_downloaded(serve, tmp_path):
    server = serve(None)
    write(tmp_path / "own" / "train.tsv", "x\ta\ny\tb\n")
    file = write(tmp_path / "mine.tsv", "x\ta\ny\tb\n")
    write(tmp_path / "train_phrases.tsv", "x\ta\n")  # of no use to a single file
    for name, message in [
        (tmp_path / "own", r"own.train_phrases\.tsv.*: a folder without that file\."),
        (file, r"a folder with train\.tsv and train_phrases\.tsv, .*: one file\."),
        ("sst2", r"<data_dir>/sst2/train_phrases\.tsv beside train.tsv, dev.tsv, test"),
    ]:
        expected = f"Expected labelled phrases: .*{message}.*no download.*train without"
        with pytest.raises(FileNotFoundError, match=expected):
            keras_amp.data.load(name, phrases=True)
    # No advice to write into the installed package.
    with pytest.raises(ValueError, match="'sst1' or 'sst2'. Received: 'questions', whi"):
        keras_amp.data.load("questions", phrases=True)
    assert not server.requested


def test_following_the_advice_on_phrases_leads_to_them(tmp_path):
    """The folder that the message names needs the splits that it names, too."""
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        keras_amp.data.load("sst2", tmp_path / "none", phrases=True)
    assert "<data_dir>/sst2/train_phrases.tsv" in str(caught.value)
    for file in ("train_phrases.tsv", "train.tsv", "dev.tsv", "test.tsv"):
        assert file in str(caught.value)
        write(tmp_path / "sst2" / file, "0\ta\n1\tb\n")
    assert len(keras_amp.data.load("sst2", tmp_path, phrases=True).phrases) == 2


@real_data
@pytest.mark.parametrize("name", list(sources.SOURCES))
def test_undivided_sets_are_cross_validated_in_ten_parts(name):
    data = keras_amp.data.load(name, REAL)
    assert data.folds == (10 if name in ("subj", "mr") else None)
    assert (data.folds is None) == (data.test is not None)


def test_the_users_own_sets_are_not_cross_validated_unasked(tmp_path):
    write(tmp_path / "all.tsv", "x\ta\ny\tb\n")
    assert keras_amp.data.load(tmp_path).folds is None
    assert keras_amp.data.load("questions").folds is None


# === Advice ===


@pytest.mark.parametrize("name", list(sources.SOURCES))
def test_without_a_network_the_sets_own_files_are_named(name, monkeypatch, tmp_path):
    """Who writes the files that the message names can load the set."""
    monkeypatch.setenv("KERAS_AMP_MIRROR", "http://127.0.0.1:9/")  # nobody listens
    with pytest.raises(ConnectionError) as caught:
        keras_amp.data.load(name)
    advice = str(caught.value).partition("Without a network, ")[2]
    named = re.findall(rf"{name}/(\w+\.tsv)", advice)
    source = sources.SOURCES[name]
    assert named == [f"{split}.tsv" for split in source.splits]
    for file in named:
        rows = "".join(f"{label}\tof {label}\n" for label in source.labels)
        write(tmp_path / name / file, rows)
    assert set(keras_amp.data.load(name, tmp_path).train.labels) == set(
        range(len(source.labels))
    )


@pytest.mark.parametrize("name", ["subj", "mr", "sst1"])
def test_half_a_public_folder_names_what_is_missing(name, tmp_path):
    write(tmp_path / name / "test.tsv", "x\ta\n")
    wanted = [s for s in sources.SOURCES[name].splits if s != "test"]
    message = " and ".join(rf"{split}\.tsv" for split in wanted)
    with pytest.raises(FileNotFoundError, match=f"Expected {message} .*holds test.tsv"):
        keras_amp.data.load(name, tmp_path)


def test_half_a_folder_of_the_users_names_what_is_missing(tmp_path):
    write(tmp_path / "dev.tsv", "x\ta\n")
    write(tmp_path / "test.tsv", "x\ta\n")
    message = r"Expected train\.tsv in .*holds dev\.tsv, test\.tsv"
    with pytest.raises(FileNotFoundError, match=message):
        keras_amp.data.load(tmp_path)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_labels_that_train_lacks_are_named(split, tmp_path):
    write(tmp_path / "train.tsv", "x\ta\ny\tb\n")
    write(tmp_path / f"{split}.tsv", "y\ta\nw\tb\nz\tc\n")
    message = rf"labels x, y, which are those in .*train\.tsv\. .*{split}\.tsv, with w, z"
    with pytest.raises(ValueError, match=message):
        keras_amp.data.load(tmp_path)


def test_no_name_is_not_the_working_directory(tmp_path, monkeypatch):
    write(tmp_path / "train.tsv", "x\ta\ny\tb\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="one of 'questions', 'trec'.*Received: ''"):
        keras_amp.data.load("")
    assert len(keras_amp.data.load(".").train) == 2
