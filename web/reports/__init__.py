"""Reports for people and programs. Loaded when somebody first asks for one: what computes them takes time to load."""
