"""Frozen, content-hashed specifications of everything expensive; ``ensure(job)`` loads or
computes.

``base`` is what every job is, ``keys`` and ``code`` what its name is taken of, ``cache`` and
``plan`` what there is and what is needed; the other modules are jobs, one idea each.
"""

from .attacked import AttackedJob
from .attributions import MapsJob
from .base import Job, content_digest, ensure, finished
from .bayesian import BayesianGamesJob
from .cache import Entry, FullCacheError, entries, prune
from .class_games import ClassGamesJob
from .class_means import ClassMeansJob
from .components import AccuracyJob, ComponentGamesJob, FeaturesJob, LastGamesJob, PCAJob
from .games import CertifiedGames, Splits
from .identified import ComparedJob
from .layered import Layered, LayerSplits, Trio
from .mislabelled import MemorisedJob, MislabelledJob
from .noisy_inputs import NoisyInputsJob, OutputNoiseJob
from .perturbed import PerturbedJob
from .plan import Node, graph
from .posterior import BayesianTrainJob
from .probed import LayerGamesJob
from .probing import ProbesJob
from .scored import Games, GamesJob
from .side_by_side import ensure_all
from .split import SplitJob
from .toy import ToyJob
from .trained import TrainJob

__all__ = [
    "AccuracyJob",
    "AttackedJob",
    "BayesianGamesJob",
    "BayesianTrainJob",
    "CertifiedGames",
    "ClassGamesJob",
    "ClassMeansJob",
    "ComparedJob",
    "ComponentGamesJob",
    "Entry",
    "FeaturesJob",
    "FullCacheError",
    "Games",
    "GamesJob",
    "Job",
    "LastGamesJob",
    "LayerGamesJob",
    "LayerSplits",
    "Layered",
    "MapsJob",
    "MemorisedJob",
    "MislabelledJob",
    "Node",
    "NoisyInputsJob",
    "OutputNoiseJob",
    "PCAJob",
    "PerturbedJob",
    "ProbesJob",
    "SplitJob",
    "Splits",
    "ToyJob",
    "TrainJob",
    "Trio",
    "content_digest",
    "ensure",
    "ensure_all",
    "entries",
    "finished",
    "graph",
    "prune",
]
