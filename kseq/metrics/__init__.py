"""Scores of a fitted model beside naive baselines, one file per task.

Import from the files: `kseq.metrics.evaluation`, `.classification`, `.regression`, `.forecasting`,
`.tagging`, `.calibration`.
"""
