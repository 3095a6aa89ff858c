"""Ways to break a valid tarball, in classes; the trial that each mutant undergoes, and the judge of what is valid.

`classes` gives the mutant of a class and a number, always the same; the modules that it draws on change bytes, members,
symbols, parameters and the other files. For ``test_tarball_mutants.py`` and ``benchmarks/tarball_mutants.py``.
"""
