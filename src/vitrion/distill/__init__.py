"""Distill a slow, accurate teacher into a fast student: sample, label, train, validate.

Each stage reads and writes extended XYZ files in a folder and is restartable: finished work is
kept. Two pipelines consist of the same stages: :mod:`~vitrion.distill.distillation`
(``vitrion distill``: one command, a few compositions) and :mod:`~vitrion.distill.makers` (jobs:
committees, supplements of defects, DFT labels).

- `data`: labelled frames, their files, and the record of what made them.
- `sample`: cells to label, by packing, dynamics with a student, a committee, defects.
- `label`: energy, forces and stress from the teacher, with dispersion if wanted.
- `train`: one fit and its program, first weights, architecture; `training` is a phase of jobs.
- `validate`: errors by regime, densities, bulk moduli, endurance; comparison with the teacher.
- `student`: the model file and where students are found.

The other modules are the pipelines: settings, plan, stages, worker processes, cards, documents, and
`learning`, which retrains a student.
"""
