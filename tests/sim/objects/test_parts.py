"""Parts are measured as MuJoCo measures them, and meshes are closed, convex and face outward."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from visuotactile.sim import rays
from visuotactile.sim.objects import Mesh, Part, make_object, object_names
from visuotactile.sim.objects.families.craft import rod, stack
from visuotactile.sim.objects.meshes import hull, lathe, stone

GRAY = (0.5, 0.5, 0.5)
TURN = (0.5, 0.1, -0.7, 0.5)
QUAT = tuple(np.array(TURN) / np.linalg.norm(TURN))
STONE = stone(np.random.default_rng(5), np.array([0.03, 0.02, 0.025]), 30, 0.7)
PARTS = {
    "box": Part(shape="box", size=(0.01, 0.02, 0.03), color=GRAY, quat=QUAT, pos=(0.01, 0.02, -0.03)),
    "cylinder": Part(shape="cylinder", size=(0.01, 0.03), color=GRAY, quat=QUAT, pos=(0.01, 0.0, 0.0)),
    "sphere": Part(shape="sphere", size=(0.02,), color=GRAY, quat=QUAT, pos=(0.0, 0.03, 0.0)),
    "ellipsoid": Part(shape="ellipsoid", size=(0.01, 0.02, 0.03), color=GRAY, quat=QUAT),
    "capsule": Part(shape="capsule", size=(0.012, 0.02), color=GRAY, quat=QUAT, pos=(0.0, 0.0, 0.02)),
    "mesh": Part(shape="mesh", mesh=STONE, color=GRAY, quat=QUAT, pos=(0.01, -0.02, 0.03)),
}
MESHES = {
    f"{name}/{number}": part.mesh
    for which in ("train", "easy", "hard")
    for name in object_names(which)
    for number, part in enumerate(make_object(name).parts)
    if part.mesh is not None
}


def model_of(part: Part) -> mujoco.MjModel:
    """The part alone, its mass and inertia worked out by MuJoCo at 1,000 kg/m³."""
    spec = mujoco.MjSpec()
    body = spec.worldbody.add_body(name="part")
    kind = getattr(mujoco.mjtGeom, f"mjGEOM_{part.shape.upper()}")
    geom = body.add_geom(type=kind, pos=part.pos, quat=part.quat, density=1000.0)
    if part.mesh is None:
        geom.size[: len(part.size)] = part.size
    else:
        asset = spec.add_mesh(name="mesh")
        asset.uservert, asset.userface = part.mesh.vertices.ravel(), part.mesh.faces.ravel()
        asset.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_EXACT
        geom.meshname = "mesh"
    return spec.compile()


@pytest.mark.parametrize("shape", PARTS)
def test_volume_centre_and_second_moments_are_those_that_mujoco_finds(shape: str) -> None:
    part = PARTS[shape]
    body = model_of(part).body("part")
    volume, center, second = part.moments()
    np.testing.assert_allclose(1000 * volume, body.mass[0], rtol=1e-6)
    np.testing.assert_allclose(center, body.ipos, atol=1e-8)
    inertia = 1000 * (np.trace(second) * np.eye(3) - second)
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(inertia)), np.sort(body.inertia), rtol=1e-5)


@pytest.mark.parametrize("shape", PARTS)
def test_a_part_reaches_as_far_as_rays_find_it(shape: str) -> None:
    part = PARTS[shape]
    model = model_of(part)
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(20, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for direction, reach in zip(directions, part.reach(directions), strict=True):
        origin = 2.0 * direction
        way = rng.uniform(-0.09, 0.09, (6000, 3)) - origin
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        hits = rays.cast(model, data, origin, way, (0,))
        met = origin + hits.distance[hits.geom >= 0, None] * way[hits.geom >= 0]
        furthest = float((met @ direction).max())
        assert reach - 0.0015 < furthest < reach + 1e-6


def test_a_rod_ends_where_it_was_told() -> None:
    for end in ((0.02, 0.01, 0.03), (0.0, 0.0, -0.05), (0.0, -0.04, 0.0)):
        part = rod((0.0, 0.0, 0.01), end, 0.004, GRAY)
        axis = part.rotation()[:, 2] * part.size[1]
        ends = np.array([np.array(part.pos) + axis, np.array(part.pos) - axis])
        for wanted in ((0.0, 0.0, 0.01), end):
            assert np.linalg.norm(ends - wanted, axis=1).min() < 1e-12


def test_a_turned_cone_has_a_cones_volume() -> None:
    mesh = lathe([(0.0, 0.03), (0.06, 0.01)], 400)
    volume, _, _ = Part(shape="mesh", mesh=mesh, color=GRAY).moments()
    np.testing.assert_allclose(volume, np.pi * 0.06 / 3 * (0.03**2 + 0.03 * 0.01 + 0.01**2), rtol=1e-3)


def test_a_stack_follows_its_profile_in_cylinders_and_convex_meshes() -> None:
    profile = [(0.0, 0.01), (0.01, 0.02), (0.02, 0.025), (0.03, 0.025), (0.03, 0.015), (0.05, 0.03)]
    parts = stack(profile, GRAY)
    assert [part.shape for part in parts] == ["mesh", "cylinder", "mesh"]
    tops = [float(part.reach(np.array([[0.0, 0.0, 1.0]]))[0]) for part in parts]
    np.testing.assert_allclose(tops, [0.02, 0.03, 0.05])
    widths = [float(part.reach(np.array([[1.0, 0.0, 0.0]]))[0]) for part in parts]
    np.testing.assert_allclose(widths, [0.025, 0.025, 0.03])


@pytest.mark.parametrize("name", ["frustum", "tetrahedron", "stone"])
def test_made_meshes_are_closed_and_face_outward(name: str) -> None:
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.1, 0.1, 0.1]])
    made = {"frustum": lathe([(0, 0.02), (0.05, 0.01)], 7), "tetrahedron": hull(corners), "stone": STONE}
    check(made[name], name)
    if name == "tetrahedron":
        assert len(made[name].vertices) == 4
        np.testing.assert_allclose(Part(shape="mesh", mesh=made[name], color=GRAY).moments()[0], 1 / 6)


def test_the_meshes_of_the_catalogue_are_small_closed_convex_and_face_outward() -> None:
    assert len(MESHES) > 50
    for name, mesh in MESHES.items():
        check(mesh, name)
        assert len(mesh.vertices) <= 200, name


def check(mesh: Mesh, name: str) -> None:
    edges = [(int(face[k]), int(face[(k + 1) % 3])) for face in mesh.faces for k in range(3)]
    assert len(set(edges)) == len(edges), name
    assert set(edges) == {(b, a) for a, b in edges}, name
    volume, center, _ = Part(shape="mesh", mesh=mesh, color=GRAY).moments()
    np.testing.assert_allclose(volume, ConvexHull(mesh.vertices).volume, rtol=1e-6, err_msg=name)
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    outward = np.einsum("fi,fi->f", np.cross(b - a, c - a), (a + b + c) / 3 - center)
    assert (outward > 0).all(), name


def test_a_shared_mesh_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        STONE.vertices[0, 0] = 1.0
