#ifndef T2T_OPS_SIMD_H_
#define T2T_OPS_SIMD_H_

// Compiles a function once for every kind of machine below and picks at load
// time, so that its loops are vectorised for the machine they run on.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define T2T_SIMD_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define T2T_SIMD_CLONES
#endif

#endif  // T2T_OPS_SIMD_H_
