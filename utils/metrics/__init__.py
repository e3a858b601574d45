"""Short pure functions of interactions: salience, orders, sparsity, dynamics, and the null games
they are judged against."""
