"""ecsplan.spec.load"""
