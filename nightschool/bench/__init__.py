"""Made-up office work that learning rules are compared on."""
