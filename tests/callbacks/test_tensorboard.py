"""MixingTensorBoard: event files read back, and a real TensorBoard that serves them."""

import json
import time
import urllib.request

import keras
import numpy as np
import pytest
import tensorboard.program
import tensorflow as tf
from helpers import LAM, MODES, bag_of_words, injected
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_amp
from keras_amp.callbacks import LossAlongLambda, MixingSchedule, MixingTensorBoard
from keras_amp.callbacks.hparams import write_hparams
from keras_amp.callbacks.tensorboard import HISTOGRAM_TAGS, TAGS
from keras_amp.training.metrics import EDGES, MEASURED_EDGES, Counts

RNG = np.random.default_rng(8)
IDS, LABELS = RNG.integers(1, 30, (24, 7)), RNG.integers(0, 3, 24)
STEPS = ("lam", "lam_delta", "lam_gradient", "mask_rate")
LOSSES = ("mixup_loss", "adversarial_loss", "loss_gap")


def trained(policy, *callbacks, epochs=3, batch_size=24, validate=False, **compile_args):
    """Where nothing is said, the training takes one step an epoch, eagerly."""
    keras.utils.set_random_seed(3)
    model = keras_amp.MixupAMPModel(bag_of_words(), "embedding", policy, seed=1)
    compile_args.setdefault("run_eagerly", "jit_compile" not in compile_args)
    model.compile("adam", "sparse_categorical_crossentropy", **compile_args)
    history = model.fit(
        IDS,
        LABELS,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=(IDS, LABELS) if validate else None,
        callbacks=list(callbacks),
        verbose=0,
    )
    return model, history.history


def read(folder):
    sizes = {"tensors": 0, "histograms": 0}
    # Files of one second are read in the order of their names, "...10" before "...9".
    return EventAccumulator(str(folder), sizes, purge_orphaned_data=False).Reload()


def scalars(folder, tag):
    events = read(folder).Tensors(tag)
    return [e.step for e in events], [
        float(tf.make_ndarray(e.tensor_proto)) for e in events
    ]


def histogram(folder, tag):
    return {e.step: tf.make_ndarray(e.tensor_proto) for e in read(folder).Tensors(tag)}


@pytest.fixture(scope="module", params=["eager", "several steps"])
def shown(request, tmp_path_factory):
    """A training's folder and history: three epochs of four batches."""
    folder = tmp_path_factory.mktemp("shown")
    mode = {**MODES, "several steps": {**MODES["xla"], "steps_per_execution": 4}}
    arguments = {"batch_size": 6, "metrics": ["accuracy"], **mode[request.param]}
    policy = injected(keras_amp.AdversarialMixing, step_size=0.3)
    return folder, trained(policy, MixingTensorBoard(folder), **arguments)[1]


def test_every_tag_is_that_of_the_history(shown):
    tmp_path, history = shown
    for name in (*STEPS, *LOSSES):
        steps, values = scalars(tmp_path / "train", TAGS[name])
        assert steps == [0, 1, 2]
        np.testing.assert_allclose(values, history[name], rtol=1e-6)
    for tag in ("training/step_seconds", "training/examples_per_second"):
        steps, values = scalars(tmp_path / "train", tag)
        assert steps == [0, 1, 2]
        assert min(values) > 0
    _, rates = scalars(tmp_path / "train", "training/learning_rate")
    np.testing.assert_allclose(rates, 0.001, rtol=1e-6)
    # What is not of the mixing keeps Keras' tags, and ours come once.
    tags = read(tmp_path / "train").Tags()["tensors"]
    assert {"epoch_loss", "epoch_accuracy"} <= set(tags)
    assert not [tag for tag in tags if tag.startswith("epoch_l") and "lam" in tag]


def test_the_speed_is_that_of_the_training(shown):
    """24 examples in 4 steps an epoch; the rates agree with each other."""
    tmp_path, _ = shown
    _, seconds = scalars(tmp_path / "train", "training/step_seconds")
    _, rates = scalars(tmp_path / "train", "training/examples_per_second")
    np.testing.assert_allclose(np.multiply(seconds, rates), 24 / 4, rtol=1e-4)


