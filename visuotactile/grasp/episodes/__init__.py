"""Episodes: robot, environment, closed loop, records, collecting, rounds, the report."""
