"""From a TOML file to a sound spec."""
