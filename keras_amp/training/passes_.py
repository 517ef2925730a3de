"""The passes of a training step above the mix point: what is probed, what trained on.

The passes of a step see either the same noise or each their own.

- The same: MaxOp's and MinOp's evaluations are probes, which cost no gradient of the
  weights. The losses of one more pass, at the chosen lambda, are trained on: its noise is
  theirs, so these are the losses that were compared.
- Each its own: such a pass would meet a third noise. What is trained on are the compared
  losses themselves, of each example the larger.

A pass changes batch statistics and counters, and adds penalties. Those of a step's last
pass are kept and those of the others dropped, so that they count once.
"""

import contextlib
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops, tree

from keras_amp.graph import keras_compat
from keras_amp.policies.operators import expand_like
from keras_amp.training.adversarial_search import Choice, search
from keras_amp.training.tensorflow import side_effects


class Trained(NamedTuple):
    """What the passes of a step yield.

    Attributes:
        choice: ``Choice``, of constants. Both of its losses are there; a policy that sees
            but one has that one twice.
        y_pred: The predictions of each example's chosen pass, as the classifier's output.
        loss: Float32 tensor ``(batch_size,)``, to be differentiated.
    """

    choice: Choice
    y_pred: Any
    loss: Any


def run(evaluate, lam, policy, tape, noise_states, beside=side_effects.NOTHING):
    """Runs the passes of one step.

    Args:
        evaluate: Callable from coefficients of the inputs, of the shape of ``lam``, to
            the predictions and the examples' mixup losses ``(batch_size,)``.
        lam: Float32 tensor ``(batch_size,)``, the drawn coefficients, or these for each
            dimension of the hidden states, ``(batch_size, ...)``.
        policy: A ``Mixup`` or ``AdversarialMixing``.
        tape: The recording ``tf.GradientTape`` of the weights' gradient.
        noise_states: State variables of the random generators that ``evaluate`` uses.
            Those of generators that no layer tracks, such as Keras' global one, are
            found as they move.
        beside: ``keras_amp.training.tensorflow.side_effects.Foreign``: what ``evaluate`` does beside Keras.

    Returns:
        ``Trained``.
    """
    if not policy.adversarial:
        zeros = ops.zeros_like(lam)
        return _train_at(Choice(lam, lam, zeros, None, None, zeros), evaluate)
    batch_size = ops.shape(lam)[0] * tf.distribute.get_strategy().num_replicas_in_sync
    moves = policy.noise == "independent"
    kept = beside.variables + ([] if moves else beside.generators)

    def probe(input_lam):
        with _dropping_updates(noise_states if moves else None, kept):
            return evaluate(input_lam)

    if policy.noise == "independent" and policy.min_op:
        return _train_as_compared(evaluate, probe, lam, policy, batch_size, tape)
    with tape.stop_recording():
        choice = search(
            lambda at: probe(at)[1], lam, policy, _value_and_gradient, batch_size
        )
    return _train_at(choice, evaluate)


def _train_at(choice, evaluate):
    """One more pass, at the chosen lambda, which counts as a constant."""
    choice = _constant(choice)
    y_pred, loss = evaluate(choice.lam)
    # A loss that was not needed for the choice is this one.
    unseen = [n for n in ("loss", "adversarial_loss") if getattr(choice, n) is None]
    choice = choice._replace(**dict.fromkeys(unseen, tf.stop_gradient(loss)))
    return Trained(choice, y_pred, loss)


def _train_as_compared(evaluate, probe, lam, policy, batch_size, tape):
    """No more pass: of the two losses that MinOp compares, the one it chooses."""
    # At lambda, on the way, and at lambda'.
    passes = iter((*[probe] * policy.ascent_steps, evaluate))
    predictions = []

    def loss_at(input_lam):
        y_pred, loss = next(passes)(input_lam)
        predictions.append(y_pred)
        return loss

    def value_and_gradient(function, lam):
        if tf.executing_eagerly():
            value, gradient = _value_and_gradient(function, lam)
            return value, tf.stop_gradient(gradient)
        # No second tape in a graph: of a loop that two tapes record TensorFlow takes the
        # second derivative as well, which XLA does not compile.
        value = function(lam)
        with tape.stop_recording():
            return value, *tf.gradients(value, lam)

    choice = search(loss_at, lam, policy, value_and_gradient, batch_size)
    mask = ops.cast(choice.mask, "bool")
    return Trained(
        _constant(choice),
        tree.map_structure(
            lambda *two: _where(mask, *two), predictions[-1], predictions[0]
        ),
        _where(mask, choice.adversarial_loss, choice.loss),
    )


def _where(mask, chosen, other):
    """Picks examples by a mask ``(batch_size,)``; Keras' own mask is the first's."""
    picked = ops.where(expand_like(mask, chosen), chosen, other)
    mask = keras_compat.mask_of(chosen)
    if mask is not None:
        keras_compat.put_mask(picked, mask)
    return picked


@contextlib.contextmanager
def _dropping_updates(noise_states, variables):
    """Drops what a pass would change: statistics, counters, penalties, noise states.

    Args:
        noise_states: The states of random generators, which move on; those of generators
            that no layer tracks do besides. None if all stay where they were, so that the
            next pass draws the same noise.
        variables: Handles of TensorFlow's variables that are put back.
    """
    before = side_effects.read(variables)
    with _Updates() as updates:
        yield
    side_effects.put_back(variables, before)
    if noise_states is not None:
        for state in updates.of_generators(noise_states):
            state.assign(updates.get_current_value(state))


class _Updates(keras.StatelessScope):
    """Keeps the updates of Keras' variables from them, and knows whose they are."""

    def __init__(self):
        super().__init__()
        self._updated = {}

    def add_update(self, update):
        super().add_update(update)
        self._updated[id(update[0])] = update[0]

    def of_generators(self, known):
        """Of the updated variables the known ones and those of any seed generator.

        Keras tracks no generator of a function, nor its own global one.
        """
        known = {id(variable) for variable in known}
        return [
            variable
            for variable in self._updated.values()
            if id(variable) in known or keras_compat.is_seed_state(variable)
        ]


def _value_and_gradient(function, lam):
    """TensorFlow's gradient operator for ``search``: no weight is recorded."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(lam)
        value = function(lam)
    return value, tape.gradient(value, lam)


def _constant(choice):
    return Choice(*(v if v is None else tf.stop_gradient(v) for v in choice))
