// For functions that are written once and compiled for the CPU and, by nvcc, for the GPU as well.
#pragma once

#if defined(__CUDACC__)
#define XC_HD __host__ __device__ __forceinline__
#else
#define XC_HD inline
#endif
