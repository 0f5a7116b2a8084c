"""Other people's software on the same work. Each runs in an environment of its own (`make bench-peers`)."""
