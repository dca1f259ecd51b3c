"""Values and pure functions. Imports nothing of ecsplan but itself."""
