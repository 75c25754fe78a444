"""Physics engines behind one seam: torques and forces in, states, body poses and contact forces out."""

import warp as wp

wp.config.log_level = wp.LOG_WARNING  # no greeting, and one line of ours instead of one per module that is compiled


def start_warp() -> None:
    """Start the compiler of our kernels, which needs a folder for what it compiles; else a ValueError."""
    try:
        wp.init()
    except OSError as error:
        raise ValueError(
            f"Warp cannot keep compiled kernels in {error.filename}: {error.strerror}; set WARP_CACHE_PATH to a folder "
            "that can be written"
        ) from error
