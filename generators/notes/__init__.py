"""Notes as data: what a note is labelled with, and the sources that notes come from."""
