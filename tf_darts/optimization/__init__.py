"""Optimisation of weights: the step, its schedules, averages."""
