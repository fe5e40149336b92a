"""Looking through watched folders: what is there, what is new, and whether the volume is at all."""
