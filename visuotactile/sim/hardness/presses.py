"""Presses on silicone hemispheres from 8 Shore 00 to 45 Shore A, as tactile sequences.

After Yuan, Srinivasan and Adelson 2016, "Estimating object hardness with a GelSight touch sensor": a person
presses the sensor on the samples without controlling force or path, and the hardness shows in the change of
brightness while the contact grows. At equal contact radius a harder ball indents the gel more, because the
gel takes a larger share of the deformation, and its lights show the slopes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from visuotactile.datasets.embodiment import Embodiment, Stream
from visuotactile.datasets.trial import Trial
from visuotactile.errors import SimulationError
from visuotactile.mechanics import hertz, shore
from visuotactile.sim.hardness.press_motion import PressMotion, draw_motion, forces
from visuotactile.sim.scene import PAD_HALF
from visuotactile.sim.tactile import SHAPE, TactileSensor, make_unit

Array = npt.NDArray[np.float64]

GEL_MODULUS = float(shore.shore_a_modulus(5))
"""0.28 MPa. Gels are cast at 5 to 20 Shore A (Yuan, Dong and Adelson 2017); soft ones are more sensitive."""
FRICTION = 0.8
"""Friction of silicone on a painted gel."""
RADII_MM = (8, 10, 12, 14, 16)
"""A factor of two, since the gel shows R/E*, and a wider range would mask the hardness."""
HARDNESSES = (
    *(("00", reading) for reading in (8, 15, 23, 32, 41, 50)),
    *(("a", reading) for reading in (7, 13, 19, 27, 36, 45)),
)
"""Scale and reading, softest first; each about 1.4 times stiffer than the last."""
SESSION_PRESSES = 40
"""Presses between two changes of the sensor unit."""


@dataclass(frozen=True, kw_only=True)
class Hemisphere:
    """A silicone sample: `radius` in metres, hardness as a durometer `reading` on `scale` ("00" or "a")."""

    radius: float
    scale: str
    reading: float

    @property
    def name(self) -> str:
        """Name, such as hemisphere-r12-00-08 or hemisphere-r08-a-45."""
        return f"hemisphere-r{self.radius * 1e3:02.0f}-{self.scale}-{self.reading:02.0f}"

    @property
    def modulus(self) -> float:
        """Young's modulus [Pa]."""
        return float(shore.MODULUS[self.scale](self.reading))


SAMPLES = tuple(
    Hemisphere(radius=mm * 1e-3, scale=scale, reading=reading)
    for scale, reading in HARDNESSES
    for mm in RADII_MM
)
"""The sixty hemispheres, softest first."""


def height_map(center: npt.ArrayLike, contact: float, radius: float, share: float) -> Array:
    """Depth of the gel's surface, float64 [120, 160], metres, under a ball centred at (right, up) metres."""
    right, up = np.asarray(center, np.float64)
    rows, columns = SHAPE
    u = (np.arange(columns) + 0.5) / columns * 2 * PAD_HALF[0] - PAD_HALF[0]
    v = PAD_HALF[1] - (np.arange(rows) + 0.5) / rows * 2 * PAD_HALF[1]
    return hertz.surface_displacement(np.hypot(u - right, v[:, None] - up), contact, radius, share)


