"""Hardness from touch, after Yuan, Srinivasan and Adelson 2016 and Yuan et al. 2017, in simulation."""
