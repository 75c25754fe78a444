"""The early name of `isaacgym.torch_utils`: importing it gives that module, so that star imports find all of it."""

import sys

from isaacgym import torch_utils

sys.modules[__name__] = torch_utils
