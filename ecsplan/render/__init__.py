"""Output formats, a module each. They are given masked data and give back text; they compute nothing and print
nothing."""
