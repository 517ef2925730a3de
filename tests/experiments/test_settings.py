"""Settings: what is checked, and what is shown of them."""

import inspect
import json
from dataclasses import fields, replace
from typing import Literal, get_args, get_origin

import numpy as np
import pytest
from comparing import settings

import keras_amp
from keras_amp import data, experiments
from keras_amp.data.text import PADDING, UNKNOWN
from keras_amp.experiments import Settings
from keras_amp.experiments.arguments import ARGUMENTS, Program, Relatives
from keras_amp.experiments.cells import flat_values
from keras_amp.experiments.examples import divide, prepare, without_labels
from keras_amp.experiments.recipes import CNN
from keras_amp.experiments.relatives import CLASSES, sources
from keras_amp.experiments.settings import BACKBONES, POLICIES
from keras_amp.experiments.summary.groups import Group
from keras_amp.experiments.summary.labels import label_cells
from keras_amp.experiments.summary.trials import Trial
from keras_amp.paper import AuthorsProgram
from keras_amp.policies import AdversarialMixing, Mixup
from keras_amp.policies.policy import Policy

# What the training path itself hands to a backbone.
SUPPLIED = {
    "vocabulary_size",
    "num_classes",
    "sequence_length",
    "vectors",
    "seed",
    "name",
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "`epochs`.*>= 1.*epochs=0"),
        ({"batch_size": 1.5}, "`batch_size`.*batch_size=1.5"),
        ({"learning_rate": float("nan")}, "`learning_rate`.*> 0.*nan"),
        ({"learning_rate": "fast"}, "`learning_rate`.*> 0.*'fast'"),
        ({"clip_norm": 0.0}, "`clip_norm`.*> 0.*0.0"),
        ({"clip_norm": True}, "`clip_norm`.*> 0.*True"),
        ({"loss": None}, "`loss`.*'cross-entropy'.*None"),
        ({"dev_fraction": -0.1}, "`dev_fraction`.*to be 0.*between 0 and 1"),
        ({"dev_fraction": 1.0}, "`dev_fraction`.*to be 0.*between 0 and 1"),
        ({"dev_fraction": 0, "patience": 2}, "`patience`.*without a development set"),
        ({"test_every": 0}, "`test_every`.*>= 1"),
        ({"label_smoothing": 1.0}, r"`label_smoothing`.*\[0, 1\).*1.0"),
        (
            {"label_smoothing": 0.1, "loss": "binary"},
            "no `label_smoothing` with another loss.*0.1, loss='binary'",
        ),
        ({"test_fraction": 1.0}, "`test_fraction`.*between 0 and 1"),
        ({"train_fraction": 0.0}, "`train_fraction`.*above 0"),
        ({"train_fraction": 0.1, "train_per_class": 3}, "one of `train_fraction` and"),
        ({"train_per_class": 0}, "`train_per_class`.*>= 1"),
        ({"folds": 0}, "`folds`.*>= 1"),
        ({"steps": 0}, "`steps`.*>= 1"),
        ({"patience": 0}, "`patience`.*>= 1"),
        ({"warmup_steps": -1}, "`warmup_steps`.*>= 0"),
        ({"step_schedule": "up"}, "`step_schedule`.*rising.*Received: .*'up'"),
        ({"sequence_length": 2.5}, "`sequence_length`.*2.5"),
        ({"backbone": "rnn"}, "`backbone`.*'cnn'.*'rnn'"),
        ({"backbone_arguments": {"drop": 0.1}}, "`backbone_arguments`.*dropout.*: drop"),
        ({"backbone_arguments": {"filters": 2.5}}, "`filters`.*>= 1.*filters=2.5"),
        ({"phrases": 1}, "`phrases` to be True or False.*phrases=1"),
        ({"epoch": 3}, "name of a setting. Received: epoch. Did you mean 'epochs'"),
    ],
)
def test_wrong_settings_are_explained(changes, message):
    with pytest.raises(ValueError, match=message):
        settings("questions", **changes)


def test_values_stay_as_they_were_given():
    """Keys of cells hold 1, not 1.0, where an integer was given."""
    given = settings("questions", learning_rate=1, data_dir="somewhere")
    assert repr(given.learning_rate) == "1"
    assert given.data_dir == "somewhere"
    assert given.given == {"data", "backbone_arguments", "epochs", "batch_size"} | {
        "learning_rate", "save_curve", "data_dir"
    }  # fmt: skip
    assert replace(given, epochs=9).epochs == 9
    with pytest.raises(ValueError, match="`epochs`"):
        replace(given, epochs=0)


def parameters(function, names):
    known = inspect.signature(function).parameters
    return {name: known[name].default for name in known if name in names(known)}


@pytest.mark.parametrize("name", list(ARGUMENTS))
def test_the_arguments_of_a_backbone_are_those_it_takes(name):
    taken = parameters(BACKBONES[name], lambda known: known.keys() - SUPPLIED)
    assert dict(ARGUMENTS[name]()) == taken


