"""Families of objects: each function draws one design; a training family is drawn once per number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from visuotactile.sim.objects.families import awkward, blocks, everyday, natural, soft, tools, toys, vessels
from visuotactile.sim.objects.grasp_object import Design

Draw = Callable[[np.random.Generator], Design]

TRAINING: Mapping[str, tuple[int, Draw]] = {
    "box": (18, blocks.box),
    "can": (18, blocks.can),
    "prism": (12, blocks.prism),
    "wedge": (9, blocks.wedge),
    "book": (9, blocks.book),
    "bracket": (6, blocks.bracket),
    "tee": (6, blocks.tee),
    "spool": (6, blocks.spool),
    "dumbbell": (9, blocks.dumbbell),
    "mug": (18, vessels.mug),
    "bottle": (18, vessels.bottle),
    "jar": (12, vessels.jar),
    "vase": (12, vessels.vase),
    "cup": (12, vessels.cup),
    "goblet": (6, vessels.goblet),
    "canister": (9, vessels.canister),
    "watering-can": (6, vessels.watering_can),
    "hammer": (12, tools.hammer),
    "screwdriver": (9, tools.screwdriver),
    "brush": (9, tools.brush),
    "clamp": (6, tools.clamp),
    "tape": (6, tools.tape),
    "pulley": (6, tools.pulley),
    "mallet": (6, tools.mallet),
    "stone": (18, natural.stone),
    "egg": (6, natural.egg),
    "lemon": (6, natural.lemon),
    "pear": (9, natural.pear),
    "mushroom": (6, natural.mushroom),
    "acorn": (6, natural.acorn),
    "log": (6, natural.log),
    "carving": (6, natural.carving),
    "car": (9, toys.car),
    "pawn": (9, toys.pawn),
    "rocket": (6, toys.rocket),
    "house": (6, toys.house),
    "robot": (6, toys.robot),
    "boat": (6, toys.boat),
    "sponge": (9, soft.sponge),
    "foam-ball": (9, soft.foam_ball),
    "plush": (12, soft.plush),
    "tomato": (9, soft.tomato),
    "beanbag": (6, soft.beanbag),
}
"""Family → number of objects, and function that draws one."""

EASY: Mapping[str, Draw] = {
    "tea-cup": everyday.tea_cup,
    "soup-can": everyday.soup_can,
    "juice-carton": everyday.juice_carton,
    "water-bottle": everyday.water_bottle,
    "candle": everyday.candle,
    "spice-jar": everyday.spice_jar,
    "flashlight": everyday.flashlight,
    "tea-box": everyday.tea_box,
    "salt-shaker": everyday.salt_shaker,
    "golf-ball": everyday.golf_ball,
    "detergent": everyday.detergent,
}

HARD: Mapping[str, Draw] = {
    "padlock": awkward.padlock,
    "rubber-duck": awkward.rubber_duck,
    "plush-bear": awkward.plush_bear,
    "pine-cone": awkward.pine_cone,
    "light-bulb": awkward.light_bulb,
    "sea-shell": awkward.sea_shell,
    "tape-measure": awkward.tape_measure,
    "milk-jug": awkward.milk_jug,
    "soap-bar": awkward.soap_bar,
    "toy-dinosaur": awkward.toy_dinosaur,
    "bell-pepper": awkward.bell_pepper,
}
