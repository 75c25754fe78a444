"""What a robot's file alone tells: how it stands, and for `new_robot`, which parts are legs and feet."""
