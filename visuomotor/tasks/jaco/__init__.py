"""Tasks of the Jaco arm on a table."""
