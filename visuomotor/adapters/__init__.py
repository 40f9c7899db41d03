"""The tasks as other libraries want them. Each part needs its own library, and says so where it is missing."""
