"""ecsplan.apply"""
