"""Two-legged robots made for the tests, as URDF text: a biped of 10 DOF and a humanoid of 29.

Sizes, masses and limits are those of machines of their kind. Links have the inertia of solid boxes, x is forward, and
with all joints at 0 the legs are straight and the arms hang down.
"""

from __future__ import annotations

import math

FOOT = (0.20, 0.09, 0.03)  # [m] length, width, height
FOOT_CENTER = (0.03, 0.0, -0.045)  # in the frame of the ankle [m]
FOOT_BOX = '<box size="0.20 0.09 0.03"/>'
ANKLE_HEIGHT = 0.06  # [m] above the sole
BIPED_LIMB, HUMANOID_LIMB = 0.22, 0.30  # [m] length of thigh and of shank
BEND = 0.25  # [rad] of the thighs when standing; the hips are above the ankles then
STANCE = {"hip_pitch": -BEND, "knee": 2.0 * BEND, "ankle_pitch": -BEND}
BIPED_HEIGHT = 0.06 + 2.0 * BIPED_LIMB * math.cos(BEND) + ANKLE_HEIGHT  # [m] of the root's origin when standing
HUMANOID_HEIGHT = 0.04 + 2.0 * HUMANOID_LIMB * math.cos(BEND) + ANKLE_HEIGHT

X, Y, Z = (1, 0, 0), (0, 1, 0), (0, 0, 1)


def biped_urdf(foot: str = FOOT_BOX) -> str:
    """18 kg; legs of hip yaw, hip roll, hip pitch, knee and ankle pitch.

    foot: the <geometry> of the soles, whose frame is in the middle of the foot.
    """
    robot = Urdf("biped")
    robot.link("trunk", 8.0, (0.18, 0.24, 0.30), (0.02, 0, 0.15), '<box size="0.18 0.24 0.30"/>')
    for side, left in (("left", 1), ("right", -1)):
        add = robot.chain("trunk", side)
        add("hip_yaw", Z, (0, 0.1 * left, -0.02), (-0.6, 0.6), 40, 0.9, (0.08, 0.08, 0.06), (0, 0, -0.02))
        add("hip_roll", X, (0, 0, -0.04), (-0.5, 0.5), 40, 0.9, (0.08, 0.08, 0.08))
        add("hip_pitch", Y, (0, 0, 0), (-1.8, 1.2), 80, 1.8, *limb(0.05, BIPED_LIMB))
        add("knee", Y, (0, 0, -BIPED_LIMB), (-0.1, 2.2), 80, 1.0, *limb(0.04, BIPED_LIMB))
        add("ankle_pitch", Y, (0, 0, -BIPED_LIMB), (-1.0, 0.8), 40, 0.5, FOOT, FOOT_CENTER, foot)
    return robot.text()


