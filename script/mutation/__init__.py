"""`script/mutants`: does the suite notice a fault? Random mutants of the package, each in a copy of the tree, each
against the tests that run the mutated lines.

A mutant is killed if a test fails or does not end. One that survives every test that runs its lines is shown with its
diff; then a test is missing, or the mutant behaves as the package does. What was found is kept in `.mutants/`, in a
folder for each state of the package, so that a run that was stopped goes on where it was. The first run for a state
plays the whole suite under coverage, which takes several times as long as `make test`.
"""
