"""The recurrent space (SPEC section 5)."""
