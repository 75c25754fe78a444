"""Physics engines behind one seam: torques and forces in, states, body poses and contact forces out."""

import warp as wp

wp.config.log_level = wp.LOG_WARNING  # no greeting, and one line of ours instead of one per module that is compiled
