"""One file an API: between its JSON and what `serve.chat` knows (`serve.answer`). Pure."""
