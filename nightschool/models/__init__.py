"""The model that answers and learns on this machine. One file a thing; each imports only those above it.

    embedded   the default model, unpacked from a wheel
    kernels/   small operations in C++, and what the processor supports
    lora       adapters: chosen per token of a forward; read from and written to PEFT directories
    base       `Trainable`: what learning asks of a model
    cache      key-value caches: of a prefix, of earlier prompts, of the rows of a batch
    attention  which tokens of a forward attend to which
    decoder    the body of Llama-like models; `generic` runs any other by transformers' own forward
    runner     prefill, hidden states and logits: the only caller of decoder and generic
    decode     a batch of rows, one token each a step
    text       the tokenizer and the chat template
    hf         `load`, and `HFModel`: all of this as an `Engine` and a `Trainable`

A forward runs packed: one row of tokens, whatever rows of text they are from. Final hidden states go from the
runner to the losses; logits exist only for a few tokens at a time.

Tensor names end in one letter a dimension: docs/architecture.md has the legend.
"""
