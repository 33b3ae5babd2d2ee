"""Search methods beside the bilevel one."""
