"""From a plan to AWS: deployments are applied, resumed and continued here. Only this room is given `write`."""
