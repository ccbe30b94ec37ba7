// What stands before every kernel: the types, and sums over a warp.
// T is the type of elements in memory, Real the one in which they are computed; BYTES is the size of T.
#if BYTES == 2
#include <cuda_fp16.h>
typedef __half T;
typedef float Real;
#elif BYTES == 4
typedef float T;
typedef float Real;
#else
typedef double T;
typedef double Real;
#endif

// The sum of `value` over the 32 threads of a warp, for each of them.
__device__ Real sum_over_warp(Real value) {
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffff, value, distance);
    return value;
}
