"""Word vectors: real files, generated files of each format, the cache, every mistake."""

import contextlib
import functools
import gzip
import io
import os
import sys
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers import warned_at
from real_data import REAL, needs_real

import keras_amp
from keras_amp.data import downloads, load_vectors
from keras_amp.data.vectors import cache, files, loading, reading

GLOVE, SPACY = "glove.6B.100d.subset", "spacy.md.300d.subset"
real_data = needs_real("vectors")

WORDS = ["", "[UNK]", "who", "is", "it"]
PLAIN = "who 0.5 -1 2e-1\nthe 1 2 3\nit .25 +4 -0\n"
WHO, IT = [0.5, -1, 0.2], [0.25, 4, 0]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """Neither the user's folder nor the user's cache is used, unless a test says so."""
    monkeypatch.delenv("KERAS_AMP_DATA", raising=False)
    monkeypatch.delenv("KERAS_AMP_MIRROR", raising=False)
    monkeypatch.delenv("KERAS_AMP_CACHE", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(downloads, "RETRIES", 0)
    monkeypatch.chdir(tmp_path)


def write(name, content):
    """Writes text or bytes into a file of the format that its suffix says."""
    content = content.encode() if isinstance(content, str) else content
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        content = gzip.compress(content, 1)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.stem, content)
    else:
        path.write_bytes(content)
    return path


def read(content, words=WORDS, name="mine.txt", **arguments):
    return load_vectors(write(name, content), words, cache=False, **arguments)


def vocabulary(*words):
    return ["", "[UNK]", *words]


# === Real files ===


def lines_of(name):
    """The lines of a real file."""
    path = Path(REAL) / "vectors" / f"{name}.txt.gz"
    return gzip.open(path, "rt", encoding="utf-8", newline="\n").read().split("\n")[:-1]


def parsed(lines):
    """Words and vectors, read the simple way."""
    words, numbers = zip(*(line.split(" ", 1) for line in lines), strict=True)
    return words, np.array([row.split(" ") for row in numbers], dtype="float32")


@functools.cache
def glove():
    """All of a real file."""
    return parsed(lines_of(GLOVE))


@real_data
def test_real_vectors_of_a_real_vocabulary():
    name = GLOVE
    data = keras_amp.data.load("trec", REAL)
    vectorizer = keras_amp.data.fit_vectorizer(data.train.texts)
    words = vectorizer.get_vocabulary()
    result = load_vectors(name, words, data_dir=REAL, seed=3)
    file_words, matrix = glove()
    rows = {word: row for row, word in reversed(list(enumerate(file_words)))}
    expected = [word in rows for word in words]
    assert result.found.tolist() == expected
    assert sum(expected) > 7800
    assert result.matrix.dtype == np.float32
    assert result.matrix.shape == (len(words), 100)
    found = matrix[[rows[word] for word in words if word in rows]]
    np.testing.assert_array_equal(result.matrix[result.found], found)
    assert result.coverage == sum(expected) / (len(words) - 2)
    missing = result.matrix[~result.found][1:]
    np.testing.assert_allclose(missing.std(), found.std(), rtol=0.01)
    assert np.abs(missing).max() <= np.sqrt(3) * found.std()
    # And from the cache.
    again = load_vectors(name, words, data_dir=REAL, seed=3)
    np.testing.assert_array_equal(again.matrix, result.matrix)
    np.testing.assert_array_equal(again.found, result.found)


@real_data
def test_all_words_of_a_real_file_are_found():
    """A twentieth of the vectors whole, and some numbers of every one."""
    lines = lines_of(SPACY)
    for part in (lines[::20], [" ".join(line.split(" ", 21)[:21]) for line in lines]):
        words, matrix = parsed(part)
        result = read("\n".join(part), vocabulary(*words))
        assert result.coverage == 1
        np.testing.assert_array_equal(result.matrix[2:], matrix)


# === Formats ===


