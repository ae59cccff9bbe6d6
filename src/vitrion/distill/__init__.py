"""Distill a slow, accurate teacher into a fast student: sample, label, train, validate.

Each stage reads and writes extended XYZ files in a folder and is restartable: finished work is
kept. Two pipelines consist of the same stages: :mod:`~vitrion.distill.distillation`
(``vitrion distill``: one command, a few compositions) and :mod:`~vitrion.distill.makers` (jobs:
committees, supplements of defects, DFT labels).

- Frames to label: `sampling`, `packing`, `packed_cells`, `repackings`, `off_stoichiometry`,
  `phosphate_glasses`; with a student: `active`, `committee`, `supplement`.
- Labels: `labelling`, `label_program`, `dispersion`; their files: `frames`, `labelled_files`.
- Training: `fit` and its program for one fit, `initial_weights`, `architecture`; `training` for a
  phase of jobs, `training_plan` for its chemistry and phases.
- Validation: `validation`, `heldout`, `properties`, `packings`, `endurance`,
  `teacher_comparison`, `student_validation`.
- The student: `release`, `student_card`, `student_files`, `document`; `learning` retrains it.
"""
