"""The simulated lab: objects, hands that feel, a camera, a microphone, and environments, on MuJoCo."""

import gymnasium

GRASP = "visuotactile/Grasp-v0"
GENTLE_GRASP = "visuotactile/GentleGrasp-v0"

for _name, _entry in ((GRASP, "GraspEnv"), (GENTLE_GRASP, "GentleGraspEnv")):
    if _name not in gymnasium.registry:
        gymnasium.register(_name, entry_point=f"visuotactile.sim.envs:{_entry}", max_episode_steps=10)
