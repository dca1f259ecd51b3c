"""AWS: calls at its request rates, its errors, and its requests as botocore describes them."""
