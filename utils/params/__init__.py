"""The one source of parameters.

papermill accepts wrong names and wrong types in silence, so the same :func:`validate` stands before
a kernel starts (``reproduce run``) and, as :func:`from_notebook`, in the second code cell of every
notebook. Every parameters cell lists exactly the fields of its model; a test compares them.
"""

from .checks import (
    ParameterError,
    accepted,
    describe,
    from_notebook,
    notebook_stem,
    validate,
)
from .common import Common, Study
from .features import FiveGroups
from .identified import LOOPS, Identified
from .layerwise import Layerwise
from .modalities import Modalities
from .models import PARAMS, Sparsity, StartHere, TheoreticalFit, TwoPhase
from .multi_order import MultiOrder
from .noisy import NoisyLabels
from .profiles import Profile, load_profile, parse, profiles
from .shared import Agreement

__all__ = [
    "LOOPS",
    "PARAMS",
    "Agreement",
    "Common",
    "FiveGroups",
    "Identified",
    "Layerwise",
    "Modalities",
    "MultiOrder",
    "NoisyLabels",
    "ParameterError",
    "Profile",
    "Sparsity",
    "StartHere",
    "Study",
    "TheoreticalFit",
    "TwoPhase",
    "accepted",
    "describe",
    "from_notebook",
    "load_profile",
    "notebook_stem",
    "parse",
    "profiles",
    "validate",
]
