"""Each module on its own: values in, values out, AWS a dict of answers."""
