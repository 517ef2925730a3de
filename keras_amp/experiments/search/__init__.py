"""A search for what helps on the user's data, with the same number of trials a method.

``space`` lists what is tried, ``sampler`` proposes it by Optuna, ``trials`` says which
cells come next and which trials go on, ``budget`` how many there are, ``claims`` which
process runs a cell. ``run`` has the runner of cells run them; ``confirm`` compares the
best trials on fresh seeds, and ``recommendation`` says what follows. ``texts`` are the
cells of a data set of texts, ``own_model`` those of the user's own Keras model. This
folder imports the rest of ``keras_amp.experiments``; pages and the command line import
it. It needs the extra ``keras-amp[search]``.
"""
