"""Every benchmark: `python -m bench NAME`, one module a benchmark, named as its command.

`work` makes the sessions and cases, `measures` says what is measured of a model, `ungated` runs a night
without the gate, `learners` are what `essay` and `stream` compare, `server` starts a server and asks it,
`report` prints and keeps results. `peers` are other people's programs, each in an environment of its own.
"""