def test_histograms_hold_every_example_of_the_epoch(shown):
    tmp_path, _ = shown
    for tag in HISTOGRAM_TAGS.values():
        buckets = histogram(tmp_path / "train", tag)
        assert list(buckets) == [0, 1, 2]
        for table in buckets.values():
            left, right, counts = table.T
            assert counts.sum() == 24
            assert (left < right).all()
            np.testing.assert_array_equal(left[1:], right[:-1])
    # The injected coefficients, four batches of them.
    left, right, counts = histogram(tmp_path / "train", HISTOGRAM_TAGS["lam"])[0].T
    for low, high, count in zip(left, right, counts, strict=True):
        # An edge is a float32; so are the coefficients.
        low, high = np.float32(low), np.float32(high)
        assert count == 4 * ((low <= LAM) & (high > LAM)).sum()


def test_histograms_come_as_often_as_asked(tmp_path):
    policy = keras_amp.AdversarialMixing()
    trained(policy, MixingTensorBoard(tmp_path / "2", histogram_freq=2))
    assert list(histogram(tmp_path / "2" / "train", HISTOGRAM_TAGS["lam"])) == [0, 2]
    trained(policy, MixingTensorBoard(tmp_path / "0", histogram_freq=0), epochs=1)
    tags = read(tmp_path / "0" / "train").Tags()["tensors"]
    assert not set(HISTOGRAM_TAGS.values()) & set(tags)


@pytest.mark.parametrize(
    ("update_freq", "steps_per_execution", "expected"),
    [("batch", 1, range(1, 13)), (3, 1, [3, 6, 9, 12]), (3, 4, [4, 8, 12])],
)
def test_batches_are_written_at_their_number(
    tmp_path, update_freq, steps_per_execution, expected
):
    callback = MixingTensorBoard(tmp_path, update_freq=update_freq)
    arguments = {"jit_compile": False, "steps_per_execution": steps_per_execution}
    trained(keras_amp.Mixup(), callback, batch_size=6, **arguments)
    steps, values = scalars(tmp_path / "train", "batch_mixing/lam")
    assert steps == list(expected)
    assert all(0 < value < 1 for value in values)
    steps, _ = scalars(tmp_path / "train", TAGS["lam"])
    assert steps == [0, 1, 2]


def test_batches_go_on_where_a_training_goes_on(tmp_path):
    callback = MixingTensorBoard(tmp_path, update_freq="batch")
    model, _ = trained(keras_amp.Mixup(), callback, epochs=1, batch_size=6)
    model.fit(IDS, LABELS, batch_size=6, callbacks=[callback], verbose=0)
    steps, _ = scalars(tmp_path / "train", "batch_mixing/lam")
    assert sorted(steps) == list(range(1, 9))


def projector_config(folder):
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    path = folder / "projector_config.pbtxt"
    return text_format.Parse(path.read_text(), ProjectorConfig())


def test_keras_projector_finds_the_classifiers_embeddings(tmp_path):
    metadata = {"embedding": "words.tsv"}
    for name in ("plain", "ours"):
        model = bag_of_words()
        if name == "ours":
            model = keras_amp.MixupAMPModel(model, "embedding", keras_amp.Mixup())
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
        callback = keras.callbacks.TensorBoard(
            tmp_path / name, embeddings_freq=1, embeddings_metadata=dict(metadata)
        )
        model.fit(IDS, LABELS, callbacks=[callback], verbose=0)
    plain, ours = (projector_config(tmp_path / name) for name in ("plain", "ours"))
    assert ours == plain
    assert [e.metadata_path for e in ours.embeddings] == ["words.tsv"]


