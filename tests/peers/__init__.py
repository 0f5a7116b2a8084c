"""What the tests of llama.cpp's and vLLM's servers expect of the APIs that we speak, too.

Each test of theirs is one here, with its name and in a file of its name, written anew: the model is called
`live`, and all paths are under /v1. What only the peer has (grammars, timings, slots, any model name) is left
out; where the peer and OpenAI (or Anthropic) differ, OpenAI is right. Many want a model that can do more than
ours; then examples stand before what is asked, or less is wanted of the answer's sense, never of its form.
"""
