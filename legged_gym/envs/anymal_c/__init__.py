"""ANYbotics ANYmal C."""
