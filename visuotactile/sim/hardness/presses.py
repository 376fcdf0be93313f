"""Presses on silicone samples, soft to hard, as tactile sequences.

After Yuan, Srinivasan and Adelson 2016, "Estimating object hardness with a GelSight touch sensor": a person
presses the sensor on hemispheres of 8 Shore 00 to 45 Shore A without controlling force or path, and the
hardness shows in the change of brightness while the contact grows. At equal contact radius a harder ball
indents the gel more, because the gel takes a larger share of the deformation, and its lights show the slopes.
Other shapes, harder samples, textures, oblique and rolling presses are options, after Yuan et al. 2017
("Shape-independent hardness estimation using deep learning and a GelSight tactile sensor").
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import Embodiment, Stream
from visuotactile.datasets.trial import Trial
from visuotactile.errors import SimulationError
from visuotactile.sim.hardness.contacts import Touch, make_contact, pulls
from visuotactile.sim.hardness.press_motion import (
    STEEPEST,
    PressMotion,
    draw_motion,
    find_motions,
    rolled,
    slanted,
)
from visuotactile.sim.hardness.samples import GEL_MODULUS, Sample, make_samples
from visuotactile.sim.hardness.shapes import find_shapes, find_textures
from visuotactile.sim.tactile import SHAPE, TactileSensor, make_unit

FRICTION = 0.8
"""Friction of silicone on a painted gel."""
SESSION_PRESSES = 40
"""Presses between two changes of the sensor unit."""


class Presses:
    """Presses on soft and hard silicone samples, as tactile clips.

    By default sixty hemispheres; the same for the same `seed`.

    Stream `tactile`: `before` uint8 [120, 160, 3], the bare gel; `during` uint8 [frames, 120, 160, 3], from
    first touch on, evenly in time. Outcomes: `log_modulus`, log10 of Young's modulus in pascals, which unites
    Shore 00 and Shore A; `soft`, 1 where the sample is softer than the gel. Object: the sample. Sensor: the
    unit, which changes with the session every 40 presses. Columns, which a person who chose the sample knows:
    `family` and `shape`, `texture`, `level` of hardness and `scale` of its durometer, `radius` (m, see
    `shapes.Shape`), `motion`, `angle` (degrees), and `wear` of the gel.
    Hidden: radius (m), modulus (Pa), reading, gel_share, force_peak (N),
    duration (s), held (0/1), and for each frame force_00 … (N) and contact_00 … (radius of a disc of the
    contact's area, m).

    Args:
        source: none; the set is simulated.
        trials: number of presses; every sample occurs once before any occurs again.
        seed: seed of all random draws.
        frames: frames of each clip.
        sensors: kind of sensor, gelsight or digit, or both in turn as gelsight,digit.
        first_unit: number of the first sensor unit.
        units: number of sensor units that take turns; sets with disjoint units share no gel.
        shapes: families of shapes (hemisphere, cylinder, edge, corner, flat, fruit) or single ones,
            separated by commas, or all.
        textures: textures of the samples (smooth, ridges, dots, weave, grain), separated by commas, or all.
        hardness: paper, 8 Shore 00 to 45 Shore A; wide, to 87 Shore 00; or rigid, a rigid one as well.
        motion: motions of the hand, press or roll, or both as press,roll.
        angle: largest angle in degrees between the path of a press and the gel's normal.

    Raises:
        SimulationError: a number out of range, or an unknown kind of sensor, shape, texture, range or motion.
    """

    name: ClassVar[str] = "simulated-presses"
    description: ClassVar[str] = "simulated presses on silicone samples, soft to hard (no source)"

    def __init__(
        self,
        source: object = None,
        trials: int = 600,
        seed: int = 0,
        frames: int = 12,
        sensors: str = "gelsight",
        first_unit: int = 0,
        units: int = 8,
        shapes: str = "hemisphere",
        textures: str = "smooth",
        hardness: str = "paper",
        motion: str = "press",
        angle: float = 0.0,
    ) -> None:
        if source is not None:
            raise SimulationError(f"presses are simulated and take no source, but were given {source!r}")
        least = {"trials": 1, "seed": 0, "frames": 2, "first_unit": 0, "units": 1}
        given = {"trials": trials, "seed": seed, "frames": frames, "first_unit": first_unit, "units": units}
        for key, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < least[key]:
                raise SimulationError(f"{key} is {value!r}; expected a whole number from {least[key]}")
        if isinstance(angle, bool) or not 0 <= angle <= STEEPEST:
            raise SimulationError(f"angle is {angle!r}; expected 0 to {STEEPEST:.0f} degrees")
        self._kinds = tuple(word.strip() for word in sensors.split(","))
        for word in self._kinds:
            make_unit(f"{word}-{first_unit:03d}")
        self.samples = make_samples(find_shapes(shapes), find_textures(textures), hardness)
        self._motions = find_motions(motion)
        chosen = {"shapes": shapes, "textures": textures, "hardness": hardness, "motion": motion}
        self.settings: Mapping[str, Any] = {**given, "sensors": sensors, **chosen, "angle": float(angle)}
        self.embodiment = Embodiment(
            name="hand-held gel",
            streams=(Stream("tactile", "image", {"before": (*SHAPE, 3), "during": (frames, *SHAPE, 3)}),),
            outcomes=("soft",),
        )
        self.names = tuple(f"press-{i:05d}" for i in range(trials))

    def __len__(self) -> int:
        """Number of presses."""
        return len(self.names)

    def sample(self, i: int) -> Sample:
        """The sample of press `i`."""
        turn, place = divmod(i, len(self.samples))
        order = np.random.default_rng((self.settings["seed"], 1, turn)).permutation(len(self.samples))
        return self.samples[order[place]]

    def trial(self, i: int) -> Trial:
        """Simulate press `i`."""
        name, sample = self.names[i], self.sample(i)
        shape = sample.shape
        rng = np.random.default_rng((self.settings["seed"], 0, i))
        # of their own, so that the same hand presses along another path
        path = np.random.default_rng((self.settings["seed"], 4, i))
        contact = make_contact(sample, float(path.uniform(0, 2 * np.pi)))
        motion = draw_motion(self.settings["frames"], contact, rng)
        angle, towards = path.uniform(0, self.settings["angle"]), path.uniform(0, 2 * np.pi)
        kind = self._motions[int(path.integers(len(self._motions)))]
        if kind == "roll":
            motion = rolled(motion, contact, path)
        if angle > 0:
            motion = slanted(motion, contact, angle, towards)
        touches = contact.touches(motion)
        force = np.array([touch.force for touch in touches])
        session, unit, wear = self._session(i)
        return Trial(
            name=name,
            streams={"tactile": _film(unit, wear, sample, motion, touches, rng)},
            object=sample.name,
            session=session,
            sensor=unit,
            outcomes={
                "log_modulus": float(np.log10(sample.modulus)),
                "soft": float(sample.modulus < GEL_MODULUS),
            },
            hidden={
                "radius": shape.radius,
                "modulus": sample.modulus,
                "reading": float(sample.reading),
                "gel_share": sample.gel_share,
                "force_peak": float(force.max()),
                "duration": float(motion.time[-1]),
                "held": float(motion.held),
                **{f"force_{t:02d}": float(value) for t, value in enumerate(force)},
                **{f"contact_{t:02d}": touch.contact for t, touch in enumerate(touches)},
            },
            columns={
                "family": shape.family,
                "shape": shape.name,
                "texture": sample.texture,
                "level": sample.level,
                "scale": sample.scale,
                "radius": shape.radius,
                "motion": kind,
                "angle": float(angle),
                "wear": wear,
            },
        )

    def _session(self, i: int) -> tuple[str, str, float]:
        """Session of press `i`, its sensor unit, and the wear of the gel."""
        number, place = divmod(i, SESSION_PRESSES)
        turn, position = divmod(number, self.settings["units"])
        order = np.random.default_rng((self.settings["seed"], 2, turn)).permutation(self.settings["units"])
        unit = self.settings["first_unit"] + int(order[position])
        kind = self._kinds[unit % len(self._kinds)]
        wear = np.random.default_rng((self.settings["seed"], 3, number)).uniform(0, 0.4)
        wear += 0.1 * place / SESSION_PRESSES
        return f"simulated-{number:03d}", f"{kind}-{unit:03d}", float(wear)


def _film(
    unit: str,
    wear: float,
    sample: Sample,
    motion: PressMotion,
    touches: list[Touch],
    rng: np.random.Generator,
) -> dict[str, npt.NDArray[np.uint8]]:
    """Images of the bare gel and of the press."""
    sensor = _sensor(unit)
    shear, torque = pulls(touches, motion, sample.combined, FRICTION)
    before = sensor.render(np.zeros(SHAPE), wear=wear, rng=rng)
    clip = [
        sensor.render(
            touch.imprint, shear=shear[t], torsion=float(torque[t]), center=touch.center, wear=wear, rng=rng
        )
        for t, touch in enumerate(touches)
    ]
    return {"before": before, "during": np.stack(clip)}


@lru_cache(maxsize=8)
def _sensor(unit: str) -> TactileSensor:
    return TactileSensor(make_unit(unit), SHAPE)
