"""What training runs came to: from records to groups, differences and data frames.

A record is a dict, as ``read_records`` returns it; ``folders`` makes the same of the
folders of runs. ``trials`` and ``groups`` put records together that differ by seed and
fold alone, ``means`` and ``differences`` hold the statistics, and ``arrangement`` says
where a group stands in a grid's table. ``frames`` and ``grid_frames`` give all of it as
numbers, ``texts`` and ``table`` as texts. Nothing here draws, renders or trains. It
imports ``keras_amp.paper``, ``keras_amp.analysis`` and the modules of
``keras_amp.experiments`` that describe a cell and its result;
``keras_amp.experiments.pages`` and what runs the cells import it.
"""