class Presses:
    """Presses on soft and hard silicone hemispheres, as tactile clips.

    Sixty samples; the same for the same `seed`.

    Stream `tactile`: `before` uint8 [120, 160, 3], the bare gel; `during` uint8 [frames, 120, 160, 3], from
    first touch on, evenly in time. Outcomes: `log_modulus`, log10 of Young's modulus in pascals, which unites
    Shore 00 and Shore A; `soft`, 1 where the sample is softer than the gel. Object: the sample. Sensor: the
    unit, which changes with the session every 40 presses. Columns: `scale` of the durometer and `wear`.
    Hidden: radius (m), modulus (Pa), reading, gel_share, force_peak (N),
    duration (s), held (0/1), and for each frame force_00 … (N) and contact_00 … (contact radius, m).

    Args:
        source: none; the set is simulated.
        trials: number of presses; every sample occurs once in each sixty.
        seed: seed of all random draws.
        frames: frames of each clip.
        kind: kind of sensor.
        first_unit: number of the first sensor unit.
        units: number of sensor units that take turns; sets with disjoint units share no gel.

    Raises:
        SimulationError: a number out of range, or an unknown kind of sensor.
    """

    name: ClassVar[str] = "simulated-presses"
    description: ClassVar[str] = "simulated presses on silicone hemispheres, soft to hard (no source)"

    def __init__(
        self,
        source: object = None,
        trials: int = 600,
        seed: int = 0,
        frames: int = 12,
        kind: str = "gelsight",
        first_unit: int = 0,
        units: int = 8,
    ) -> None:
        if source is not None:
            raise SimulationError(f"presses are simulated and take no source, but were given {source!r}")
        least = {"trials": 1, "seed": 0, "frames": 2, "first_unit": 0, "units": 1}
        given = {"trials": trials, "seed": seed, "frames": frames, "first_unit": first_unit, "units": units}
        for key, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < least[key]:
                raise SimulationError(f"{key} is {value!r}; expected a whole number from {least[key]}")
        make_unit(f"{kind}-{first_unit:03d}")
        self.settings: Mapping[str, Any] = {**given, "kind": kind}
        self.embodiment = Embodiment(
            name="hand-held gel",
            streams=(Stream("tactile", "image", {"before": (*SHAPE, 3), "during": (frames, *SHAPE, 3)}),),
            outcomes=("soft",),
        )
        self.names = tuple(f"press-{i:05d}" for i in range(trials))

    def __len__(self) -> int:
        """Number of presses."""
        return len(self.names)

    def sample(self, i: int) -> Hemisphere:
        """The hemisphere of press `i`."""
        turn, place = divmod(i, len(SAMPLES))
        order = np.random.default_rng((self.settings["seed"], 1, turn)).permutation(len(SAMPLES))
        return SAMPLES[order[place]]

    def trial(self, i: int) -> Trial:
        """Simulate press `i`."""
        name, sample = self.names[i], self.sample(i)
        rng = np.random.default_rng((self.settings["seed"], 0, i))
        combined = float(hertz.combined_modulus(sample.modulus, GEL_MODULUS))
        share = float(hertz.share_of_second(sample.modulus, GEL_MODULUS))
        motion = draw_motion(self.settings["frames"], sample.radius, combined, share, rng)
        force, contact = forces(motion, sample.radius, combined)
        session, unit, wear = self._session(i)
        return Trial(
            name=name,
            streams={
                "tactile": _film(unit, wear, sample.radius, share, combined, motion, force, contact, rng)
            },
            object=sample.name,
            session=session,
            sensor=unit,
            outcomes={
                "log_modulus": float(np.log10(sample.modulus)),
                "soft": float(sample.modulus < GEL_MODULUS),
            },
            hidden={
                "radius": sample.radius,
                "modulus": sample.modulus,
                "reading": float(sample.reading),
                "gel_share": share,
                "force_peak": float(force.max()),
                "duration": float(motion.time[-1]),
                "held": float(motion.held),
                **{f"force_{t:02d}": float(value) for t, value in enumerate(force)},
                **{f"contact_{t:02d}": float(value) for t, value in enumerate(contact)},
            },
            columns={"scale": sample.scale, "wear": wear},
        )

    def _session(self, i: int) -> tuple[str, str, float]:
        """Session of press `i`, its sensor unit, and the wear of the gel."""
        number, place = divmod(i, SESSION_PRESSES)
        turn, position = divmod(number, self.settings["units"])
        order = np.random.default_rng((self.settings["seed"], 2, turn)).permutation(self.settings["units"])
        unit = self.settings["first_unit"] + int(order[position])
        wear = np.random.default_rng((self.settings["seed"], 3, number)).uniform(0, 0.4)
        wear += 0.1 * place / SESSION_PRESSES
        return f"simulated-{number:03d}", f"{self.settings['kind']}-{unit:03d}", float(wear)


def _film(
    unit: str,
    wear: float,
    radius: float,
    share: float,
    combined: float,
    motion: PressMotion,
    force: Array,
    contact: Array,
    rng: np.random.Generator,
) -> dict[str, npt.NDArray[np.uint8]]:
    """Images of the bare gel and of the press."""
    sensor, limit = _sensor(unit), FRICTION * force
    drag = np.hypot(*motion.drift.T)
    pull = hertz.shear_force(drag, contact, combined, limit) / np.maximum(drag, 1e-12)
    torque = np.sign(motion.twist) * hertz.twist_torque(np.abs(motion.twist), contact, combined, limit)
    before = sensor.render(np.zeros(SHAPE), wear=wear, rng=rng)
    clip = [
        sensor.render(
            height_map(motion.center[t], float(contact[t]), radius, share),
            shear=pull[t] * motion.drift[t],
            torsion=float(torque[t]),
            center=motion.center[t],
            wear=wear,
            rng=rng,
        )
        for t in range(len(force))
    ]
    return {"before": before, "during": np.stack(clip)}


@lru_cache(maxsize=8)
def _sensor(unit: str) -> TactileSensor:
    return TactileSensor(make_unit(unit), SHAPE)
