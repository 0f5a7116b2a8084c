"""Operations that are slow in torch on a CPU.

processor  the processor's instruction sets
native     small operations on bfloat16 and products of few rows, compiled from native.cpp
norm       the root-mean-square norm, with a backward of its own
"""
