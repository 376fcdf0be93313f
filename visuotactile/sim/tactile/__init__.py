"""Simulated camera-based tactile sensors: imprint, shading and markers of a gel."""

from visuotactile.sim.tactile.calibration import Calibration, read_calibration
from visuotactile.sim.tactile.grid import SHAPE
from visuotactile.sim.tactile.sensor import TactileSensor
from visuotactile.sim.tactile.units import SensorUnit, make_unit

__all__ = ["SHAPE", "Calibration", "SensorUnit", "TactileSensor", "make_unit", "read_calibration"]