def test_the_projector_reads_embeddings_at_any_depth(tmp_path):
    """By the names in its configuration, from the checkpoint that it takes."""
    ids = keras.Input((7,))
    inner = keras.Sequential(
        [keras.Input((7,)), keras.layers.Embedding(30, 4, name="in")]
    )
    outer = keras.layers.Embedding(30, 5, name="out")
    joined = keras.layers.Concatenate(name="joined")([inner(ids), outer(ids)])
    x = keras.layers.GlobalAveragePooling1D()(joined)
    classifier = keras.Model(ids, keras.layers.Dense(3, "softmax")(x))
    metadata = {"in": "in.tsv"}
    callback = MixingTensorBoard(
        tmp_path, embeddings_freq=2, embeddings_metadata=metadata
    )
    model = keras_amp.MixupAMPModel(classifier, "joined", keras_amp.Mixup())
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    model.fit(IDS, LABELS, epochs=3, callbacks=[callback], verbose=0)
    assert metadata == {"in": "in.tsv"}  # the user's own dict
    config = projector_config(tmp_path)
    assert sorted(e.metadata_path for e in config.embeddings) == ["", "in.tsv"]
    latest = tf.train.latest_checkpoint(tmp_path)
    assert latest.endswith("-2")
    tensors = tf.train.load_checkpoint(latest)
    for embedding in config.embeddings:
        layer = inner.layers[0] if embedding.metadata_path else outer
        np.testing.assert_array_equal(
            tensors.get_tensor(embedding.tensor_name), layer.embeddings
        )
    callback = MixingTensorBoard(
        tmp_path, embeddings_freq=1, embeddings_metadata={"other": "words.tsv"}
    )
    with pytest.raises(ValueError, match="in, out. Received: 'other'"):
        model.fit(IDS, LABELS, callbacks=[callback], verbose=0)


def test_plain_mixup_shows_no_adversary(tmp_path):
    _, history = trained(keras_amp.Mixup(), MixingTensorBoard(tmp_path))
    assert set(history["mask_rate"]) == set(history["lam_gradient"]) == {0.0}
    np.testing.assert_allclose(history["mixup_loss"], history["adversarial_loss"])
    _, gaps = scalars(tmp_path / "train", TAGS["loss_gap"])
    assert gaps == [0, 0, 0]


RELATIVES = {
    "adversarial": keras_amp.AdversarialTraining(0.3),
    "vat": keras_amp.AdversarialTraining(0.3, against="predictions"),
    "of mixtures": keras_amp.AdversarialTraining(0.3, mixup=keras_amp.Mixup()),
    "regmixup": keras_amp.RegMixup(),
    "rdrop": keras_amp.RDrop(),
}
OF_LAM = {"mixing/lam", "mixing/lam_delta", "mixing/lam_gradient"}
WRITTEN = {  # beside the losses and their gap
    "adversarial": {"mixing/mask_rate", "mixing/delta_norm"},
    "vat": {"mixing/mask_rate", "mixing/delta_norm", "mixing/divergence"},
    "of mixtures": {*OF_LAM, "mixing/mask_rate", "mixing/delta_norm"},
    "regmixup": {*OF_LAM, "mixing/mask_rate"},
    "rdrop": {"mixing/divergence"},
}


@pytest.mark.parametrize("name", RELATIVES)
def test_a_relative_has_the_tags_that_say_something_of_it(tmp_path, name):
    _, history = trained(RELATIVES[name], MixingTensorBoard(tmp_path), epochs=1)
    events = read(tmp_path / "train")
    tags = {t for t in events.Tags()["tensors"] if t.startswith("mixing/")}
    histograms = {t for t in tags if t.endswith("_histogram")}
    assert tags - histograms == WRITTEN[name]
    # Those that are not of single examples have no histogram.
    counted = WRITTEN[name] - {"mixing/mask_rate", "mixing/lam_delta"}
    assert histograms == {f"{tag}_histogram" for tag in counted}
    assert {TAGS[loss] for loss in LOSSES} < set(events.Tags()["tensors"])
    for measure in ("delta_norm", "divergence"):
        tag = f"mixing/{measure}"
        if tag not in tags:
            assert measure not in history
            continue
        _, values = scalars(tmp_path / "train", tag)
        np.testing.assert_allclose(values, history[measure], rtol=1e-6)
        left, right, counts = histogram(tmp_path / "train", f"{tag}_histogram")[0].T
        assert counts.sum() == 24
        means = (counts @ left / 24, counts @ right / 24)
        assert means[0] <= values[0] <= means[1]


