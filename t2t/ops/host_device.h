#ifndef T2T_OPS_HOST_DEVICE_H_
#define T2T_OPS_HOST_DEVICE_H_

// Before functions that nvcc compiles for the GPU, too.
#ifdef __CUDACC__
#define T2T_HOST_DEVICE __host__ __device__
#else
#define T2T_HOST_DEVICE
#endif

#endif  // T2T_OPS_HOST_DEVICE_H_
