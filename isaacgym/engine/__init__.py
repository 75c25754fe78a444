"""Physics engines behind one seam: torques and forces in, states, body poses and contact forces out."""
