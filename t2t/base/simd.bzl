"""How kernels that are compiled for several instruction sets are built."""

# -fno-trapping-math: with it GCC vectorises loops with comparisons (FastExp,
# dropout); no result changes.
SIMD_COPTS = [
    "-O3",
    "-fopenmp-simd",
    "-fno-trapping-math",
    "-fno-math-errno",
]
