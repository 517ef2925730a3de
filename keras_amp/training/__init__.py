"""A training step: draw, mix, search the adversarial lambda, train on the losses.

In pseudocode, for a batch ``x, y`` and a policy::

    lam, permutation = policy.draw(batch_size)                    # Eq. 10: draw
    h = below(x)                                                  # once a step
    def losses(v):                                                # v: the inputs' lambda
        p = above(v * h + (1 - v) * h[permutation])               # Eq. 11
        return lam * L(p, y) + (1 - lam) * L(p, y[permutation])   # Eq. 17: labels, losses

    v = lam                                                       # policies.passes
    repeat policy.needs.ascent_steps times:
        v = policy.perturb(v, d losses(v) / d v)                  # MaxOp, Eq. 14-16
    mask = policy.select(losses(lam), losses(v))                  # MinOp, Eq. 21
    trained = losses(where(mask, v, lam))                         # Eq. 18-20

    loss = mean(policy.example_weights(...) * trained)            # losses, overrides
    weights -= rate * d loss / d weights                          # backend
    report lam, v - lam, mask, losses(v) - losses(lam)            # metrics

``step`` is this, in this order; each comment names the file with the rest. A policy says
what it needs of it (``policies.needs``): plain mixup moves nothing, so that the loop and
the choice fall away. ``validation``, ``input_check`` and ``label_values`` check what
comes in; ``mix_points`` picks one of several places; ``output_losses`` arranges the
losses of several outputs. ``backend`` is the door to what is TensorFlow's alone
(``tensorflow``) and what is JAX's (``jax``).

It imports ``keras_amp.graph`` and ``keras_amp.policies``; models and analysis import it.
"""
