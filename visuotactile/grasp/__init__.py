"""Grasp and regrasp: the outcome predictor, its calibration, the planner and its policies."""

from visuotactile.grasp.episodes.robot import EnvRobot, Robot, run_episode
from visuotactile.grasp.planning.actions import REGRASP, ActionSpace
from visuotactile.grasp.planning.objectives import LEAST_FORCE, Constrained, Least, MostLikely
from visuotactile.grasp.planning.planner import Planner
from visuotactile.grasp.planning.policies import CylinderFitting, FirstGrasp, PlannerPolicy, RandomRegrasp
from visuotactile.grasp.planning.search import CrossEntropy, GradientRefinement, RandomSearch
from visuotactile.grasp.predictor.data import GraspData
from visuotactile.grasp.predictor.ensemble import Ensemble
from visuotactile.grasp.predictor.file import load_predictor
from visuotactile.grasp.predictor.module import PredictorModule
from visuotactile.grasp.predictor.network import Predictor

__all__ = [
    "LEAST_FORCE",
    "REGRASP",
    "ActionSpace",
    "Constrained",
    "CrossEntropy",
    "CylinderFitting",
    "Ensemble",
    "EnvRobot",
    "FirstGrasp",
    "GradientRefinement",
    "GraspData",
    "Least",
    "MostLikely",
    "Planner",
    "PlannerPolicy",
    "Predictor",
    "PredictorModule",
    "RandomRegrasp",
    "RandomSearch",
    "Robot",
    "load_predictor",
    "run_episode",
]
