"""From a session to a lesson: practice requests, what is held back, and what was dropped and why."""
