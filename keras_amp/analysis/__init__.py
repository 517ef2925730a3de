"""What a trained model does between two examples, figures of it, and statistics.

``curve`` and ``pair_evaluator`` evaluate a model's loss along lambda; ``figures`` draws
what ``figure_data`` has checked, as ``looks`` says. ``significance`` pairs methods'
errors by seed, ``permutation`` tests their differences, ``verdicts`` says what that
shows, ``intervals`` how large they may be, ``pooling`` what is left over several data
sets; ``temperature`` scales probabilities. It imports models; callbacks, experiments and
the command line import it.
"""
