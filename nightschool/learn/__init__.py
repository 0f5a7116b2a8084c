"""Learning: losses, rollouts, rules and the one training loop. Knows no server, no store, no gate."""
