"""What answers. An engine generates, scores and loads versions, which are addressed by name.

    base      the vocabulary (requests, tokens, prefixes) and the protocols `Text`, `Batch`, `Engine`
    tools     tool schemas and calls as plain text, for chat templates that do not know them
    scripted  a deterministic engine for tests

The engine that runs the weights on this machine is `models.hf.HFModel`. Nothing here imports torch.
"""
