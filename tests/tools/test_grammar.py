"""The data set `questions`: the shipped files, the grammar and its notation."""

import collections
import doctest
import itertools
import pathlib
import random
import re
import subprocess
import sys

import pytest

from tools.questions import grammar
from tools.questions.templates import TEMPLATES
from tools.questions.words import FILLERS

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "keras_amp" / "data" / "questions"
COUNTS = {"train": grammar.TRAIN_COUNTS, "test": grammar.TEST_COUNTS}
SPLITS = list(COUNTS)


def rows(split):
    text = (FOLDER / f"{split}.tsv").read_text("ascii")
    return [line.split("\t") for line in text.splitlines()]


def texts(split):
    return [text for _, text in rows(split)]


def words(split):
    return {word.lower() for text in texts(split) for word in text.split()}


# === The shipped files ===


def test_shipped_files_are_what_the_grammar_generates(tmp_path):
    grammar.write(tmp_path)
    for split in SPLITS:
        name = f"{split}.tsv"
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


@pytest.mark.parametrize("split", SPLITS)
def test_every_line_is_a_label_a_tab_and_an_ascii_question(split):
    content = (FOLDER / f"{split}.tsv").read_bytes()
    assert content.isascii()
    assert content.endswith(b"\n")
    assert b"\r" not in content
    question = r"[A-Z][A-Za-z0-9,-]*( [A-Za-z0-9-]+| ,)+ [?.]"
    for line in content.decode().split("\n")[:-1]:
        label, text = line.split("\t")
        assert label in grammar.CLASS_NAMES
        assert re.fullmatch(question, text), text
        assert 4 <= len(text.split()) <= 18, text


def test_no_text_occurs_twice_within_or_between_splits():
    both = [text.lower() for split in SPLITS for text in texts(split)]
    assert len(both) == len(set(both)) == 1500


@pytest.mark.parametrize("split", SPLITS)
def test_classes_are_roughly_balanced_and_shuffled(split):
    labels = [label for label, _ in rows(split)]
    assert collections.Counter(labels) == COUNTS[split]
    assert min(COUNTS[split].values()) > 0.1 * len(labels)
    assert max(COUNTS[split].values()) < 0.25 * len(labels)
    # In random order about one neighbour in six is of the same class.
    same = sum(a == b for a, b in itertools.pairwise(labels))
    assert same < 0.25 * len(labels)


def test_first_word_does_not_decide_the_class():
    labels_of = collections.defaultdict(collections.Counter)
    for label, text in rows("train"):
        labels_of[text.split()[0]][label] += 1
    for word in ("What", "Which", "Name", "In", "The", "Can", "Do"):
        assert len(labels_of[word]) >= 4, word
    assert set(labels_of["What"]) == set(labels_of["Which"]) == set(grammar.CLASS_NAMES)
    guess = {word: labels.most_common(1)[0][0] for word, labels in labels_of.items()}
    correct = [guess.get(text.split()[0]) == label for label, text in rows("test")]
    assert sum(correct) < 0.5 * len(correct)


@pytest.mark.parametrize("split", SPLITS)
def test_articles_suit_the_next_word(split):
    vowel_sound = re.compile(r"([aeio]|u(?!ni)|hour)", re.IGNORECASE)
    pairs = [
        (article, following)
        for text in texts(split)
        for article, following in re.findall(r"\b([Aa]n?) (\S+)", text)
    ]
    assert {article for article, _ in pairs} >= {"a", "an"}
    for article, following in pairs:
        assert (article == "an") == bool(vowel_sound.match(following)), following


def test_test_split_has_words_that_train_lacks():
    unseen = words("test") - words("train")
    tokens = [word.lower() for text in texts("test") for word in text.split()]
    share = sum(word in unseen for word in tokens) / len(tokens)
    assert 0.005 < share < 0.05


