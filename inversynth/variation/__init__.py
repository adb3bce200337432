"""New patches from old ones: variations of one, and the way from one to another."""
