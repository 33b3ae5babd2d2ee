"""Fast forms of the recurrent space."""