def test_the_arguments_of_the_program_are_those_that_it_alone_takes():
    policy = inspect.signature(AdversarialMixing).parameters
    assert dict(Program()) == parameters(
        AuthorsProgram, lambda known: known.keys() - policy.keys()
    )


def test_a_recipe_s_settings_are_settings():
    chosen = CNN(epochs=3)
    assert isinstance(chosen, Settings)
    assert {f.name for f in fields(CNN)} == {f.name for f in fields(Settings)}
    assert chosen.all_backbone_arguments()["filters"] == 100
    assert replace(chosen, backbone_arguments={"filters": 3}).epochs == 3


def test_settings_show_what_is_not_the_default():
    assert repr(Settings()) == "Settings()"
    given = Settings(data="trec", backbone_arguments={"filters": 3}, steps=9)
    assert repr(given) == (
        "Settings(data='trec', backbone_arguments={'filters': 3}, steps=9)"
    )
    assert eval(repr(given)) == given


RELATIVES = {
    "adversarial": keras_amp.AdversarialTraining(0.3, "linf", 2, weight=0.5),
    "vat": keras_amp.AdversarialTraining(
        0.3, "linf", 2, against="predictions", weight=0.5
    ),
    "random": keras_amp.AdversarialTraining(0.3, "linf", direction="random", weight=0.5),
    "regmixup": keras_amp.RegMixup(4.0, weight=0.5, probability=0.7),
    "rdrop": keras_amp.RDrop(0.5),
    "cutmix": keras_amp.CutMix(0.2, probability=0.7),
    "mixup": keras_amp.Mixup(0.2, probability=0.7),
    None: keras_amp.Mixup(0.2, probability=0.7),  # without mixing it plays no part
}


@pytest.mark.parametrize("name", RELATIVES)
def test_relatives_take_their_arguments_from_the_flags(name):
    policy = keras_amp.AdversarialMixing(alpha=0.2, probability=0.7, ascent_steps=2)
    given = Relatives(radius=0.3, norm="linf", weight=0.5, regmixup_alpha=4.0)
    method = experiments.Method("word" if name else "none", name)
    assert repr(method.policy_of(policy, relatives=given)) == repr(RELATIVES[name])
    assert method.name.startswith("Word" if name else "none")


# Another value of each argument than its default, as a grid's file has it.
OTHER = {"ascent_steps": 2, "mixup": True, "bandwidth": 0.5}


def in_grid(policy, **values):
    """The policy that a grid's file with the given settings makes."""
    lines = ["[settings]", "mix = 'word'", f"policy = '{policy}'"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    (cell,) = experiments.parse_grid("\n".join(lines), "mine").cells
    return cell


@pytest.mark.parametrize("name", CLASSES)
def test_every_argument_of_a_relative_can_be_set(name):
    """A grid reads off the classes what there is to set, and what it is by default."""
    signature = inspect.signature(CLASSES[name]).parameters
    assert sources(name).keys() == signature.keys()
    default = in_grid(name).policy
    for parameter in signature.values():
        source, of = sources(name)[parameter.name]
        if source == "said":
            assert getattr(default, parameter.name) == of
            continue
        assert getattr(default, parameter.name) == parameter.default
        value = OTHER.get(parameter.name, 0.25)
        if get_origin(parameter.annotation) is Literal:
            value = get_args(parameter.annotation)[1]
        more = {"partners": "near"} if of == "bandwidth" else {}  # else it has no effect
        given = getattr(in_grid(name, **more, **{of: value}).policy, parameter.name)
        assert given == value or (value is True and given is not None)


def test_every_policy_is_a_method_and_every_flag_is_explained():
    known = {Policy, AdversarialMixing, Mixup, *CLASSES.values()}
    of_package = vars(keras_amp.policies).values()
    assert known == {
        k for k in of_package if inspect.isclass(k) and issubclass(k, Policy)
    }
    assert {*POLICIES} == {*CLASSES, "mixup", "maxop", "amp", "program"}
    explained = inspect.getdoc(Relatives).split("Attributes:")[1]
    for field in fields(Relatives):
        assert f"\n    {field.name}: " in explained


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"radius": -1}, "`radius` to be a finite number >= 0. Received: radius=-1"),
        ({"regmixup_alpha": 0}, "`regmixup_alpha` to be a finite number > 0"),
        ({"norm": "l1"}, "`norm` to be one of 'l2', 'linf'. Received: norm='l1'"),
        ({"mixup": 1}, "`mixup` to be True or False"),
        ({"radios": 1}, "Received: radios. Did you mean 'radius'"),
    ],
)
def test_the_ranges_of_relatives_are_those_of_their_classes(given, message):
    method = experiments.Method("word", "rdrop")  # whichever of them is trained
    with pytest.raises(ValueError, match=message):
        method.policy_of(AdversarialMixing(), relatives=given)


