"""The grammar that has generated the data set ``questions``.

``grammar`` fills the ``templates`` with ``words``. In the root of the repository,
``python -m tools.questions FOLDER`` writes the data set's files. It imports the standard
library only, and only its tests import it.
"""
