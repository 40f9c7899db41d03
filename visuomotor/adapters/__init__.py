"""The tasks as other libraries want them. Each file needs its own library, and says so where it is missing."""
