"""Made-up office work: sessions that a user liked, and cases that show what was learned from them."""
