"""The simulated tasks on which policy searches are compared: insertion in 2-D and 3-D, and swimming."""
