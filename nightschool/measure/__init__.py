"""What a version can do, in numbers: no opinion on whether that is good enough, which is the gate's.

    probes    which held-back requests a version answers right
    drift     KL to base per token on unrelated requests
    cases     checks of answers, and the cases that `nightschool eval` reads
    evaluate  the share of cases that a version answers right

Only `drift` imports torch.
"""
