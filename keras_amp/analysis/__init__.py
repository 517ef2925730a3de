"""What a trained model does between two examples, figures of it, and statistics.

``curve`` and ``pair_evaluator`` evaluate a model's loss along lambda; ``figures`` draws
what ``figure_data`` has checked, as ``looks`` says; ``significance`` compares methods
over seeds. It imports models; callbacks, experiments and the command line import it.
"""
