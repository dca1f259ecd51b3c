"""ecsplan.plan"""
