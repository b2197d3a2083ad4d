"""Says how well it is going with each customer and account, and how it will go."""
