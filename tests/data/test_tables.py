"""Files of texts, with labels and without: every layout, and every way to be wrong."""

import codecs
import csv

import numpy as np
import pytest

import keras_amp
from keras_amp.data.tables import read_table, read_texts


def write(folder, name, content, encoding="utf-8"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


# === Texts, labelled or not ===

FILES = {
    "csv": ("a.csv", "text\nwho is it\nyou\n", None, ["who is it", "you"]),
    "csv with others": (
        "a.csv",
        'id,Sentence ,length\n1,"who, me",2\n2,you,1\n',
        None,
        ["who, me", "you"],
    ),
    "csv with labels": (
        "a.csv",
        'label,id,text\nx,1,"a ""b"""\ny,2,c\n',
        ["x", "y"],
        ['a "b"', "c"],
    ),
    "csv with a line feed": (
        "a.csv",
        'text\n"two\r\nlines"\nb\n',
        None,
        ["two lines", "b"],
    ),
    "tsv": ("a.tsv", 'text\n"a b\nc\n', None, ['"a b', "c"]),
    "tsv with others": ("a.tsv", "id\treview\n1\ta\n2\tb\n", None, ["a", "b"]),
    "tsv with labels": ("a.tsv", "text\tlabel\na b\tx\nc\ty\n", ["x", "y"], ["a b", "c"]),
    "tsv without a header": ("a.tsv", "x\ta b\ny\tc\n", ["x", "y"], ["a b", "c"]),
    "tsv of one row": ("a.tsv", "x\ta b\n", ["x"], ["a b"]),
    # All of one text for each of the classes: no reason to doubt the columns.
    "tsv of a text a class": (
        "a.tsv",
        "".join(f"class {i}\ttext {i}\n" for i in range(6)),
        [f"class {i}" for i in range(6)],
        [f"text {i}" for i in range(6)],
    ),
    # The label's name is that of a text column, too, but stands in several rows.
    "tsv of questions": (
        "a.tsv",
        "question\twho\nanswer\tme\nquestion\twhere\n",
        ["question", "answer", "question"],
        ["who", "me", "where"],
    ),
    "txt": ("a.txt", "who  is\tit\n'you', me\n", None, ["who is it", "'you', me"]),
    "txt without an end": ("a.txt", "text\nb", None, ["text", "b"]),
    "txt with empty lines at its end": ("a.txt", "a\nb\n\n \n", None, ["a", "b"]),
    "upper-case endings": ("A.TXT", "a\n", None, ["a"]),
}


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_layout_is_read(case, end, mark, tmp_path):
    name, content, labels, texts = FILES[case]
    path = write(tmp_path, name, mark + content.replace("\r\n", "\n").replace("\n", end))
    assert read_texts(path) == (labels, texts)
    assert read_texts(str(path)) == (labels, texts)


def test_only_line_feeds_end_a_text(tmp_path):
    strange = "a\u2028b\u2029c\x0bd\x0ce\x1cf\x85g"
    texts = ["a b c d e f g", "h"]
    assert read_texts(write(tmp_path, "a.txt", f"{strange}\nh\n")) == (None, texts)
    assert read_texts(write(tmp_path, "a.csv", f"text\n{strange}\nh\n")) == (None, texts)
    assert read_texts(write(tmp_path, "a.tsv", f"x\t{strange}\nx\th\n"))[1] == texts


def test_what_pythons_csv_writes_is_read(tmp_path):
    """Against the standard library's writer, on texts made to be awkward."""
    rng = np.random.default_rng(4)
    pieces = ['"', ",", "'", "a", "ß", "😀", ";", "\\", "#", "“", "x" * 50]
    texts = ["t" + "".join(rng.choice(pieces, 6)) for _ in range(200)]
    labels = [f"c{i}" for i in rng.integers(0, 3, 200)]
    with open(tmp_path / "a.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["class", "number", "content"])
        writer.writerows(zip(labels, range(200), texts, strict=True))
    assert read_texts(tmp_path / "a.csv") == (labels, texts)
    assert read_table(tmp_path / "a.csv") == (labels, texts)


def test_labelled_files_read_alike_by_both():
    """What is trained on can be predicted, and scored."""
    folder = keras_amp.data.datasets.SHIPPED["questions"]
    for split in ("train", "test"):
        path = folder / f"{split}.tsv"
        rows = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        labels, texts = zip(*(row.split("\t") for row in rows), strict=True)
        assert read_texts(path) == read_table(path) == (list(labels), list(texts))


WRONG_TEXTS = {
    "another ending": (
        "a.json",
        "[]",
        r"ends in \.tsv, \.csv or \.txt. Received: .*json$",
    ),
    "no ending": ("a", "x", r"ends in .tsv, .csv or .txt"),
    "empty txt": ("a.txt", "", "a text in every line. Received: .*a.txt, which is empty"),
    "blank txt": ("a.txt", "\n \n", "which is empty"),
    "a gap": ("a.txt", "a\n\t\nb\n", "every line. Received: .*a.txt, whose line 2 is e"),
    "a gap at first": ("a.txt", "\na\n", "whose line 1 is empty"),
    "empty csv": ("a.csv", "", "rows of texts. Received: .*a.csv, which is empty"),
    "empty tsv": ("a.tsv", "", "a.tsv, which is empty"),
    "blank tsv": ("a.tsv", "\n \n", "which is empty"),
    "header only": ("a.csv", "text\n", "a.csv, which holds a header only"),
    "extra column without a header": ("a.tsv", "x\ta\ny\tb\tc\n", "line 2, with 3"),
    "empty text without a header": ("a.tsv", "x\ta\ny\t \n", "line 2, whose text is"),
    "header with label only": ("a.tsv", "text\tlabel\n\n", "which holds a header only"),
    "empty text": ("a.csv", "id,text\n1,a\n2, \n", "line 3, whose text is empty"),
    "empty label": ("a.csv", "text,label\na,\n", "line 2, whose label is empty"),
    "missing column": ("a.csv", "id,text\n1\n", "2 columns.*line 2, with 1"),
    "extra column": ("a.csv", "id,text\n1,a,b\n", "2 columns.*line 2, with 3"),
    "csv without header": (
        "a.csv",
        "who is it\nyou\n",
        r"one text column \(text.* and no or one label.*first row is \['who is it'\]\.$",
    ),
    "tsv of one column": ("a.tsv", "who is it\n", r"or rows of `label<TAB>text` without"),
    "open quote": (
        "a.csv",
        'text\n"a\nb\n',
        "Expected rows of fields. Received: .*a.csv, line 3",
    ),
    "swapped columns": (
        "a.tsv",
        "".join(f"text {i}\tx{i % 2}\n" for i in range(9)),
        "9 different labels in 9 rows; the texts may stand where the labels",
    ),
}


@pytest.mark.parametrize("case", WRONG_TEXTS)
def test_wrong_files_of_texts_are_explained(case, tmp_path):
    name, content, message = WRONG_TEXTS[case]
    with pytest.raises(ValueError, match=message) as caught:
        read_texts(write(tmp_path, name, content))
    assert str(caught.value).startswith("Expected ")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize("read", [read_texts, read_table])
def test_what_is_no_file_is_said(read, name, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"file of texts.*{name}, which does not"):
        read(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(
        FileNotFoundError, match=f"file of texts.*{name}, which is a fold"
    ):
        read(tmp_path / name)


# === Headers ===

AMBIGUOUS = {
    "text twice": (["text", "label", "text"], "2 text columns and 1 label column"),
    "label twice": (["text", "label", "label"], "1 text column and 2 label columns"),
    "both twice": (["text", "label"] * 2, "2 text columns and 2 label columns"),
    "other case": (["Text", "label", "TEXT "], "2 text columns and 1 label column"),
    "two names": (["text", "review", "label"], "2 text columns and 1 label column"),
    "two label names": (["text", "class", "label"], "1 text column and 2 label columns"),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
@pytest.mark.parametrize("mark", [",", "\t"])
@pytest.mark.parametrize("read", [read_table, read_texts])
def test_headers_that_name_a_column_twice_are_explained(case, mark, read, tmp_path):
    header, counts = AMBIGUOUS[case]
    rows = [header, [f"a{i}" for i in range(len(header))]]
    name = "a.csv" if mark == "," else "a.tsv"
    path = write(tmp_path, name, "".join(mark.join(row) + "\n" for row in rows))
    with pytest.raises(ValueError, match=f"{name}, whose first row is .*{counts}") as e:
        read(path)
    assert repr(header) in str(e.value)


def test_other_columns_may_share_a_name(tmp_path):
    path = write(tmp_path, "a.csv", "id,text,label,id\n1,a,x,1\n2,b,y,2\n")
    assert read_table(path) == (["x", "y"], ["a", "b"])


@pytest.mark.parametrize(
    "header", ["text\ttext", "polarity\ttext", "question\ttype", "sentence\tlabels"]
)
def test_a_header_without_a_label_column_is_not_taken_for_an_example(header, tmp_path):
    path = write(tmp_path, "a.tsv", f"{header}\nx\ta\ny\tb\nx\tc\n")
    with pytest.raises(ValueError, match="one label column .*label, class.*no label col"):
        keras_amp.data.load(path)


def test_a_label_may_be_called_like_a_text_column(tmp_path):
    path = write(tmp_path, "a.tsv", "question\twho\nanswer\ttext\nquestion\twhere\n")
    data = keras_amp.data.load(path)
    assert data.class_names == ("answer", "question")
    assert data.train.texts == ("who", "text", "where")
    path = write(tmp_path, "b.tsv", "x\ttext\ny\ta\nx\tb\n")
    assert keras_amp.data.load(path).train.texts == ("text", "a", "b")


def test_a_small_test_set_may_have_a_text_a_class(tmp_path):
    """Where training texts would be refused, as no two of them share a label."""
    rows = "".join(f"c{i}\ttext {i}\n" for i in range(6))
    write(tmp_path, "train.tsv", rows * 2)
    write(tmp_path, "test.tsv", rows)
    write(tmp_path, "train_phrases.tsv", rows)
    data = keras_amp.data.load(tmp_path, phrases=True)
    assert data.test.labels.tolist() == data.phrases.labels.tolist() == list(range(6))
    write(tmp_path, "train.tsv", rows)
    with pytest.raises(ValueError, match="labels that several texts share.*train.tsv"):
        keras_amp.data.load(tmp_path)


# === Encodings ===

LINES = ["who is it?", "plain text", "café über"]
ENCODED = {
    "latin-1": ("latin-1", b"", "line 3", "latin1"),
    "windows": ("cp1252", b"", "line 3", "latin1"),
    "utf-16": ("utf-16-le", codecs.BOM_UTF16_LE, "line 1", "utf-16"),
    "utf-16, big first": ("utf-16-be", codecs.BOM_UTF16_BE, "line 1", "utf-16"),
    "utf-16, unmarked": ("utf-16-le", b"", "line 1", "utf-16le"),
    "utf-16, big first, unmarked": ("utf-16-be", b"", "line 1", "utf-16be"),
    "utf-32": ("utf-32-le", codecs.BOM_UTF32_LE, "line 1", "utf-32"),
}


@pytest.mark.parametrize("ending", [".txt", ".csv", ".tsv"])
@pytest.mark.parametrize("case", ENCODED)
def test_other_encodings_are_located_and_named(case, ending, tmp_path):
    encoding, mark, line, named = ENCODED[case]
    first = {".txt": "text", ".csv": "text,label", ".tsv": "text\tlabel"}[ending]
    last = {".txt": "", ".csv": ",x", ".tsv": "\tx"}[ending]
    # As the header is the first line, one of the three texts gives way to it.
    content = "".join(f"{row}\n" for row in [first, *(t + last for t in LINES[1:])])
    path = write(tmp_path, f"a{ending}", mark + content.encode(encoding))
    # UTF-16 without its mark is no UTF-8 from the first letter that is not ASCII.
    message = (
        f"UTF-8 file. Received: .*a{ending}, whose line .*iconv -f {named} -t utf-8`"
    )
    with pytest.raises(ValueError, match=message) as caught:
        read_texts(path)
    if "unmarked" not in case:
        assert f"whose {line} " in str(caught.value)
    if ending != ".txt":
        with pytest.raises(ValueError, match=message):
            keras_amp.data.load(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_of_ascii_letters_is_noticed_too(encoding, tmp_path):
    """Every byte of it is UTF-8."""
    path = write(tmp_path, "a.tsv", "x\tcafe\ny\tb\n".encode(encoding))
    with pytest.raises(
        ValueError, match=f"line 1 holds NUL.*{encoding.replace('16-', '16')}"
    ):
        keras_amp.data.load(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "who\nis it\nth\0ere\n"),
        ("a.csv", "text,label\nwho,x\nth\0ere,y\n"),
        ("a.tsv", "x\twho\ny\tthere\nx\t\0\n"),
    ],
)
def test_nul_is_located(name, content, tmp_path):
    path = write(tmp_path, name, content)
    with pytest.raises(ValueError, match=f"{name}, whose line 3 holds NUL.*text file"):
        read_texts(path)


def test_what_is_no_text_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a.txt", "a.csv", "a.tsv"):
        for size in (1000, 100_000):
            with pytest.raises(ValueError, match=f"UTF-8 file. Received: .*{name}"):
                read_texts(write(tmp_path, name, rng.bytes(size)))