def humanoid_urdf(foot: str = FOOT_BOX) -> str:
    """36 kg; legs of 6 DOF, a waist of 3 and arms of 7. foot: as for `biped_urdf`."""
    robot = Urdf("humanoid")
    robot.link("pelvis", 4.0, (0.14, 0.20, 0.12), (0, 0, 0), '<box size="0.14 0.20 0.12"/>')
    for side, left in (("left", 1), ("right", -1)):
        add = robot.chain("pelvis", side)
        add("hip_pitch", Y, (0, 0.1 * left, -0.04), (-2.0, 1.5), 90, 1.2, (0.1, 0.08, 0.1))
        add("hip_roll", X, (0, 0, 0), (-0.6, 0.6), 90, 1.2, (0.1, 0.08, 0.1), (0, 0, -0.03))
        add("hip_yaw", Z, (0, 0, 0), (-1.0, 1.0), 90, 2.5, *limb(0.06, HUMANOID_LIMB))
        add("knee", Y, (0, 0, -HUMANOID_LIMB), (-0.1, 2.6), 140, 2.0, *limb(0.045, HUMANOID_LIMB))
        add("ankle_pitch", Y, (0, 0, -HUMANOID_LIMB), (-0.9, 0.6), 60, 0.3, (0.06, 0.06, 0.06))
        add("ankle_roll", X, (0, 0, 0), (-0.3, 0.3), 60, 0.6, FOOT, FOOT_CENTER, foot)
    add = robot.chain("pelvis", "waist")
    add("yaw", Z, (0, 0, 0.08), (-2.0, 2.0), 90, 0.5, (0.1, 0.1, 0.06))
    add("roll", X, (0, 0, 0), (-0.5, 0.5), 60, 0.5, (0.1, 0.1, 0.06), (0, 0, 0.03))
    chest = (0.14, 0.24, 0.36)
    add("pitch", Y, (0, 0, 0), (-0.5, 0.5), 60, 9.0, chest, (0.02, 0, 0.2), '<box size="0.14 0.24 0.36"/>')
    for side, left in (("left", 1), ("right", -1)):
        outwards = (-0.4, 2.2) if left > 0 else (-2.2, 0.4)
        add = robot.chain("waist_pitch", side)
        add("shoulder_pitch", Y, (0, 0.15 * left, 0.32), (-3.0, 2.6), 25, 0.7, (0.08, 0.08, 0.08))
        add("shoulder_roll", X, (0, 0.03 * left, 0), outwards, 25, 0.6, (0.08, 0.08, 0.08), (0, 0, -0.03))
        add("shoulder_yaw", Z, (0, 0, 0), (-2.6, 2.6), 25, 0.7, *limb(0.035, 0.20))
        add("elbow", Y, (0, 0, -0.20), (-2.0, 0.1), 25, 0.6, *limb(0.03, 0.10))
        add("wrist_roll", Z, (0, 0, -0.10), (-1.9, 1.9), 25, 0.3, *limb(0.03, 0.08))
        add("wrist_pitch", Y, (0, 0, -0.08), (-1.6, 1.6), 5, 0.3, (0.05, 0.05, 0.05), (0, 0, -0.02))
        add("wrist_yaw", X, (0, 0, 0), (-1.6, 1.6), 5, 0.25, *limb(0.03, 0.08))
    return robot.text()


def limb(radius: float, length: float) -> tuple[tuple, tuple, str]:
    """Size of the box for the inertia, centre and shape of a limb that hangs down from its joint."""
    width = 2.0 * radius
    capsule = f'<capsule radius="{radius}" length="{length - width}"/>'
    return (width, width, length), (0, 0, -0.5 * length), capsule


class Urdf:
    """Collects links and joints."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.parts: list[str] = []

    def text(self) -> str:
        return f'<robot name="{self.name}">{"".join(self.parts)}</robot>'

    def link(self, name: str, mass: float, size: tuple, center: tuple, geometry: str | None = None) -> None:
        """A solid box as for its inertia; it collides as `geometry` there, or not at all."""
        x, y, z = (mass / 12.0 * side**2 for side in size)
        origin = f'<origin xyz="{numbers(center)}"/>'
        collision = f"<collision>{origin}<geometry>{geometry}</geometry></collision>" if geometry else ""
        self.parts.append(
            f'<link name="{name}"><inertial>{origin}<mass value="{mass}"/>'
            f'<inertia ixx="{y + z}" iyy="{x + z}" izz="{x + y}"/></inertial>{collision}</link>'
        )

    def chain(self, parent: str, prefix: str):
        """A function that adds a joint and the link it moves, each to the one before, the first to `parent`."""

        def add(
            name: str,
            axis: tuple,
            at: tuple,
            limits: tuple[float, float],
            effort: float,
            mass: float,
            size: tuple,
            center: tuple = (0, 0, 0),
            geometry: str | None = None,
        ) -> None:
            nonlocal parent
            child = f"{prefix}_{name}"
            self.link(child, mass, size, center, geometry)
            self.parts.append(
                f'<joint name="{child}_joint" type="revolute"><parent link="{parent}"/><child link="{child}"/>'
                f'<origin xyz="{numbers(at)}"/><axis xyz="{numbers(axis)}"/>'
                f'<limit lower="{limits[0]}" upper="{limits[1]}" effort="{effort}" velocity="20"/></joint>'
            )
            parent = child

        return add


def numbers(values: tuple) -> str:
    return " ".join(map(str, values))
