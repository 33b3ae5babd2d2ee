"""The recurrent space (docs/method.md section 5)."""