def test_a_measure_of_zero_has_a_bin_of_its_own():
    for name, edges in MEASURED_EDGES.items():
        counts = Counts(edges, name)
        smallest = np.float32(edges[1])
        counts.update_state(np.array([0.0, 0.0, -1e-12, smallest, 1.0, 0.9999999, 1.01]))
        _, zero, *others = counts.result()
        assert zero == 2
        assert others[0] == 1
        assert max(others) == 3  # about 1, whatever the last digit


def test_a_measure_of_ones_own_is_written(tmp_path):
    class Measuring(keras_amp.policies.Policy):
        measures = ("surprise",)

        def search(self, passes, start):
            searched = super().search(passes, start)
            return searched._replace(measured={"surprise": -searched.loss})

    trained(Measuring(), MixingTensorBoard(tmp_path), epochs=1)
    (value,) = scalars(tmp_path / "train", "mixing/surprise")[1]
    left, right, counts = histogram(tmp_path / "train", "mixing/surprise_histogram")[0].T
    assert counts @ left / 24 <= value <= counts @ right / 24 < 0


def test_without_min_op_the_losses_are_those_before_and_after(tmp_path):
    policy = keras_amp.AdversarialMixing(min_op=False, step_size=0.1)
    _, history = trained(policy, MixingTensorBoard(tmp_path))
    gap = np.subtract(history["adversarial_loss"], history["mixup_loss"])
    np.testing.assert_allclose(history["loss_gap"], gap, atol=1e-6)
    assert min(history["loss_gap"]) > 0


def test_a_plain_classifier_is_shown_as_by_keras(tmp_path):
    classifier = bag_of_words()
    classifier.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    classifier.fit(IDS, LABELS, callbacks=[MixingTensorBoard(tmp_path)], verbose=0)
    tags = set(read(tmp_path / "train").Tags()["tensors"])
    assert {"epoch_loss", "training/examples_per_second"} <= tags
    assert not tags & set(TAGS.values())


def test_only_a_monitored_model_reports_more():
    model = keras_amp.MixupAMPModel(bag_of_words(), "embedding", keras_amp.Mixup())
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.fit(IDS, LABELS, verbose=0).history
    assert not {"lam_gradient", "mixup_loss", "adversarial_loss"} & set(before)
    model.monitor()
    after = model.fit(IDS, LABELS, verbose=0).history
    assert {"lam_gradient", "mixup_loss", "adversarial_loss"} == set(after) - set(before)
    assert list(model.evaluate(IDS, LABELS, verbose=0, return_dict=True)) == ["loss"]


def test_two_replicas_count_all_examples(tmp_path, strategy):
    with strategy.scope():
        model = keras_amp.MixupAMPModel(bag_of_words(), "embedding", seed=1)
        model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(
        IDS,
        LABELS,
        batch_size=6,
        epochs=2,
        callbacks=[
            MixingSchedule(step_size=lambda epoch: 0.1 * (epoch + 1)),
            MixingTensorBoard(tmp_path),
        ],
        verbose=0,
    ).history
    for table in histogram(tmp_path / "train", HISTOGRAM_TAGS["lam_gradient"]).values():
        assert table[:, 2].sum() == 24
    _, values = scalars(tmp_path / "train", TAGS["lam_delta"])
    np.testing.assert_allclose(values, history["lam_delta"], rtol=1e-6)
    _, values = scalars(tmp_path / "train", TAGS["step_size"])
    np.testing.assert_allclose(values, [0.1, 0.2], rtol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"histogram_freq": -1},
        {"histogram_freq": True},
        {"update_freq": 0},
        {"update_freq": "step"},
        {"weight_histogram_freq": 0.5},
    ],
)
def test_frequencies_are_checked(tmp_path, arguments):
    with pytest.raises(ValueError, match=rf"Expected `{next(iter(arguments))}`"):
        MixingTensorBoard(tmp_path, **arguments)


