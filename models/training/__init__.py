"""Training machinery that knows no concrete model: recipes, data, the loop, runs, losses and metrics."""
