"""Operations that are slow in torch on a CPU (`native`, in C++, and `norm`); `processor`: its features."""
