"""What a job will take on this machine: its size in numbers, and seconds fitted to records."""

from .model import Model, Prediction, calibrate, current
from .records import Spec, records
from .sizes import uncounted

__all__ = ["Model", "Prediction", "Spec", "calibrate", "current", "records", "uncounted"]
