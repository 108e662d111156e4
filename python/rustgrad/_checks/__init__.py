"""What `gradcheck` and `func.check` share: numerical derivatives, and comparisons that say where they fail."""
