"""Process models: Petri nets, their discovery, their files, and how well a log fits them. Loaded in workers only."""
