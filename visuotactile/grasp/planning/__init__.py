"""Planning: actions, objectives, search, planner, policies."""
