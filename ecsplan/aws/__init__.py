"""ecsplan.aws.gateway"""
