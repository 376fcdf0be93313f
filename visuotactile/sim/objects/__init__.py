"""Objects to grasp: shapes, surfaces, physical properties and the catalogue."""

from visuotactile.sim.objects.catalogue import make_object, object_names
from visuotactile.sim.objects.grasp_object import GraspObject
from visuotactile.sim.objects.parts import Mesh, Part
from visuotactile.sim.objects.relief import Relief

__all__ = ["GraspObject", "Mesh", "Part", "Relief", "make_object", "object_names"]
