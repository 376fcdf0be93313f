"""Families of objects: each function draws one design; a training family is drawn once per number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from visuotactile.sim.objects.families import awkward, blocks, everyday, natural, soft, tools, toys, vessels
from visuotactile.sim.objects.grasp_object import Design

Draw = Callable[[np.random.Generator], Design]

TRAINING: Mapping[str, tuple[int, Draw]] = {
    "box": (6, blocks.box),
    "can": (6, blocks.can),
    "prism": (4, blocks.prism),
    "wedge": (3, blocks.wedge),
    "book": (3, blocks.book),
    "bracket": (2, blocks.bracket),
    "tee": (2, blocks.tee),
    "spool": (2, blocks.spool),
    "dumbbell": (3, blocks.dumbbell),
    "mug": (6, vessels.mug),
    "bottle": (6, vessels.bottle),
    "jar": (4, vessels.jar),
    "vase": (4, vessels.vase),
    "cup": (4, vessels.cup),
    "goblet": (2, vessels.goblet),
    "canister": (3, vessels.canister),
    "watering-can": (2, vessels.watering_can),
    "hammer": (4, tools.hammer),
    "screwdriver": (3, tools.screwdriver),
    "brush": (3, tools.brush),
    "clamp": (2, tools.clamp),
    "tape": (2, tools.tape),
    "pulley": (2, tools.pulley),
    "mallet": (2, tools.mallet),
    "stone": (6, natural.stone),
    "egg": (2, natural.egg),
    "lemon": (2, natural.lemon),
    "pear": (3, natural.pear),
    "mushroom": (2, natural.mushroom),
    "acorn": (2, natural.acorn),
    "log": (2, natural.log),
    "carving": (2, natural.carving),
    "car": (3, toys.car),
    "pawn": (3, toys.pawn),
    "rocket": (2, toys.rocket),
    "house": (2, toys.house),
    "robot": (2, toys.robot),
    "boat": (2, toys.boat),
    "sponge": (3, soft.sponge),
    "foam-ball": (3, soft.foam_ball),
    "plush": (4, soft.plush),
    "tomato": (3, soft.tomato),
    "beanbag": (2, soft.beanbag),
}
"""Family → how many, and who draws it."""

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
