"""ecsplan: deploy to Amazon ECS the way Terraform changes infrastructure."""

__version__ = "0.1.0"