@pytest.mark.parametrize("name", ["a.txt", "a.vec", "a.TXT", "a.txt.gz", "a.txt.zip"])
@pytest.mark.parametrize("header", ["", "3 3\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_every_format(name, header, end):
    content = (header + PLAIN).replace("\n", end)
    for text in (content, content + end, "\ufeff" + content, content.rstrip()):
        result = read(text, name=name)
        assert result.found.tolist() == [False, False, True, False, True]
        np.testing.assert_array_equal(result.matrix[[2, 4]], np.float32([WHO, IT]))
        np.testing.assert_array_equal(result.matrix[0], np.zeros(3))
        assert result.matrix[3].any()
        assert result.coverage == 2 / 3
        assert repr(result) == "Vectors(3d, 2 of 3 words, 66.7%)"


def test_a_vocabulary_of_the_vectorizer():
    vectorizer = keras_amp.data.fit_vectorizer(["Who is it?", "it is"])
    words = vectorizer.get_vocabulary()
    result = read(PLAIN, words)
    np.testing.assert_array_equal(result.matrix[words.index("it")], np.float32(IT))
    ids = keras_amp.data.word_ids(vectorizer, ["it"])
    np.testing.assert_array_equal(result.matrix[ids[0, 0]], np.float32(IT))


def test_one_line_and_one_dimension():
    assert read("\ufeffwho 1 2").matrix[2].tolist() == [1, 2]
    assert read("who 1 2 3").matrix[2].tolist() == [1, 2, 3]
    assert read("who 1\nis 2\n").matrix[2:4, 0].tolist() == [1, 2]
    assert read("2 1\nwho 1\nis 2\n").matrix[2:4, 0].tolist() == [1, 2]


@pytest.mark.parametrize("header", ["", "6 2\n"])
def test_words_with_spaces(header):
    """As in GloVe 840B; a number in the word does not move the vector."""
    content = (
        ". . . 0.1 0.2\nat name@domain.com 0.3 0.4\nwho 0.5 0.6\nroute 66 0.7 0.8\n"
        "66 0.9 1.0\n  1.1 1.2\n"
    )
    words = vocabulary(". . .", "at name@domain.com", "who", "route 66", "66", ".", "at")
    result = read(header + content, words)
    assert result.found.tolist() == [False] * 2 + [True] * 5 + [False] * 2
    expected = np.arange(1, 11).reshape(5, 2) / 10
    np.testing.assert_array_equal(result.matrix[2:7], expected.astype("float32"))


def test_only_spaces_and_line_feeds_separate():
    strange = ["a\u00a0b", "a\u2028b", "a\u0085b", "a\u3000b", "\u00a0", "a\x0bb", "a\rb"]
    content = "".join(f"{word} 0.5 {i}\n" for i, word in enumerate(strange))
    result = read(content, vocabulary(*strange, "a", "b"))
    assert result.found.tolist() == [False] * 2 + [True] * len(strange) + [False] * 2
    assert result.matrix[2:-2, 1].tolist() == list(range(len(strange)))


def test_bytes_that_are_not_utf8_do_no_harm():
    content = b"\xff\xfe 1 2\ncaf\xe9 3 4\ncaf\xc3\xa9 5 6\n\x00 7 8\n\xc3 9 10\n"
    for ignore_case in (False, True):
        result = read(content, vocabulary("café", "\ud800"), ignore_case=ignore_case)
        assert result.matrix[2].tolist() == [5, 6]
        assert result.found.tolist() == [False, False, True, False]


def test_the_first_of_duplicates_counts():
    content = "who 1 2\nit 3 4\nwho 5 6\nit 7 8\n"
    assert read(content).matrix[[2, 4]].tolist() == [[1, 2], [3, 4]]


def test_case():
    content = "Who 1 2\nWHO 3 4\nIS 5 6\nis 7 8\nÜBER 9 10\nIt 11 12\nit 13 14\n"
    words = vocabulary("who", "is", "über", "IT", "Who")
    exact = read(content, words)
    assert exact.found.tolist() == [False] * 3 + [True, False, False, True]
    either = read(content, words, ignore_case=True)
    assert either.coverage == 1
    # A word of its own has precedence, wherever it stands; else the first one.
    expected = [[1, 2], [7, 8], [9, 10], [11, 12], [1, 2]]
    assert either.matrix[2:].tolist() == expected


def test_padding_and_unknown_have_no_vector():
    result = read("[UNK] 1 2\n 3 4\nwho 5 6\n")
    assert not result.found[:2].any()
    assert result.matrix[0].tolist() == [0, 0]
    assert result.matrix[1].tolist() not in ([1, 2], [0, 0])


def test_blocks_of_any_size_give_the_same(monkeypatch):
    content = "".join(f"wörd{i} {i} 0.5\r\n" for i in range(50))
    words = vocabulary(*(f"wörd{i}" for i in range(50)))
    for size in (1, 2, 7, 64, 1000):
        monkeypatch.setattr(reading, "BLOCK", size)
        for name in ("a.txt", "a.txt.gz", "a.txt.zip"):
            result = read("\ufeff" + content, words, name=name)
            assert result.matrix[2:, 0].tolist() == list(range(50))


def test_a_zip_may_hold_what_is_not_text():
    with zipfile.ZipFile("mine.zip", "w") as archive:
        for name in ("README", "model.bin", "__MACOSX/._model.txt", "a/"):
            archive.writestr(name, "nothing")
        archive.writestr("a/model.TXT", PLAIN)
    assert load_vectors("mine.zip", WORDS).found.sum() == 2


def test_a_long_file_needs_little_memory():
    numbers = " ".join(f"{x:.5f}" for x in np.random.default_rng(0).normal(size=300))
    lines = "".join(f"w{i} {numbers}\n" for i in range(16_000)).encode()
    assert len(lines) > 40e6
    paths = [write(f"long.txt{suffix}", lines) for suffix in ("", ".gz", ".zip")]
    del lines
    words = vocabulary(*(f"w{i}" for i in range(0, 16_000, 100)))
    for path in paths:
        tracemalloc.start()
        try:
            result = load_vectors(path, words)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert result.coverage == 1
        assert peak < 6e6, f"{path}: {peak} bytes"


# === Missing words ===


def test_missing_words_are_drawn_like_the_found_ones():
    generator = np.random.default_rng(1)
    found = generator.normal(0.1, 0.7, (100, 50))
    content = "".join(
        f"f{i} {' '.join(map(repr, map(float, row)))}\n" for i, row in enumerate(found)
    )
    names = [f"{kind}{i}" for i in range(100) for kind in "fm"]
    result = read(content, vocabulary(*names), seed=5)
    assert result.found.sum() == 100
    missing = result.matrix[2:][~result.found[2:]].astype("float64")
    bound = np.sqrt(3) * found.std()
    assert np.abs(missing).max() <= bound * (1 + 1e-6)
    by_hand = read(content, vocabulary(*names), seed=5, fill_range=bound)
    np.testing.assert_allclose(result.matrix, by_hand.matrix, rtol=1e-6)
    # 5000 draws of a uniform distribution: mean 0, its standard deviation found.std(),
    # that of x^2 sqrt(4/45) bound^2; both within five standard errors.
    assert abs(missing.mean()) < 5 * found.std() / np.sqrt(5000)
    error = np.sqrt(4 / 45) * bound**2 / np.sqrt(5000)
    assert abs((missing**2).mean() - found.std() ** 2) < 5 * error
    assert np.histogram(missing, 4, (-bound, bound))[0].min() > 1250 - 5 * np.sqrt(938)


def test_the_seed_determines_the_draws():
    first, again, other = (read(PLAIN, seed=seed).matrix for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert (first[[1, 3]] != other[[1, 3]]).all()
    np.testing.assert_array_equal(first[[0, 2, 4]], other[[0, 2, 4]])


def test_a_draw_does_not_depend_on_what_was_found():
    few = read("who 1 2 3\n", fill_range=0.25)
    more = read(PLAIN, fill_range=0.25)
    np.testing.assert_array_equal(few.matrix[[1, 3]], more.matrix[[1, 3]])
    assert np.abs(few.matrix[[1, 3, 4]]).max() <= 0.25
    assert read(PLAIN, fill_range=0).matrix[[1, 3]].tolist() == [[0, 0, 0]] * 2


# === The cache ===


def entries():
    folder = Path("home/datasets/keras_amp/vectors")
    return sorted(folder.glob("*")) if folder.exists() else []


def overwrite(path, content):
    """Other contents of the same size and age: what only reading would tell."""
    status = path.stat()
    assert len(content) == status.st_size
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_file_is_read_once(monkeypatch):
    path = write("mine.txt", PLAIN)
    first = load_vectors(path, WORDS, seed=1)
    assert len(entries()) == 1
    overwrite(path, b"?" * len(PLAIN))
    monkeypatch.setattr(loading, "read", None)  # cannot be called
    second = load_vectors(path.resolve(), WORDS, seed=1)
    np.testing.assert_array_equal(first.matrix, second.matrix)
    np.testing.assert_array_equal(first.found, second.found)
    # Seed and range are applied afterwards.
    assert load_vectors("./mine.txt", WORDS, fill_range=0).matrix[3].tolist() == [0] * 3
    assert len(entries()) == 1


def test_what_changes_the_result_is_read_anew():
    path = write("mine.txt", "WHO 1 2\nit 3 4\n")
    load_vectors(path, WORDS)
    assert load_vectors(path, WORDS, ignore_case=True).found.sum() == 2
    assert load_vectors(path, [*WORDS[:3], "it", "is"]).matrix[3].tolist() == [3, 4]
    assert len(entries()) == 2  # the same words in another order are found again
    status = path.stat()
    write("mine.txt", "who 5 6\nit 7 8 \n")  # longer
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert load_vectors(path, WORDS).matrix[2].tolist() == [5, 6]
    write("mine.txt", "who 9 6\nit 7 8 \n")  # later
    os.utime(path, (1, 1))
    assert load_vectors(path, WORDS).matrix[2].tolist() == [9, 6]
    write("other.txt", "who 0 6\nit 7 8 \n")  # elsewhere
    os.utime("other.txt", (1, 1))
    assert load_vectors("other.txt", WORDS).matrix[2].tolist() == [0, 6]


def test_the_cache_can_be_switched_off():
    path = write("mine.txt", "who 1 2\n")
    load_vectors(path, WORDS, cache=False)
    assert not entries()
    load_vectors(path, WORDS)
    overwrite(path, b"who 3 4\n")
    assert load_vectors(path, WORDS).matrix[2].tolist() == [1, 2]
    assert load_vectors(path, WORDS, cache=False).matrix[2].tolist() == [3, 4]


def save(entry, **arrays):
    np.savez(entry, **arrays)


DAMAGE = {
    "empty": lambda entry: entry.write_bytes(b""),
    "half": lambda entry: entry.write_bytes(entry.read_bytes()[:300]),
    "garbage": lambda entry: entry.write_bytes(b"garbage"),
    "flipped": lambda entry: entry.write_bytes(
        entry.read_bytes().replace(np.float32(0.5).tobytes(), b"\0\0\0\1")
    ),
    "header": lambda entry: entry.write_bytes(
        entry.read_bytes().replace(b"'fortran_order': False", b"'fortran_order'+ False")
    ),
    "pickle": lambda entry: save(entry, rows=np.array([None]), vectors=np.ones((1, 3))),
    "other names": lambda entry: save(entry, x=np.arange(3)),
    "an array": lambda entry: np.save(entry.open("wb"), np.arange(3)),
    "nothing": lambda entry: save(
        entry, rows=np.zeros(0, "int64"), vectors=np.zeros((0, 3), "float32")
    ),
    "out of range": lambda entry: save(
        entry, rows=np.array([2, 5]), vectors=np.ones((2, 3), "float32")
    ),
    "shape": lambda entry: save(
        entry, rows=np.array([2, 4]), vectors=np.ones((3, 3), "float32")
    ),
    "type": lambda entry: save(entry, rows=np.array([2, 4]), vectors=np.ones((2, 3))),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_written_anew(damage):
    path = write("mine.txt", PLAIN)
    first = load_vectors(path, WORDS)
    (entry,) = entries()
    whole = entry.read_bytes()
    DAMAGE[damage](entry)
    assert entry.read_bytes() != whole
    np.testing.assert_array_equal(load_vectors(path, WORDS).matrix, first.matrix)
    with np.load(entry) as arrays:
        assert arrays["rows"].tolist() == [3, 4]  # of the words in alphabetical order
    assert entries() == [entry]  # nothing else is left behind


def test_a_cache_that_cannot_be_written_is_no_error():
    path = write("mine.txt", PLAIN)
    write("home/datasets/keras_amp", "a file where a folder should be")
    with pytest.warns(UserWarning, match=r"could not be kept.*cache=False") as caught:
        result = load_vectors(path, WORDS)
    assert warned_at(caught, "cache=False") == [__file__]  # the caller's line is shown
    assert result.found.sum() == 2


def test_an_interrupted_write_leaves_nothing(monkeypatch):
    def interrupted(file, **arrays):
        Path(file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_vectors(write("mine.txt", PLAIN), WORDS)
    assert not entries()


def test_the_longest_unused_entry_makes_way(monkeypatch):
    monkeypatch.setattr(cache, "KEPT", 3)
    path = write("mine.txt", PLAIN)
    made = []
    for age, word in enumerate("abc"):
        load_vectors(path, vocabulary("it", word))
        made += [entry for entry in entries() if entry not in made]
        os.utime(made[-1], (1000 + age, 1000 + age))
    load_vectors(path, vocabulary("it", "a"))  # used again
    load_vectors(path, vocabulary("it", "d"))
    made += [entry for entry in entries() if entry not in made]
    assert entries() == sorted([made[0], made[2], made[3]])


# === Progress ===


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zip"])
def test_a_bar_shows_the_bytes_read(name, monkeypatch, capsys):
    numbers = " ".join(["0.12345"] * 300)
    path = write(name, "".join(f"w{i} {numbers}\n" for i in range(2000)))

    def shown(stream):
        monkeypatch.setattr(sys, "stderr", stream)
        load_vectors(path, vocabulary("w0"), cache=False)
        return stream and stream.getvalue()

    assert shown(Terminal()) == ""  # a small file
    monkeypatch.setattr(files, "PROGRESS_FROM", 0)
    bar = shown(Terminal())
    assert f"Reading {path}\n" in bar
    total = max(1, -(-path.stat().st_size // 2**20))
    assert f"{total}/{total}" in bar
    assert bar.endswith("\n")
    assert shown(io.StringIO()) == ""  # a file
    assert shown(None) is None  # as without a console
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("ending", ["txt", "gz", "zip"])
def test_progress_runs_from_nothing_to_all(ending, monkeypatch):
    generator = np.random.default_rng(0)
    content = "".join(f"w{i} {x}\n" for i, x in enumerate(generator.random(50_000)))
    path = write(f"mine.{ending}", content)
    size = path.stat().st_size
    if ending == "zip":  # one text behind another
        with zipfile.ZipFile("mine.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("other", generator.bytes(3 * size))
            archive.writestr("mine.txt", content)
    positions, sizes = [], []

    @contextlib.contextmanager
    def record(path, size):
        sizes.append(size)
        yield positions.append

    monkeypatch.setattr(files, "_progress", record)
    monkeypatch.setattr(reading, "BLOCK", 1 << 14)
    load_vectors(path, vocabulary("w0"), cache=False)
    assert sizes[0] == pytest.approx(size, abs=200)
    assert positions == sorted(positions)
    assert 0 <= positions[0] < size / 2
    assert positions[-1] == pytest.approx(size, abs=200)


def test_an_error_ends_the_line_of_the_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(files, "PROGRESS_FROM", 0)
    with pytest.raises(ValueError, match="line 1"):
        read("x\n")
    assert sys.stderr.getvalue().endswith("\n")


# === Damaged files ===

WRONG = {
    "empty": ("", "mine.txt, which is empty"),
    "blank": ("\n \r\n\n", "which is empty"),
    "header only": ("2 3\n", "holds a header only"),
    "header of 0": ("2 0\nwho 1\n", "dimension, >= 1.*line 1: '2 0'"),
    "short": (
        "who 1 2\nit 1\n",
        "2 finite numbers.*line 2, with 2 fields in all: 'it 1'",
    ),
    "short, unwanted": ("who 1 2\n\nx 1\n", "line 3, with 2 fields"),
    "short, header": (
        "2 2\nwho 1 2\nit 1\n",
        "header, '2 2', says.*line 3, with 2 fields",
    ),
    "header of another": ("2 300\nwho 1 2\n", "300 finite.*line 2, with 3 fields"),
    "huge header": ("2 99999999999\nwho 1 2\n", "line 2, with 3 fields"),
    "no numbers": ("who\n", "separated by single spaces.*line 1: 'who'"),
    "only words": ("who is it\nthis is\n", "separated by single spaces.*'who is it'"),
    "tabs": ("who\t1\t2\nit\t3\t4\n", r"single spaces.*line 1: 'who\\t1\\t2'$"),
    "wide": (
        "who 0.1 0.2\nit 0.1 0.2 0.3\n",
        "line 2, with 4 fields in all, more than 2",
    ),
    "wide, unwanted": ("who 0.1 0.2\nx 0.1 0.2 0.3\n", "line 2, with 4 fields in all, m"),
    "joined": (
        "a 0.1 0.2\nb 0.1 0.2c 0.3 0.4\nd 0.1 0.2",
        "line 2, with 5 fields in all",
    ),
    "nan": ("who 1 2\nit 1 nan\n", "line 2, whose number 2 of 2 is 'nan': 'it 1 nan'"),
    "nan first": ("who nan 2\n", "line 1, whose number 1 of 2 is 'nan'"),
    "nan, unwanted": ("who 1 2\nx nan 1\n", "line 2, whose number 1 of 2 is 'nan'"),
    "inf": ("who 1 2\nx 1 -inf\n", "line 2, whose number 2 of 2 is '-inf'"),
    "overflow": ("who 1 2\nit 1 1e39\n", "line 2, whose number 2 of 2 is '1e39'"),
    "comma": ("who 1 2\nx 1 0,5\n", "line 2, whose number 2 of 2 is '0,5'"),
    "digits": ("who 1 2\nit 1_0 2\n", "line 2, whose number 1 of 2 is '1_0'"),
    "other digits": ("who 1 2\nit 1 ٣\n", "line 2, whose number 2 of 2 is '٣'"),
    "hyphen": ("who 1 2\nit 1 1-2\n", "line 2, whose number 2 of 2 is '1-2'"),
    "tab in a number": ("who 1 2\nit 1 2\t\n", "line 2, whose number 2 of 2 is"),
    "no number": ("who 1 2\nit  2\n", "line 2, whose number 1 of 2 is missing"),
    "cut": ("who 1 2\nit 1 \n", "line 2, with 2 fields in all"),
}


@pytest.mark.parametrize("case", list(WRONG))
@pytest.mark.parametrize("name", ["mine.txt", "mine.txt.gz", "mine.txt.zip"])
def test_damage_is_located(case, name):
    content, message = WRONG[case]
    message = message.replace("mine.txt", name)
    with pytest.raises(ValueError, match=message) as caught:
        read(content, name=name)
    assert str(caught.value).startswith("Expected ")
    assert f"Received: {name}, " in str(caught.value)
    assert not entries()


def test_damage_far_down_is_located_and_shortened():
    numbers = " ".join(["0.125"] * 300)
    content = "".join(f"w{i} {numbers}\n" for i in range(5000))
    broken = content + f"who {numbers} 0.5\n"
    with pytest.raises(ValueError, match="line 5001, with 302 fields") as caught:
        read(broken)
    assert "'who 0.125" in str(caught.value)
    assert " ... " in str(caught.value)
    assert len(str(caught.value)) < 400


def test_most_of_the_first_lines_decide_on_the_dimension():
    with pytest.raises(ValueError, match="3 finite numbers.*first lines.*line 1, with 3"):
        read("who 0.1 0.2\nis 0.1 0.2 0.3\nit 0.1 0.2 0.3\n")


def test_binary_contents_are_refused():
    with pytest.raises(ValueError, match="line 2"):
        read(b"2 3\nwho \x00\x01\x02\x03\nrest")
    with pytest.raises(ValueError, match="line 2, of more than 1048576 bytes"):
        read(b"who 1 2\n" + b"x" * (3 << 20))


def test_a_header_may_be_wrong_about_the_number():
    for count in (1, 9):
        with pytest.warns(UserWarning, match=f"Expected {count} vectors.*: 3; .*cut"):
            assert read(f"{count} 3\n{PLAIN}").found.sum() == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(f"3 3\n{PLAIN}")


def test_a_vocabulary_without_a_vector():
    with pytest.raises(
        ValueError, match="begins with 'who', 'is', 'it'.*'WHO', 'a b'.*"
    ) as e:
        read("WHO 0.1 0.2\na b 0.1 0.2\n")
    assert "ignore_case=True" in str(e.value)
    assert "np.str_" not in str(e.value)
    assert read("WHO 0.1 0.2\na b 0.1 0.2\n", ignore_case=True).found.sum() == 1


def test_damaged_archives():
    generator = np.random.default_rng(0)
    content = "".join(f"w{i} {x}\n" for i, x in enumerate(generator.random(5000)))
    path = write("mine.txt.gz", content)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged in (
        whole[:-20],
        whole[:1000],
        whole + b"more",
        b"no gzip",
        bytes(flipped),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"complete .gz file|line \d+"):
            load_vectors(path, vocabulary("w0"))
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="which is empty"):
        load_vectors(path, vocabulary("w0"))
    path = write("mine.txt.zip", content)
    whole = path.read_bytes()
    for damaged in (whole[:-20], whole[:1000], b"no zip", b""):
        path.write_bytes(damaged)
        with pytest.raises(
            ValueError, match=r"complete .zip file.*mine.txt.zip.*damaged"
        ):
            load_vectors(path, vocabulary("w0"))


def test_a_zip_is_checked_by_its_checksums():
    """A digit that changed leaves every line intact."""
    with zipfile.ZipFile("mine.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("mine.txt", "who 0.125\n")
    path = Path("mine.zip")
    path.write_bytes(path.read_bytes().replace(b"0.125", b"0.126"))
    with pytest.raises(ValueError, match=r"complete .zip file.*Bad CRC-32"):
        load_vectors(path, WORDS)
    assert not entries()


def test_zips_of_other_things():
    with zipfile.ZipFile("mine.zip", "w") as archive:
        archive.writestr("a.txt", PLAIN)
        archive.writestr("b.vec", PLAIN)
    with pytest.raises(ValueError, match=r"ends in .txt or .vec.*a.txt, b.vec. Unpack"):
        load_vectors("mine.zip", WORDS)
    with zipfile.ZipFile("mine.zip", "w") as archive:
        archive.writestr("a.bin", PLAIN)
    with pytest.raises(ValueError, match="which holds a.bin"):
        load_vectors("mine.zip", WORDS)
    with zipfile.ZipFile("mine.zip", "w") as archive:
        pass
    with pytest.raises(ValueError, match="which holds nothing"):
        load_vectors("mine.zip", WORDS)
    content = bytearray(write("a.txt.zip", PLAIN).read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1  # as a zip with a password has it
    Path("a.txt.zip").write_bytes(content)
    with pytest.raises(ValueError, match="without a password.*a.txt is encrypted"):
        load_vectors("a.txt.zip", WORDS)


# === Arguments ===


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("who is it", "Received: 'who is it'"),
        (None, "Received: None"),
        (["who", "is"], r"begins with \['who', 'is'\]"),
        (["", "who", "is"], r"begins with \['', 'who', 'is'\]"),
        ([], r"begins with \[\]"),
        (["", "[UNK]"], "without words"),
        (["", "[UNK]", "who", "who"], "holds 'who' twice"),
        (["", "[UNK]", "who", ""], "holds '' twice"),
        (["", "[UNK]", b"who"], "holds b'who'"),
        (["", "[UNK]", 3], "holds 3"),
    ],
)
def test_wrong_vocabularies_are_explained(words, message):
    with pytest.raises(ValueError, match=f"Expected `vocabulary`.*{message}"):
        read(PLAIN, words)


def test_the_vectorizer_itself_is_no_vocabulary():
    vectorizer = keras_amp.data.fit_vectorizer(["who"])
    with pytest.raises(ValueError, match="get_vocabulary.*TextVectorization"):
        read(PLAIN, vectorizer)


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf"), "1", True, 1j])
def test_wrong_ranges_are_explained(wrong):
    with pytest.raises(ValueError, match="Expected `fill_range`.*Received: fill_range="):
        read(PLAIN, fill_range=wrong)


@pytest.mark.parametrize("wrong", [-1, 1.5, None, "1", True])
def test_wrong_seeds_are_explained(wrong):
    with pytest.raises(ValueError, match="Expected `seed`.*Received: seed="):
        read(PLAIN, seed=wrong)


def test_numpy_numbers_are_numbers():
    read(PLAIN, seed=np.int64(3), fill_range=np.float32(0.5))


def test_wrong_paths_are_explained():
    with pytest.raises(FileNotFoundError, match=r"'glove.840B.300d'.*'no.txt'; there is"):
        load_vectors("no.txt", WORDS)
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_vectors(Path("no") / "where", WORDS)
    with pytest.raises(
        ValueError, match="one of.*'glove.6B.100d'.*mean 'glove.840B.300d'"
    ):
        load_vectors("glove.840.300d", WORDS)
    with pytest.raises(FileNotFoundError, match="`data_dir` to be a folder"):
        load_vectors("glove.6B.100d", WORDS, data_dir="nowhere")
    Path("folder").mkdir()
    with pytest.raises(ValueError, match="a folder that holds nothing"):
        load_vectors("folder", WORDS)
    write("folder/a.txt", PLAIN)
    with pytest.raises(ValueError, match="a folder that holds a.txt"):
        load_vectors("folder", WORDS)
    for name in ("a.npy", "a.tar.gz", "a"):
        with pytest.raises(ValueError, match=f"text file.*{name}$"):
            load_vectors(write(name, PLAIN), WORDS)
    for name in ("a.bin", "a.bin.gz"):
        with pytest.raises(ValueError, match=f"text file.*{name}. Convert.*binary=True"):
            load_vectors(write(name, PLAIN), WORDS)


# === Names ===


def test_files_are_found_in_the_data_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_AMP_DATA", str(tmp_path / "env"))
    load = functools.partial(load_vectors, vocabulary=WORDS, cache=False)
    write("env/vectors/mine.txt.gz", "who 1 2\n")
    for name in ("mine", "mine.txt", "mine.txt.gz"):
        assert load(name).matrix[2].tolist() == [1, 2]
    write("data/vectors/mine.vec", "who 3 4\n")
    assert load("mine", data_dir="data").matrix[2].tolist() == [3, 4]
    assert load("mine.txt", data_dir="data").matrix[2].tolist() == [1, 2]
    write("mine.txt", "who 5 6\n")  # a path has precedence
    assert load("mine.txt", data_dir="data").matrix[2].tolist() == [5, 6]
    # A known name: a file of that name, then the archive it is published in.
    with zipfile.ZipFile("env/vectors/glove.6B.zip", "w") as archive:
        archive.writestr("glove.6B.50d.txt", "who 1 2\n")
        archive.writestr("glove.6B.100d.txt", "who 7 8\n")
    assert load("glove.6B.100d").matrix[2].tolist() == [7, 8]
    with pytest.raises(ValueError, match=r"zip with glove.6B.300d.txt.*holds glove.6B.5"):
        load("glove.6B.300d")
    write("env/vectors/glove.6B.100d.txt", "who 9 8\n")
    assert load("glove.6B.100d").matrix[2].tolist() == [9, 8]


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_name_is_downloaded_once(serve):
    server = serve(zipped(**{"glove.840B.300d.txt": ". . 0.1 0.2\nwho 0.125 0.2\n"}))
    result = load_vectors("glove.840B.300d", vocabulary("who", ". ."))
    np.testing.assert_array_equal(
        result.matrix[2:], np.float32([[0.125, 0.2], [0.1, 0.2]])
    )
    assert server.requested == ["/mirror/glove.840B.300d.zip"]
    names = [entry.name for entry in entries()]
    assert names[0] == "glove.840B.300d.zip"
    assert len(names) == 2
    assert load_vectors("glove.840B.300d", WORDS).coverage == 1 / 3
    assert len(server.requested) == 1


def test_the_names_of_one_archive_share_it(serve):
    files = {"glove.6B.50d.txt": "who 1 2\n", "glove.6B.100d.txt": "who 3 4 5\n"}
    server = serve(zipped(**files))
    assert load_vectors("glove.6B.50d", WORDS).matrix[2].tolist() == [1, 2]
    assert load_vectors("glove.6B.100d", WORDS).matrix[2].tolist() == [3, 4, 5]
    assert server.requested == ["/mirror/glove.6B.zip"]


def test_every_name_has_an_archive_at_stanford():
    assert files.ADDRESS == "https://nlp.stanford.edu/data/"
    for name, (archive, member) in files.KNOWN.items():
        assert member == f"{name}.txt"
        assert archive in ("glove.6B.zip", "glove.840B.300d.zip")


@pytest.mark.parametrize("damage", ["contents", "cut", "no zip"])
def test_a_damaged_download_is_refused_and_removed(serve, damage):
    whole = zipped(**{"glove.840B.300d.txt": "who 0.125 0.2\n"})
    damaged = {
        "contents": whole.replace(b"0.125", b"0.126"),
        "cut": whole[:-9],
        "no zip": b"<html>Sorry</html>",
    }
    serve(damaged[damage])
    with pytest.raises(ValueError, match=r"840B.300d.zip to have intact.*removed.*try"):
        load_vectors("glove.840B.300d", WORDS)
    assert not entries()
    serve(whole)  # and the next try may succeed
    assert load_vectors("glove.840B.300d", WORDS).found.sum() == 1


def test_a_transfer_that_breaks_off_leaves_nothing(serve):
    content = zipped(**{"glove.840B.300d.txt": "who 0.125 0.2\n"})
    serve(content, announced=len(content) + 1)
    with pytest.raises(
        ConnectionError, match="download 'vectors' from.*Without a network"
    ):
        load_vectors("glove.840B.300d", WORDS)
    assert not entries()


def test_a_server_that_has_it_not_or_is_none(serve, monkeypatch):
    serve(None)
    with pytest.raises(ConnectionError, match=r"404.*put glove.6B.zip into.*data_dir"):
        load_vectors("glove.6B.100d", WORDS)
    monkeypatch.setenv("KERAS_AMP_MIRROR", "http://127.0.0.1:9")  # nobody listens
    with pytest.raises(ConnectionError, match=r"refused.*KERAS_AMP_DATA"):
        load_vectors("glove.6B.100d", WORDS)
    monkeypatch.setenv("KERAS_AMP_MIRROR", "no address")
    with pytest.raises(ConnectionError, match="no address/glove.6B.zip"):
        load_vectors("glove.6B.100d", WORDS)
    assert not entries()


# === Words added behind the vocabulary ===

MORE = """who 0.5 -1
Denver 3 4
the 1 2
it .25 4
aspen 5 6
DENVER 7 8
fort worth 9 10
éa 11 12
zoo 1000 -1000
"""
MORE_VECTORS = {  # as the file has them
    line.rsplit(" ", 2)[0]: [float(x) for x in line.rsplit(" ", 2)[1:]]
    for line in MORE.splitlines()
}
EXTRA = ["zoo", "fort worth", "unheard", "Denver", "éa"]


def test_words_are_added_only_where_they_have_a_vector():
    result = read(MORE, extra_words=EXTRA)
    added = ("Denver", "fort worth", "zoo", "éa")
    assert result.added == added
    assert result.matrix.shape == (len(WORDS) + 4, 2)
    assert result.matrix.dtype == np.float32
    assert result.found.tolist() == [False, False, True, False, True] + [True] * 4
    expected = np.float32([MORE_VECTORS[word] for word in added])
    np.testing.assert_array_equal(result.matrix[len(WORDS) :], expected)


@pytest.mark.parametrize("fill_range", [None, 0.25])
@pytest.mark.parametrize("cache", [False, True])
def test_the_vocabulary_does_not_depend_on_the_words_added(fill_range, cache):
    path = write("mine.txt", MORE)
    load = functools.partial(
        load_vectors, path, WORDS, fill_range=fill_range, cache=cache, seed=6
    )
    alone = load()
    for extra in ([], ["unheard"], ["zoo"], EXTRA, [*EXTRA, "the", "aspen"]):
        result = load(extra_words=extra)
        np.testing.assert_array_equal(result.matrix[: len(WORDS)], alone.matrix)
        np.testing.assert_array_equal(result.found[: len(WORDS)], alone.found)
        assert result.coverage == alone.coverage == 2 / 3
    # The range is that of the vocabulary's own numbers: 1000 of "zoo" is none of them.
    own = np.array([MORE_VECTORS["who"], MORE_VECTORS["it"]])
    bound = np.sqrt(3) * own.std() if fill_range is None else fill_range
    draws = np.random.default_rng(6).random((len(WORDS), 2), dtype="float32")
    np.testing.assert_allclose(
        result.matrix[[1, 3]], (2 * draws[[1, 3]] - 1) * bound, rtol=1e-5, atol=1e-6
    )


def test_words_added_are_each_added_once():
    extra = ["zoo", "who", "zoo", "", "[UNK]", "it", "the", "the"]
    expected = read(MORE, extra_words=["the", "zoo"])
    for given in (extra, tuple(extra), set(extra), iter(extra), np.array(extra)):
        result = read(MORE, extra_words=given)
        assert result.added == ("the", "zoo")
        assert all(type(word) is str for word in result.added)
        np.testing.assert_array_equal(result.matrix, expected.matrix)
    assert read(MORE, extra_words=["is", "unheard"]).added == ()


def test_the_case_of_words_added_is_ignored_on_request():
    extra = ["denver", "Denver", "Aspen", "THE", "WHO"]
    exact = read(MORE, extra_words=extra)
    assert exact.added == ("Denver",)
    either = read(MORE, extra_words=extra, ignore_case=True)
    assert either.added == tuple(sorted(extra))
    rows = dict(zip(either.added, either.matrix[len(WORDS) :].tolist(), strict=True))
    # A vector of the word's own, or else the first that differs by case only.
    for word, source in [
        ("denver", "Denver"), ("Denver", "Denver"), ("Aspen", "aspen"), ("THE", "the"),
        ("WHO", "who"),
    ]:  # fmt: skip
        assert rows[word] == MORE_VECTORS[source]
    alone = read(MORE, ignore_case=True)
    np.testing.assert_array_equal(either.matrix[: len(WORDS)], alone.matrix)


def test_the_same_words_parted_otherwise_are_read_once(monkeypatch):
    """As by the divisions of a cross-validation."""
    path = write("mine.txt", MORE)
    fresh = functools.partial(load_vectors, path, cache=False)
    parts = [
        (vocabulary("who", "is", "it"), ["the", "zoo", "unheard"]),
        (vocabulary("zoo", "it", "is"), ["who", "unheard", "the", "it"]),
        (vocabulary("unheard", "the", "zoo", "who", "it", "is"), []),
        (vocabulary("the", "unheard"), {"is", "it", "who", "zoo"}),
    ]
    expected = [fresh(words, extra_words=extra, seed=2) for words, extra in parts]
    load_vectors(path, parts[0][0], extra_words=parts[0][1])
    (entry,) = entries()
    overwrite(path, b"?" * len(MORE.encode()))
    monkeypatch.setattr(loading, "read", None)  # cannot be called
    for (words, extra), result in zip(parts, expected, strict=True):
        again = load_vectors(path, words, extra_words=extra, seed=2)
        np.testing.assert_array_equal(again.matrix, result.matrix)
        np.testing.assert_array_equal(again.found, result.found)
        assert (again.added, repr(again)) == (result.added, repr(result))
    assert entries() == [entry]


def test_other_words_added_are_read_anew():
    path = write("mine.txt", MORE)
    assert load_vectors(path, WORDS, extra_words=["zoo"]).added == ("zoo",)
    assert load_vectors(path, WORDS, extra_words=["the"]).added == ("the",)
    assert load_vectors(path, WORDS, extra_words=["the"], ignore_case=True).added == (
        "the",
    )
    assert len(entries()) == 3


def test_the_words_added_are_shown_and_not_covered():
    result = read(MORE, extra_words=EXTRA)
    assert repr(result) == "Vectors(2d, 2 of 3 words, 66.7% and 4 more)"
    assert result.coverage == 2 / 3
    assert repr(read(MORE, extra_words=["unheard"])) == "Vectors(2d, 2 of 3 words, 66.7%)"


@pytest.mark.parametrize("cache", [False, True])
def test_a_vocabulary_without_a_vector_is_refused_whatever_is_added(cache):
    path = write("mine.txt", MORE)
    message = r"begins with 'you', 'me'\. Received: mine.txt, .*with 'who', 'Denver'"
    for _ in range(2):  # the second time with what others have left in the cache
        with pytest.raises(ValueError, match=message):
            load_vectors(path, vocabulary("you", "me"), extra_words=["zoo"], cache=cache)
        load_vectors(path, vocabulary("zoo"), extra_words=["you", "me"], cache=cache)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("zoo", "Received: 'zoo'"),
        (b"zoo", "Received: b'zoo'"),
        (None, "Received: None"),
        (["zoo", 3], "holds 3"),
        ([b"zoo"], "holds b'zoo'"),
        ([["zoo", "who"]], r"holds \['zoo', 'who'\]"),
    ],
)
def test_wrong_words_to_add_are_explained(extra, message):
    with pytest.raises(ValueError, match=f"`extra_words` .*collection.*{message}"):
        read(MORE, extra_words=extra)


@real_data
def test_the_test_questions_words_join_a_real_vocabulary():
    name = GLOVE
    data = keras_amp.data.load("trec", REAL)
    words = keras_amp.data.fit_vectorizer(data.train.texts).get_vocabulary()
    extra = {word for row in keras_amp.data.split_words(data.test.texts) for word in row}
    load = functools.partial(load_vectors, name, words, data_dir=REAL, ignore_case=True)
    alone, result = load(), load(extra_words=extra)
    file_words, matrix = glove()
    by_case, exact = {}, {}
    for row, word in reversed(list(enumerate(file_words))):
        exact[word] = by_case[word.lower()] = row
    rows = {w: exact.get(w, by_case.get(w)) for w in sorted(extra - set(words))}
    expected = {word: row for word, row in rows.items() if row is not None}
    assert len(expected) > 200
    assert result.added == tuple(expected)
    np.testing.assert_array_equal(
        result.matrix[len(words) :], matrix[list(expected.values())]
    )
    np.testing.assert_array_equal(result.matrix[: len(words)], alone.matrix)
    assert result.coverage == alone.coverage
    # Every word of the test questions but those has an id now.
    preprocess = keras_amp.data.WordPreprocessor([*words, *result.added], 40)
    unknown = {word for word in extra - set(words) if word not in expected}
    ids = preprocess(data.test.texts)
    count = sum(
        word in unknown
        for row in keras_amp.data.split_words(data.test.texts)
        for word in row
    )
    assert (ids == 1).sum() == count
