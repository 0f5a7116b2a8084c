"""The model that answers and learns on this machine: a map of the room.

Each file imports only those above it.

    embedded   the default model, unpacked from a wheel
    kernels/   small operations in C++, and the processor's instruction sets
    lora       adapters, chosen for each token of a forward; read from and written to PEFT directories
    base       `Trainable`: what learning asks of a model
    cache      key-value caches of a prefix, of earlier prompts and of a batch's rows
    attention  which tokens of a forward attend to which
    decoder    runs Llama and its relatives, the short way
    generic    runs any other causal language model by transformers' own forward
    runner     prefill, hidden states and logits; the only caller of decoder and generic
    vocabulary the tokenizer's tokens as bytes, and as the library that follows grammars takes them
    masks      which tokens may come next in a row with a grammar
    sampling   from logits to tokens
    decode     a batch of rows, decoded one token a step
    text       the tokenizer and the chat template
    hf         `load`, and `HFModel`: all of this as an `Engine` and a `Trainable`

A request goes text -> decode -> runner -> decoder or generic -> attention, and its tokens come back from
decode. A loss asks the runner for final hidden states, and for the logits of a few tokens at a time.
Every forward runs its tokens packed, as one row, whichever rows of text they belong to.

Tensor names end in one letter a dimension: docs/architecture.md has the legend.
"""
