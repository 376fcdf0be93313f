"""Plain MuJoCo scenes for the camera's tests: a table, one object, and a bar for a hand."""

from __future__ import annotations

import mujoco
import numpy as np

HANDS = {
    "none": "",
    "above": '<geom type="box" size=".07 .02 .015" pos="0 0 .2" group="1" rgba=".3 .3 .9 1"/>',
    "waiting": '<geom type="box" size=".07 .02 .015" pos="0 0 .29" group="1" rgba=".3 .3 .9 1"/>',
    "in front": '<geom type="box" size=".02 .01 .08" pos="0 -.15 .1" group="1" rgba=".3 .3 .9 1"/>',
}


def solid(
    kind: str,
    size: tuple[float, ...],
    x: float = 0.0,
    y: float = 0.0,
    *,
    yaw: float = 0.0,
    z: float | None = None,
    rgb: tuple[float, float, float] = (0.8, 0.15, 0.1),
    hand: str = "none",
) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """A table and one geom with half-sizes `size`, standing on it (or at height `z`), turned by `yaw`."""
    rest = {"sphere": size[0], "capsule": sum(size)}.get(kind, size[-1]) if z is None else z
    numbers, color = " ".join(map(str, size)), " ".join(map(str, rgb))
    model = mujoco.MjModel.from_xml_string(
        f"""<mujoco><worldbody><geom type="plane" size="5 5 .1"/>
        <geom type="{kind}" size="{numbers}" pos="{x} {y} {rest}" group="3" rgba="{color} 1"
        quat="{np.cos(yaw / 2)} 0 0 {np.sin(yaw / 2)}"/>{HANDS[hand]}</worldbody></mujoco>"""
    )
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    return model, data
