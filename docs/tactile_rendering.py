"""Real GelSight Mini frames over simulated ones, as `docs/tactile_rendering.png`.

python docs/tactile_rendering.py FOLDER, where FOLDER holds the recordings of the Incipient-Slip-Detection
repository (`base_data_for_training` and `base_data_for_validation`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from visuotactile.sim.hands.parallel import GraspScene, GripperPose
from visuotactile.sim.objects import make_object
from visuotactile.sim.tactile import TactileSensor, make_unit

REAL = (
    "rubber_pear/exp_num_5/camera_2",
    "ball_white_thread/exp_num_1/camera_0",
    "cellotape/exp_num_3/camera_0",
    "walnut/exp_num_1/camera_2",
    "jute_basket/exp_num_1/camera_0",
    "screw_driver_blue_gray/exp_num_1/camera_0",
    "artificial_strawberry/exp_num_1/camera_2",
    "rubber_salmon_fillet/exp_num_1/camera_2",
)
# Unit, object, where along its height it is held, sideways offset in mm, turn in degrees, newtons, wear.
GRASPS = (
    ("gelsight-001", None, 0.0, 0.0, 0, 0, 0.05),
    ("gelsight-004", "jar-03", 0.5, 0.0, 0, 14, 0.0),
    ("gelsight-005", "bottle-04", 0.5, 2.0, 10, 12, 0.1),
    ("gelsight-009", "stone-01", 0.55, 0.0, 20, 9, 0.1),
    ("gelsight-002", "dumbbell-03", 0.55, 4.0, 25, 14, 0.0),
    ("gelsight-012", "mug-05", 0.5, 3.0, 25, 12, 0.2),
    ("gelsight-010", "prism-04", 0.55, 0.0, 40, 12, 0.5),
    ("gelsight-006", "vase-04", 0.45, 1.0, 0, 16, 0.3),
)
TILE, GAP, TITLE, EDGE = (160, 120), 8, 24, 26
INK, PAPER = (30, 30, 34), (252, 252, 250)


def real_frame(folder: Path, clip: str) -> Image.Image:
    """The eleventh frame, reduced to the simulated pictures' size."""
    (path,) = folder.glob(f"*/{clip}.avi")
    with av.open(str(path)) as video:
        for number, frame in enumerate(video.decode(video=0)):
            if number == 10:
                return Image.fromarray(frame.to_ndarray(format="rgb24")).resize(TILE, Image.Resampling.BOX)
    raise SystemExit(f"{path} has fewer than 11 frames")


def simulated(kind: str | None) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Of each grasp a caption, the frame, and its difference from the bare gel's."""
    shown = []
    for unit, name, height, aside, turn, force, wear in GRASPS:
        unit = unit if kind is None else unit.replace("gelsight", kind)
        sensor, rng = TactileSensor(make_unit(unit)), np.random.default_rng(0)
        bare = sensor.render(np.zeros(sensor.shape), wear=wear, rng=rng)
        frame = sensor.render(np.zeros(sensor.shape), wear=wear, rng=rng)
        if name is not None:
            thing = make_object(name)
            grasp = GraspScene(thing)
            grasp.place(0.0, 0.0, np.radians(turn))
            grasp.approach(GripperPose(0.0, 1e-3 * aside, height * thing.height, 0.0))
            grasp.close(force)
            grasp.lift(0.004)
            pad = grasp.pads()["left"]
            depth = sensor.indentation(
                grasp.model, grasp.data, pad, thing.relief, grasp.object_body, thing.stiffness
            )
            frame = sensor.render(
                depth, shear=pad.shear, torsion=pad.torsion, center=pad.center, wear=wear, rng=rng
            )
        difference = np.clip(128 + frame.astype(int) - bare, 0, 255).astype(np.uint8)
        label = "bare gel" if name is None else f"{name}, {pad.normal:.0f} N"
        shown.append((f"{unit[-3:]}: {label}", frame, difference))
    return shown


def main(folder: Path, out: Path) -> None:
    """Lay the rows out and save them."""
    gels, digits = simulated(None), simulated("digit")
    rows = [
        (
            "Real: GelSight Mini with printed markers",
            [clip.split("/")[0].replace("_", " ") for clip in REAL],
            [real_frame(folder, clip) for clip in REAL],
        ),
        ("Simulated: gelsight units", [c for c, _, _ in gels], [f for _, f, _ in gels]),
        ("Simulated: difference from the bare gel, around grey", [""] * len(gels), [d for _, _, d in gels]),
        ("Simulated: digit units", [c for c, _, _ in digits], [f for _, f, _ in digits]),
    ]
    width = 2 * EDGE + len(REAL) * TILE[0] + (len(REAL) - 1) * GAP
    step = TITLE + TILE[1] + 20
    page = Image.new("RGB", (width, len(rows) * step + 40), PAPER)
    draw, big, small = ImageDraw.Draw(page), ImageFont.load_default(15), ImageFont.load_default(11)
    for number, (title, labels, pictures) in enumerate(rows):
        top = number * step
        draw.text((EDGE, top + 5), title, INK, big)
        for column, (label, picture) in enumerate(zip(labels, pictures, strict=True)):
            left = EDGE + column * (TILE[0] + GAP)
            tile = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
            page.paste(tile, (left, top + TITLE))
            draw.text((left, top + TITLE + TILE[1] + 2), label, INK, small)
    credit = (
        "Real frames: Amit Parag, Incipient-Slip-Detection (github.com/amitparag/Incipient-Slip-Detection), "
        "© 2024, BSD-2-Clause; reduced to 160 by 120 pixels. All else is simulated."
    )
    draw.text((EDGE, len(rows) * step + 10), credit, INK, small)
    page.save(out, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(__file__).with_suffix(".png"))
