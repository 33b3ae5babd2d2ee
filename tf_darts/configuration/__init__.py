"""What the settings of each mode are; `tf_darts/config.py` puts them together."""
