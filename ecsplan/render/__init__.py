"""Output formats, a module each. Each takes masked data and returns text, or draws; none decides anything."""
