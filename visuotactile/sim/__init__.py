"""The simulated lab: objects, a gripper that feels, a camera, and environments, on MuJoCo."""

import gymnasium

GRASP = "visuotactile/Grasp-v0"

if GRASP not in gymnasium.registry:
    gymnasium.register(GRASP, entry_point="visuotactile.sim.envs:GraspEnv", max_episode_steps=10)