def test_counts_are_those_of_numpy():
    for name, edges in EDGES.items():
        values = RNG.standard_cauchy(500).astype("float32") * 0.1
        values[:40] = edges[RNG.integers(0, len(edges), 40)]  # on the edges, too
        counts = Counts(edges, name)
        counts.update_state(values[:100])
        counts.update_state(values[100:])
        bounds = [-np.inf, *edges.astype("float32"), np.inf]
        expected = np.histogram(values, np.array(bounds, "float64"))[0]
        np.testing.assert_array_equal(counts.result(), expected)
        counts.reset_state()
        assert counts.result().sum() == 0


# === A real TensorBoard ===


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """The address of a TensorBoard that serves two runs."""
    logs = tmp_path_factory.mktemp("logs")
    for name, step_size in (("small", 0.002), ("large", 0.5)):
        policy = keras_amp.AdversarialMixing(step_size=step_size)
        curve = LossAlongLambda((IDS, LABELS), lambdas=3, log_dir=logs / name, every=2)
        callbacks = [curve] if name == "large" else []
        trained(policy, *callbacks, MixingTensorBoard(logs / name), validate=True)
        settings = {"method": name, "step_size": step_size, "words": ("a", "b")}
        write_hparams(logs / name, settings, {"test_error": 10 * step_size}, name)
    # In a thread of this process, which has imported TensorFlow already.
    server = tensorboard.program.TensorBoard()
    server.configure(
        logdir=str(logs), host="127.0.0.1", port=0, load_fast="false", reload_interval=0
    )
    address = server.launch().rstrip("/")
    deadline = time.monotonic() + 90
    while len(asked(address, "/data/runs")) < 7:  # with train, validation
        assert time.monotonic() < deadline, "TensorBoard does not show the runs"
        time.sleep(0.1)
    return address


def asked(address, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {} if data is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(address + path, data, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def test_tensorboard_serves_scalars_and_histograms(board):
    tags = asked(board, "/data/plugin/scalars/tags")
    for run in ("small/train", "large/train"):
        wanted = {TAGS[name] for name in (*STEPS, *LOSSES)}
        assert wanted <= set(tags[run])
        path = f"run={run.replace('/', '%2F')}&tag=mixing%2Flam_delta"
        points = asked(board, f"/data/plugin/scalars/scalars?{path}")
        assert [step for _, step, _ in points] == [0, 1, 2]
        path = f"run={run.replace('/', '%2F')}&tag=mixing%2Flam_histogram"
        shown = asked(board, f"/data/plugin/histograms/histograms?{path}")
        assert sum(count for *_, count in shown[0][2]) == 24
        assert "epoch_loss" in tags[run.replace("train", "validation")]


def test_tensorboard_serves_the_curves_as_images(board):
    tags = asked(board, "/data/plugin/images/tags")
    run = "large/loss_along_lambda"
    assert set(tags[run]) == {"loss_along_lambda"}
    path = f"run={run.replace('/', '%2F')}&tag=loss_along_lambda&sample=0"
    shown = asked(board, f"/data/plugin/images/images?{path}")
    assert [image["step"] for image in shown] == [0, 2]
    path = f"{board}/data/plugin/images/individualImage?{shown[1]['query']}"
    with urllib.request.urlopen(path, timeout=20) as answer:
        pixels = tf.io.decode_png(answer.read())
    assert min(pixels.shape[:2]) > 200
    assert np.ptp(pixels.numpy()) > 100


def test_tensorboard_compares_runs_by_their_settings(board):
    experiment = asked(board, "/data/plugin/hparams/experiment", {"experimentName": ""})
    names = {info["name"] for info in experiment["hparamInfos"]}
    assert names == {"method", "step_size", "words"}
    groups = asked(
        board,
        "/data/plugin/hparams/session_groups",
        {
            "experimentName": "",
            "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_RUNNING"],
            "colParams": [
                {"metric": {"group": "", "tag": "final/test_error"}, "order": "ORDER_ASC"}
            ],
            "startIndex": 0,
            "sliceSize": 10,
        },
    )
    found = {
        group["hparams"]["method"]: [m["value"] for m in group["metricValues"]
                                     if m["name"]["tag"] == "final/test_error"]
        for group in groups["sessionGroups"]
    }  # fmt: skip
    assert set(found) == {"small", "large"}
    np.testing.assert_allclose(found["large"], 5.0, rtol=1e-6)
