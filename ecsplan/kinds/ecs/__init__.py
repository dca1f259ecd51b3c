"""ecsplan.kinds.ecs"""