def test_a_step_away_from_mixtures_is_told_by_the_settings_of_mixup():
    cell = in_grid("vat", mixup=True, alpha=0.4, partners="near", bandwidth=2.0)
    expected = keras_amp.Mixup(0.4, partners="near", bandwidth=2.0)
    assert repr(cell.policy.mixup) == repr(expected)
    assert cell.config["policy_arguments"]["mixup"] == expected.get_config()
    assert cell.values["mixup"] is True
    assert cell.values["alpha"] == 0.4
    plain = in_grid("vat")
    assert plain.values["mixup"] is False
    assert "unlabeled" not in plain.values  # there are none
    assert cell.key != plain.key
    # A key does not change: cells are kept by it.
    assert plain.key == "2b17e5fb7685970a"


def test_reports_name_what_distinguishes_steps_from_each_other():
    """A step away from mixtures is compared with mixup of the same settings alone."""
    text = "[settings]\nmix = 'word'\nalpha = [0.4, 1.0]\nmixup = [false, true]\n"
    cells = experiments.parse_grid(text + "policy = ['mixup', 'vat']", "mine").cells
    names = ["WordMixup, alpha 0.4", "WordMixup, alpha 1", "WordVAT, mixup no"]
    names += [f"WordVAT, mixup yes, alpha {alpha}" for alpha in ("0.4", "1")]
    labels = label_cells(cells)
    assert sorted(labels.values()) == sorted(names)
    groups = {labels[c.key]: Group([Trial(c.values, None, c.key)]) for c in cells}
    step = groups["WordVAT, mixup yes, alpha 0.4"]
    assert step.extends(groups["WordMixup, alpha 0.4"])
    assert not step.extends(groups["WordMixup, alpha 1"])
    assert groups["WordVAT, mixup no"].extends(groups["WordMixup, alpha 1"])


def test_texts_without_labels_are_those_that_are_left_out():
    with pytest.raises(ValueError, match="`train_fraction` or `train_per_class`"):
        Settings(unlabeled=True)
    dataset = data.load("questions")
    settings = Settings(train_fraction=0.1, unlabeled=True)
    splits = divide(dataset, settings, seed=3)
    left = without_labels(dataset, settings, 3, 0, splits)
    taken = {text for split in splits for text in split.texts}
    assert not taken & set(left)
    assert taken | set(left) == {*dataset.train.texts, *dataset.test.texts}
    assert without_labels(dataset, Settings(train_fraction=0.1), 3, 0, splits) == ()
    # No word of theirs is unknown, and none is cut, as in texts with labels.
    inputs = prepare(dataset, settings, seed=3).unlabeled
    words = data.split_words(left)
    np.testing.assert_array_equal((inputs != PADDING).sum(axis=1), [*map(len, words)])
    assert not (inputs == UNKNOWN).any()


def test_a_method_that_needs_labels_has_no_cell_of_its_own_with_texts_without():
    text = "[settings]\nmix = ['none', 'word']\npolicy = ['mixup', 'vat']\n"
    text += "train_fraction = 0.5\nunlabeled = [false, true]"
    cells = experiments.parse_grid(text, "mine").cells
    assert list(label_cells(cells).values()) == [
        "none", "WordMixup", "WordVAT", "WordVAT, unlabeled yes"
    ]  # fmt: skip
    groups = [Group([Trial(c.values, None, c.key)]) for c in cells]
    assert all(vat.extends(other) for vat in groups[2:] for other in groups[:2])
    assert len({cell.examples_key for cell in cells[:3]}) == 1
    # So it is for what the runs' folders say, which leave no default out.
    told = [flat_values({"unlabeled": False, **cell.config}) for cell in cells]
    assert ["unlabeled" in values for values in told] == [False, False, False, True]


def test_methods_share_what_their_policies_share():
    policy = keras_amp.AdversarialMixing(0.4, 0.1, noise="shared", probability=0.5)
    config = policy.get_config()
    ablated = experiments.Method("word", "maxop").policy_of(policy).get_config()
    assert ablated == {**config, "min_op": False}
    program = experiments.Method("word", "program").policy_of(policy).get_config()
    for name in ("alpha", "step_size", "probability", "lam_per"):
        assert program[name] == config[name]
    assert program["noise"] == "independent"  # its own


def test_random_mixes_at_both_places():
    method = experiments.Method("random", "amp")
    assert method.name == "RandomAMP"
    classifier = keras_amp.backbones.text_cnn(9, 2, 5, embedding_dim=4, filters=2)
    assert method.mix_at(classifier) == ["embedding", "sentence"]


@pytest.mark.parametrize(("steps", "epochs"), [(3, 1), (4, 1), (6, 2), (8, 2)])
def test_steps_are_counted_in_epochs(steps, epochs):
    """58 texts in batches of 16 are 4 steps."""
    assert settings("mine.csv", steps=steps).length(58) == (4, epochs, steps)
    assert settings("mine.csv", epochs=7).length(58) == (4, 7, 28)