def test_readme_states_the_counts_the_seed_and_real_examples():
    readme = (FOLDER / "README.md").read_text("utf-8")
    for label in grammar.CLASS_NAMES:
        train, test = grammar.TRAIN_COUNTS[label], grammar.TEST_COUNTS[label]
        assert f"| {label} | {train} | {test} |" in readme
    assert f"seed {grammar.SEED}" in readme
    labelled = {text: label for label, text in rows("train")}
    examples = re.findall(r"^\| (\w+) \| [^|]+ \| `(.+?)` `(.+?)` \|$", readme, re.M)
    assert [label for label, *_ in examples] == list(grammar.CLASS_NAMES)
    for label, *pair in examples:
        assert [labelled.get(text) for text in pair] == [label, label], pair


# === The sampler ===


def test_a_seed_decides_the_questions():
    assert grammar.generate(5) == grammar.generate(5)
    texts_of = [
        {text for rows in grammar.generate(seed).values() for _, text in rows}
        for seed in (5, 6)
    ]
    assert len(texts_of[0] & texts_of[1]) < 0.2 * len(texts_of[0])


@pytest.mark.parametrize("seed", range(3))
def test_any_seed_gives_distinct_questions_without_slots(seed):
    splits = grammar.generate(seed)
    both = [text for split in splits.values() for _, text in split]
    assert len(both) == len(set(both)) == 1500
    assert not any(set(text) & set("{}[]|~/") for text in both)


def test_sample_excludes_given_questions():
    counts = {"place": 40}
    first = grammar.sample(counts, random.Random(1), 0.0)
    given = [text for _, text in first]
    again = grammar.sample(counts, random.Random(1), 0.0, exclude=given)
    assert not set(given) & {text for _, text in again}


def test_every_slot_of_the_tables_has_fillers_and_every_filler_is_used():
    listings = [*TEMPLATES.values(), *FILLERS.values()]
    slots = set(re.findall(r"\{(\w+)", "\n".join(listings)))
    assert slots == set(FILLERS)


# === The notation ===


def expand(template, rare_share=0.0, seed=0):
    return grammar.expand(template, random.Random(seed), rare_share)


def test_expand_capitalizes_and_drops_an_empty_alternative():
    assert expand("name the [|] owl .") == "Name the owl ."


@pytest.mark.parametrize("word", ["owl", "umbrella", "hourglass"])
def test_expand_writes_an_before_a_vowel_sound(word):
    assert expand(f"name a {word} .") == f"Name an {word} ."


@pytest.mark.parametrize("word", ["horse", "university", "piano"])
def test_expand_writes_a_before_a_consonant_sound(word):
    assert expand(f"name a {word} .") == f"Name a {word} ."


def test_expand_never_uses_a_filler_twice():
    for seed in range(20):
        filled = expand("{city} {city} {city} {city} {city}", seed=seed).split()
        assert len(set(filled)) == 5


def test_expand_draws_rare_fillers_by_their_share():
    rare = FILLERS["city"].partition("//")[2].replace(",", " ").split()
    assert all(expand("{city}", 1.0, seed) in rare for seed in range(20))
    assert not any(expand("{city}", 0.0, seed) in rare for seed in range(20))


def test_conjugate_picks_one_form_of_the_verb():
    verb = "steal~stole~stolen the map"
    assert grammar.conjugate(verb) == "steal the map"
    assert grammar.conjugate(verb, "past") == "stole the map"
    assert grammar.conjugate(verb, "done") == "stolen the map"


def test_command_line_writes_the_files(tmp_path):
    command = [sys.executable, "-m", "tools.questions"]
    subprocess.run([*command, tmp_path], check=True, capture_output=True, cwd=ROOT)
    assert {path.name for path in tmp_path.iterdir()} == {"train.tsv", "test.tsv"}
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode != 0
    assert "usage: python -m tools.questions FOLDER" in result.stderr


def test_examples_run():
    assert doctest.testmod(grammar) == (0, 2)
