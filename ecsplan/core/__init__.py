"""ecsplan.core"""
