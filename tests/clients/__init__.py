"""Real clients, each in a script of its own that runs in an environment of its own (`make test-clients`).

A script prints a line for each cell of its client's row: what it tried, and whether it works, was refused
with an error, or is broken. `test_clients.py` runs them against two servers: one with the embedded model,
and one whose answers are scripted, where a larger model would call a tool by itself.
"""
