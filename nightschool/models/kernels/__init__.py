"""Operations that torch does slowly on a CPU: `native` (C++ on bfloat16), `norm`, and what `processor` has."""
