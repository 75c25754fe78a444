"""What a policy is worth: protocols, their trials and report, and the conditions that play.py sets."""
