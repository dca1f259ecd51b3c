"""A behaviour is a folder: a spec, what AWS answers, and the plan that comes of them.

`spec.toml` is planned with the tag `v42` (`tag.txt` holds another one). `live.json` is a list of calls with their
answers: `params` name those that tell the call from others, and a call without an answer fails. `plan.txt` is what a
person is shown at 80 columns; `plan.json`, where there is one, what a program is given. `pytest tests/cases
--update-golden` rewrites both, to be read as a diff.
"""
