"""Experiments like a PiRogue's, with a known truth: see lab/README.md, "Experiments"."""

from __future__ import annotations

from lab.experiment.distortion import Distortion, Trace, distort
from lab.experiment.operations import Label, Operation
from lab.experiment.pirogue import write_experiment
from lab.experiment.plan import Load
from lab.experiment.recording import Recording, record

__all__ = ["Distortion", "Label", "Load", "Operation", "Recording", "Trace", "distort", "record", "write_experiment"]
