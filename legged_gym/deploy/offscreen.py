"""How MuJoCo draws where there is no display."""

import ctypes.util
import os
import sys


def has_display() -> bool:
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def choose_opengl() -> None:
    """Without a display, choose a library that draws off-screen, unless MUJOCO_GL already names one.

    MuJoCo asks MUJOCO_GL when it is imported, so call this before.
    """
    if has_display() or os.environ.get("MUJOCO_GL"):
        return
    for name, library in (("egl", "EGL"), ("osmesa", "OSMesa")):
        if ctypes.util.find_library(library):
            os.environ["MUJOCO_GL"] = name
            return
