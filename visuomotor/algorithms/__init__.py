"""How policies are trained: one protocol, one training loop, one package each."""
