"""An open implementation of the Isaac Gym Preview 4 API, as far as locomotion code uses it, on MuJoCo Warp.

`isaacgym` may be imported before or after torch. Submodules: `gymapi` (the simulator), `gymtorch` (tensors),
`gymutil` (arguments, debug drawing), `torch_utils` (quaternions and friends), `terrain_utils` (terrain generators).
"""

from isaacgym.old_numpy import give_back_old_names

give_back_old_names()
