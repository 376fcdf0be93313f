"""Grasp and regrasp: the outcome predictor, its calibration, the planner and its policies."""

from visuotactile.grasp.actions import REGRASP, ActionSpace
from visuotactile.grasp.branches import Branch
from visuotactile.grasp.data import GraspData
from visuotactile.grasp.ensemble import Ensemble
from visuotactile.grasp.module import PredictorModule
from visuotactile.grasp.objectives import LEAST_FORCE, Constrained, Least, MostLikely
from visuotactile.grasp.planner import Planner
from visuotactile.grasp.policies import CylinderFitting, FirstGrasp, PlannerPolicy, RandomRegrasp
from visuotactile.grasp.predictor import Predictor
from visuotactile.grasp.predictor_file import load_predictor
from visuotactile.grasp.robot import EnvRobot, Robot, run_episode
from visuotactile.grasp.search import CrossEntropy, GradientRefinement, RandomSearch

__all__ = [
    "LEAST_FORCE",
    "REGRASP",
    "ActionSpace",
    "Branch",
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
