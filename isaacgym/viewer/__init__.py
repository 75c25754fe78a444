"""What a simulation looks like: the web viewer on the package viser, and pictures and videos by ray tracing."""
