"""Grasp and regrasp: the outcome predictor, its calibration, the planner and its policies."""

from visuotactile.grasp.episodes.robot import EnvRobot, Robot, run_episode
from visuotactile.grasp.planning.actions import ActionSpace
from visuotactile.grasp.planning.gripper import LEAST_FORCE, CylinderFitting, GripperRobot
from visuotactile.grasp.planning.objectives import Constrained, Least, MostLikely
from visuotactile.grasp.planning.planner import Planner, PresetHand
from visuotactile.grasp.planning.policies import FirstGrasp, PlannerPolicy, RandomRegrasp
from visuotactile.grasp.planning.search import CrossEntropy, GradientRefinement, RandomSearch
from visuotactile.grasp.predictor.data import GraspData
from visuotactile.grasp.predictor.ensemble import Ensemble
from visuotactile.grasp.predictor.file import load_predictor
from visuotactile.grasp.predictor.module import PredictorModule
from visuotactile.grasp.predictor.network import Predictor

__all__ = [
    "LEAST_FORCE",
    "ActionSpace",
    "Constrained",
    "CrossEntropy",
    "CylinderFitting",
    "Ensemble",
    "EnvRobot",
    "FirstGrasp",
    "GradientRefinement",
    "GraspData",
    "GripperRobot",
    "Least",
    "MostLikely",
    "Planner",
    "PlannerPolicy",
    "Predictor",
    "PredictorModule",
    "PresetHand",
    "RandomRegrasp",
    "RandomSearch",
    "Robot",
    "load_predictor",
    "run_episode",
]
