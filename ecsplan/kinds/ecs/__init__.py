"""What kinds share about ECS."""
