"""A version's abilities in numbers. Whether they are good enough is for the gate to say.

    probes    which held-back requests a version answers right
    drift     KL to base per token on unrelated requests
    cases     checks of answers, and the cases that `nightschool eval` reads
    evaluate  the share of cases that a version answers right

Only `drift` imports torch.
"""
